package follow_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/directory"
	"ostiary/internal/follow"
)

// picky is a registry that cannot take some node.
type picky struct {
	*follow.Local
	bad string
}

func (p picky) check(nodes []ostiary.Node) error {
	if slices.ContainsFunc(nodes, func(n ostiary.Node) bool { return n.ID == p.bad }) {
		return errors.New("such a row cannot be")
	}
	return nil
}

func (p picky) KeepNodes(ctx context.Context, nodes ...ostiary.Node) (ostiary.Head, error) {
	if err := p.check(nodes); err != nil {
		return ostiary.Head{}, err
	}
	return p.Local.KeepNodes(ctx, nodes...)
}

func (p picky) PutNodes(ctx context.Context, nodes ...ostiary.Node) error {
	if err := p.check(nodes); err != nil {
		return err
	}
	return p.Local.PutNodes(ctx, nodes...)
}

// A server keeps its own word, whatever it is to say of those that follow it; and so does each of these.
func TestAFollowerThatCannotBeOnRecordCostsItselfOnly(t *testing.T) {
	t.Parallel()
	reg := picky{follow.NewLocal(), "1.bad"}
	quiet := slog.New(slog.DiscardHandler)
	dir := directory.New()
	n := follow.NewNodes(reg, ostiary.Node{ID: "a", Name: "a", Lease: time.Minute},
		follow.NewShared(nil, dir, time.Minute, nil, quiet), dir, within, quiet)
	follower := func(id string) ostiary.Node { return ostiary.Node{ID: id, Name: id, Via: "a", Lease: time.Minute} }
	for i := range 50 {
		n.Vouch(follower(fmt.Sprint("1.", i)), 7)
	}
	n.Vouch(follower("1.bad"), 7)
	if err := n.Join(t.Context()); err != nil {
		t.Errorf("the server cannot say that it is there: %v", err)
	}
	for i := range 50 {
		if id := fmt.Sprint("1.", i); n.Said(id) != 7 {
			t.Errorf("of %s the others know %d, want 7", id, n.Said(id))
		}
	}
	if n.Said("1.bad") != 0 {
		t.Error("one that is not on record is told that the others know of it")
	}
}

// An edge that comes back after its lease needs two words again. It does not wait for two beats.
func TestWhoComesBackIsVouchedForAtOnce(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "a")
	a := f.nodes["a"]
	edge := ostiary.Node{ID: "1.e-x", Name: "edge", Via: "a", Lease: time.Minute}
	said := func(stamp time.Duration) func() bool {
		return func() bool { return a.Said(edge.ID) == int64(stamp) }
	}
	for _, stamp := range []time.Duration{time.Second, 2 * time.Second, 3 * time.Second} {
		a.Vouch(edge, int64(stamp))
		eventually(t, "the others know of it", said(stamp))
	}
	for _, stamp := range []time.Duration{2 * time.Minute, 2*time.Minute + time.Second} {
		begun := time.Now()
		a.Vouch(edge, int64(stamp))
		eventually(t, "the others know of it again", said(stamp))
		if took := time.Since(begun); took > follow.Beat/4 {
			t.Errorf("that took %v", took)
		}
	}
}

// Rows of nodes that never come back would stand in each receipt for ever.
func TestWhoNeverComesBackIsTakenOffTheRecord(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "a")
	a := f.nodes["a"]
	for id, stale := range map[string]bool{
		"1.gone~": false, "1.stale~": true, "1.folder-old": false, "1.folder-new": false, "1.alone-old": false, "1.old": false,
	} {
		n := ostiary.Node{ID: id, Name: id, Via: "a", Lease: time.Minute, Tail: time.Minute, Stale: stale}
		if err := f.reg.PutNodes(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.reg.PutNodes(t.Context(), ostiary.Node{ID: "server~", Name: "server", Lease: time.Minute}); err != nil {
		t.Fatal(err)
	}
	here := func() (ids []string) {
		all, err := f.reg.Nodes(t.Context(), ostiary.Head{})
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range all {
			ids = append(ids, n.ID)
		}
		slices.Sort(ids)
		return ids
	}
	all := here()
	eventually(t, "all were seen", func() bool { return len(a.All()) == len(all) })
	f.clock.forward(2 * time.Minute)
	a.PruneNow(t.Context())
	if got := here(); !slices.Equal(got, all) {
		t.Errorf("while they may still decide, on record are %v, want %v", got, all)
	}
	if err := f.reg.PutNodes(t.Context(), ostiary.Node{ID: "1.folder-new", Name: "new", Via: "a", Lease: time.Minute}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the newer one was seen", func() bool {
		return slices.ContainsFunc(a.All(), func(n ostiary.Node) bool { return n.Name == "new" })
	})
	f.clock.forward(20 * time.Second)
	a.PruneNow(t.Context())
	want := []string{"1.alone-old", "1.folder-new", "1.old", "1.stale~", "a", "server~"}
	if got := here(); !slices.Equal(got, want) {
		t.Errorf("on record are %v, want %v", got, want)
	}
}

func TestAStampThatGoesBackIsOfAnotherClock(t *testing.T) {
	t.Parallel()
	quiet := slog.New(slog.DiscardHandler)
	dir := directory.New()
	n := follow.NewNodes(follow.NewLocal(), ostiary.Node{ID: "a", Name: "a", Lease: time.Minute},
		follow.NewShared(nil, dir, time.Minute, nil, quiet), dir, within, quiet)
	e := ostiary.Node{ID: "1.e", Name: "e", Via: "a", Lease: time.Minute}
	for _, stamp := range []int64{1000, 7} {
		n.Vouch(e, stamp)
		if got := n.Said("1.e"); got != 0 {
			t.Errorf("with stamp %d, it is told that the others know of %d", stamp, got)
		}
		if err := n.Join(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := n.Said("1.e"); got != stamp {
			t.Errorf("with stamp %d, it is told that the others know of %d", stamp, got)
		}
	}
}
