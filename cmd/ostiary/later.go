package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"ostiary"
	"ostiary/internal/follow"
	"ostiary/internal/store"
	"ostiary/internal/usage"
)

// records are where a node's records are: a store.DB, or one that can be opened later.
type records interface {
	ostiary.Store
	Degraded() error
	ErrorCount() uint64
	Backup(ctx context.Context, file string) error
	Hints(ctx context.Context) <-chan uint64
}

// laterEvery is how often a database that is away is tried.
const laterEvery = 500 * time.Millisecond

// A later is a database that could not be reached when the node began. It is tried until it can be.
type later struct {
	open   func(context.Context) (*store.DB, error)
	log    *slog.Logger
	db     atomic.Pointer[store.DB]
	why    atomic.Pointer[error]
	stop   context.CancelFunc
	trying sync.WaitGroup
	opened chan struct{}
}

func openLater(open func(context.Context) (*store.DB, error), why error, log *slog.Logger) *later {
	l := &later{open: open, log: log, opened: make(chan struct{})}
	l.why.Store(&why)
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	l.trying.Go(func() { l.try(ctx) })
	return l
}

func (l *later) try(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(laterEvery):
		}
		db, err := l.open(ctx)
		if err == nil {
			l.db.Store(db)
			close(l.opened)
			l.log.Info("the database is there; changes can be made again")
			return
		}
		if old := l.why.Swap(&err); (*old).Error() != err.Error() && ctx.Err() == nil {
			l.log.Error("the database cannot be opened", "error", err)
		}
	}
}

// away is why there is no database, as a store says that no changes can be made.
func (l *later) away() error { return fmt.Errorf("%w: %w", ostiary.ErrReadOnly, *l.why.Load()) }

func (l *later) View(ctx context.Context, fn func(ostiary.Reader) error) error {
	if db := l.db.Load(); db != nil {
		return db.View(ctx, fn)
	}
	return l.away()
}

func (l *later) Update(ctx context.Context, fn func(ostiary.Writer) error) error {
	if db := l.db.Load(); db != nil {
		return db.Update(ctx, fn)
	}
	return l.away()
}

func (l *later) Changes(ctx context.Context, after uint64, fn func(ostiary.Change) error) error {
	if db := l.db.Load(); db != nil {
		return db.Changes(ctx, after, fn)
	}
	return l.away()
}

func (l *later) Seen(h ostiary.Head) {
	if db := l.db.Load(); db != nil {
		db.Seen(h)
	}
}

func (l *later) Degraded() error {
	if db := l.db.Load(); db != nil {
		return db.Degraded()
	}
	return l.away()
}

func (l *later) ErrorCount() uint64 {
	if db := l.db.Load(); db != nil {
		return db.ErrorCount()
	}
	return 0
}

func (l *later) Backup(ctx context.Context, file string) error {
	if db := l.db.Load(); db != nil {
		return db.Backup(ctx, file)
	}
	return l.away()
}

// Hints begin once the database is there.
func (l *later) Hints(ctx context.Context) <-chan uint64 {
	out := make(chan uint64)
	go func() {
		defer close(out)
		select {
		case <-ctx.Done():
			return
		case <-l.opened:
		}
		for revision := range l.db.Load().Hints(ctx) {
			select {
			case out <- revision:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// Gather, KeepNodes, PutNodes, Nodes, DropNode and DropSilent are those of the database's registry.
func (l *later) Gather() {
	if db := l.db.Load(); db != nil {
		db.Registry().Gather()
	}
}

func (l *later) KeepNodes(ctx context.Context, nodes ...ostiary.Node) (ostiary.Head, error) {
	if db := l.db.Load(); db != nil {
		return db.Registry().KeepNodes(ctx, nodes...)
	}
	return ostiary.Head{}, l.away()
}

func (l *later) PutNodes(ctx context.Context, nodes ...ostiary.Node) error {
	if db := l.db.Load(); db != nil {
		return db.Registry().PutNodes(ctx, nodes...)
	}
	return l.away()
}

func (l *later) Nodes(ctx context.Context, knows ostiary.Head) ([]ostiary.Node, error) {
	if db := l.db.Load(); db != nil {
		return db.Registry().Nodes(ctx, knows)
	}
	return nil, l.away()
}

func (l *later) DropNode(ctx context.Context, id string) error {
	if db := l.db.Load(); db != nil {
		return db.Registry().DropNode(ctx, id)
	}
	return l.away()
}

func (l *later) DropSilent(ctx context.Context, nodes ...ostiary.Node) error {
	if db := l.db.Load(); db != nil {
		return db.Registry().DropSilent(ctx, nodes...)
	}
	return l.away()
}

// Age and Leads are the registry's too. As long as the database is away, any server may be it.
func (l *later) Age() uint64 {
	if db := l.db.Load(); db != nil {
		return db.Registry().Age()
	}
	return 0
}

func (l *later) Leads(address string) bool {
	if db := l.db.Load(); db != nil {
		return db.Registry().Leads(address)
	}
	return true
}

func (l *later) Close() error {
	l.stop()
	l.trying.Wait()
	if db := l.db.Load(); db != nil {
		return db.Close()
	}
	return nil
}

// openRecords opens the records. Where they are in PostgreSQL and that is away, and there is a local copy to
// begin with, they are opened later.
func (n *node) openRecords(ctx context.Context) (err error) {
	open := func(ctx context.Context) (*store.DB, error) {
		return store.Open(ctx, n.cfg.Data, store.Options{
			Database: store.ReadDSN(n.cfg.Database.Reveal()), Mark: n.cfg.Mark, AcceptRollback: n.cfg.AcceptRollback, Log: n.log,
		})
	}
	db, err := open(ctx)
	switch {
	case err == nil:
		n.db = db
		if registry := db.Registry(); registry != nil {
			n.registry = registry
		}
	case errors.Is(err, store.ErrAway) && n.hasCopy():
		l := openLater(open, err, n.log)
		n.db, n.registry, n.absent = l, l, err
	default:
		return err
	}
	return nil
}

var (
	_ follow.Registry = (*later)(nil)
	_ usage.Lead      = (*later)(nil)
	_ usage.Lead      = (*store.Registry)(nil)
)
