package follow

import (
	"log/slog"
	"time"
)

// NewSharedByClock is NewShared under a clock that a test sets.
func NewSharedByClock(log Log, dir Directory, lease time.Duration, l *slog.Logger, clock func() time.Duration) *Follower {
	f := NewShared(log, dir, lease, nil, l)
	f.lease = newLease(lease, clock)
	return f
}
