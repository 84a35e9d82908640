package usage

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// batch is how many pairs one transaction writes: each is a row of use and a row of its hour. Whoever
// asks for use waits for one transaction at most, so it is short: about a millisecond.
const batch = 25

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
		if failed {
			u.pause(ctx, u.opt.Every)
		}
	}
}

// Flush writes everything that was counted so far, without pauses.
func (u *Usage) Flush(ctx context.Context) error {
	return u.flush(ctx, func(context.Context, time.Duration) {})
}

// pause gives changes on the same disk their turn after a transaction that took this long.
func (u *Usage) pause(ctx context.Context, took time.Duration) {
	wait := time.NewTimer(max(took*time.Duration(u.opt.Pace), 2*time.Millisecond))
	defer wait.Stop()
	select {
	case <-ctx.Done():
	case <-wait.C:
	}
}

func (u *Usage) flush(ctx context.Context, pause func(context.Context, time.Duration)) error {
	u.writing.Lock() // what is on its way to the file has no count for the moment, and must stay
	todo := u.memory.counted()
	u.writing.Unlock()
	// In the order of the file, so that a transaction touches few of its pages.
	slices.SortFunc(todo, func(a, b slot) int {
		return cmp.Or(cmp.Compare(a.token, b.token), cmp.Compare(a.app, b.app), cmp.Compare(a.hour, b.hour))
	})
	for part := range slices.Chunk(todo, batch) {
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

// write moves pairs from memory to the file. After an error they are in memory again.
func (u *Usage) write(ctx context.Context, part []slot) error {
	u.writing.Lock()
	defer u.writing.Unlock()
	rows := u.memory.take(part)
	u.weeks.wrote(rows)
	err := u.file.write(ctx, rows)
	if err != nil {
		u.memory.putBack(rows)
	}
	return err
}

func (u *Usage) prune(ctx context.Context, before int64) (more bool, err error) {
	u.writing.Lock()
	defer u.writing.Unlock()
	return u.file.prune(ctx, before)
}
