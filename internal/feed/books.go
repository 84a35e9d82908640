package feed

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"ostiary"
)

// What one credential can be used for: one that is stolen, or a program that goes wrong, takes no more.
const (
	mostStreams = 2_000
	mostNodes   = 10_000
)

// errStreams is 429 for whoever opens one more.
var errStreams = errors.New("too many programs follow with this credential")

// books are kept of what follows with each credential.
type books struct {
	mu sync.Mutex
	by map[ostiary.ID]*book
}

type book struct {
	streams int
	nodes   map[string]*noted
}

// A noted node is one that was put on record with a credential.
type noted struct {
	streams int       // that speak for it
	over    time.Time // when it is off the record, once none does; zero: it stays
}

// enter opens a stream.
func (b *books) enter(credential ostiary.ID) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := b.by[credential]
	if k == nil {
		k = &book{nodes: map[string]*noted{}}
		b.by[credential] = k
	}
	if k.streams >= mostStreams {
		return errStreams
	}
	k.streams++
	return nil
}

// add notes that one more stream speaks for a node.
func (b *books) add(credential ostiary.ID, node string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := b.by[credential]
	e := k.nodes[node]
	if e == nil && len(k.nodes) >= mostNodes {
		k.forget(time.Now())
	}
	if e == nil && len(k.nodes) >= mostNodes {
		return fmt.Errorf("more than %d nodes follow with this credential", mostNodes)
	}
	if e == nil {
		e = &noted{}
		k.nodes[node] = e
	}
	e.streams++
	return nil
}

// forget drops those that are off the record.
func (k *book) forget(now time.Time) {
	for id, e := range k.nodes {
		if e.streams == 0 && !e.over.IsZero() && e.over.Before(now) {
			delete(k.nodes, id)
		}
	}
}

// leave closes a stream that has spoken for some nodes.
func (b *books) leave(credential ostiary.ID, spoke []ostiary.Node) {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := b.by[credential]
	k.streams--
	for _, n := range spoke {
		e := k.nodes[n.ID]
		if e.streams--; n.Passing() {
			e.over = time.Now().Add(n.Lease + n.Tail + time.Minute)
		}
	}
}
