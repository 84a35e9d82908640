package follow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ostiary"
)

// ErrBack says that the log ends before what the directory holds, or went another way: a copy that lagged
// took over, or the records were put back in time.
var ErrBack = errors.New("the log ends before the directory's revision")

var errMoved = errors.New("the log has moved while memory was compared with it")

// keptChanges is how many changes are remembered, to say which of them are lost.
const keptChanges = 1000

// back goes on from a log that lacks what memory holds. Memory becomes the lesser of both: what was retired, denied or
// lowered stays so, and what the records say less of, or do not have, gives no more than they do. So nobody is let in
// whom somebody has refused since. Nothing is given. The store makes no changes upon such records.
func (f *Follower) back(ctx context.Context, head ostiary.Head) error {
	err := f.errBack(head)
	f.logger.Error("changes that were acknowledged are lost", "log", head.Revision, "memory", f.dir.Revision(),
		"lost", f.lostAfter(head.Revision))
	narrowed := f.log.View(ctx, func(r ostiary.Reader) error {
		at, err := r.Head()
		if err != nil {
			return err
		}
		if at != head {
			return fmt.Errorf("the log moved from %d to %d", head.Revision, at.Revision)
		}
		return f.dir.RestrictTo(r.Snapshot)
	})
	if narrowed != nil {
		return errors.Join(err, narrowed)
	}
	f.met.Store(&met{end: head, from: head.Revision})
	wake(f.narrowed)
	return err
}

// A met log lacks what memory holds, and memory was narrowed by it.
type met struct {
	end    ostiary.Head // as far as that
	from   uint64       // where it ended when it was met
	passed []passed     // earlier ends, the last of them
}

type passed struct {
	end   ostiary.Head
	until time.Duration // when it was so no more
}

// on says whether this is its end, or was since a moment: whoever asked then, and is told so, is told late.
func (m *met) on(end ostiary.Head, since time.Duration) bool {
	return m != nil && (m.end == end || slices.ContainsFunc(m.passed, func(p passed) bool {
		return p.end == end && p.until >= since
	}))
}

// keptEnds is how many of them are remembered, at least: more than come while a server is asked.
const keptEnds = 2 * batch

// further is the same log after changes that memory was narrowed by.
func (m *met) further(changes []ostiary.Change, now time.Duration) *met {
	n := &met{end: m.end, from: m.from, passed: m.passed[max(0, len(m.passed)-keptEnds):]}
	n.passed = slices.Clone(n.passed)
	for _, c := range changes {
		n.passed = append(n.passed, passed{n.end, now})
		n.end = ostiary.Head{Revision: c.Revision, Chain: c.Chain}
	}
	return n
}

// goOn narrows memory by what has come on the log that it has met, up to a head: what that takes away. Nothing is
// given. Where the head is that of another log, nothing is done.
func (f *Follower) goOn(ctx context.Context, head ostiary.Head) error {
	select {
	case f.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-f.turn }()
	for {
		on := f.met.Load()
		if on == nil || head.Revision <= on.end.Revision {
			return nil
		}
		changes, err := f.readSoon(ctx, on.end.Revision, head.Revision)
		if err != nil || !follows(on.end, changes) {
			return err
		}
		for _, c := range changes {
			f.dir.Restrict(c.Facts)
		}
		f.met.Store(on.further(changes, f.lease.clock()))
		wake(f.narrowed)
	}
}

func (f *Follower) readSoon(ctx context.Context, after, until uint64) ([]ostiary.Change, error) {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	return f.read(ctx, after, until)
}

// follows says whether there are changes, and they go on from a head, one from the other.
func follows(at ostiary.Head, changes []ostiary.Change) bool {
	for _, c := range changes {
		if c.Revision != at.Revision+1 || c.Chain != ostiary.Link(at.Chain, c) {
			return false
		}
		at = ostiary.Head{Revision: c.Revision, Chain: c.Chain}
	}
	return len(changes) > 0
}

// restore ends what a log took away that lacked what memory holds, once the log goes on that has all of it: memory is
// loaded from there anew. Nothing else gives back what was narrowed.
func (f *Follower) restore(ctx context.Context) error {
	if !f.lesser() {
		return nil
	}
	select {
	case f.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-f.turn }()
	if !f.lesser() {
		return nil
	}
	at := f.dir.Head()
	if err := f.dir.Load(ctx, standing{f.log, at}); err != nil {
		return err
	}
	f.met.Store(nil)
	f.lessened.Store(false)
	wake(f.narrowed)
	f.logger.Warn("the newer records are back: memory is loaded anew", "revision", at.Revision)
	return nil
}

// lesser says whether memory may be less than its log.
func (f *Follower) lesser() bool { return f.met.Load() != nil || f.lessened.Load() }

// A standing log is read only where it ends at a head: another connection may lead to another server.
type standing struct {
	Log
	at ostiary.Head
}

func (s standing) View(ctx context.Context, fn func(ostiary.Reader) error) error {
	return s.Log.View(ctx, func(r ostiary.Reader) error {
		head, err := r.Head()
		if err == nil && head != s.at {
			err = fmt.Errorf("%w: it ends at %d, and not where memory does, at %d", errMoved, head.Revision, s.at.Revision)
		}
		if err != nil {
			return err
		}
		return fn(r)
	})
}

func (f *Follower) errBack(head ostiary.Head) error {
	ended := head.Revision
	if met := f.met.Load(); met.on(head, never) {
		ended = met.from // the same words as long as it is this log: it is told once
	}
	return fmt.Errorf("%w, or went another way: it ended at %d, and memory holds %d; what was retired, denied or lowered stays so; "+
		"restore the newer records, or restart with --accept-rollback to go on from these", ErrBack, ended,
		f.dir.Revision())
}

// hasMet says whether memory was narrowed by a log that ends at a head, or did when it was asked, since a moment.
func (f *Follower) hasMet(head ostiary.Head, since time.Duration) bool {
	return f.met.Load().on(head, since)
}

// Applied is where the log ends that memory decides by. Where memory was narrowed by a log that lacks what it holds,
// that is the end of that log: a change that comes there is not in memory because memory holds another one under its
// number.
func (f *Follower) Applied() ostiary.Head {
	if met := f.met.Load(); met != nil {
		return met.end
	}
	return f.dir.Head()
}

// HandOn is Lease for those that follow this node. While memory is narrowed by a log that lacks what it holds, it is
// as old as can be: they hold the same and are not told of the narrowing, so their leases must run out.
func (f *Follower) HandOn() (age, limit time.Duration) {
	if f.met.Load() != nil {
		return f.lease.clock() - never, f.lease.limit
	}
	return f.lease.left()
}

// remember keeps what a change was about.
func (f *Follower) remember(c ostiary.Change) {
	f.keeping.Lock()
	defer f.keeping.Unlock()
	if len(f.kept) == keptChanges {
		f.kept = append(f.kept[:0], f.kept[keptChanges/2:]...)
	}
	f.kept = append(f.kept, kept{c.Revision, c.Facts})
}

type kept struct {
	revision uint64
	facts    []ostiary.Fact
}

// lostAfter says in words what was lost, as far as it is remembered.
func (f *Follower) lostAfter(revision uint64) string {
	f.keeping.Lock()
	defer f.keeping.Unlock()
	var words []string
	for _, c := range f.kept {
		if c.revision <= revision {
			continue
		}
		for _, fact := range c.facts {
			if word := word(fact); word != "" {
				words = append(words, fmt.Sprintf("%d: %s", c.revision, word))
			}
		}
		if len(words) >= 50 {
			return strings.Join(words, "; ") + " and more"
		}
	}
	return strings.Join(words, "; ")
}

func word(fact ostiary.Fact) string {
	switch {
	case fact.Token != nil && fact.Token.Retired:
		return "token " + fact.Token.ID.String() + " retired"
	case fact.Token != nil:
		return "token " + fact.Token.ID.String() + " made or changed"
	case fact.App != nil && fact.App.Gone:
		return "application " + fact.App.Name + " of token " + fact.App.Token.String() + " forgotten"
	case fact.App != nil:
		return "application " + fact.App.Name + " of token " + fact.App.Token.String() + " " + fact.App.State.String()
	case fact.Member != nil:
		return "user " + fact.Member.User.String() + " of account " + fact.Member.Account.String() + " " +
			fact.Member.Role.String()
	case fact.User != nil:
		return "user " + fact.User.ID.String() + " changed"
	case fact.Account != nil:
		return "account " + fact.Account.ID.String() + " changed"
	case fact.Edge != nil:
		return "edge " + fact.Edge.Name + " issued or revoked"
	}
	return ""
}
