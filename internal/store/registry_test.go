package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ostiary"
	"ostiary/internal/store/pgtest"
)

func TestNodesAreKeptAsTheySayTheyAre(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	name := c.Database(t)
	url := c.URL(name)
	one, other := createOn(t, url).Registry(), join(t, url).Registry()
	a := ostiary.Node{
		ID: "a", Name: "api-1", Version: "1.2", Via: "b", Applied: 7, Lease: time.Minute, Tail: time.Second,
		Signs: 30 * time.Second, Stale: true, Stopped: true,
	}
	ok(t, one.PutNodes(t.Context(), a))
	ok(t, other.PutNodes(t.Context(), ostiary.Node{ID: "b"}))
	a.Stopped = false
	ok(t, one.PutNodes(t.Context(), ostiary.Node{ID: "c"}, a))
	a.Applied = 8
	ok(t, one.PutNodes(t.Context(), a))
	overtaken := a
	overtaken.Applied = 7
	ok(t, one.KeepNodes(t.Context(), overtaken))
	a.Beat = 4
	a.Holds = ostiary.Digests{
		Head: ostiary.Head{Revision: 8, Chain: ostiary.Hash{1}}, Facts: ostiary.Hash{2}, Emails: ostiary.Hash{3},
	}
	ok(t, one.KeepNodes(t.Context(), a))
	quick := a
	quick.Holds = ostiary.Digests{}
	ok(t, one.PutNodes(t.Context(), quick))
	a.Beat = 6
	ok(t, one.DropNode(t.Context(), "c"))
	all, err := other.Nodes(t.Context())
	ok(t, err)
	byID := cmpopts.SortSlices(func(x, y ostiary.Node) bool { return x.ID < y.ID })
	clocks := cmpopts.IgnoreFields(ostiary.Node{}, "SeenOn", "Quiet")
	if diff := cmp.Diff([]ostiary.Node{a, {ID: "b", Beat: 1}}, all, byID, clocks); diff != "" {
		t.Errorf("nodes (-want +got):\n%s", diff)
	}
	for _, n := range all {
		if age := time.Since(n.SeenOn); age < -time.Minute || age > time.Minute || n.Quiet > time.Minute {
			t.Errorf("%s was seen on %v, %v ago", n.ID, n.SeenOn, n.Quiet)
		}
	}
	ok(t, other.DropNode(t.Context(), "a"))
	if all, err = one.Nodes(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("after one was dropped: %v, %v", all, err)
	}
	// A node of the version before says nothing of what it holds.
	c.Exec(t, name, `
		INSERT INTO nodes (id, name, version, via, applied, lease, tail, signs, stale, stopped, beat, seen_on)
		VALUES ('old', 'old', '', '', 7, 0, 0, 0, 0, 0, 1, 0)`)
	all, err = one.Nodes(t.Context())
	ok(t, err)
	for _, n := range all {
		if n.ID == "old" && (n.Applied != 7 || n.Holds != ostiary.Digests{}) {
			t.Errorf("an older version's row reads %+v", n)
		}
	}
	if create(t, t.TempDir()+"/data").Registry() != nil {
		t.Error("an SQLite file has a registry")
	}
}

func TestANodeThatSpeaksIsNotDroppedForItsSilence(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	r := createOn(t, c.URL(c.Database(t))).Registry()
	ok(t, r.KeepNodes(t.Context(), ostiary.Node{ID: "a"}, ostiary.Node{ID: "b"}, ostiary.Node{ID: "c"}))
	seen, err := r.Nodes(t.Context())
	ok(t, err)
	ok(t, r.KeepNodes(t.Context(), ostiary.Node{ID: "b"}))
	var silent []ostiary.Node
	for _, n := range seen {
		if n.ID != "c" {
			silent = append(silent, n)
		}
	}
	ok(t, r.DropSilent(t.Context(), silent...))
	left := map[string]bool{}
	seen, err = r.Nodes(t.Context())
	ok(t, err)
	for _, n := range seen {
		left[n.ID] = true
	}
	if left["a"] || !left["b"] || !left["c"] {
		t.Errorf("on record are %v, want b, which has spoken since, and c, which was not named", left)
	}
}
