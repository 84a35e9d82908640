package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"ostiary"
)

// A Registry is where the nodes on one database say what they have applied. It lies outside the log: what is
// lost of it in a crash is said again within seconds, so that nothing waits for a disk.
type Registry struct{ pool *sql.DB }

// Registry gives that of the database, or nil where this is the only node.
func (db *DB) Registry() *Registry {
	e, ok := db.engine.(*postgres)
	if !ok {
		return nil
	}
	return &Registry{e.words}
}

// now is the database's own clock, in milliseconds: by it nodes on different machines can be compared.
const now = `CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)`

// PutNode notes what a node has applied.
func (r *Registry) PutNode(ctx context.Context, n ostiary.Node) error {
	_, err := r.pool.ExecContext(ctx, `
		INSERT INTO nodes (id, name, version, via, applied, beat, lease, tail, signs, stale, stopped, seen_on)
		VALUES ($1, $2, $3, $4, $5, 1, $6, $7, $8, $9, $10, `+now+`)
		ON CONFLICT (id) DO UPDATE
		SET name = excluded.name, version = excluded.version, via = excluded.via, applied = excluded.applied,
			beat = nodes.beat + 1, lease = excluded.lease, tail = excluded.tail, signs = excluded.signs,
			stale = excluded.stale, stopped = excluded.stopped, seen_on = excluded.seen_on`,
		n.ID, n.Name, n.Version, n.Via, int64(n.Applied), n.Lease.Milliseconds(), n.Tail.Milliseconds(),
		n.Signs.Milliseconds(), number(n.Stale), number(n.Stopped))
	return failedHere(err)
}

// Nodes gives every node on record.
func (r *Registry) Nodes(ctx context.Context) ([]ostiary.Node, error) {
	rows, err := r.pool.QueryContext(ctx, `
		SELECT id, name, version, via, applied, beat, lease, tail, signs, stale, stopped, seen_on, `+now+` - seen_on
		FROM nodes`)
	if err != nil {
		return nil, failedHere(err)
	}
	defer rows.Close()
	var all []ostiary.Node
	for rows.Next() {
		var n ostiary.Node
		var lease, tail, signs, quiet int64
		err := rows.Scan(&n.ID, &n.Name, &n.Version, &n.Via, &n.Applied, &n.Beat, &lease, &tail, &signs, &n.Stale,
			&n.Stopped, when{&n.SeenOn}, &quiet)
		if err != nil {
			return nil, err
		}
		n.Lease, n.Tail, n.Signs = milliseconds(lease), milliseconds(tail), milliseconds(signs)
		n.Quiet = max(0, milliseconds(quiet))
		all = append(all, n)
	}
	return all, failedHere(rows.Err())
}

// DropNode forgets a node.
func (r *Registry) DropNode(ctx context.Context, id string) error {
	_, err := r.pool.ExecContext(ctx, `
		DELETE FROM nodes
		WHERE id = $1`, id)
	return failedHere(err)
}

func failedHere(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("the list of nodes: %w", err)
}

func milliseconds(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
