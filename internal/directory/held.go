package directory

import (
	"sync"

	"ostiary"
)

// heldRevisions is how many of the last revisions a directory knows the digests of: some seconds of the most
// changes that a database takes, in less than a megabyte.
const heldRevisions = 8192

// held are the digests of the last revisions. Those of another one than the last are from when it was the last.
type held struct {
	mu  sync.Mutex
	all []ostiary.Digests // by the revision's remainder
}

// note keeps what a directory holds at one more revision.
func (h *held) note(now ostiary.Digests) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.all == nil {
		h.all = make([]ostiary.Digests, heldRevisions)
	}
	h.all[now.Head.Revision%heldRevisions] = now
}

// begin forgets what other contents were.
func (h *held) begin(now ostiary.Digests) {
	h.mu.Lock()
	clear(h.all)
	h.mu.Unlock()
	h.note(now)
}

// HeldAt says what the directory held at one of its last revisions. Where the contents were replaced since, that
// is forgotten.
func (d *Directory) HeldAt(revision uint64) (ostiary.Digests, bool) {
	d.held.mu.Lock()
	defer d.held.mu.Unlock()
	if d.held.all == nil || revision == 0 {
		return ostiary.Digests{}, false
	}
	then := d.held.all[revision%heldRevisions]
	return then, then.Head.Revision == revision
}

// Holds says what the directory holds now.
func (d *Directory) Holds() ostiary.Digests { return d.State().Digests }

// digests are Holds for who holds changing.
func (d *Directory) digests() ostiary.Digests {
	return ostiary.Digests{Head: d.head(), Facts: d.contents.facts.hash(), Emails: d.contents.emails.hash()}
}
