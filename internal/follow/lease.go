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
	word  atomic.Int64 // the last time that this node told the others that it is there; always: it need not
}

// never is a moment so long ago that every lease has run out since, except one that lasts for ever.
const never = math.MinInt64 / 2

// always is later than any moment.
const always = math.MaxInt64

func newLease(limit time.Duration, clock func() time.Duration) *lease {
	l := &lease{limit: limit, clock: clock}
	l.since.Store(never)
	l.word.Store(always)
	return l
}

// mustSpeak makes the lease run out also for want of a word to the others.
func (l *lease) mustSpeak() { l.word.Store(never) }

func (l *lease) spoke(at time.Duration) { l.word.Store(int64(at)) }

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

// left says how old memory may be, and how old it is: zero where nobody else writes the log. A node that
// the others have not heard of for a whole lease counts as one that does not decide any more, so it
// must not; until then its word does not matter.
func (l *lease) left() (age, limit time.Duration) {
	if l.limit == 0 {
		return 0, 0
	}
	age = l.age()
	if silent := l.clock() - time.Duration(l.word.Load()); silent > l.limit {
		age = max(age, silent)
	}
	return age, l.limit
}
