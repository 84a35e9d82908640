package assertion

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"ostiary"
)

// mostTouched is how many records a generation remembers.
const mostTouched = 50_000

// Recent knows which records were touched lately, and at which revision. It forgets by generations;
// what it has forgotten counts as touched.
type Recent struct {
	now  func() time.Time
	told atomic.Uint64 // the newest change that it was told of

	mu       sync.RWMutex
	floor    uint64 // whatever was signed below this revision counts as touched
	new, old map[record]uint64
	begun    time.Time // of new
	oldEnds  uint64    // the newest revision in old
}

// A record is what a change can touch.
type record struct {
	kind kind
	a, b ostiary.ID
	name string
}

type kind uint8

const (
	account kind = iota
	user
	member
	token
	app
)

// NewRecent makes one that was told of nothing. A nil clock is the system's.
func NewRecent(now func() time.Time) *Recent {
	if now == nil {
		now = time.Now
	}
	return &Recent{now: now, new: map[record]uint64{}, begun: now()}
}

// Note must be told of each change, in the order of the log, before a decision can see it. Where
// changes are missing, all that was signed before them counts as touched.
func (r *Recent) Note(c ostiary.Change) {
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	told := r.told.Load()
	if c.Revision != told+1 {
		r.floor = max(r.floor, told, c.Revision-1)
	}
	if len(r.new) >= mostTouched || now.Sub(r.begun) >= reuse {
		r.floor = max(r.floor, r.oldEnds)
		r.new, r.old = map[record]uint64{}, r.new
		r.begun, r.oldEnds = now, told
	}
	for _, f := range c.Facts {
		if touched, ok := recordOf(f); ok {
			r.new[touched] = c.Revision
		}
	}
	r.told.Store(max(told, c.Revision))
}

// Doubt makes everything that was signed count as touched, until Resume: records are about to change
// without Note being told which.
func (r *Recent) Doubt() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.floor = math.MaxUint64
}

// Resume says that decisions are made at this revision or a later one from now on. All that was signed
// before it stays touched.
func (r *Recent) Resume(revision uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.floor = revision
	r.told.Store(max(r.told.Load(), revision))
}

// touched says whether anything that an identity rests on has changed after a revision.
func (r *Recent) touched(w *identity, after uint64) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return after < r.floor ||
		r.has(record{kind: token, a: w.token}, after) ||
		r.has(record{kind: app, a: w.token, name: w.app}, after) ||
		r.has(record{kind: member, a: w.account, b: w.owner}, after) ||
		r.has(record{kind: user, a: w.owner}, after) ||
		r.has(record{kind: account, a: w.account}, after)
}

func (r *Recent) has(what record, after uint64) bool {
	return r.new[what] > after || r.old[what] > after
}

func recordOf(f ostiary.Fact) (record, bool) {
	switch {
	case f.Account != nil:
		return record{kind: account, a: f.Account.ID}, true
	case f.User != nil:
		return record{kind: user, a: f.User.ID}, true
	case f.Member != nil:
		return record{kind: member, a: f.Member.Account, b: f.Member.User}, true
	case f.Token != nil:
		return record{kind: token, a: f.Token.ID}, true
	case f.Secret != nil:
		return record{kind: token, a: f.Secret.Token}, true
	case f.App != nil:
		return record{kind: app, a: f.App.Token, name: f.App.Name}, true
	}
	return record{}, false
}
