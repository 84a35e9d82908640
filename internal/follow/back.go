package follow

import (
	"context"
	"errors"
	"fmt"
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
	if f.hasMet(head) {
		return err
	}
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
	f.met.Store(&head)
	wake(f.narrowed)
	return err
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
	return fmt.Errorf("%w, or went another way: it ends at %d, and memory holds %d; what was retired, denied or lowered stays so; "+
		"restore the newer records, or restart with --accept-rollback to go on from these", ErrBack, head.Revision,
		f.dir.Revision())
}

func (f *Follower) hasMet(head ostiary.Head) bool {
	met := f.met.Load()
	return met != nil && *met == head
}

// Applied is where the log ends that memory decides by. Where memory was narrowed by a log that lacks what it holds,
// that is the end of that log: a change that comes there is not in memory because memory holds another one under its
// number.
func (f *Follower) Applied() ostiary.Head {
	if met := f.met.Load(); met != nil {
		return *met
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
