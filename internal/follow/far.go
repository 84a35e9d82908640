package follow

import (
	"context"
	"log/slog"
	"time"
)

// A Waiter is memory that somebody else brings up to date.
type Waiter interface {
	Directory
	Wait(ctx context.Context, revision uint64) error
}

// Far is the follower of a node that follows another node instead of the log: somebody else applies the
// changes, and says how old what came is.
type Far struct {
	*Follower
	memory Waiter
}

// NewFar makes it. Its lease runs out also when the other nodes have not heard of this one for so long.
func NewFar(memory Waiter, lease time.Duration, l *slog.Logger) *Far {
	f := &Far{&Follower{dir: memory, logger: l, lease: newLease(lease, Clock), turn: make(chan struct{}, 1)}, memory}
	f.lease.mustSpeak()
	return f
}

// CatchUp waits until memory stands at a revision.
func (f *Far) CatchUp(ctx context.Context, revision uint64) error {
	return f.memory.Wait(ctx, revision)
}

// Now is the clock that leases are counted by.
func (f *Far) Now() time.Duration { return f.lease.clock() }

// Renew says that memory held all of the log at a moment.
func (f *Far) Renew(asOf time.Duration) { f.lease.renew(asOf) }

// Spoke says that at a moment this node said something of which the other nodes have heard.
func (f *Far) Spoke(at time.Duration) { f.lease.spoke(at) }
