package usage

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"time"

	"ostiary"
)

// TokensUse is the use of several tokens, and by token and application.
func (u *Usage) TokensUse(ctx context.Context, tokens []ostiary.ID) (
	map[ostiary.ID]ostiary.Use, map[ostiary.UseKey]ostiary.Use, error,
) {
	u.writing.Lock()
	defer u.writing.Unlock()
	total, apps := map[ostiary.ID]ostiary.Use{}, map[ostiary.UseKey]ostiary.Use{}
	add := func(k ostiary.UseKey, use ostiary.Use) {
		total[k.Token] = join(total[k.Token], use)
		apps[k] = join(apps[k], use)
	}
	for _, token := range distinct(tokens) {
		u.memory.ofToken(token, add)
	}
	return total, apps, u.file.usesOf(ctx, tokens, add)
}

// LastOf is when applications were last used, by application; those that never were are not in it.
func (u *Usage) LastOf(ctx context.Context, keys []ostiary.UseKey) (map[ostiary.ID]time.Time, error) {
	u.writing.Lock()
	defer u.writing.Unlock()
	wanted := make(map[ostiary.ID]bool, len(keys))
	var tokens []ostiary.ID
	for _, k := range keys {
		wanted[k.App] = true
		tokens = append(tokens, k.Token)
	}
	last := make(map[ostiary.ID]time.Time, len(keys))
	add := func(app ostiary.ID, at time.Time) {
		if wanted[app] && at.After(last[app]) {
			last[app] = at
		}
	}
	tokens = distinct(tokens)
	for _, token := range tokens {
		u.memory.ofToken(token, func(k ostiary.UseKey, use ostiary.Use) { add(k.App, use.Last) })
	}
	return last, u.file.lastOf(ctx, keys, add)
}

// LastByToken is when each token of an account was last used.
func (u *Usage) LastByToken(ctx context.Context, account ostiary.ID) (map[ostiary.ID]time.Time, error) {
	u.writing.Lock()
	defer u.writing.Unlock()
	last := map[ostiary.ID]time.Time{}
	add := func(token ostiary.ID, at time.Time) {
		if at.After(last[token]) {
			last[token] = at
		}
	}
	u.memory.ofAccount(account, func(k ostiary.UseKey, use ostiary.Use) { add(k.Token, use.Last) })
	return last, u.file.lastByToken(ctx, account, add)
}

func distinct(ids []ostiary.ID) []ostiary.ID {
	seen := make(map[ostiary.ID]bool, len(ids))
	var out []ostiary.ID
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	}
	return out
}

// atOnce is how many rows one statement names.
const atOnce = 500

func (f *file) usesOf(ctx context.Context, tokens []ostiary.ID, add func(ostiary.UseKey, ostiary.Use)) error {
	return chunks(tokens, func(part []ostiary.ID) error {
		return f.each(ctx, scanUse(add), func() (*sql.Rows, error) {
			return f.conn.QueryContext(ctx, usesColumns+`
WHERE token_id IN (`+ids(part)+`)`)
		})
	})
}

func (f *file) lastOf(ctx context.Context, keys []ostiary.UseKey, add func(ostiary.ID, time.Time)) error {
	return chunks(keys, func(part []ostiary.UseKey) error {
		pairs := make([]string, len(part))
		for i, k := range part {
			pairs[i] = "(" + k.Token.String() + "," + k.App.String() + ")"
		}
		return f.each(ctx, scanLast(add), func() (*sql.Rows, error) {
			return f.conn.QueryContext(ctx, `
SELECT app_id, last
FROM uses
WHERE (token_id, app_id) IN (VALUES `+strings.Join(pairs, ",")+`)`)
		})
	})
}

func (f *file) lastByToken(ctx context.Context, account ostiary.ID, add func(ostiary.ID, time.Time)) error {
	return f.each(ctx, scanLast(add), func() (*sql.Rows, error) {
		return f.conn.QueryContext(ctx, `
SELECT token_id, max(last)
FROM uses
WHERE account_id = $1
GROUP BY token_id`, int64(account))
	})
}

func scanLast(add func(ostiary.ID, time.Time)) func(*sql.Rows) error {
	return func(rows *sql.Rows) error {
		var id ostiary.ID
		var last int64
		err := rows.Scan(&id, &last)
		add(id, time.UnixMilli(last).UTC())
		return err
	}
}

// chunks runs fn on parts of a list, none of them empty.
func chunks[T any](all []T, fn func([]T) error) error {
	for len(all) > 0 {
		n := min(len(all), atOnce)
		if err := fn(all[:n]); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

// ids are numbers for an IN.
func ids(all []ostiary.ID) string {
	var b []byte
	for i, id := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(id), 10)
	}
	return string(b)
}
