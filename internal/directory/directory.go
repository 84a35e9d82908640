// Package directory holds in memory what the request path needs of the records. It applies facts
// and knows no rule: what a role or a state means stands in package ostiary.
package directory

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"ostiary"
)

var (
	// ErrGap says that a change does not follow the one before.
	ErrGap = errors.New("a change does not follow the directory's revision")
	// ErrBack says that the records are older than what the directory holds.
	ErrBack = errors.New("the records are older than the directory's revision")
	// ErrBusy says that too many callers wait for a revision already.
	ErrBusy = errors.New("too many requests wait for a revision")
)

// A Directory answers from one revision at a time. Its methods may be called at any time.
type Directory struct {
	// changing is held by whoever changes the contents, or reads them for long. Requests never take it.
	changing sync.Mutex
	// A request takes one of these locks, chosen by its hash; whoever changes something takes all.
	// So requests on different cores do not write to the same line of memory.
	locks [16]lock

	contents *contents // guarded by changing and locks
	ready    bool      // guarded like contents
	revision atomic.Uint64
	chain    ostiary.Hash // at the revision; guarded like contents
	tail     *tail        // of a copy that is being written, else nil; guarded by changing
	copying  sync.Mutex   // held by who writes a copy
	keeping  keeping      // the local copy; guarded by changing
	found    *find        // the local copy that all of this is from, else nil; guarded by changing
	held     held         // the digests of the last revisions

	waiting waiters
}

type lock struct {
	sync.RWMutex
	_ [128 - 24]byte // two lines of memory, since processors fetch them in pairs
}

// New makes an empty directory that is not ready.
func New() *Directory {
	return &Directory{contents: newContents(), waiting: waiters{changed: make(chan struct{})}}
}

// Load replaces everything by the records as they are now, and makes the directory ready. It never
// goes back to older ones. After an error the directory is what it was before.
func (d *Directory) Load(ctx context.Context, v ostiary.Viewer) error {
	d.changing.Lock()
	defer d.changing.Unlock()
	var fresh *contents
	var head ostiary.Head
	err := v.View(ctx, func(r ostiary.Reader) (err error) {
		fresh = newContents()
		head, err = load(fresh, r)
		fresh.addUp()
		return err
	})
	if at := d.revision.Load(); err == nil && head.Revision < at {
		err = fmt.Errorf("%w: %d before %d", ErrBack, head.Revision, at)
	}
	if err != nil {
		return fmt.Errorf("loading the directory: %w", err)
	}
	d.keeping.lose(nil)
	d.found = nil
	d.lock()
	d.contents, d.ready, d.chain = fresh, true, head.Chain
	d.revision.Store(head.Revision)
	d.unlock()
	d.held.begin(d.digests())
	d.waiting.wake()
	return nil
}

func load(c *contents, r ostiary.Reader) (ostiary.Head, error) {
	head, err := r.Head()
	if err != nil {
		return head, err
	}
	users, err := r.Users()
	if err != nil {
		return head, err
	}
	for _, u := range users {
		c.setEmail(u.ID, u.Email)
	}
	return head, r.Snapshot(func(f ostiary.Fact) error {
		c.set(f)
		return nil
	})
}

// Apply makes the change that follows the directory's revision: all its facts at once. The e-mails
// of users stand beside it, since no fact holds them; a user that has none there keeps the old one.
func (d *Directory) Apply(c ostiary.Change, emails map[ostiary.ID]string) error {
	d.changing.Lock()
	defer d.changing.Unlock()
	if at := d.revision.Load(); c.Revision != at+1 {
		return fmt.Errorf("%w: at %d, got %d", ErrGap, at, c.Revision)
	}
	d.keeping.change(d.chain, c, emails) // first: whoever sees the revision may count on it
	d.found = nil
	d.lock()
	for _, f := range c.Facts {
		d.contents.apply(f)
	}
	settled := d.contents.settle(c.Revision)
	for id, email := range emails {
		d.contents.changeEmail(id, email)
	}
	d.revision.Store(c.Revision)
	d.chain = c.Chain
	d.unlock()
	d.held.note(d.digests())
	d.waiting.wake()
	if d.tail != nil {
		d.tail.add(append(settled, c.Facts...), emails)
	}
	return nil
}

// Restrict takes facts that may or may not have come true: whatever they take away is taken away,
// whatever they would give is not given. The revision stays.
func (d *Directory) Restrict(facts []ostiary.Fact) {
	d.changing.Lock()
	defer d.changing.Unlock()
	d.narrow(facts, 0, d.contents.restrictForGood)
}

// Doubt is Restrict until the directory holds a revision, at which the log tells whether they did; for good
// where that is zero.
func (d *Directory) Doubt(facts []ostiary.Fact, revision uint64) {
	if revision == 0 {
		d.Restrict(facts)
		return
	}
	d.changing.Lock()
	defer d.changing.Unlock()
	if d.revision.Load() >= revision {
		return // it has told
	}
	d.narrow(facts, revision, func(f ostiary.Fact) bool { return d.contents.doubt(f, revision) })
}

// narrow takes away until a revision, or for good where that is zero, and writes down of what. The caller holds up
// changes.
func (d *Directory) narrow(facts []ostiary.Fact, until uint64, by func(ostiary.Fact) bool) {
	d.found = nil
	var narrowed []ostiary.Fact
	d.lock()
	for _, f := range facts {
		if by(f) {
			narrowed = append(narrowed, f)
		}
	}
	d.unlock()
	d.keeping.narrow(d.chain, narrowed, until)
}

// SetReady says whether decisions may be made.
func (d *Directory) SetReady(ready bool) {
	d.changing.Lock()
	defer d.changing.Unlock()
	d.lock()
	d.ready = ready
	d.unlock()
}

// Look fills f with all that is on record about a credential, at one revision.
func (d *Directory) Look(hash ostiary.Hash, app string, f *ostiary.Facts) {
	l := &d.locks[hash[0]%uint8(len(d.locks))]
	l.RLock()
	*f = ostiary.Facts{}
	f.Ready, f.Revision = d.ready, d.revision.Load()
	if t := d.contents.secrets.find(&hash); t != nil {
		t.fill(app, f)
	}
	l.RUnlock()
}

// Revision is the last change that the directory holds.
func (d *Directory) Revision() uint64 { return d.revision.Load() }

// Head is the last change that the directory holds, with the log's chain there: a database whose log has
// another chain at this revision is another database.
func (d *Directory) Head() ostiary.Head {
	d.locks[0].RLock()
	defer d.locks[0].RUnlock()
	return d.head()
}

func (d *Directory) head() ostiary.Head {
	return ostiary.Head{Revision: d.revision.Load(), Chain: d.chain}
}

// Find says whose secret this is, also when the token is retired.
func (d *Directory) Find(hash ostiary.Hash) (account, token ostiary.ID, ok bool) {
	d.locks[0].RLock()
	defer d.locks[0].RUnlock()
	t := d.contents.secrets.find(&hash)
	if t == nil {
		return 0, 0, false
	}
	return t.account.id, t.id, true
}

// Counts counts the applications of a token and its account.
func (d *Directory) Counts(token ostiary.ID) ostiary.AppCounts {
	d.locks[0].RLock()
	defer d.locks[0].RUnlock()
	t := d.contents.tokens[token]
	if t == nil {
		return ostiary.AppCounts{}
	}
	return ostiary.AppCounts{
		Apps: int(t.appCount), Waiting: int(t.waiting), AccountApps: t.account.apps,
		TokenCapMet: t.flags.has(capMet), AccountCapMet: t.account.capMet,
	}
}

// Size counts the records that a directory holds.
type Size struct{ Accounts, Users, Members, Tokens, Secrets, Apps int }

// Size counts the records.
func (d *Directory) Size() Size {
	d.locks[0].RLock()
	defer d.locks[0].RUnlock()
	return d.contents.size
}

func (d *Directory) lock() {
	for i := range d.locks {
		d.locks[i].Lock()
	}
}

func (d *Directory) unlock() {
	for i := range d.locks {
		d.locks[i].Unlock()
	}
}
