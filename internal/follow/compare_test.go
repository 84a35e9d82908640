package follow_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/directory"
	"ostiary/internal/follow"
)

func (m *member) change(t *testing.T, emails map[ostiary.ID]string, facts ...ostiary.Fact) {
	t.Helper()
	next := m.dir.Revision() + 1
	c := ostiary.Change{Revision: next, Chain: ostiary.Hash{byte(next), byte(next >> 8)}, Facts: facts}
	if err := m.dir.Apply(c, emails); err != nil {
		t.Fatal(err)
	}
}

// change makes a change everywhere.
func (f *fleet) change(facts ...ostiary.Fact) {
	f.Helper()
	for _, m := range f.nodes {
		m.change(f.T, nil, facts...)
	}
}

func (f *fleet) speak() {
	f.Helper()
	for _, m := range f.nodes {
		if err := m.Join(f.Context()); err != nil {
			f.Fatal(err)
		}
	}
}

// compare has every node say what it holds, and hold that of the others against its own.
func (f *fleet) compare() {
	f.Helper()
	f.speak()
	for _, m := range f.nodes {
		m.Compare(f.Context())
	}
}

func retired(id ostiary.ID, yes bool) ostiary.Fact {
	return ostiary.Fact{Token: &ostiary.TokenFact{Account: 1, ID: id, Kind: ostiary.AccountToken, Retired: yes}}
}

// differing is which others a node says that it differs from.
func (m *member) differing() string {
	var names []string
	for _, n := range m.All() {
		if n.Differs {
			names = append(names, n.Name)
		}
	}
	return strings.Join(names, " ")
}

func (f *fleet) wantDiffering(a, b, c string) {
	f.Helper()
	for name, want := range map[string]string{"a": a, "b": b, "c": c} {
		m := f.nodes[name]
		if got := m.differing(); got != want {
			f.Errorf("%s says that it differs from %q, want %q", name, got, want)
		}
		if err := m.Differ(); (err != nil) != (want != "") {
			f.Errorf("%s says: %v", name, err)
		}
	}
}

const alarmed = "two nodes hold different records at the same revision"

func TestANodeThatSkipsARetirementIsFoundOut(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "a", "b", "c")
	f.change(retired(3, false), retired(4, false))
	f.compare()
	f.wantDiffering("", "", "")
	for name, m := range f.nodes {
		if name != "b" {
			m.change(t, nil, retired(3, true))
		}
	}
	f.nodes["b"].change(t, nil) // it skips it
	f.change(retired(4, true))
	f.compare()
	f.wantDiffering("b", "a c", "b")
	for name, want := range map[string]int{"a": 1, "b": 2, "c": 1} {
		if got := f.nodes[name].said.count(alarmed); got != want {
			t.Errorf("%s tells of it %d times, want %d: %s", name, got, want, &f.nodes[name].said.text)
		}
	}
	if said := f.nodes["a"].said; said.count("other=b revision=3 digest="+f.nodes["a"].dir.Holds().Text()) != 1 ||
		said.count("other_digest="+f.nodes["b"].dir.Holds().Text()) != 1 {
		t.Errorf("it does not name node, revision and digests: %s", &said.text)
	}

	f.compare()
	f.clock.forward(59 * time.Second)
	f.compare()
	if got := f.nodes["a"].said.count(alarmed); got != 1 {
		t.Errorf("within a minute it is told %d times", got)
	}
	f.clock.forward(time.Second)
	f.compare()
	if got := f.nodes["a"].said.count(alarmed); got != 2 {
		t.Errorf("after a minute it is told %d times, want 2", got)
	}

	if _, err := f.nodes["b"].dir.Mend(f.twin("a")); err != nil {
		t.Fatal(err)
	}
	f.compare()
	f.wantDiffering("", "", "")
	if got := f.nodes["a"].said.count("hold the same records again"); got != 1 {
		t.Errorf("it is told %d times that it is over", got)
	}
}

// twin is a copy of a node's memory.
func (f *fleet) twin(name string) *directory.Directory {
	f.Helper()
	file := f.TempDir() + "/copy"
	if _, err := f.nodes[name].dir.WriteCopy(f.Context(), file, directory.Copy{}); err != nil {
		f.Fatal(err)
	}
	d, _, err := directory.OpenCopy(file)
	if err != nil {
		f.Fatal(err)
	}
	return d
}

// A node from behind reads e-mails as they are now. A difference in them is an alarm once it stays.
func TestEmailsAloneAreAnAlarmOnceTheyStay(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "a", "b", "c")
	user := ostiary.Fact{User: &ostiary.UserFact{ID: 2}}
	f.change(user)
	for name, m := range f.nodes {
		m.change(t, map[ostiary.ID]string{2: map[bool]string{true: "new@example.com", false: "old@example.com"}[name == "b"]}, user)
	}
	f.compare()
	f.wantDiffering("", "", "")
	if c := f.nodes["a"].Compared()[0]; !c.Emails || c.Differs || c.At != 2 {
		t.Errorf("it does not say that e-mails differ: %+v", c)
	}
	f.clock.forward(59 * time.Second)
	f.compare()
	f.wantDiffering("", "", "")
	f.clock.forward(time.Second)
	f.compare()
	f.wantDiffering("b", "a c", "b")

	for name, m := range f.nodes {
		if name != "b" {
			m.change(t, map[ostiary.ID]string{2: "new@example.com"}, user)
		}
	}
	f.nodes["b"].change(t, nil, user)
	f.compare()
	f.wantDiffering("", "", "")
}

// What cannot be compared is no alarm, and says why.
func TestWhatCannotBeComparedSaysWhy(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "a", "fork", "old", "gone", "ahead", "behind")
	for range 9000 {
		f.nodes["a"].change(t, nil)
	}
	a := f.nodes["a"]
	f.nodes["behind"].change(t, nil)
	f.nodes["old"].stop()
	f.reg.DropNode(t.Context(), "old")
	f.reg.PutNodes(t.Context(), ostiary.Node{ID: "old", Name: "old", Lease: time.Minute, Applied: 9000})
	f.nodes["gone"].stop()
	for range 9000 {
		f.nodes["ahead"].change(t, nil)
	}
	f.nodes["ahead"].change(t, nil)
	fork := f.nodes["fork"]
	for range 8999 {
		fork.change(t, nil)
	}
	if err := fork.dir.Apply(ostiary.Change{Revision: 9000, Chain: ostiary.Hash{9, 9, 9}}, nil); err != nil {
		t.Fatal(err)
	}
	delete(f.nodes, "old")
	delete(f.nodes, "gone")
	f.speak()
	a.Compare(t.Context())
	want := map[string]string{
		"fork": "its log went another way", "old": "its version is older", "gone": "it has stopped",
		"ahead": "not reached", "behind": "does not remember",
	}
	for _, c := range a.Compared() {
		if c.At != 0 || c.Differs || !strings.Contains(c.Why, want[c.Node.Name]) {
			t.Errorf("%s: at %d, differs %v, because %q", c.Node.Name, c.At, c.Differs, c.Why)
		}
		delete(want, c.Node.Name)
	}
	if len(want) > 0 {
		t.Errorf("not named: %v", want)
	}
	if a.said.count(alarmed) > 0 {
		t.Error("there is an alarm")
	}
	a.change(t, nil)
	f.speak()
	a.Compare(t.Context())
	for _, c := range a.Compared() {
		if c.Node.Name == "ahead" && (c.At != 9001 || c.Differs || c.Why != "") {
			t.Errorf("once it is reached: %+v", c)
		}
	}
}

// A node that another one differs from looks whether it is wrong itself: at most once in ten minutes.
func TestANodeInDoubtLoadsItsMemoryAnew(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	var loads, fails atomic.Int64
	f.mend = func(m *member) follow.Mend {
		return func(context.Context) ([]string, error) {
			loads.Add(1)
			if fails.Load() > 0 {
				return nil, errAway
			}
			return m.dir.Mend(f.twin("right"))
		}
	}
	for _, name := range []string{"right", "a"} {
		f.join(ostiary.Node{ID: name, Name: name, Lease: time.Hour})
	}
	fails.Store(1)
	f.nodes["right"].change(t, nil, retired(3, true))
	f.nodes["a"].change(t, nil)
	f.compare()
	told := func(what string, want int) bool {
		return f.nodes["a"].said.count(what)+f.nodes["right"].said.count(what) >= want
	}
	eventually(t, "both have tried", func() bool { return told("it is not known which of two nodes is wrong", 2) })
	fails.Store(0)
	f.clock.forward(time.Minute)
	f.compare()
	eventually(t, "one was wrong", func() bool { return told("memory was not what the database says", 1) })
	eventually(t, "the other was not", func() bool { return told("another one is wrong", 1) })
	if f.nodes["a"].said.count(`differs="token 3"`) != 1 {
		t.Errorf("it does not say what was wrong: %s", &f.nodes["a"].said.text)
	}
	f.compare()
	if a, right := f.nodes["a"].differing(), f.nodes["right"].differing(); a+right != "" {
		t.Errorf("afterwards they differ: %q, %q", a, right)
	}
	if n := loads.Load(); n != 4 {
		t.Errorf("memory was loaded %d times, want 4", n)
	}
	f.nodes["right"].change(t, nil, retired(4, true))
	f.nodes["a"].change(t, nil)
	for range 9 {
		f.clock.forward(time.Minute)
		f.compare()
	}
	time.Sleep(50 * time.Millisecond)
	if n := loads.Load(); n != 4 {
		t.Errorf("within ten minutes memory was loaded %d times, want 4", n)
	}
	f.clock.forward(time.Minute + time.Second)
	f.compare()
	eventually(t, "they load anew", func() bool {
		return told("memory was not what the database says", 2) && told("another one is wrong", 2)
	})
}

// A node that follows another one is sent everything only once that one has been found right.
func TestAFollowerIsSentEverythingByOneThatIsRight(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	wait := make(chan struct{})
	f.mend = func(m *member) follow.Mend {
		return func(context.Context) ([]string, error) { <-wait; return nil, nil }
	}
	a := f.join(ostiary.Node{ID: "a", Name: "a", Lease: time.Hour})
	b := f.join(ostiary.Node{ID: "b", Name: "b", Lease: time.Hour})
	f.change(retired(3, true))
	wrong := a.dir.Holds()
	wrong.Facts[0] ^= 1
	edge := ostiary.Node{ID: "edge", Name: "edge", Via: "a", Lease: time.Hour, Applied: 1, Holds: wrong}
	a.Vouch(edge, 1)
	f.compare()
	if at, anew := a.Differs("edge"); at != 1 || anew {
		t.Errorf("before a was found right: differs at %d, anew %v", at, anew)
	}
	f.clock.forward(time.Second)
	close(wait)
	eventually(t, "a was found right", func() bool { return a.said.count("another one is wrong") == 1 })
	f.clock.forward(time.Second)
	a.Vouch(edge, 2)
	f.compare()
	if at, anew := a.Differs("edge"); at != 1 || !anew {
		t.Errorf("after a was found right: differs at %d, anew %v", at, anew)
	}
	if n := b.said.count("another one is wrong"); n != 0 || b.differing() != "edge" {
		t.Errorf("another server loads anew for an edge that is not its own, or does not say that it differs: %d, %q",
			n, b.differing())
	}
	edge.Holds = a.dir.Holds()
	a.Vouch(edge, 3)
	f.compare()
	if at, anew := a.Differs("edge"); at != 0 || anew {
		t.Errorf("once it is right: differs at %d, anew %v", at, anew)
	}
}

// Three nodes on one log that changes all the time, e-mails too, while memories are narrowed: no alarm.
func TestAStormOfChangesIsNoAlarm(t *testing.T) {
	t.Parallel()
	reg := follow.NewLocal()
	w := newWorld(t)
	f := &fleet{T: t, reg: reg, clock: &hand{}, nodes: map[string]*member{}}
	f.clock.forward(time.Hour)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, name := range []string{"a", "b", "c"} {
		m := f.joinLog(name, w)
		running.Go(func() {
			for ctx.Err() == nil { // each at its own pace, so that they read e-mails at different moments
				m.follow.Look(ctx)
				time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
			}
		})
	}
	lasts := 6 * time.Second
	if testing.Short() {
		lasts = 2 * time.Second
	}
	w.user(8, "eight@example.com")
	eventually(t, "they follow", func() bool { return f.nodes["b"].dir.Revision() >= w.dir.Revision()+1 })
	f.nodes["b"].dir.Restrict([]ostiary.Fact{{User: &ostiary.UserFact{ID: 8, Disabled: true}}})
	compared := 0
	for begun, n := time.Now(), 0; time.Since(begun) < lasts; n++ {
		w.user(ostiary.ID(n%7+1), "user"+strconv.Itoa(n)+"@example.com")
		if n%20 == 0 {
			f.clock.forward(2 * time.Second)
			f.nodes["c"].dir.Restrict([]ostiary.Fact{{User: &ostiary.UserFact{ID: ostiary.ID(n%7 + 1), Disabled: true}}})
			f.compare()
			for _, m := range f.nodes {
				for _, c := range m.Compared() {
					compared += map[bool]int{true: 1}[c.At > 0]
				}
			}
		}
	}
	stop()
	running.Wait()
	restricted := f.nodes["b"].dir.State().Restricted
	for name, m := range f.nodes {
		if n := m.said.count(alarmed); n > 0 {
			t.Errorf("%s has %d alarms", name, n)
		}
	}
	if compared < 50 || restricted == 0 {
		t.Errorf("%d comparisons with %d records narrowed are no storm", compared, restricted)
	}
	t.Logf("%d comparisons", compared)
}

// joinLog is a node that follows a real log.
func (f *fleet) joinLog(name string, w *world) *member {
	f.Helper()
	m := f.join(ostiary.Node{ID: name, Name: name, Lease: time.Hour})
	m.follow = follow.NewSharedByClock(w.records, m.dir, time.Hour, slog.New(slog.DiscardHandler), f.clock.now)
	if err := m.dir.Load(f.Context(), w.records); err != nil {
		f.Fatal(err)
	}
	return m
}
