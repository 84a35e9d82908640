package directory

import (
	"context"
	"sync"
)

// maxWaiters is how many requests may wait for a revision at once.
const maxWaiters = 64

type waiters struct {
	mu      sync.Mutex
	count   int
	heard   bool          // somebody else holds changed, and does not count
	changed chan struct{} // closed by the next change
}

// Changed is closed by the next change. Any number of open pages may listen, beside the requests that wait.
func (d *Directory) Changed() <-chan struct{} {
	w := &d.waiting
	w.mu.Lock()
	defer w.mu.Unlock()
	w.heard = true
	return w.changed
}

// Wait returns once the directory holds a revision. While 64 callers wait, another one gets
// ErrBusy at once.
func (d *Directory) Wait(ctx context.Context, revision uint64) error {
	if d.Revision() >= revision {
		return nil
	}
	w := &d.waiting
	w.mu.Lock()
	if w.count == maxWaiters {
		w.mu.Unlock()
		return ErrBusy
	}
	w.count++
	changed := w.changed
	w.mu.Unlock()
	defer w.leave()

	for d.Revision() < revision {
		select {
		case <-changed:
			changed = w.next()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (w *waiters) next() chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changed
}

func (w *waiters) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count--
}

func (w *waiters) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.count > 0 || w.heard {
		close(w.changed)
		w.changed, w.heard = make(chan struct{}), false
	}
}
