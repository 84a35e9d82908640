package usage

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
	"strings"
	"time"

	"ostiary"
)

// TokensUse is the use of several tokens, and by token and application.
func (u *Usage) TokensUse(ctx context.Context, tokens []ostiary.ID) (
	map[ostiary.ID]ostiary.Use, map[ostiary.UseKey]ostiary.Use, error,
) {
	defer u.reading(ctx)()
	total, apps := map[ostiary.ID]ostiary.Use{}, map[ostiary.UseKey]ostiary.Use{}
	add := func(k ostiary.UseKey, use ostiary.Use) {
		total[k.Token] = join(total[k.Token], use)
		apps[k] = join(apps[k], use)
	}
	for _, token := range distinct(tokens) {
		u.memory.ofToken(token, add)
	}
	return total, apps, u.read(ctx, func(c conn) error { return usesOf(c, tokens, add) })
}

// LastOf is when applications were last used, by application; those that never were are not in it.
func (u *Usage) LastOf(ctx context.Context, keys []ostiary.UseKey) (map[ostiary.ID]time.Time, error) {
	defer u.reading(ctx)()
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
	return last, u.read(ctx, func(c conn) error { return lastOf(c, keys, add) })
}

// LastByToken is when each token of an account was last used.
func (u *Usage) LastByToken(ctx context.Context, account ostiary.ID) (map[ostiary.ID]time.Time, error) {
	defer u.reading(ctx)()
	last := map[ostiary.ID]time.Time{}
	add := func(token ostiary.ID, at time.Time) {
		if at.After(last[token]) {
			last[token] = at
		}
	}
	u.memory.ofAccount(account, func(k ostiary.UseKey, use ostiary.Use) { add(k.Token, use.Last) })
	return last, u.read(ctx, func(c conn) error { return lastByToken(c, account, add) })
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

func usesOf(c conn, tokens []ostiary.ID, add func(ostiary.UseKey, ostiary.Use)) error {
	for part := range slices.Chunk(tokens, atOnce) {
		err := c.each(usesColumns+`
WHERE token_id IN (`+ids(part)+`)`, scanUse(add))
		if err != nil {
			return err
		}
	}
	return nil
}

func lastOf(c conn, keys []ostiary.UseKey, add func(ostiary.ID, time.Time)) error {
	for part := range slices.Chunk(keys, atOnce) {
		pairs := make([]string, len(part))
		for i, k := range part {
			pairs[i] = "(" + k.Token.String() + "," + k.App.String() + ")"
		}
		err := c.each(`
SELECT app_id, last
FROM uses
WHERE (token_id, app_id) IN (VALUES `+strings.Join(pairs, ",")+`)`, scanLast(add))
		if err != nil {
			return err
		}
	}
	return nil
}

func lastByToken(c conn, account ostiary.ID, add func(ostiary.ID, time.Time)) error {
	return c.each(`
SELECT token_id, max(last)
FROM uses
WHERE account_id = $1
GROUP BY token_id`, scanLast(add), int64(account))
}

func scanLast(add func(ostiary.ID, time.Time)) func(*sql.Rows) error {
	return func(rows *sql.Rows) error {
		var id ostiary.ID
		var last int64
		err := rows.Scan(&id, &last)
		if err == nil {
			add(id, time.UnixMilli(last).UTC())
		}
		return err
	}
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
