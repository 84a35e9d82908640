package follow

import (
	"context"
	"fmt"
	"strings"
	"time"
)

const (
	// mendEvery is the least time between two loads of memory because another node differs.
	mendEvery = 10 * time.Minute
	// mendAgain is that after a load that failed.
	mendAgain = time.Minute
	// mendWithin is how long one may take.
	mendWithin = 10 * time.Minute
)

// Mend loads memory anew beside the one that decides, and takes it over where they differ. It says in which records
// that was.
type Mend func(ctx context.Context) (differs []string, err error)

// MendWith says how this node finds out whether it is itself that is wrong. It comes before Run.
func (n *Nodes) MendWith(m Mend) {
	n.comparer.mend = m
	n.comparer.doubted = make(chan struct{}, 1)
}

// doubt has this node look whether it is itself that is wrong. A node that follows another one is that one's to
// set right.
func (n *Nodes) doubt(p *pair) {
	if p.last.Node.Via != "" && !n.vouchesFor(p.last.Node.ID) {
		return
	}
	select {
	case n.comparer.doubted <- struct{}{}:
	default:
	}
}

func (n *Nodes) vouchesFor(id string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, mine := n.vouched[id]
	return mine
}

// mendOnDoubt loads memory anew when another node differs: at most once in ten minutes.
func (n *Nodes) mendOnDoubt(ctx context.Context) {
	var begun, pause time.Duration
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.comparer.doubted:
		}
		now := n.clock()
		if pause > 0 && now-begun < pause {
			continue // the alarm is told again, and asks again
		}
		begun, pause = now, mendEvery
		if err := n.mendOnce(ctx); err != nil && ctx.Err() == nil {
			pause = mendAgain
			n.log.Warn("it is not known which of two nodes is wrong: this one could not load its records beside memory",
				"error", err)
		}
	}
}

func (n *Nodes) mendOnce(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, mendWithin)
	defer stop()
	differs, err := n.comparer.mend(ctx)
	if err != nil {
		return err
	}
	n.comparer.mu.Lock()
	n.comparer.proved = n.clock()
	n.comparer.mu.Unlock()
	if len(differs) > 0 {
		n.log.Error("this node's memory was not what the database says; it is now. Where 'ostiary audit verify' finds "+
			"the database wrong, it is the database", "node", n.me.Name, "revision", n.memory.Revision(),
			"differs", strings.Join(differs, "; "))
		return nil
	}
	n.log.Warn("this node's memory is what the database says: another one is wrong", "node", n.me.Name,
		"revision", n.memory.Revision())
	return nil
}

// Differs says at which revision a node that follows this one holds something else; zero: it does not. Anew: this
// node's memory has been found right since, so that the other one is to be sent everything.
func (n *Nodes) Differs(id string) (at uint64, anew bool) {
	c := &n.comparer
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.pairs[id]
	if p == nil || !p.last.Differs {
		return 0, false
	}
	return p.last.At, c.proved > p.since && p.at > c.proved
}

// Beside has do run once memory and another directory, which was loaded from the log, stand at the same revision,
// and nothing is applied to either.
func (f *Follower) Beside(ctx context.Context, other Directory, do func() error) error {
	if err := f.CatchUp(ctx, other.Revision()); err != nil {
		return err
	}
	select {
	case f.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-f.turn }()
	if f.met.Load() != nil {
		return ErrBack
	}
	if err := f.level(ctx, other, f.dir.Revision()); err != nil {
		return fmt.Errorf("following the log: %w", err)
	}
	return do()
}

// level applies the log to another directory, up to a revision.
func (f *Follower) level(ctx context.Context, other Directory, to uint64) error {
	for other.Revision() < to {
		changes, err := f.read(ctx, other.Revision(), to)
		if err != nil {
			return err
		}
		emails, err := f.emails(ctx, changes)
		if err != nil {
			return err
		}
		if len(changes) == 0 {
			return ErrBack
		}
		for i, c := range changes {
			if err := other.Apply(c, emails[i]); err != nil {
				return err
			}
		}
	}
	return nil
}
