package store_test

import (
	"slices"
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
	db := createOn(t, url)
	addTokens(t, db, 1)
	for range 8 {
		change(t, db, count)
	}
	chain := func(revision uint64) ostiary.Hash { return changesAfter(t, db, revision-1)[0].Chain }
	one, other := db.Registry(), join(t, url).Registry()
	a := ostiary.Node{
		ID: "a", Name: "api-1", Version: "1.2", Via: "b", Applied: 7, Chain: chain(7), Lease: time.Minute, Tail: time.Second,
		Signs: 30 * time.Second, Stale: true, Stopped: true,
	}
	ok(t, one.PutNodes(t.Context(), a))
	ok(t, other.PutNodes(t.Context(), ostiary.Node{ID: "b"}))
	a.Stopped = false
	ok(t, one.PutNodes(t.Context(), ostiary.Node{ID: "c"}, a))
	a.Applied, a.Chain = 8, chain(8)
	ok(t, one.PutNodes(t.Context(), a))
	overtaken := a
	overtaken.Applied, overtaken.Chain = 7, chain(7)
	_, err := one.KeepNodes(t.Context(), overtaken)
	ok(t, err)
	a.Beat = 4
	a.Holds = ostiary.Digests{
		Head: ostiary.Head{Revision: 8, Chain: ostiary.Hash{1}}, Facts: ostiary.Hash{2}, Emails: ostiary.Hash{3},
	}
	_, err = one.KeepNodes(t.Context(), a)
	ok(t, err)
	quick := a
	quick.Holds = ostiary.Digests{}
	ok(t, one.PutNodes(t.Context(), quick))
	a.Beat = 6
	ok(t, one.DropNode(t.Context(), "c"))
	all, err := other.Nodes(t.Context(), ostiary.Head{})
	ok(t, err)
	byID := cmpopts.SortSlices(func(x, y ostiary.Node) bool { return x.ID < y.ID })
	clocks := cmpopts.IgnoreFields(ostiary.Node{}, "SeenOn", "Quiet", "Chain")
	if diff := cmp.Diff([]ostiary.Node{a, {ID: "b", Beat: 1}}, all, byID, clocks); diff != "" {
		t.Errorf("nodes (-want +got):\n%s", diff)
	}
	for _, n := range all {
		if age := time.Since(n.SeenOn); age < -time.Minute || age > time.Minute || n.Quiet > time.Minute {
			t.Errorf("%s was seen on %v, %v ago", n.ID, n.SeenOn, n.Quiet)
		}
	}
	a.Chain = chain(7) // it has another change under this number
	ok(t, one.PutNodes(t.Context(), a))
	all, err = other.Nodes(t.Context(), ostiary.Head{})
	ok(t, err)
	for _, n := range all {
		if n.Applied != 0 {
			t.Errorf("%s is said to have applied revision %d of a log that goes another way there", n.ID, n.Applied)
		}
	}
	ok(t, other.DropNode(t.Context(), "a"))
	if all, err = one.Nodes(t.Context(), ostiary.Head{}); err != nil || len(all) != 1 {
		t.Errorf("after one was dropped: %v, %v", all, err)
	}
	// A node of the version before says nothing of what it holds.
	c.Exec(t, name, `
		INSERT INTO nodes (id, name, version, via, applied, lease, tail, signs, stale, stopped, beat, seen_on)
		VALUES ('old', 'old', '', '', 7, 0, 0, 0, 0, 0, 1, 0)`)
	all, err = one.Nodes(t.Context(), ostiary.Head{})
	ok(t, err)
	for _, n := range all {
		if n.ID == "old" && (n.Applied != 7 || n.Holds != ostiary.Digests{}) {
			t.Errorf("an older version's row reads %+v", n)
		}
	}
	if _, err := one.Nodes(t.Context(), ostiary.Head{Revision: 1}); err == nil {
		t.Error("a server whose log lacks what is known gives its nodes")
	}
	if create(t, t.TempDir()+"/data").Registry() != nil {
		t.Error("an SQLite file has a registry")
	}
}

func TestANodeThatSpeaksIsNotDroppedForItsSilence(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	r := createOn(t, c.URL(c.Database(t))).Registry()
	_, err := r.KeepNodes(t.Context(), ostiary.Node{ID: "a"}, ostiary.Node{ID: "b"}, ostiary.Node{ID: "c"})
	ok(t, err)
	seen, err := r.Nodes(t.Context(), ostiary.Head{})
	ok(t, err)
	_, err = r.KeepNodes(t.Context(), ostiary.Node{ID: "b"})
	ok(t, err)
	var silent []ostiary.Node
	for _, n := range seen {
		if n.ID != "c" {
			silent = append(silent, n)
		}
	}
	ok(t, r.DropSilent(t.Context(), silent...))
	left := map[string]bool{}
	seen, err = r.Nodes(t.Context(), ostiary.Head{})
	ok(t, err)
	for _, n := range seen {
		left[n.ID] = true
	}
	if left["a"] || !left["b"] || !left["c"] {
		t.Errorf("on record are %v, want b, which has spoken since, and c, which was not named", left)
	}
}

// Another connection may lead to another server, so after it everything is opened anew.
func TestAWordThatIsRefusedCostsNoConnection(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	name := c.Database(t)
	r := createOn(t, c.URL(name)).Registry()
	_, err := r.KeepNodes(t.Context(), ostiary.Node{ID: "a"})
	ok(t, err)
	before := c.Backends(t, name, "")
	tooLarge := ostiary.Digests{Head: ostiary.Head{Revision: 1 << 63}}
	for range 2 {
		if _, err := r.KeepNodes(t.Context(), ostiary.Node{ID: "b"}, ostiary.Node{ID: "c", Holds: tooLarge}); err == nil {
			t.Error("a number that the table cannot hold is kept")
		}
		_, err = r.KeepNodes(t.Context(), ostiary.Node{ID: "a"})
		ok(t, err)
	}
	time.Sleep(2 * time.Second) // gathering closes what is open within a second
	after := c.Backends(t, name, "")
	for _, pid := range before {
		if !slices.Contains(after, pid) {
			t.Errorf("of the connections %v are left %v", before, after)
			break
		}
	}
	all, err := r.Nodes(t.Context(), ostiary.Head{})
	if err != nil || len(all) != 1 {
		t.Errorf("on record are %v, %v, want one: what was refused is undone whole", all, err)
	}
}
