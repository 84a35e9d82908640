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
	known atomic.Int64 // the same, though it may not count yet
}

// never is a moment so long ago that every lease has run out since, except one that lasts for ever.
const never = math.MinInt64 / 2

// always is later than any moment.
const always = math.MaxInt64

func newLease(limit time.Duration, clock func() time.Duration) *lease {
	l := &lease{limit: limit, clock: clock}
	l.since.Store(never)
	l.word.Store(always)
	l.known.Store(never)
	return l
}

// mustSpeak makes the lease run out also for want of a word to the others.
func (l *lease) mustSpeak() { l.word.Store(never) }

// spoke says that the others can now know that this node was there at a moment, and that memory holds all that was
// in the log then. It gives whether that counts. The first word, and one after a silence of a whole lease, does not:
// while it was on its way they still took this node for one that does not decide, and made changes without it. The
// next word is begun when they can know, so memory has those changes.
func (l *lease) spoke(at time.Duration) (counts bool) {
	before := l.known.Load()
	if l.limit == 0 || int64(at) <= before { // it was said already
		return true
	}
	l.known.Store(int64(at))
	if l.clock()-time.Duration(before) > l.limit {
		return false
	}
	l.word.Store(int64(at))
	return true
}

// joined says that the others can now know that this node was there at a moment. Memory was still to be loaded.
func (l *lease) joined(at time.Duration) { l.known.Store(int64(at)) }

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
