package follow_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/directory"
	"ostiary/internal/follow"
)

// A fleet is some nodes on one registry. Each says what a test lets it apply.
type fleet struct {
	*testing.T
	reg   *follow.Local
	clock *hand
	nodes map[string]*member
	mend  func(*member) follow.Mend // nil: none
}

type member struct {
	*follow.Nodes
	said   *lines
	follow *follow.Follower
	dir    *directory.Directory
	stop   func()
}

const within = 300 * time.Millisecond

func newFleet(t *testing.T, names ...string) *fleet {
	t.Helper()
	f := &fleet{T: t, reg: follow.NewLocal(), clock: &hand{}, nodes: map[string]*member{}}
	f.clock.forward(time.Hour)
	for _, name := range names {
		f.join(ostiary.Node{ID: name, Name: name, Lease: time.Minute})
	}
	return f
}

func (f *fleet) join(n ostiary.Node) *member {
	f.Helper()
	m := &member{dir: directory.New(), said: &lines{}}
	log := slog.New(slog.NewTextHandler(m.said, nil))
	m.follow = follow.NewSharedByClock(nil, m.dir, n.Lease, log, f.clock.now)
	m.Nodes = follow.NewNodes(f.reg, n, m.follow, m.dir, within, log)
	if f.mend != nil {
		m.MendWith(f.mend(m))
	}
	if err := m.Join(f.Context()); err != nil {
		f.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { m.Run(ctx) })
	m.stop = sync.OnceFunc(func() { stop(); running.Wait() })
	f.Cleanup(m.stop)
	f.nodes[n.Name] = m
	return m
}

// apply brings a node to a revision.
func (m *member) apply(t *testing.T, revision uint64) {
	t.Helper()
	for m.dir.Revision() < revision {
		if err := m.dir.Apply(ostiary.Change{Revision: m.dir.Revision() + 1}, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// confirm asks the first node.
func (f *fleet) confirm(revision uint64) ostiary.Receipt {
	f.Helper()
	f.nodes["a"].apply(f.T, revision)
	return f.nodes["a"].Confirm(f.Context(), revision)
}

func (f *fleet) want(r ostiary.Receipt, confirmed []string, unconfirmed ...string) {
	f.Helper()
	var names []string
	for _, u := range r.Unconfirmed {
		names = append(names, u.Node)
	}
	if !slices.Equal(r.Confirmed, confirmed) || !slices.Equal(names, unconfirmed) {
		f.Errorf("confirmed by %v, not by %v; want %v and %v", r.Confirmed, names, confirmed, unconfirmed)
	}
}

// near demands a moment that is not before, and not much after.
func (f *fleet) near(what string, got, want time.Time) {
	f.Helper()
	if got.Before(want) || got.After(want.Add(5*time.Second)) {
		f.Errorf("%s is %v, want %v or a little later", what, got, want)
	}
}

func TestAReceiptNamesTheNodesThatHaveApplied(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "a", "b", "c")
	go func() {
		time.Sleep(20 * time.Millisecond)
		f.nodes["c"].apply(t, 5)
	}()
	f.nodes["b"].apply(t, 5)
	r := f.confirm(5)
	f.want(r, []string{"a", "b", "c"})
	if r.Revision != 5 || len(r.Unconfirmed) > 0 || !r.SignedUntil.IsZero() || r.Where() == "" {
		t.Errorf("got %+v", r)
	}
	if kept, ok := f.nodes["a"].Receipt(5); !ok || len(kept.Confirmed) != 3 {
		t.Errorf("the receipt was not kept: %+v", kept)
	}
}

func TestANodeThatIsLateIsFencedAfterItsLease(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "a", "b")
	f.join(ostiary.Node{ID: "c", Name: "c", Lease: 10 * time.Minute, Tail: time.Hour})
	f.nodes["b"].apply(t, 5)
	begun := time.Now()
	r := f.confirm(5)
	if took := time.Since(begun); took < within {
		t.Errorf("a node in reach was waited for %v, want %v", took, within)
	}
	f.want(r, []string{"a", "b"}, "c")
	f.near("safe after", r.Unconfirmed[0].SafeAfter, begun.Add(70*time.Minute))
	if got := r.Where(); got != "on 2 of 3 nodes" {
		t.Errorf("it says %q", got)
	}
}

func TestANodeThatIsSilentForALeaseIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "a")
	f.reg.PutNodes(t.Context(), ostiary.Node{ID: "c", Name: "c", Lease: time.Minute})
	f.confirm(1) // sees it, and waits
	f.clock.forward(62 * time.Second)
	begun := time.Now()
	r := f.confirm(2)
	if took := time.Since(begun); took > within/2 {
		t.Errorf("it was waited for %v", took)
	}
	f.want(r, []string{"a"}, "c")
	f.near("safe after", r.Unconfirmed[0].SafeAfter, begun.Add(-time.Second))
}

func TestANodeThatStoppedIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "a", "b")
	f.nodes["b"].stop()
	begun := time.Now()
	r := f.confirm(1)
	if took := time.Since(begun); took > within/2 {
		t.Errorf("it was waited for %v", took)
	}
	f.want(r, []string{"a"}, "b")
	f.near("safe after", r.Unconfirmed[0].SafeAfter, begun.Add(time.Minute)) // it may start from its copy
}

func TestANodeThatServesStaleIsNeverSafe(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "a")
	f.reg.PutNodes(t.Context(), ostiary.Node{ID: "c", Name: "c", Lease: time.Minute, Stale: true})
	r := f.confirm(1)
	f.want(r, []string{"a"}, "c")
	if !r.Unconfirmed[0].SafeAfter.IsZero() {
		t.Errorf("safe after %v", r.Unconfirmed[0].SafeAfter)
	}
	f.clock.forward(time.Hour)
	begun := time.Now()
	f.want(f.confirm(2), []string{"a"}, "c")
	if took := time.Since(begun); took > within/2 {
		t.Errorf("a node that is gone was waited for %v", took)
	}
}

func TestSignedIdentitiesAreCounted(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "a")
	b := f.join(ostiary.Node{ID: "b", Name: "b", Lease: time.Minute, Signs: time.Minute, Tail: time.Minute})
	b.apply(t, 1)
	begun := time.Now()
	r := f.confirm(1)
	f.want(r, []string{"a", "b"})
	f.near("signed until", r.SignedUntil, begun.Add(time.Minute))
}

// What was read of the registry before the commit says nothing about a node that joined since.
func TestANodeThatHasJustJoinedIsKnown(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "a")
	f.confirm(1) // reads the registry
	f.reg.PutNodes(t.Context(), ostiary.Node{ID: "new", Name: "new", Lease: time.Minute})
	f.want(f.confirm(2), []string{"a"}, "new")
}

func TestWithoutTheRegistryNobodyIsTakenForConfirmed(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	quiet := slog.New(slog.DiscardHandler)
	dir := directory.New()
	reg := &brokenRegistry{Local: f.reg}
	fl := follow.NewSharedByClock(nil, dir, time.Minute, quiet, f.clock.now)
	n := follow.NewNodes(reg, ostiary.Node{ID: "a", Name: "a", Lease: time.Minute}, fl, dir, within, quiet)
	f.reg.PutNodes(t.Context(), ostiary.Node{ID: "b", Name: "b", Lease: time.Minute})
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { n.Run(ctx) })
	defer running.Wait()
	defer stop()
	eventually(t, "the other node is seen", func() bool { return len(n.All()) > 0 })
	reg.set(errAway)
	r := n.Confirm(t.Context(), 0)
	if !slices.Contains(r.Confirmed, "a") {
		t.Errorf("got %+v", r)
	}
	begun := time.Now()
	f.want(n.Confirm(t.Context(), 7), []string{"a"}, "b")
	if took := time.Since(begun); took < within {
		t.Errorf("it gave up after %v", took)
	}
}

// A receipt counts what was read after the commit. Where nothing was, others may be there that it does not name.
func TestAReceiptSaysThatTheListOfNodesWasNotRead(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	quiet := slog.New(slog.DiscardHandler)
	reg := &brokenRegistry{Local: f.reg}
	dir := directory.New()
	fl := follow.NewSharedByClock(nil, dir, time.Minute, quiet, f.clock.now)
	n := follow.NewNodes(reg, ostiary.Node{ID: "a", Name: "a", Lease: time.Minute}, fl, dir, within, quiet)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { n.Run(ctx) })
	defer running.Wait()
	defer stop()
	eventually(t, "the list is read", func() bool { return len(n.All()) == 1 })
	reg.set(errAway)
	f.reg.PutNodes(t.Context(), ostiary.Node{ID: "b", Name: "b", Lease: time.Minute})
	r := n.Confirm(t.Context(), 7)
	words := strings.Join(r.Words(time.RFC3339, time.UTC), " ")
	if !r.Incomplete || r.Where() != "on 1 node at least" || !strings.Contains(words, "not known which other nodes") {
		t.Errorf("got %+v, in force %q: %q", r, r.Where(), words)
	}
	reg.set(nil)
	if r = n.Confirm(t.Context(), 8); r.Incomplete {
		t.Errorf("the list was read, and it says that it was not: %+v", r)
	}
	f.want(r, []string{"a"}, "b")
}

type brokenRegistry struct {
	*follow.Local
	quiet time.Duration // how long every node has been silent by the database's clock; zero: as it is
	mu    sync.Mutex
	err   error
}

func (b *brokenRegistry) set(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
}

func (b *brokenRegistry) get() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

func (b *brokenRegistry) PutNodes(ctx context.Context, nodes ...ostiary.Node) error {
	return errors.Join(b.get(), b.Local.PutNodes(ctx, nodes...))
}

func (b *brokenRegistry) KeepNodes(ctx context.Context, nodes ...ostiary.Node) (ostiary.Head, error) {
	if err := b.get(); err != nil {
		return ostiary.Head{}, err
	}
	return b.Local.KeepNodes(ctx, nodes...)
}

func (b *brokenRegistry) Nodes(ctx context.Context, knows ostiary.Head) ([]ostiary.Node, error) {
	if err := b.get(); err != nil {
		return nil, err
	}
	all, err := b.Local.Nodes(ctx, knows)
	for i := range all {
		all[i].Quiet = max(b.quiet, all[i].Quiet)
	}
	return all, err
}

// A server that was left alone, while another one took over, still takes what is put there. That is no word to
// the others.
func TestOnlyAWordThatLastsKeepsTheLease(t *testing.T) {
	t.Parallel()
	w, clock := shared(t, time.Minute)
	reg := &leftAlone{Local: follow.NewLocal()}
	n := follow.NewNodes(reg, ostiary.Node{ID: "a"}, w.follow, w.dir, within, slog.New(slog.DiscardHandler))
	if err := n.Join(t.Context()); err != nil {
		t.Fatal(err)
	}
	reg.alone.Store(true)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { n.Run(ctx) })
	defer running.Wait()
	defer stop()
	clock.forward(61 * time.Second)
	w.user(1, "one@example.com")
	w.look()
	eventually(t, "what it has applied is put", func() bool { return reg.put.Load() > 0 })
	if age, limit := w.follow.Lease(); age <= limit {
		t.Errorf("a node of which no other can have heard is %v old, within its lease of %v", age, limit)
	}
}

// leftAlone is a registry that keeps nothing for good.
type leftAlone struct {
	*follow.Local
	alone atomic.Bool
	put   atomic.Int64
}

func (l *leftAlone) PutNodes(ctx context.Context, nodes ...ostiary.Node) error {
	l.put.Add(1)
	return l.Local.PutNodes(ctx, nodes...)
}

func (l *leftAlone) KeepNodes(ctx context.Context, nodes ...ostiary.Node) (ostiary.Head, error) {
	if l.alone.Load() {
		return ostiary.Head{}, errAway
	}
	return l.Local.KeepNodes(ctx, nodes...)
}

// The others count a node that is silent for a lease as one that does not decide, so it must not.
func TestANodeThatCannotSpeakLosesItsLease(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	w, clock := shared(t, time.Minute)
	reg := &brokenRegistry{Local: f.reg}
	n := follow.NewNodes(reg, ostiary.Node{ID: "a"}, w.follow, w.dir, within, slog.New(slog.DiscardHandler))
	w.look()
	if age, limit := w.follow.Lease(); age <= limit {
		t.Errorf("a node that has never spoken is %v old, within its lease of %v", age, limit)
	}
	if err := n.Join(t.Context()); err != nil {
		t.Fatal(err)
	}
	if age, limit := w.follow.Lease(); age <= limit {
		t.Errorf("a node that has only just said that it is there is %v old, within its lease of %v", age, limit)
	}
	clock.forward(time.Second)
	n.Speak(t.Context())
	w.look()
	w.wantAge(0)
	reg.set(errAway)
	for range 6 {
		clock.forward(10 * time.Second)
		n.Speak(t.Context())
		w.look()
		w.wantAge(0)
	}
	clock.forward(time.Second)
	w.look()
	w.wantAge(61 * time.Second)
	reg.set(nil)
	n.Speak(t.Context())
	w.wantAge(61 * time.Second)
	clock.forward(time.Second)
	n.Speak(t.Context())
	w.look()
	w.wantAge(0)
}
