package follow_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/directory"
	"ostiary/internal/follow"
)

// alone is a node that writes its log alone, in a folder, until it is ended as kill -9 does.
func alone(t *testing.T, folder string) (n *follow.Nodes, end func()) {
	t.Helper()
	reg, err := follow.OpenLocal(filepath.Join(folder, "followers"))
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	dir := directory.New()
	n = follow.NewNodes(reg, ostiary.Node{ID: "a", Name: "a", Lease: time.Minute}, follow.New(nil, dir, quiet), dir, within, quiet)
	if err := n.Join(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { n.Run(ctx) })
	end = sync.OnceFunc(func() { stop(); running.Wait() })
	t.Cleanup(end)
	return n, end
}

// vouched has a node follow, until it learns that it is on record.
func vouched(t *testing.T, n *follow.Nodes, node ostiary.Node, stamp int64) {
	t.Helper()
	n.Vouch(node, stamp)
	eventually(t, node.Name+" is on record", func() bool { return n.Said(node.ID) == stamp })
}

func TestAfterARestartReceiptsNameWhoFollowed(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	n, end := alone(t, folder)
	for _, e := range []ostiary.Node{
		{ID: "e", Name: "edge", Via: "a", Lease: 50 * time.Second, Tail: 5 * time.Second},
		{ID: "f", Name: "far", Via: "edge", Lease: time.Minute, Stale: true, Signs: time.Minute, Applied: 7},
	} {
		vouched(t, n, e, 1)
	}
	end()
	n, _ = alone(t, folder)
	begun := time.Now()
	r := n.Confirm(t.Context(), 0)
	if r = n.Confirm(t.Context(), 7); len(r.Unconfirmed) != 2 || r.Unconfirmed[0].Node != "edge" || r.Unconfirmed[1].Node != "far" {
		t.Fatalf("got %+v, want that edge and far have not confirmed", r)
	}
	(&fleet{T: t}).near("safe after", r.Unconfirmed[0].SafeAfter, begun.Add(56*time.Second))
	if !r.Unconfirmed[1].SafeAfter.IsZero() || r.SignedUntil.IsZero() {
		t.Errorf("far serves stale and signs: got %+v", r)
	}
	vouched(t, n, ostiary.Node{ID: "e", Name: "edge", Via: "a", Lease: 50 * time.Second, Applied: 7}, 2)
	if r = n.Confirm(t.Context(), 7); len(r.Unconfirmed) != 1 {
		t.Errorf("edge is back, and got %+v", r)
	}
	if err := n.Forget(t.Context(), "f", true); err == nil {
		t.Error("a node that was heard of a second ago is forgotten")
	}
}

// The file is written when something of it is different, and holds nobody who decides no more.
func TestTheListOfFollowersIsWrittenWhenItChanges(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "followers")
	reg, err := follow.OpenLocal(path)
	if err != nil {
		t.Fatal(err)
	}
	keep := func(nodes ...ostiary.Node) {
		t.Helper()
		if _, err := reg.KeepNodes(t.Context(), nodes...); err != nil {
			t.Fatal(err)
		}
	}
	text := func() string {
		b, _ := os.ReadFile(path)
		return string(b)
	}
	me := ostiary.Node{ID: "me", Name: "me"}
	if keep(me); text() != "" {
		t.Errorf("without followers it is %s", text())
	}
	edge := ostiary.Node{ID: "e", Name: "edge", Via: "me", Lease: time.Hour}
	// The second that clocks may differ by is taken off again, so that its lease is over at once.
	brief := ostiary.Node{ID: "b", Name: "brief", Via: "me", Lease: time.Nanosecond, Tail: -time.Second}
	keep(me, edge, brief)
	if s := text(); !strings.Contains(s, `"e"`) || !strings.Contains(s, `"brief"`) || strings.Contains(s, `"me",`+"\n\t\t\"name") {
		t.Errorf("it is %s", s)
	}
	before, err := os.Stat(path)
	if err != nil || before.Mode().Perm() != 0o600 {
		t.Fatalf("got %v, %v", before, err)
	}
	edge.Applied, edge.Beat = 9, 9
	reg.PutNodes(t.Context(), edge)
	keep(edge, brief)
	if now, err := os.Stat(path); err != nil || !os.SameFile(before, now) {
		t.Errorf("it was written for a beat: %v", err)
	}
	edge.Lease = 2 * time.Hour
	keep(edge)
	if s := text(); !strings.Contains(s, "7200000000000") || strings.Contains(s, "brief") {
		t.Errorf("another lease, and one whose lease is over: %s", s)
	}
	if err := reg.DropNode(t.Context(), "e"); err != nil || strings.Contains(text(), "edge") {
		t.Errorf("forgotten, %v, and it is %s", err, text())
	}
	keep(edge)
	all, err := reg.Nodes(t.Context(), ostiary.Head{})
	if err != nil {
		t.Fatal(err)
	}
	if err := reg.DropSilent(t.Context(), all...); err != nil || strings.Contains(text(), "edge") {
		t.Errorf("taken off the record for its silence, %v, and it is %s", err, text())
	}
}

// Who cannot be written down is told nothing, so that it does not decide.
func TestAFollowerThatCannotBeWrittenDownIsNotOnRecord(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "gone")
	reg, err := follow.OpenLocal(filepath.Join(folder, "followers"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reg.KeepNodes(t.Context(), ostiary.Node{ID: "e", Name: "edge", Via: "me", Lease: time.Hour}); err == nil {
		t.Error("it is kept, in a folder that is not there")
	}
	if _, err := reg.KeepNodes(t.Context(), ostiary.Node{ID: "me", Name: "me"}); err != nil {
		t.Error("the node itself need not be written down:", err)
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	short := ostiary.Node{ID: "e", Name: "edge", Via: "me", Lease: time.Nanosecond, Tail: -time.Second}
	if _, err := reg.KeepNodes(t.Context(), short); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if _, err := reg.KeepNodes(t.Context(), ostiary.Node{ID: "me", Name: "me"}); err != nil {
		t.Error("one that is gone stands there for longer, which harms nobody:", err)
	}
}

func TestAListOfFollowersThatCannotBeReadIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "followers")
	if err := os.WriteFile(path, []byte(`[{"id":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := follow.OpenLocal(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want an error that names the file", err)
	}
}
