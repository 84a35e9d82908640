// Package follow keeps a directory current from the log.
package follow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"ostiary"
)

// Interval is how often Run looks whether the log is ahead of the directory.
const Interval = 250 * time.Millisecond

// patience is how long one look at the log, or one batch of it, may take. A connection can die
// without a word.
const patience = 2 * time.Second

// batch is how many changes are read before they are applied, so that no read lasts for long.
const batch = 500

// A Log is where changes come from.
type Log interface {
	Changes(ctx context.Context, after uint64, fn func(ostiary.Change) error) error
	View(ctx context.Context, fn func(ostiary.Reader) error) error
}

// A Directory is where they go.
type Directory interface {
	Revision() uint64
	Head() ostiary.Head
	// Load replaces everything by the records as they are now; it refuses older ones.
	Load(ctx context.Context, log ostiary.Viewer) error
	Apply(c ostiary.Change, emails map[ostiary.ID]string) error
	HeldAt(revision uint64) (ostiary.Digests, bool) // one of the last; not found where that is not known
	// Restrict takes away what facts do, and gives nothing.
	Restrict(facts []ostiary.Fact)
	// RestrictTo takes away whatever all these records do not give, and gives nothing.
	RestrictTo(records func(fn func(ostiary.Fact) error) error) error
}

// A Follower applies the log to a directory.
type Follower struct {
	log    Log
	dir    Directory
	logger *slog.Logger
	lease  *lease
	hints  <-chan uint64 // revisions that the log may have; nil: nobody tells
	turn   chan struct{} // holds one element while somebody applies changes
	failed atomic.Pointer[error]

	met atomic.Pointer[met] // the end of a log that lacks what memory holds, once memory was narrowed by it

	lessened atomic.Bool // memory was opened from a copy of memory that had been narrowed

	narrowed chan struct{} // holds one element after memory was narrowed
	doubt    func()        // has settle called soon; nil: whatever is read of the log is believed

	keeping sync.Mutex
	kept    []kept // guarded by keeping: the last changes
}

// New makes a follower of a directory that was just loaded from a log that only this process writes.
// Such a directory is never behind for longer than a change takes.
func New(log Log, dir Directory, l *slog.Logger) *Follower {
	f := &Follower{log: log, dir: dir, logger: l, lease: newLease(0, Clock), turn: make(chan struct{}, 1)}
	f.narrowed = make(chan struct{}, 1)
	f.note(nil)
	f.lease.renew(Clock())
	return f
}

// NewShared makes a follower of a log that others write too. Its directory may be believed for as long
// as the lease lasts after a look at the log, and the first look is still to come. Hints are revisions
// that the log may have; that they come is not relied on.
func NewShared(log Log, dir Directory, lease time.Duration, hints <-chan uint64, l *slog.Logger) *Follower {
	f := &Follower{
		log: log, dir: dir, logger: l, lease: newLease(lease, Clock), hints: hints, turn: make(chan struct{}, 1),
		narrowed: make(chan struct{}, 1),
	}
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
	if err := f.pull(ctx, revision); err != nil {
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
	hints := f.hints
	var breath <-chan time.Time
	for {
		var err error
		looked := false
		select {
		case <-ctx.Done():
			return
		case revision, open := <-hints:
			at := f.dir.Revision()
			looked, err = f.heard(ctx, revision)
			switch {
			case !open:
				hints = nil
			case f.dir.Revision() != at:
				hints, breath = nil, time.After(breathFor)
			}
		case <-breath:
			hints, breath = f.hints, nil
			continue
		case <-tick.C:
			looked = true
			err = f.Look(ctx)
		}
		// A hint of what memory holds already says nothing about the log.
		if ctx.Err() == nil && (looked || err != nil) {
			f.note(err)
		}
	}
}

// breathFor is how long no hint is heard after one that brought something: where changes come all the time, several
// are followed at once, and take less from decisions. A change after a pause is followed at once.
const breathFor = 10 * time.Millisecond

// heard goes after a hint.
func (f *Follower) heard(ctx context.Context, revision uint64) (looked bool, err error) {
	if f.met.Load() != nil { // it may be one of a log that does not go on from memory
		return true, f.Look(ctx)
	}
	return false, f.CatchUp(ctx, revision)
}

// Behind is how long ago the directory was last known to hold all of the log.
func (f *Follower) Behind() time.Duration { return f.lease.age() }

// Lease says how old the directory is, and how old it may be for decisions to be made from it. Where
// nobody else writes the log, both are zero.
func (f *Follower) Lease() (age, limit time.Duration) { return f.lease.left() }

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
	if f.failed.Swap(nil) != nil {
		f.logger.Info("the directory follows the log again", "revision", f.dir.Revision())
	}
}

// pull applies what the directory does not hold of the log up to a revision.
func (f *Follower) pull(ctx context.Context, until uint64) error {
	for {
		changes, emails, err := f.next(ctx, until)
		if err != nil {
			return err
		}
		if at := f.dir.Revision(); len(changes) > 0 && changes[0].Revision != at+1 {
			return f.reload(ctx, at, changes[0].Revision)
		}
		f.seen(changes)
		for i, c := range changes {
			if ostiary.Link(f.dir.Head().Chain, c) != c.Chain {
				return fmt.Errorf("%w: its revision %d does not go on from there", ErrBack, c.Revision)
			}
			if err := f.dir.Apply(c, emails[i]); err != nil {
				return err
			}
			f.remember(c)
		}
		if len(changes) < batch {
			return nil
		}
	}
}

// seen tells the records what memory is about to hold, so that nothing is built on older ones.
func (f *Follower) seen(changes []ostiary.Change) {
	if to, ok := f.log.(interface{ Seen(ostiary.Head) }); ok && len(changes) > 0 {
		last := changes[len(changes)-1]
		to.Seen(ostiary.Head{Revision: last.Revision, Chain: last.Chain})
	}
}

// reload reads all records where the log does not go on from where the directory is.
func (f *Follower) reload(ctx context.Context, at, next uint64) error {
	f.logger.Warn("the log does not go on where memory ends: memory is loaded anew", "revision", at, "next", next)
	return f.dir.Load(ctx, f.log)
}

// next reads the next batch, with the e-mails of its users.
func (f *Follower) next(ctx context.Context, until uint64) ([]ostiary.Change, []map[ostiary.ID]string, error) {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	changes, err := f.read(ctx, f.dir.Revision(), until)
	if err != nil {
		return nil, nil, err
	}
	emails, err := f.emails(ctx, changes)
	return changes, emails, err
}

var errEnough = errors.New("enough is read")

func (f *Follower) read(ctx context.Context, after, until uint64) ([]ostiary.Change, error) {
	var changes []ostiary.Change
	err := f.log.Changes(ctx, after, func(c ostiary.Change) error {
		changes = append(changes, c)
		if len(changes) == batch || c.Revision >= until {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
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
