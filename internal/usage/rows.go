package usage

import (
	"context"
	"database/sql"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"ostiary"
)

const putUse = `
INSERT INTO uses (token_id, app_id, account_id, first, last, count, refused,
  reason, address, agent, method, path, app_name)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT (token_id, app_id) DO UPDATE SET
  last = max(last, excluded.last),
  count = count + excluded.count,
  refused = refused + excluded.refused,
  reason = excluded.reason,
  address = excluded.address,
  agent = excluded.agent,
  method = excluded.method,
  path = excluded.path,
  app_name = excluded.app_name`

const putHour = `
INSERT INTO hours (hour, token_id, app_id, count)
VALUES ($1, $2, $3, $4)
ON CONFLICT (hour, token_id, app_id) DO UPDATE SET
  count = count + excluded.count`

// A row is a pair on its way to the file.
type row struct {
	slot
	account ostiary.ID
	use     ostiary.Use
}

// write adds rows in one transaction.
func (f *file) write(ctx context.Context, rows []row) error {
	if len(rows) == 0 {
		return nil
	}
	return f.transaction(ctx, func() error {
		for _, r := range rows {
			u := r.use
			_, err := f.putUse.Exec(int64(r.token), int64(r.app), int64(r.account), u.First.UnixMilli(),
				u.Last.UnixMilli(), int64(u.Count), int64(u.Refused), int64(u.Reason), u.From.AsSlice(), u.Agent,
				u.Method, u.Path, u.AppName)
			if err != nil {
				return err
			}
			if _, err := f.putHour.Exec(r.hour, int64(r.token), int64(r.app), int64(u.Count)); err != nil {
				return err
			}
		}
		return nil
	})
}

// uses gives the rows whose column has this value.
func (f *file) uses(ctx context.Context, column string, id ostiary.ID, add func(ostiary.UseKey, ostiary.Use)) error {
	return f.each(ctx, scanUse(add), func() (*sql.Rows, error) { return f.usesBy[column].Query(int64(id)) })
}

func scanUse(add func(ostiary.UseKey, ostiary.Use)) func(*sql.Rows) error {
	return func(rows *sql.Rows) error {
		var k ostiary.UseKey
		var u ostiary.Use
		var first, last int64
		var from []byte
		err := rows.Scan(&k.Account, &k.Token, &k.App, &first, &last, &u.Count, &u.Refused, &u.Reason, &from,
			&u.Agent, &u.Method, &u.Path, &u.AppName)
		u.First, u.Last = time.UnixMilli(first).UTC(), time.UnixMilli(last).UTC()
		u.From, _ = netip.AddrFromSlice(from)
		add(k, u)
		return err
	}
}

const usesColumns = `
SELECT account_id, token_id, app_id, first, last, count, refused,
  reason, address, agent, method, path, app_name
FROM uses`

// usesWhere are the statements that read uses, by the column that chooses them.
func usesWhere(column string) string {
	return usesColumns + `
WHERE ` + column + ` = $1`
}

func (f *file) each(ctx context.Context, fn func(*sql.Rows) error, query func() (*sql.Rows, error)) error {
	return f.with(ctx, func() error {
		rows, err := query()
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := fn(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

func (f *file) forget(ctx context.Context, k ostiary.UseKey, now int64) error {
	return f.transaction(ctx, func() error {
		_, err := f.conn.ExecContext(ctx, `
DELETE FROM uses
WHERE token_id = $1 AND app_id = $2`, int64(k.Token), int64(k.App))
		if err != nil {
			return err
		}
		_, err = f.conn.ExecContext(ctx, `
DELETE FROM hours
WHERE hour IN (`+list(now-week, week+2)+`) AND token_id = $1 AND app_id = $2`, int64(k.Token), int64(k.App))
		return err
	})
}

// prune removes the counts of at most 500 hours before one, and says whether there may be more.
func (f *file) prune(ctx context.Context, before int64) (more bool, err error) {
	err = f.with(ctx, func() error {
		result, err := f.conn.ExecContext(ctx, `
DELETE FROM hours
WHERE (hour, token_id, app_id) IN (
  SELECT hour, token_id, app_id
  FROM hours
  WHERE hour < $1
  ORDER BY hour, token_id, app_id
  LIMIT 500)`, before)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		more = n == 500
		return err
	})
	return more, err
}

// list is n numbers from the first on, for an IN.
func list(first int64, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprint(&b, first+int64(i))
	}
	return b.String()
}
