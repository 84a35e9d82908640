package store

import (
	"slices"
	"time"

	"ostiary"
)

const edgeColumns = `id, name, hash, hint, created_on, created_by, revoked_on, revoked_by`

func scanEdge(row scanner) (e ostiary.Edge, err error) {
	err = row.Scan(&e.ID, &e.Name, hash{&e.Hash}, &e.Hint, when{&e.CreatedOn}, &e.CreatedBy, when{&e.RevokedOn},
		&e.RevokedBy)
	return e, err
}

func (r *reader) Edge(id ostiary.ID) (ostiary.Edge, error) {
	return find(r.conn, scanEdge, `
		SELECT `+edgeColumns+`
		FROM edges
		WHERE id = $1`, id)
}

func (r *reader) Edges() ([]ostiary.Edge, error) {
	return list(r.conn, scanEdge, `
		SELECT `+edgeColumns+`
		FROM edges
		ORDER BY id`)
}

func (w *writer) PutEdge(e ostiary.Edge) error {
	return w.put(e.Fact(), `
		INSERT INTO edges (`+edgeColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (id) DO UPDATE
		SET name = excluded.name, revoked_on = excluded.revoked_on, revoked_by = excluded.revoked_by`,
		e.ID, e.Name, e.Hash[:], e.Hint, milli(e.CreatedOn), e.CreatedBy, milli(e.RevokedOn), e.RevokedBy)
}

func revokedEdges(c *conn) ([]ostiary.Hash, error) {
	return list(c, func(row scanner) (h ostiary.Hash, err error) {
		err = row.Scan(hash{&h})
		return h, err
	}, `
		SELECT hash
		FROM edges
		WHERE revoked_on <> 0`)
}

// revokeAgain revokes those of some credentials that these records still let in, with an entry each.
func (w *writer) revokeAgain(known []ostiary.Hash) error {
	edges, err := w.Edges()
	if err != nil {
		return err
	}
	at := time.Now().UTC().Truncate(time.Millisecond)
	for _, e := range edges {
		if !e.RevokedOn.IsZero() || !slices.Contains(known, e.Hash) {
			continue
		}
		e.RevokedOn, e.RevokedBy = at, rollbackBy
		if err := w.PutEdge(e); err != nil {
			return err
		}
		story := ostiary.Story{What: "edge.revoke", By: rollbackBy, Details: map[string]string{
			"edge": e.ID.String(), "name": e.Name, "hint": e.Hint, "because": becauseRestored,
		}}
		if _, err := w.Append(0, at, story, nil); err != nil {
			return err
		}
	}
	return nil
}
