package feed

import (
	"encoding/json"
	"sync"

	"ostiary"
)

// How much of the log a ring holds: whoever comes back within that is given what it missed, and not everything.
const (
	ringChanges = 20_000
	ringBytes   = 32 << 20
)

// A Ring holds the last changes as they are sent, written once for all who follow.
type Ring struct {
	mu    sync.Mutex
	base  ostiary.Head // the change before the first that is held
	held  []encoded
	bytes int
	told  chan struct{} // closed by the next change; nil where nobody waits
}

type encoded struct {
	chain ostiary.Hash
	text  []byte
}

// Begin forgets everything: what follows is the change after a head.
func (r *Ring) Begin(at ostiary.Head) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.base, r.held, r.bytes = at, nil, 0
	r.tell()
}

// changed is closed once another change is held. Streams wait for the ring and not for the memory that was
// told before it: who woke up too early would find nothing, and wait on.
func (r *Ring) changed() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.told == nil {
		r.told = make(chan struct{})
	}
	return r.told
}

func (r *Ring) tell() {
	if r.told != nil {
		close(r.told)
		r.told = nil
	}
}

// Add takes the next change. One that does not follow begins the ring anew.
func (r *Ring) Add(c ostiary.Change, emails map[ostiary.ID]string) error {
	text, err := json.Marshal(change{c.Revision, c.Account, c.Chain, c.Facts, emails})
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.tell()
	if c.Revision != r.base.Revision+uint64(len(r.held))+1 {
		r.base, r.held, r.bytes = ostiary.Head{Revision: c.Revision, Chain: c.Chain}, nil, 0
		return nil
	}
	r.held = append(r.held, encoded{c.Chain, text})
	r.bytes += len(text)
	drop := 0
	for ; r.bytes > ringBytes || len(r.held)-drop > ringChanges; drop++ {
		r.bytes -= len(r.held[drop].text)
		r.base = ostiary.Head{Revision: r.base.Revision + 1, Chain: r.held[drop].chain}
	}
	if drop > 0 {
		clear(r.held[:drop])
		r.held = r.held[drop:]
	}
	return nil
}

// chain is that of the log at a revision, if that is held.
func (r *Ring) chain(revision uint64) (chain ostiary.Hash, held bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case revision < r.base.Revision || revision > r.base.Revision+uint64(len(r.held)):
		return chain, false
	case revision == r.base.Revision:
		return r.base.Chain, true
	}
	return r.held[revision-r.base.Revision-1].chain, true
}

// after gives at most some changes after a head. It is not ok where they are not held, or where the log went
// another way than the head says.
func (r *Ring) after(at ostiary.Head, most int) (some []encoded, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at.Revision < r.base.Revision || at.Revision > r.base.Revision+uint64(len(r.held)) {
		return nil, false
	}
	from := int(at.Revision - r.base.Revision)
	chain := r.base.Chain
	if from > 0 {
		chain = r.held[from-1].chain
	}
	if chain != at.Chain {
		return nil, false
	}
	to := min(len(r.held), from+most)
	return append([]encoded(nil), r.held[from:to]...), true
}
