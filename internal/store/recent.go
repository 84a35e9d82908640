package store

import (
	"sync"

	"ostiary"
)

// recent holds the last entries that this process made, so that whoever follows the log does not
// read back what has just been written.
type recent struct {
	mu      sync.Mutex
	changes []ostiary.Change // in order, without a gap
}

// keepRecent is how many entries are held.
const keepRecent = 64

func (r *recent) add(changes []ostiary.Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.changes); n > 0 && len(changes) > 0 && r.changes[n-1].Revision+1 != changes[0].Revision {
		r.changes = nil
	}
	r.changes = append(r.changes, changes...)
	if over := len(r.changes) - keepRecent; over > 0 {
		r.changes = append(make([]ostiary.Change, 0, 2*keepRecent), r.changes[over:]...)
	}
}

// forget gives up what is held: its stories may have been erased.
func (r *recent) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changes = nil
}

// after gives the log after a revision, if all of it is held and there is any.
func (r *recent) after(revision uint64) []ostiary.Change {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.changes) == 0 || r.changes[0].Revision > revision+1 {
		return nil
	}
	from := int(revision + 1 - r.changes[0].Revision)
	return append([]ostiary.Change(nil), r.changes[min(from, len(r.changes)):]...)
}
