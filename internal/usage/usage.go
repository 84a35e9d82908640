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

	Patience time.Duration // with PostgreSQL: how long a page waits for a statement: 1 s
	Lead     Lead          // with PostgreSQL: which of several servers; nil: any that takes changes
}

// A Lead tells which server the records are on: one that was left alone goes on taking what is counted.
type Lead interface {
	// Age grows where connections may lead to another server. What is older is not used again.
	Age() uint64
	// Leads says whether a server may be it, by address.
	Leads(address string) bool
}

// A Usage counts requests by token, application and hour.
type Usage struct {
	opt    Options
	memory memory

	// writing is held for one transaction at a time: what it took out of memory is then written. Who holds
	// it for reading sees every request exactly once, in memory or in what is written.
	writing sync.RWMutex
	writer  writer // guarded by writing
	record  record
	size    size
	weeks   weeks

	full    chan struct{} // memory has no more room: flush now
	stop    context.CancelFunc
	stopped chan struct{}
	closing sync.Once
	closed  error // of the first Close
}

// Open begins to count. A file that cannot be read is moved aside and begun anew. While there is no
// file that can be written, the counts stay in memory.
func Open(path string, opt Options) (*Usage, error) {
	opt = opt.whole()
	f := &file{path: path, log: opt.Log}
	if err := f.open(context.Background()); err != nil {
		opt.Log.Warn("uses are kept in memory until their file can be written", "path", path, "error", err)
	}
	return begin(f, fileSize, opt), nil
}

// OpenPostgres begins to count into tables of a PostgreSQL database, which are made if they are missing. All
// nodes that name the same database see what each has counted. While the database is away, the counts stay in
// memory. An error means that the URL cannot be read; none shows it.
func OpenPostgres(ctx context.Context, url string, opt Options) (*Usage, error) {
	opt = opt.whole()
	p, err := newPostgres(url, opt.Patience, opt.Lead)
	if err != nil {
		return nil, err
	}
	if err := p.open(ctx); err != nil {
		opt.Log.Warn("uses are kept in memory until the database can be written", "error", err)
	}
	return begin(p, postgresSize, opt), nil
}

func (o Options) whole() Options {
	o.Every = or(o.Every, 5*time.Second)
	o.Limit = or(o.Limit, 262_144)
	o.Pace = or(o.Pace, 6)
	o.Patience = or(o.Patience, time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

func begin(to record, size size, opt Options) *Usage {
	ctx, stop := context.WithCancel(context.Background())
	u := &Usage{
		opt: opt, writer: newWriter(), record: to, size: size,
		full: make(chan struct{}, 1), stop: stop, stopped: make(chan struct{}),
	}
	u.memory.limit = int64(opt.Limit)
	go u.run(ctx)
	return u
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
	defer u.reading(ctx)()
	var total ostiary.Use
	apps := map[ostiary.ID]ostiary.Use{}
	add := func(k ostiary.UseKey, use ostiary.Use) {
		total = join(total, use)
		apps[k.App] = join(apps[k.App], use)
	}
	u.memory.ofToken(token, add)
	return total, apps, u.read(ctx, func(c conn) error {
		return c.each(usesWhere("token_id"), scanUse(add), int64(token))
	})
}

// Account is the use of all tokens of an account, by token, and by token and application.
func (u *Usage) Account(ctx context.Context, account ostiary.ID) (
	map[ostiary.ID]ostiary.Use, map[ostiary.UseKey]ostiary.Use, error,
) {
	defer u.reading(ctx)()
	tokens, apps := map[ostiary.ID]ostiary.Use{}, map[ostiary.UseKey]ostiary.Use{}
	add := func(k ostiary.UseKey, use ostiary.Use) {
		tokens[k.Token] = join(tokens[k.Token], use)
		apps[k] = join(apps[k], use)
	}
	u.memory.ofAccount(account, add)
	return tokens, apps, u.read(ctx, func(c conn) error {
		return c.each(usesWhere("account_id"), scanUse(add), int64(account))
	})
}

// Forget removes what is remembered about an application of a token.
func (u *Usage) Forget(ctx context.Context, k ostiary.UseKey) error {
	u.writing.Lock()
	defer u.writing.Unlock()
	u.memory.forget(k)
	u.writer.forget(k)
	if err := u.settle(ctx); err != nil {
		return err
	}
	return u.commit(ctx, true, func(c conn) error { return forget(c, k, hourOf(u.opt.Now())) })
}

// ForgetAfter removes what is remembered about tokens and applications with greater numbers, while nobody
// counts: after a restore, others get them.
func (u *Usage) ForgetAfter(ctx context.Context, token, app ostiary.ID) error {
	u.writing.Lock()
	defer u.writing.Unlock()
	return u.commit(ctx, true, func(c conn) error { return forgetAfter(c, token, app) })
}

// Close writes what is in memory, without pauses, and closes what it is written to. Only the first call does.
func (u *Usage) Close() error {
	u.closing.Do(func() {
		u.stop()
		<-u.stopped
		if err := u.Flush(context.Background()); err != nil {
			u.closed = fmt.Errorf("what was counted last is not in %s: %w", u.record, err)
		}
		u.writing.Lock()
		defer u.writing.Unlock()
		if err := u.record.close(); u.closed == nil {
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
