package usage

import (
	"context"
	"database/sql"
	"slices"
	"sync"
	"time"

	"ostiary"
)

// weeks keeps what is written about hours that are over. Pages show the same tokens again and again, and of
// each only the last two hours still grow, but for counts that come late and for what is forgotten: whoever
// writes those says so, and all is read anew.
type weeks struct {
	mu       sync.Mutex
	past     map[ostiary.ID]pastWeek
	lateness string // as of which they were read
}

// A pastWeek has all of a token's hours before one.
type pastWeek struct {
	until int64
	hours []hourCount // never changed
}

type hourCount struct {
	hour int64
	n    uint64
}

// maxWeeks is how many tokens are kept: some 8 MB.
const maxWeeks = 4096

// HoursOf are the requests of several tokens in each of the last 168 hours, oldest first. The last one
// is the hour that now lies in.
func (u *Usage) HoursOf(ctx context.Context, tokens []ostiary.ID, now time.Time) (
	map[ostiary.ID][week]uint64, error,
) {
	defer u.reading(ctx)()
	tokens = distinct(tokens)
	newest := hourOf(now)
	oldest, open := newest-week+1, newest-1
	counts := map[ostiary.ID]*[week]uint64{}
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
	for _, token := range tokens {
		u.memory.hours(token, add)
	}
	known, asOf := u.weeks.known(tokens, oldest, open)
	err := u.read(ctx, func(c conn) error {
		now, err := lateness(c)
		if err != nil {
			return err
		}
		if now != asOf {
			clear(known)
		}
		if err := u.weeks.complete(c, now, known, tokens, oldest, open); err != nil {
			return err
		}
		return hoursOf(c, tokens, open, newest, add)
	})
	for token, past := range known {
		for _, h := range past.hours {
			add(token, h.hour, h.n)
		}
	}
	hours := make(map[ostiary.ID][week]uint64, len(counts))
	for token, h := range counts {
		hours[token] = *h
	}
	return hours, err
}

// known are the weeks that are kept of tokens, and the lateness that they are of.
func (w *weeks) known(tokens []ostiary.ID, oldest, open int64) (known map[ostiary.ID]pastWeek, asOf string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	known = make(map[ostiary.ID]pastWeek, len(tokens))
	for _, token := range tokens {
		past := w.past[token]
		if past.until > open { // the clock was put back
			past = pastWeek{}
		}
		known[token] = pastWeek{max(past.until, oldest), past.hours}
	}
	return known, w.lateness
}

// complete reads what is missing of the hours from oldest to open, which itself is not read, and keeps it.
func (w *weeks) complete(c conn, now string, known map[ostiary.ID]pastWeek, tokens []ostiary.ID,
	oldest, open int64,
) error {
	behind := map[int64][]ostiary.ID{} // by the first hour that is missing
	for _, token := range tokens {
		if from := max(known[token].until, oldest); from < open {
			behind[from] = append(behind[from], token)
		}
	}
	for from, all := range behind {
		for part := range slices.Chunk(all, weeksAtOnce) { // what is read is kept, also if time runs out
			if err := addHours(c, known, part, from, oldest, open); err != nil {
				return err
			}
			w.keep(known, part, now)
		}
	}
	return nil
}

// addHours adds to the weeks of tokens the hours from one on.
func addHours(c conn, known map[ostiary.ID]pastWeek, tokens []ostiary.ID, from, oldest, open int64) error {
	fresh := map[ostiary.ID][]hourCount{}
	err := hoursOf(c, tokens, from, open-1, func(token ostiary.ID, hour int64, n uint64) {
		fresh[token] = append(fresh[token], hourCount{hour, n})
	})
	if err != nil {
		return err
	}
	for _, token := range tokens {
		for _, h := range known[token].hours {
			if h.hour >= oldest {
				fresh[token] = append(fresh[token], h)
			}
		}
		known[token] = pastWeek{until: open, hours: fresh[token]}
	}
	return nil
}

// keep keeps the weeks of tokens. Those of another lateness go.
func (w *weeks) keep(weeks map[ostiary.ID]pastWeek, tokens []ostiary.ID, lateness string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.past == nil || w.lateness != lateness || len(w.past)+len(tokens) > maxWeeks {
		w.past, w.lateness = map[ostiary.ID]pastWeek{}, lateness
	}
	for _, token := range tokens {
		w.past[token] = weeks[token]
	}
}

// have says whether an hour of a token is kept.
func (w *weeks) have(token ostiary.ID, hour int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return hour < w.past[token].until
}

// apart is how far the clocks of two nodes may be apart.
const apart = 5 * time.Minute

// late says whether rows change hours that this node keeps, or that another one may keep.
func (u *Usage) late(rows []row) bool {
	open := hourOf(u.opt.Now().Add(apart)) - 1
	return slices.ContainsFunc(rows, func(r row) bool { return r.hour < open || u.weeks.have(r.token, r.hour) })
}

// weeksAtOnce keeps a statement that reads whole weeks well within the time that it has.
const weeksAtOnce = 100

// hoursOf gives the counts of tokens from the first hour to the last. An index has both, so each hour of each
// token is one look.
func hoursOf(c conn, tokens []ostiary.ID, first, last int64, add func(ostiary.ID, int64, uint64)) error {
	for part := range slices.Chunk(tokens, weeksAtOnce) {
		err := c.each(`
SELECT hour, token_id, CAST(sum(count) AS BIGINT)
FROM hours
WHERE hour IN (`+list(first, int(last-first)+1)+`) AND token_id IN (`+ids(part)+`)
GROUP BY hour, token_id`, func(rows *sql.Rows) error {
			var hour int64
			var token ostiary.ID
			var n uint64
			err := rows.Scan(&hour, &token, &n)
			if err == nil {
				add(token, hour, n)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
