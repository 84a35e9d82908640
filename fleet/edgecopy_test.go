package fleet

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ostiary/internal/directory"
)

// An edge that is stopped in good order is not waited for, and is named with its time all the same; started again,
// it counts as there.
func TestAnEdgeThatStopsSaysSo(t *testing.T) {
	long(t)
	t.Parallel()
	f := newFleet(t, []string{"a"}, "--lease", "30s", "--confirm-within", "5s")
	a := f.nodes[0]
	near := f.edge("near", a, "--lease", "30s")
	far := f.edge("far", near, "--lease", "30s")
	s := f.storm(0, 0, 0)
	retire := func(token held) (text string, took time.Duration) {
		begun := time.Now()
		status, text := a.operate("DELETE", "/v2"+token.cid, nil, nil)
		if status != 200 {
			t.Fatalf("retiring answers %d %s", status, text)
		}
		return text, time.Since(begun)
	}
	listed := func(name, state string) func() bool {
		return func() bool {
			for line := range strings.Lines(f.command(a.data, "node", "list")) {
				if strings.Contains(line, " "+name+" ") {
					return strings.Contains(line, state)
				}
			}
			return false
		}
	}
	for i, n := range []*node{far, near} {
		if err := n.stop(); err != nil {
			t.Error(err)
		}
		f.eventually(n.name+" has stopped, as the others know", 5*time.Second, listed(n.name, "stopped"))
		text, took := retire(s.tokens[i])
		if took > 2500*time.Millisecond {
			t.Errorf("a receipt waited %v for %s, which has stopped", took, n.name)
		}
		safe, found := unconfirmedBy(t, text, n.name)
		if !found || safe == `"never"` || safe == "null" {
			t.Errorf("a receipt does not name %s with its time: %s", n.name, text)
		}
	}
	for _, n := range []*node{near, far} {
		if n == near {
			n.args = append(n.args, "--listen", strings.TrimPrefix(n.url, "http://")) // where far looks for it
		}
		if err := n.start(); err != nil {
			t.Fatal(err)
		}
		f.eventually(n.name+" is there again", 15*time.Second, listed(n.name, "follows"))
	}
	f.eventually("a receipt says that all have confirmed", 15*time.Second, func() bool {
		_, text := a.operate("PUT", "/v2"+s.tokens[9].cid, map[string]any{"description": time.Now().String()}, nil)
		return strings.Contains(text, `"confirmed":["a","far","near"]`)
	})
}

// stopCopied waits until an edge has copied what it knows, and ends it.
func (f *fleet) stopCopied(n *node, since time.Time) {
	f.Helper()
	f.eventually("it has copied what it knows, for its own user alone", 15*time.Second, func() bool { return newerThan(n, since) })
	n.kill()
}

// Without its server an edge begins from its local copy, within its lease of the same boot.
func TestAnEdgeBeginsFromItsLocalCopy(t *testing.T) {
	long(t)
	t.Parallel()
	f := newFleet(t, []string{"a"}, "--lease", "60s", "--confirm-within", "300ms")
	a := f.nodes[0]
	near := f.edge("near", a, "--lease", "12s")
	begun := time.Now()
	s := f.storm(0, 0, 0)
	token := s.tokens[0].text
	f.eventually("it lets the token in", 10*time.Second, func() bool { return lets(near, token) })
	f.stopCopied(near, begun)
	file := filepath.Join(near.data, "memory")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	port := strings.TrimPrefix(a.url, "http://")
	a.kill()

	start := func() {
		t.Helper()
		if err := near.start(); err != nil {
			t.Fatal(err)
		}
	}
	status := func() int {
		got, _, err := near.ask(token, "app0")
		if err != nil {
			t.Error(err)
		}
		return got
	}
	start()
	if got := status(); got != 200 {
		t.Errorf("within the lease it answers %d", got)
	}
	f.eventually("it answers 503 once its lease is over", 20*time.Second, func() bool { return status() == 503 })
	near.kill()
	start()
	if got := status(); got != 503 {
		t.Errorf("begun beyond the lease it answers %d", got)
	}

	otherBoot := func() {
		t.Helper()
		near.kill()
		d, about, err := directory.OpenCopy(file)
		if err != nil {
			t.Fatal(err)
		}
		about.Boot = "another boot"
		if _, err := d.WriteCopy(t.Context(), file, about); err != nil {
			t.Fatal(err)
		}
		os.Remove(file + ".stamp")
	}
	otherBoot()
	start()
	if got := status(); got != 503 || !strings.Contains(near.log(), "from before this boot") {
		t.Errorf("from a copy of another boot it answers %d, and does not say why", got)
	}
	otherBoot()
	near.args = append(near.args, "--serve-stale")
	start()
	if got := status(); got != 200 {
		t.Errorf("from a copy of another boot, with --serve-stale, it answers %d", got)
	}
	f.eventually("it says so", 5*time.Second, func() bool {
		return strings.Contains(near.log(), stale) && strings.Contains(near.log(), "nobody knows how old memory is") &&
			strings.Contains(near.log(), "whose lease is over, as --serve-stale wants it")
	})
	if parts, text := near.degraded(); len(parts) == 0 || !strings.Contains(text, "stale") {
		t.Errorf("/readyz says %s", text)
	}
	near.kill()
	near.args = near.args[:len(near.args)-1]

	for what, text := range map[string][]byte{"torn": good[:len(good)/2], "empty": nil, "spoilt": append([]byte("x"), good...)} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		start()
		if got := status(); got != 503 {
			t.Errorf("from a copy that is %s it answers %d", what, got)
		}
		near.kill()
	}
	start()
	a.args = append(a.args, "--listen", port)
	if err := a.start(); err != nil {
		t.Fatal(err)
	}
	f.eventually("it has everything from its server", 20*time.Second, func() bool { return status() == 200 })
	f.eventually("its copy is whole again", 15*time.Second, func() bool {
		_, _, err := directory.OpenCopy(file)
		info, stat := os.Stat(file)
		return err == nil && stat == nil && info.Mode().Perm() == 0o600
	})
}
