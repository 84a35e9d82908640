// Package usage remembers who used what, when and from where. Requests are counted in memory; every
// few seconds the counts are written to a file of their own, in batches no change has to wait for.
package usage

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"ostiary"
)

// Options of a Usage. Zero values stand for the defaults.
type Options struct {
	Every time.Duration    // between two flushes: 5 s
	Limit int              // pairs of token and application that memory holds: 262,144
	Pace  int              // a pause after each transaction is this many times as long as it: 6
	Now   func() time.Time // for made-up records
	Log   *slog.Logger
}

// A Usage counts requests by token, application and hour.
type Usage struct {
	opt    Options
	memory memory

	// writing is held for one transaction at a time: what it took out of memory is then in the file.
	// Who holds it sees every request exactly once, in memory or in the file.
	writing sync.Mutex
	file    *file // guarded by writing
	weeks   weeks // guarded by writing

	full    chan struct{} // memory has no more room: flush now
	stop    context.CancelFunc
	stopped chan struct{}
	closing sync.Once
	closed  error // of the first Close
}

// Open begins to count. A file that cannot be read is moved aside and begun anew. While there is no
// file that can be written, the counts stay in memory.
func Open(path string, opt Options) (*Usage, error) {
	opt.Every = or(opt.Every, 5*time.Second)
	opt.Limit = or(opt.Limit, 262_144)
	opt.Pace = or(opt.Pace, 6)
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	ctx, stop := context.WithCancel(context.Background())
	u := &Usage{
		opt: opt, file: &file{path: path, log: opt.Log},
		weeks: weeks{}, full: make(chan struct{}, 1), stop: stop, stopped: make(chan struct{}),
	}
	u.memory.limit = int64(opt.Limit)
	if err := u.file.open(ctx); err != nil {
		opt.Log.Warn("uses are kept in memory until their file can be written", "path", path, "error", err)
	}
	go u.run(ctx)
	return u, nil
}

// Count counts one request. An App of zero stands for names that are not on record.
func (u *Usage) Count(k ostiary.UseKey, at time.Time, reason ostiary.Reason, from netip.Addr,
	appName, method, path, agent string,
) {
	if u.memory.count(k, at, reason, from, appName, method, path, agent) {
		return
	}
	select {
	case u.full <- struct{}{}:
	default:
	}
}

// Dropped is how many requests were not counted, because memory had no more room.
func (u *Usage) Dropped() uint64 { return u.memory.dropped() }

// Token is all use of a token, and its use by application.
func (u *Usage) Token(ctx context.Context, token ostiary.ID) (ostiary.Use, map[ostiary.ID]ostiary.Use, error) {
	u.writing.Lock()
	defer u.writing.Unlock()
	var total ostiary.Use
	apps := map[ostiary.ID]ostiary.Use{}
	add := func(k ostiary.UseKey, use ostiary.Use) {
		total = join(total, use)
		apps[k.App] = join(apps[k.App], use)
	}
	u.memory.ofToken(token, add)
	return total, apps, u.file.uses(ctx, "token_id", token, add)
}

// Account is the use of all tokens of an account, by token, and by token and application.
func (u *Usage) Account(ctx context.Context, account ostiary.ID) (
	map[ostiary.ID]ostiary.Use, map[ostiary.UseKey]ostiary.Use, error,
) {
	u.writing.Lock()
	defer u.writing.Unlock()
	tokens, apps := map[ostiary.ID]ostiary.Use{}, map[ostiary.UseKey]ostiary.Use{}
	add := func(k ostiary.UseKey, use ostiary.Use) {
		tokens[k.Token] = join(tokens[k.Token], use)
		apps[k] = join(apps[k], use)
	}
	u.memory.ofAccount(account, add)
	return tokens, apps, u.file.uses(ctx, "account_id", account, add)
}

// Forget removes what is remembered about an application of a token.
func (u *Usage) Forget(ctx context.Context, k ostiary.UseKey) error {
	u.writing.Lock()
	defer u.writing.Unlock()
	u.memory.forget(k)
	delete(u.weeks, k.Token)
	return u.file.forget(ctx, k, hourOf(u.opt.Now()))
}

// Close writes what is in memory, without pauses, and closes the file. Only the first call does.
func (u *Usage) Close() error {
	u.closing.Do(func() {
		u.stop()
		<-u.stopped
		if err := u.Flush(context.Background()); err != nil {
			u.closed = fmt.Errorf("what was counted last is not in %s: %w", u.file.path, err)
		}
		u.writing.Lock()
		defer u.writing.Unlock()
		if err := u.file.close(); u.closed == nil {
			u.closed = err
		}
	})
	return u.closed
}

// join is the use of two parts together.
func join(a, b ostiary.Use) ostiary.Use {
	if b.Last.After(a.Last) {
		a, b = b, a
	}
	if a.First.IsZero() || !b.First.IsZero() && b.First.Before(a.First) {
		a.First = b.First
	}
	a.Count += b.Count
	a.Refused += b.Refused
	return a
}

func or[T int | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}
