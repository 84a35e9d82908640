package follow_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/directory"
	"ostiary/internal/follow"
)

// A taken registry lies on a server that has taken over: the log goes on there.
type taken struct {
	*follow.Local
	log      ostiary.Viewer
	during   func() // runs while a word is on its way, after the log was read there
	gathered atomic.Int64
	then     func() // runs when all is to be asked there
}

func (r *taken) Gather() {
	r.gathered.Add(1)
	if r.then != nil {
		r.then()
	}
}

func (r *taken) KeepNodes(ctx context.Context, nodes ...ostiary.Node) (head ostiary.Head, err error) {
	if err := r.log.View(ctx, func(v ostiary.Reader) (err error) { head, err = v.Head(); return err }); err != nil {
		return head, err
	}
	if r.during != nil {
		r.during()
	}
	_, err = r.Local.KeepNodes(ctx, nodes...)
	return head, err
}

// A stuck log is that of a server that was left alone: it goes on answering, and ends where it did.
type stuck struct {
	follow.Log
	head ostiary.Head
	left atomic.Bool // nobody asks it any more, but the one that took over
}

type stuckReader struct {
	ostiary.Reader
	head ostiary.Head
}

func (r stuckReader) Head() (ostiary.Head, error) { return r.head, nil }

func (s *stuck) View(ctx context.Context, fn func(ostiary.Reader) error) error {
	if s.left.Load() {
		return s.Log.View(ctx, fn)
	}
	return s.Log.View(ctx, func(r ostiary.Reader) error { return fn(stuckReader{r, s.head}) })
}

func (s *stuck) Changes(ctx context.Context, after uint64, fn func(ostiary.Change) error) error {
	return s.Log.Changes(ctx, after, func(c ostiary.Change) error {
		if c.Revision > s.head.Revision && !s.left.Load() {
			return nil
		}
		return fn(c)
	})
}

// spoken is a node that speaks to a registry beside the log, and decides.
func (w *world) spoken(reg follow.Registry, clock *hand) *follow.Nodes {
	w.Helper()
	n := follow.NewNodes(reg, ostiary.Node{ID: "b", Name: "b", Lease: time.Minute}, w.follow, w.dir, within,
		slog.New(slog.NewTextHandler(w.said, nil)))
	for _, say := range []func(context.Context) error{n.Join, n.Speak, n.Speak} {
		clock.forward(time.Second)
		w.look()
		if err := say(w.Context()); err != nil {
			w.Fatal(err)
		}
	}
	w.look()
	w.wantAge(0)
	return n
}

func (w *world) wantDecides(want bool) {
	w.Helper()
	if age, limit := w.follow.Lease(); (age <= limit) != want {
		w.Errorf("memory is %v old, with a lease of %v; that it decides is wanted to be %v", age, limit, want)
	}
}

// The word and the look can go to different servers. One that was left alone shows nothing new for ever.
func TestALookAtAServerThatWasLeftAloneKeepsNoLease(t *testing.T) {
	t.Parallel()
	w, clock := shared(t, time.Minute)
	w.token(ostiary.Token{Privilege: ostiary.Admin}, ostiary.Admin)
	reg := &taken{Local: follow.NewLocal(), log: w.records}
	n := w.spoken(reg, clock)
	alone := &stuck{Log: w.records, head: w.dir.Head()}
	w.log.Log = alone
	last := w.token(ostiary.Token{Privilege: ostiary.Admin, RetiredOn: time.Now()}, ostiary.Admin)
	for range 61 {
		clock.forward(time.Second)
		w.look()
		if err := n.Speak(t.Context()); err == nil {
			t.Fatal("the word counts, though memory lacks what was changed where it lasts")
		}
	}
	w.wantDecides(false)
	if reg.gathered.Load() == 0 {
		t.Error("nothing has all asked of one server")
	}
	reg.then = func() { alone.left.Store(true) }
	for range 3 {
		n.Speak(t.Context())
		clock.forward(time.Second)
		w.look()
	}
	w.wantDecides(true)
	if w.dir.Revision() != last || !w.looked().Token.Retired {
		t.Errorf("it decides at %d, where the log ends at %d", w.dir.Revision(), last)
	}
}

// A server that was left alone ends before what memory has from the one that took over. That is no log that went
// back, and takes nothing away.
func TestALookAtAServerThatWasLeftAloneIsNoLostChange(t *testing.T) {
	t.Parallel()
	w, clock := shared(t, time.Minute)
	w.token(ostiary.Token{Privilege: ostiary.Admin}, ostiary.Admin)
	reg := &taken{Local: follow.NewLocal(), log: w.records}
	n := w.spoken(reg, clock)
	old := w.dir.Head()
	w.token(ostiary.Token{Privilege: ostiary.Normal}, ostiary.Admin)
	w.look()
	alone := &stuck{Log: w.records, head: old}
	w.log.Log = alone
	reg.then = func() { alone.left.Store(true) }
	clock.forward(10 * time.Second)
	if err := w.follow.Look(t.Context()); !errors.Is(err, follow.ErrBack) {
		t.Errorf("got %v, want ErrBack", err)
	}
	w.wantAge(10 * time.Second)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { n.Run(ctx) })
	defer running.Wait()
	defer stop()
	eventually(t, "all is asked of one server", func() bool { return w.follow.Look(t.Context()) == nil })
	if told := w.said.count("acknowledged are lost"); told > 0 {
		t.Errorf("it was told %d times that changes are lost", told)
	}
}

// Where it is the server on which words last that lacks changes, they are lost.
func TestAWordTellsThatChangesAreLost(t *testing.T) {
	t.Parallel()
	w, clock := shared(t, time.Minute)
	w.token(ostiary.Token{Privilege: ostiary.Admin}, ostiary.Admin)
	last := w.token(ostiary.Token{Privilege: ostiary.Admin, RetiredOn: time.Now()}, ostiary.Admin)
	reg := &taken{Local: follow.NewLocal(), log: w.records}
	n := w.spoken(reg, clock)
	older := newWorld(t)
	older.token(ostiary.Token{Privilege: ostiary.Admin}, ostiary.ReadOnly)
	w.log.Log, reg.log = older.records, older.records
	clock.forward(10 * time.Second)
	w.follow.Look(t.Context())
	w.wantAge(10 * time.Second)
	if err := n.Speak(t.Context()); err != nil {
		t.Errorf("got %v: memory is the lesser of both", err)
	}
	w.wantAge(0) // also where each look finds that the log has gone on
	if f := w.looked(); !f.Token.Retired || f.Owner != ostiary.ReadOnly || f.Revision != last {
		t.Errorf("got %+v, owner %v", f.Token, f.Owner)
	}
	if told := w.said.count("acknowledged are lost"); told != 1 {
		t.Errorf("it was told %d times that changes are lost", told)
	}
}

// What others change while they take a node for one that is silent, the node has before it decides again: however
// its word and its look lie to that.
func TestANodeThatComesBackKnowsWhatWasChangedWithoutIt(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "a")
	w := newWorld(t)
	w.token(ostiary.Token{Privilege: ostiary.Admin}, ostiary.Admin)
	reg := &taken{Local: f.reg, log: w.records}
	b := follow.NewSharedByClock(w.log, w.dir, time.Minute, slog.New(slog.DiscardHandler), f.clock.now)
	w.follow = b
	n := w.spoken(reg, f.clock)
	for _, on := range []string{"before its word", "while its word is on its way"} {
		f.confirm(1) // sees it
		f.clock.forward(2 * time.Minute)
		w.look()
		var r ostiary.Receipt
		retire := func() {
			r = f.confirm(w.token(ostiary.Token{Privilege: ostiary.Admin, RetiredOn: time.Now()}, ostiary.Admin))
		}
		if on == "before its word" {
			retire()
		} else {
			reg.during = func() { reg.during = nil; retire() }
		}
		if err := n.Speak(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(r.Unconfirmed) != 1 || r.Unconfirmed[0].SafeAfter.After(time.Now()) {
			t.Fatalf("this test needs a receipt that takes it for silent, got %+v", r)
		}
		w.wantDecides(false)
		f.clock.forward(time.Second)
		if err := n.Speak(t.Context()); err != nil {
			t.Fatal(err)
		}
		if age, limit := b.Lease(); age <= limit && w.dir.Revision() < r.Revision {
			t.Errorf("a change %s: it decides without it, %v old, after %v", on, age, r.Unconfirmed[0].SafeAfter)
		}
		w.look()
		w.wantDecides(true)
	}
}

// One that begins from its copy may be taken for one that has stopped, and goes on by the word that it had.
func TestTheFirstWordAfterACopyIsAFirstOne(t *testing.T) {
	t.Parallel()
	if follow.Boot() == "" {
		t.Skip("nobody knows the boot here")
	}
	w, clock := shared(t, time.Minute)
	w.token(ostiary.Token{Privilege: ostiary.Admin}, ostiary.Admin)
	w.look()
	f := follow.NewSharedByClock(w.log, w.dir, time.Minute, slog.New(slog.DiscardHandler), clock.now)
	n := follow.NewNodes(&taken{Local: follow.NewLocal(), log: w.records}, ostiary.Node{ID: "b"}, f, w.dir, within,
		slog.New(slog.DiscardHandler))
	path := filepath.Join(t.TempDir(), "memory")
	stamp, err := json.Marshal(map[string]any{
		"boot": follow.Boot(), "head": w.dir.Head(), "as_of": clock.now(), "spoke": clock.now(), "lease": time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".stamp", stamp, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.Resume(path, w.dir, follow.Boot(), clock.now()); err != nil {
		t.Fatal(err)
	}
	clock.forward(50 * time.Second)
	n.Speak(t.Context())
	w.follow = f
	clock.forward(11 * time.Second)
	w.look()
	w.wantDecides(false)
}

// An old registry is a server that was left alone: it has the log up to a revision.
type old struct {
	*follow.Local
	has atomic.Uint64
}

func (o *old) Nodes(ctx context.Context, knows ostiary.Head) ([]ostiary.Node, error) {
	if has := o.has.Load(); knows.Revision > has {
		return nil, errAway
	}
	return o.Local.Nodes(ctx, knows)
}

func TestAReceiptCountsOnlyAReadThatShowsItsChange(t *testing.T) {
	t.Parallel()
	w, _ := shared(t, time.Minute)
	reg := &old{Local: follow.NewLocal()}
	n := follow.NewNodes(reg, ostiary.Node{ID: "a", Name: "a", Lease: time.Minute}, w.follow, w.dir, within,
		slog.New(slog.DiscardHandler))
	if err := n.Join(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { n.Run(ctx) })
	defer running.Wait()
	defer stop()
	last := w.user(1, "one@example.com")
	w.look()
	for has, waits := range map[uint64]bool{last - 1: true, last: false} {
		reg.has.Store(has)
		begun := time.Now()
		n.Confirm(t.Context(), last)
		if took := time.Since(begun); (took >= within) != waits {
			t.Errorf("a list on a server that has revision %d makes a receipt for %d after %v", has, last, took)
		}
	}
}

// A follower that holds another log under the same number has applied nothing of this one.
func TestAFollowerOfAnotherLogDoesNotConfirm(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "a")
	f.nodes["a"].apply(t, 5)
	near := ostiary.Node{ID: "near", Name: "near", Via: "a", Lease: time.Minute, Applied: 5}
	far := ostiary.Node{ID: "far", Name: "far", Via: "a", Lease: time.Minute, Applied: 5, Chain: ostiary.Hash{1}}
	f.nodes["a"].Vouch(near, 1)
	f.nodes["a"].Vouch(far, 1)
	eventually(t, "both are on record", func() bool { return len(f.nodes["a"].All()) == 3 })
	f.want(f.confirm(5), []string{"a", "near"}, "far")
}

func TestALeaseThatIsTooLongToCountIsNeverOver(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "a")
	for _, long := range []time.Duration{math.MaxInt64, math.MaxInt64 - time.Second} {
		f.reg.PutNodes(t.Context(), ostiary.Node{ID: "c", Name: "c", Lease: long, Tail: time.Second})
		r := f.confirm(1)
		f.want(r, []string{"a"}, "c")
		if !r.Unconfirmed[0].SafeAfter.IsZero() {
			t.Errorf("with a lease of %v it is safe after %v", long, r.Unconfirmed[0].SafeAfter)
		}
		if live := f.nodes["a"].Compared()[0].Why; strings.Contains(live, "lease is over") {
			t.Errorf("with a lease of %v: %s", long, live)
		}
	}
}

// A repeating registry is a server that took over and lost a beat: the next one has the same number.
type repeating struct{ *follow.Local }

func (r repeating) Nodes(ctx context.Context, knows ostiary.Head) ([]ostiary.Node, error) {
	all, err := r.Local.Nodes(ctx, knows)
	for i := range all {
		all[i].Beat = 7
	}
	return all, err
}

func TestABeatThatRepeatsANumberIsOne(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	dir := directory.New()
	fl := follow.NewSharedByClock(nil, dir, time.Minute, slog.New(slog.DiscardHandler), f.clock.now)
	n := follow.NewNodes(repeating{f.reg}, ostiary.Node{ID: "a", Name: "a", Lease: time.Minute}, fl, dir, within,
		slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { n.Run(ctx) })
	defer running.Wait()
	defer stop()
	c := ostiary.Node{ID: "c", Name: "c", Lease: time.Minute}
	f.reg.PutNodes(t.Context(), c)
	n.Confirm(t.Context(), 1) // sees it
	f.clock.forward(62 * time.Second)
	f.reg.PutNodes(t.Context(), c)
	begun := time.Now()
	r := n.Confirm(t.Context(), 1)
	if took := time.Since(begun); took < within || r.Unconfirmed[0].SafeAfter.Before(begun) {
		t.Errorf("one that has just said that it is there was waited for %v, and is safe after %v", took,
			r.Unconfirmed[0].SafeAfter)
	}
}

// A node that joins decides as soon as memory is loaded and it has said so once.
func TestJoiningIsTheFirstWord(t *testing.T) {
	t.Parallel()
	w, clock := shared(t, time.Minute)
	w.token(ostiary.Token{Privilege: ostiary.Admin}, ostiary.Admin)
	dir := directory.New()
	w.follow = follow.NewSharedByClock(w.log, dir, time.Minute, slog.New(slog.DiscardHandler), clock.now)
	reg := &taken{Local: follow.NewLocal(), log: w.records}
	n := follow.NewNodes(reg, ostiary.Node{ID: "b", Name: "b"}, w.follow, dir, within, slog.New(slog.DiscardHandler))
	for _, step := range []func() error{
		func() error { return n.Join(t.Context()) },
		func() error { return n.Join(t.Context()) },
		func() error { return dir.Load(t.Context(), w.records) },
		func() error { return w.follow.Look(t.Context()) },
	} {
		clock.forward(time.Second)
		if err := step(); err != nil {
			t.Fatal(err)
		}
		w.wantDecides(false)
	}
	clock.forward(time.Second)
	if err := n.Speak(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.wantDecides(true)
}
