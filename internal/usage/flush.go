package usage

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"
)

// run flushes until ctx ends.
func (u *Usage) run(ctx context.Context) {
	defer close(u.stopped)
	tick := time.NewTicker(u.opt.Every)
	defer tick.Stop()
	failed := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-u.full:
		}
		err := u.flush(ctx, u.pause)
		if ctx.Err() != nil {
			return
		}
		if err != nil && !failed {
			u.opt.Log.Warn("uses stay in memory: they cannot be written", "error", err)
		}
		if err == nil && failed {
			u.opt.Log.Info("uses are written again")
		}
		failed = err != nil
		if failed { // also where memory is full, which asks for a flush at once
			wait(ctx, u.opt.Every)
		}
	}
}

// Flush writes everything that was counted so far, without pauses.
func (u *Usage) Flush(ctx context.Context) error {
	return u.flush(ctx, func(context.Context, time.Duration) {})
}

// pause gives changes on the same disk or server their turn after a transaction that took this long.
func (u *Usage) pause(ctx context.Context, took time.Duration) {
	wait(ctx, max(took*time.Duration(u.opt.Pace), 2*time.Millisecond))
}

func wait(ctx context.Context, d time.Duration) {
	over := time.NewTimer(d)
	defer over.Stop()
	select {
	case <-ctx.Done():
	case <-over.C:
	}
}

func (u *Usage) flush(ctx context.Context, pause func(context.Context, time.Duration)) error {
	u.writing.Lock() // what is on its way to the file has no count for the moment, and must stay
	todo := u.memory.counted()
	u.writing.Unlock()
	// In the order of the table, so that a transaction touches few of its pages.
	slices.SortFunc(todo, func(a, b slot) int {
		return cmp.Or(cmp.Compare(a.token, b.token), cmp.Compare(a.app, b.app), cmp.Compare(a.hour, b.hour))
	})
	for part := range slices.Chunk(todo, u.size.pairs) {
		began := time.Now()
		if err := u.write(ctx, part); err != nil {
			return err
		}
		pause(ctx, time.Since(began))
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	for {
		began := time.Now()
		more, err := u.prune(ctx, hourOf(u.opt.Now())-week)
		if err != nil || !more {
			return err
		}
		pause(ctx, time.Since(began))
	}
}

// write moves pairs from memory to what is written. After an error they are in memory again.
func (u *Usage) write(ctx context.Context, part []slot) error {
	u.writing.Lock()
	defer u.writing.Unlock()
	if err := u.settle(ctx); err != nil {
		return err
	}
	rows := u.memory.take(part)
	if len(rows) == 0 {
		return nil
	}
	err := u.commit(ctx, u.late(rows), func(c conn) error { return put(c, rows, u.size.rows) })
	if err != nil {
		u.memory.putBack(rows)
	}
	if errors.Is(err, errInDoubt) {
		u.writer.doubt = rows
	}
	return err
}

func (u *Usage) prune(ctx context.Context, before int64) (more bool, err error) {
	u.writing.Lock()
	defer u.writing.Unlock()
	err = u.record.write(ctx, func(c conn) error {
		if more, err = prune(c, before); err != nil || more {
			return err
		}
		return pruneWriters(c, u.opt.Now())
	})
	return more, err
}
