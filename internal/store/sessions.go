package store

import (
	"time"

	"ostiary"
)

func (r *reader) Session(hash ostiary.Hash) (ostiary.Session, error) {
	return find(r.conn, scanSession, `
		SELECT `+sessionColumns+`
		FROM sessions
		WHERE hash = $1`, hash[:])
}

func (r *reader) Sessions(user ostiary.ID) ([]ostiary.Session, error) {
	return list(r.conn, scanSession, `
		SELECT `+sessionColumns+`
		FROM sessions
		WHERE user_id = $1
		ORDER BY id`, user)
}

func (w *writer) PutSession(s ostiary.Session) error {
	return w.exec(`
		INSERT INTO sessions (`+sessionColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (hash) DO UPDATE
		SET seen_on = excluded.seen_on`,
		s.ID, s.Hash[:], s.User, milli(s.BeganOn), milli(s.SeenOn), s.From, s.Agent)
}

func (w *writer) DropSession(hash ostiary.Hash) error {
	return w.exec(`
		DELETE FROM sessions
		WHERE hash = $1`, hash[:])
}

func (w *writer) DropSessions(user ostiary.ID, except ostiary.Hash) error {
	return w.exec(`
		DELETE FROM sessions
		WHERE user_id = $1 AND hash <> $2`, user, except[:])
}

// endSessions removes those of everybody, from a database that was put back in time: a cookie that was
// signed out since, or whose password was changed, would be a session again.
const endSessions = `
	DELETE FROM sessions`

// DropStaleSessions removes those that nobody can use any more.
func (w *writer) DropStaleSessions(seenBefore, begunBefore time.Time) error {
	return w.exec(`
		DELETE FROM sessions
		WHERE seen_on < $1 OR began_on < $2`, milli(seenBefore), milli(begunBefore))
}
