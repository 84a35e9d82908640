package usage

import (
	"context"
	"database/sql"
)

// FlushInPeace is what a running server does: a flush with pauses.
func (u *Usage) FlushInPeace(ctx context.Context) error { return u.flush(ctx, u.pause) }

// Writers is how many writers are on record.
func Writers(ctx context.Context, u *Usage) (n int) {
	u.read(ctx, func(c conn) error {
		return c.each(`SELECT COUNT(*) FROM use_writers`, func(rows *sql.Rows) error { return rows.Scan(&n) })
	})
	return n
}

// Setting is what the server says about a setting of the connections.
func Setting(ctx context.Context, u *Usage, name string) (value string) {
	u.read(ctx, func(c conn) error {
		return c.each(`SELECT current_setting($1)`, func(rows *sql.Rows) error { return rows.Scan(&value) }, name)
	})
	return value
}
