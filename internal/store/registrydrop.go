package store

import (
	"context"
	"encoding/json"

	"ostiary"
)

// DropNode forgets a node.
func (r *Registry) DropNode(ctx context.Context, id string) error {
	_, err := r.quick.ExecContext(ctx, `
		DELETE FROM nodes
		WHERE id = $1`, id)
	return failedHere(err)
}

// DropSilent forgets nodes that have said nothing since the beat that they are given with.
func (r *Registry) DropSilent(ctx context.Context, nodes ...ostiary.Node) error {
	type row struct {
		ID   string `json:"id"`
		Beat uint64 `json:"beat"`
	}
	rows := make([]row, len(nodes))
	for i, n := range nodes {
		rows[i] = row{n.ID, n.Beat}
	}
	text, err := json.Marshal(rows)
	if err != nil {
		return failedHere(err)
	}
	_, err = r.quick.ExecContext(ctx, `
		DELETE FROM nodes
		USING json_to_recordset($1::JSON) AS n (id TEXT, beat BIGINT)
		WHERE nodes.id = n.id AND nodes.beat = n.beat`, string(text))
	return failedHere(err)
}
