package store

import "ostiary"

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
