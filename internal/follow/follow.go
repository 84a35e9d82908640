// Package follow keeps a directory current from the log.
package follow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"ostiary"
)

// Interval is how often Run looks whether the log is ahead of the directory.
const Interval = 250 * time.Millisecond

// batch is how many changes are read before they are applied, so that no read lasts for long.
const batch = 500

// ErrBack says that the log ends before what the directory holds: the records were put back in time.
var ErrBack = errors.New("the log ends before the directory's revision")

// A Log is where changes come from.
type Log interface {
	Changes(ctx context.Context, after uint64, fn func(ostiary.Change) error) error
	View(ctx context.Context, fn func(ostiary.Reader) error) error
}

// A Directory is where they go.
type Directory interface {
	Revision() uint64
	Apply(c ostiary.Change, emails map[ostiary.ID]string) error
}

// A Follower applies the log to a directory.
type Follower struct {
	log    Log
	dir    Directory
	logger *slog.Logger
	turn   chan struct{} // holds one element while somebody applies changes
	level  atomic.Pointer[time.Time]
	failed atomic.Pointer[error]
}

// New makes a follower of a directory that was just loaded.
func New(log Log, dir Directory, l *slog.Logger) *Follower {
	f := &Follower{log: log, dir: dir, logger: l, turn: make(chan struct{}, 1)}
	f.note(nil)
	return f
}

// CatchUp returns once the directory holds a revision that is in the log. One caller applies what
// is missing, for all who wait.
func (f *Follower) CatchUp(ctx context.Context, revision uint64) error {
	if f.dir.Revision() >= revision {
		return nil
	}
	select {
	case f.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-f.turn }()
	if f.dir.Revision() >= revision {
		return nil
	}
	if err := f.pull(ctx); err != nil {
		return fmt.Errorf("following the log: %w", err)
	}
	if at := f.dir.Revision(); at < revision {
		return fmt.Errorf("following the log: it ends at %d, before %d", at, revision)
	}
	f.note(nil)
	return nil
}

// Run follows the log until ctx ends. What CatchUp could not do is done here a little later.
func (f *Follower) Run(ctx context.Context) {
	tick := time.NewTicker(Interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := f.step(ctx); ctx.Err() == nil {
			f.note(err)
		}
	}
}

// step compares the directory with the end of the log, and catches up.
func (f *Follower) step(ctx context.Context) error {
	at := f.dir.Revision()
	var head ostiary.Head
	err := f.log.View(ctx, func(r ostiary.Reader) (err error) {
		head, err = r.Head()
		return err
	})
	if err != nil {
		return err
	}
	if head.Revision < at {
		return fmt.Errorf("%w: %d before %d", ErrBack, head.Revision, at)
	}
	return f.CatchUp(ctx, head.Revision)
}

// Behind is how long ago the directory was last seen to hold all of the log.
func (f *Follower) Behind() time.Duration { return time.Since(*f.level.Load()) }

// Err is what keeps the directory from following; nil while it follows.
func (f *Follower) Err() error {
	if err := f.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// note keeps the outcome of an attempt, and logs where it differs from the one before.
func (f *Follower) note(err error) {
	if err != nil {
		if old := f.failed.Swap(&err); old == nil || (*old).Error() != err.Error() {
			f.logger.Error("the directory does not follow the log", "revision", f.dir.Revision(), "error", err)
		}
		return
	}
	now := time.Now()
	f.level.Store(&now)
	if f.failed.Swap(nil) != nil {
		f.logger.Info("the directory follows the log again", "revision", f.dir.Revision())
	}
}

// pull applies all of the log that the directory does not hold.
func (f *Follower) pull(ctx context.Context) error {
	for {
		changes, err := f.read(ctx, f.dir.Revision())
		if err != nil {
			return err
		}
		emails, err := f.emails(ctx, changes)
		if err != nil {
			return err
		}
		for i, c := range changes {
			if err := f.dir.Apply(c, emails[i]); err != nil {
				return err
			}
		}
		if len(changes) < batch {
			return nil
		}
	}
}

var errFull = errors.New("the batch is full")

func (f *Follower) read(ctx context.Context, after uint64) ([]ostiary.Change, error) {
	var changes []ostiary.Change
	err := f.log.Changes(ctx, after, func(c ostiary.Change) error {
		changes = append(changes, c)
		if len(changes) == batch {
			return errFull
		}
		return nil
	})
	if err != nil && !errors.Is(err, errFull) {
		return nil, err
	}
	return changes, nil
}

// emails are the e-mails of the users in each change, as they are now: facts do not hold them.
func (f *Follower) emails(ctx context.Context, changes []ostiary.Change) ([]map[ostiary.ID]string, error) {
	all := make([]map[ostiary.ID]string, len(changes))
	if !haveUsers(changes) {
		return all, nil
	}
	err := f.log.View(ctx, func(r ostiary.Reader) error {
		for i, c := range changes {
			all[i] = nil
			for _, fact := range c.Facts {
				if fact.User == nil {
					continue
				}
				u, err := r.User(fact.User.ID)
				if err != nil {
					return fmt.Errorf("the e-mail of user %d: %w", fact.User.ID, err)
				}
				if all[i] == nil {
					all[i] = map[ostiary.ID]string{}
				}
				all[i][u.ID] = u.Email
			}
		}
		return nil
	})
	return all, err
}

func haveUsers(changes []ostiary.Change) bool {
	for _, c := range changes {
		for _, fact := range c.Facts {
			if fact.User != nil {
				return true
			}
		}
	}
	return false
}
