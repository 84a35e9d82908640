package edge

import (
	"context"
	"encoding/json"
	"maps"
	"net/netip"
	"sync"
	"time"

	"ostiary"
	"ostiary/internal/feed"
)

// uses counts who used what until it is handed on.
type uses struct {
	client *feed.Client

	mu   sync.Mutex
	held map[hour]ostiary.Use
}

// An hour is a pair of token and application in one hour.
type hour struct {
	ostiary.UseKey
	hour int64
}

const (
	handOnEvery = 2 * time.Second
	mostHeld    = 100_000 // pairs; beyond that nothing is counted
	mostAtOnce  = 2000    // of them in one frame
)

func newUses(c *feed.Client) *uses { return &uses{client: c, held: map[hour]ostiary.Use{}} }

// Count counts a request.
func (u *uses) Count(k ostiary.UseKey, at time.Time, reason ostiary.Reason, from netip.Addr,
	appName, method, path, agent string,
) {
	u.mu.Lock()
	defer u.mu.Unlock()
	key := hour{k, at.Unix() / 3600}
	use, found := u.held[key]
	if !found && len(u.held) >= mostHeld {
		return
	}
	if use.First.IsZero() {
		use.First = at
	}
	use.Last, use.Reason, use.From = at, reason, from
	use.AppName, use.Method, use.Path, use.Agent = appName, method, clip(path), clip(agent)
	use.Count++
	if reason != ostiary.OK {
		use.Refused++
	}
	u.held[key] = use
}

func clip(s string) string { return s[:min(len(s), 200)] }

func (u *uses) run(ctx context.Context) {
	tick := time.NewTicker(handOnEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			u.flush(ctx)
		}
	}
}

// flush hands on what is held. What cannot be sent is held on.
func (u *uses) flush(ctx context.Context) {
	u.mu.Lock()
	held := u.held
	u.held = map[hour]ostiary.Use{}
	u.mu.Unlock()
	var rows []feed.Use
	send := func() {
		text, err := json.Marshal(rows)
		if err == nil && len(rows) > 0 && u.client.Use(ctx, text) == nil {
			for _, r := range rows {
				delete(held, hour{r.Key, r.Hour})
			}
		}
		rows = rows[:0]
	}
	for key, use := range maps.Clone(held) {
		if rows = append(rows, feed.Use{Key: key.UseKey, Hour: key.hour, Use: use}); len(rows) == mostAtOnce {
			send()
		}
	}
	send()
	u.back(held)
}

func (u *uses) back(held map[hour]ostiary.Use) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for key, use := range held {
		if newer, found := u.held[key]; found {
			newer.First = use.First
			newer.Count += use.Count
			newer.Refused += use.Refused
			use = newer
		}
		u.held[key] = use
	}
}

// An edge shows no pages: nobody asks it who used what.

func (u *uses) Token(context.Context, ostiary.ID) (ostiary.Use, map[ostiary.ID]ostiary.Use, error) {
	return ostiary.Use{}, nil, nil
}

func (u *uses) Account(context.Context, ostiary.ID) (
	map[ostiary.ID]ostiary.Use, map[ostiary.UseKey]ostiary.Use, error,
) {
	return nil, nil, nil
}

func (u *uses) TokensUse(context.Context, []ostiary.ID) (
	map[ostiary.ID]ostiary.Use, map[ostiary.UseKey]ostiary.Use, error,
) {
	return nil, nil, nil
}

func (u *uses) HoursOf(context.Context, []ostiary.ID, time.Time) (map[ostiary.ID][168]uint64, error) {
	return nil, nil
}

func (u *uses) LastOf(context.Context, []ostiary.UseKey) (map[ostiary.ID]time.Time, error) {
	return nil, nil
}

func (u *uses) LastByToken(context.Context, ostiary.ID) (map[ostiary.ID]time.Time, error) {
	return nil, nil
}

func (u *uses) Forget(context.Context, ostiary.UseKey) error { return nil }
