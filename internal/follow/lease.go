package follow

import (
	"math"
	"sync/atomic"
	"time"
)

// Forever is a lease that never runs out: decisions are made from memory however old it is.
const Forever time.Duration = math.MaxInt64

// A lease says for how long memory may be believed without a word from the log. It counts from
// before the last query after which memory held all of the log, by a clock that a frozen process, a
// sleeping machine and a wrong date do not deceive.
type lease struct {
	limit time.Duration // zero: nobody else writes the log, so memory is never behind
	clock func() time.Duration
	since atomic.Int64 // on the clock
}

// never is a moment so long ago that every lease has run out since, except one that lasts for ever.
const never = math.MinInt64 / 2

func newLease(limit time.Duration, clock func() time.Duration) *lease {
	l := &lease{limit: limit, clock: clock}
	l.since.Store(never)
	return l
}

// renew says that memory holds all of the log as it was at a moment. It never goes back.
func (l *lease) renew(asOf time.Duration) {
	for {
		old := l.since.Load()
		if int64(asOf) <= old || l.since.CompareAndSwap(old, int64(asOf)) {
			return
		}
	}
}

func (l *lease) age() time.Duration { return l.clock() - time.Duration(l.since.Load()) }

// left says how old memory may be, and how old it is: zero where nobody else writes the log.
func (l *lease) left() (age, limit time.Duration) {
	if l.limit == 0 {
		return 0, 0
	}
	return l.age(), l.limit
}
