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

// HoursOf are the requests of several tokens in each of the last 168 hours, oldest first. The last one
// is the hour that now lies in.
func (u *Usage) HoursOf(ctx context.Context, tokens []ostiary.ID, now time.Time) (
	map[ostiary.ID][week]uint64, error,
) {
	u.writing.Lock()
	defer u.writing.Unlock()
	counts := map[ostiary.ID]*[week]uint64{}
	oldest := hourOf(now) - week + 1
	add := func(token ostiary.ID, hour int64, n uint64) {
		i := hour - oldest
		if i < 0 || i >= week {
			return
		}
		if counts[token] == nil {
			counts[token] = new([week]uint64)
		}
		counts[token][i] += n
	}
	for _, token := range distinct(tokens) {
		u.memory.hours(token, add)
	}
	err := u.file.hoursOf(ctx, tokens, oldest, add)
	hours := make(map[ostiary.ID][week]uint64, len(counts))
	for token, h := range counts {
		hours[token] = *h
	}
	return hours, err
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

// hoursOf gives the counts of tokens in a week that begins with an hour. The table is by hour first, so
// each hour of each token is one look.
func (f *file) hoursOf(ctx context.Context, tokens []ostiary.ID, oldest int64, add func(ostiary.ID, int64, uint64)) error {
	return chunks(tokens, func(part []ostiary.ID) error {
		return f.each(ctx, func(rows *sql.Rows) error {
			var hour int64
			var token ostiary.ID
			var n uint64
			err := rows.Scan(&hour, &token, &n)
			add(token, hour, n)
			return err
		}, func() (*sql.Rows, error) {
			return f.conn.QueryContext(ctx, `
SELECT hour, token_id, sum(count)
FROM hours
WHERE hour IN (`+list(oldest, week)+`) AND token_id IN (`+ids(part)+`)
GROUP BY hour, token_id`)
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
