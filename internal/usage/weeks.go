package usage

import (
	"context"
	"database/sql"
	"time"

	"ostiary"
)

// weeks keeps what the file says about hours that are over. Pages show the same tokens again and again,
// and of each only the last two hours can still grow.
type weeks map[ostiary.ID]pastWeek

// A pastWeek has all of a token's hours before one.
type pastWeek struct {
	until int64
	hours []hourCount
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
	u.writing.Lock()
	defer u.writing.Unlock()
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
	err := u.settle(ctx, tokens, oldest, open)
	for _, token := range tokens {
		u.memory.hours(token, add)
		for _, h := range u.weeks[token].hours {
			add(token, h.hour, h.n)
		}
	}
	if err == nil {
		err = u.file.hoursOf(ctx, tokens, open, newest, add)
	}
	hours := make(map[ostiary.ID][week]uint64, len(counts))
	for token, h := range counts {
		hours[token] = *h
	}
	return hours, err
}

// settle reads what is not kept yet of the hours from oldest to open, which itself is not read.
func (u *Usage) settle(ctx context.Context, tokens []ostiary.ID, oldest, open int64) error {
	if len(u.weeks)+len(tokens) > maxWeeks {
		clear(u.weeks)
	}
	behind := map[int64][]ostiary.ID{} // by the first hour that is missing
	for _, token := range tokens {
		from := max(u.weeks[token].until, oldest)
		if from > open { // the clock was put back
			delete(u.weeks, token)
			from = oldest
		}
		if from < open {
			behind[from] = append(behind[from], token)
		}
	}
	for from, part := range behind {
		fresh := map[ostiary.ID][]hourCount{}
		err := u.file.hoursOf(ctx, part, from, open-1, func(token ostiary.ID, hour int64, n uint64) {
			fresh[token] = append(fresh[token], hourCount{hour, n})
		})
		if err != nil {
			return err
		}
		for _, token := range part {
			var kept []hourCount
			for _, h := range u.weeks[token].hours {
				if h.hour >= oldest {
					kept = append(kept, h)
				}
			}
			u.weeks[token] = pastWeek{until: open, hours: append(kept, fresh[token]...)}
		}
	}
	return nil
}

// wrote forgets the weeks that rows have changed: some were counted long before they could be written.
func (w weeks) wrote(rows []row) {
	for _, r := range rows {
		if past, ok := w[r.token]; ok && r.hour < past.until {
			delete(w, r.token)
		}
	}
}

// hoursOf gives the counts of tokens from the first hour to the last. The table is by hour first, so each
// hour of each token is one look.
func (f *file) hoursOf(ctx context.Context, tokens []ostiary.ID, first, last int64,
	add func(ostiary.ID, int64, uint64),
) error {
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
WHERE hour IN (`+list(first, int(last-first)+1)+`) AND token_id IN (`+ids(part)+`)
GROUP BY hour, token_id`)
		})
	})
}
