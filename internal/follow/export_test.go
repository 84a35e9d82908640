package follow

import (
	"context"
	"log/slog"
	"time"
)

// NewSharedByClock is NewShared under a clock that a test sets.
func NewSharedByClock(log Log, dir Directory, lease time.Duration, l *slog.Logger, clock func() time.Duration) *Follower {
	f := NewShared(log, dir, lease, nil, l)
	f.lease = newLease(lease, clock)
	return f
}

// Due is when an alarm is told, and when it is said to be over.
type Due struct{ alarm }

func (d *Due) Due(wrong bool, now time.Duration) (tell, over bool) { return d.due(wrong, now) }

// PruneNow is what Run does now and then.
func (n *Nodes) PruneNow(ctx context.Context) { n.pruneNow(ctx) }
