package fleet

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A node that begins without the database answers as it did, from its local copy, until its lease is over.
func TestANodeBeginsWithoutTheDatabase(t *testing.T) {
	long(t)
	t.Parallel()
	f := newFleet(t, []string{"a", "b"}, "--lease", "15s")
	s := f.storm(0, 2, time.Millisecond)
	time.Sleep(3 * time.Second)
	s.stopped.Store(true)
	s.running.Wait()
	a, b := f.nodes[0], f.nodes[1]
	f.eventually("both have copied what they know", 12*time.Second, func() bool {
		return newerThan(a, s.lastChange) && newerThan(b, s.lastChange)
	})
	want := map[string]int{}
	for _, token := range s.tokens {
		want[token.text], _, _ = a.ask(token.text, "app1")
	}

	f.pg.Kill(t)
	a.kill()
	b.stop() // it cannot write down what was counted last, and may say so with its exit
	for _, n := range []*node{a, b} {
		if err := n.start(); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(n.log(), "from the local copy") {
			t.Errorf("%s does not say that it begins from its local copy", n.name)
		}
		for text, status := range want {
			if got, _, err := n.ask(text, "app1"); got != status || err != nil {
				t.Errorf("%s answers %d, %v; before it was %d", n.name, got, err, status)
			}
		}
	}
	status, _ := a.operate("DELETE", "/v2"+s.tokens[0].cid, nil, nil)
	if status != 503 {
		t.Errorf("a change without the database answers %d", status)
	}

	for _, n := range []*node{a, b} {
		f.eventually("the lease is over", 20*time.Second, func() bool {
			status, _, err := n.ask(s.tokens[0].text, "app1")
			return err == nil && status == 503
		})
	}
	b.kill()
	if err := b.start(); err == nil {
		t.Error("a node began with a copy whose lease is over")
	} else if !strings.Contains(err.Error(), "the lease is") {
		t.Errorf("it does not say that its lease is over: %v", err)
	}
	f.pg.Again(t)
	f.eventually("a decides again by itself", 15*time.Second, func() bool {
		status, _, err := a.ask(s.tokens[0].text, "app1")
		return err == nil && status != 503
	})
	f.eventually("a makes changes again", 15*time.Second, func() bool {
		status, _ := a.operate("PUT", "/v2"+s.tokens[len(s.tokens)-1].cid, map[string]any{"description": "again"}, nil)
		return status == 200 || status == 409
	})
}

// newerThan says whether the node's copy was written after a moment.
func newerThan(n *node, moment time.Time) bool {
	info, err := os.Stat(filepath.Join(n.data, "memory"))
	return err == nil && info.ModTime().After(moment) && info.Mode().Perm() == 0o600
}

// A copy from another boot says nothing about its age; neither does one that was spoilt.
func TestACopyThatSaysNothingIsRefused(t *testing.T) {
	long(t)
	t.Parallel()
	f := newFleet(t, []string{"a"}, "--lease", "60s")
	a := f.nodes[0]
	s := f.storm(0, 0, 0)
	token := s.tokens[0].text
	a.ask(token, "app0")
	if err := a.stop(); err != nil {
		t.Fatal(err)
	}
	f.pg.Kill(t)
	file := filepath.Join(a.data, "memory")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	bad := append([]byte(nil), good...)
	bad[len(bad)/2] ^= 1
	for what, text := range map[string][]byte{"spoilt": bad, "torn": good[:len(good)/2], "empty": nil} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := a.start(); err == nil {
			t.Errorf("a node began from a copy that is %s", what)
			a.kill()
		}
	}
	if err := os.WriteFile(file, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := a.start(); err != nil {
		t.Fatal(err)
	}
	if status, _, err := a.ask(token, "app0"); status != 200 {
		t.Errorf("from the right one it answers %d, %v", status, err)
	}
}

// An edge decides for its lease, whatever becomes of its server. So a server that was killed names it in receipts,
// though it has not come back.
func TestAServerThatWasKilledKnowsItsEdges(t *testing.T) {
	long(t)
	t.Parallel()
	f := newAlone(t, filepath.Join(t.TempDir(), "data"), "--confirm-within", "300ms")
	server := f.nodes[0]
	near := f.edge("near", server, "--lease", "20s")
	s := f.storm(0, 0, 0)
	defer near.freeze()()
	server.kill()
	if err := server.start(); err != nil {
		t.Fatal(err)
	}
	var gone struct {
		Receipt struct {
			Unconfirmed []struct {
				Node      string `json:"node"`
				SafeAfter int64  `json:"safe_after"`
			} `json:"unconfirmed"`
		} `json:"_receipt"`
	}
	now := time.Now().Unix()
	status, text := server.operate("DELETE", "/v2"+s.tokens[0].cid, nil, &gone)
	named := gone.Receipt.Unconfirmed
	if status != 200 || len(named) != 1 || named[0].Node != "near" || named[0].SafeAfter < now+20 || named[0].SafeAfter > now+26 {
		t.Errorf("at %d: %d, and named are %+v; want near, 21 seconds from now\n%s", now, status, named, text)
	}
}

// What a receipt says that a node has, it has also after kill -9, when it begins without the database; and an edge
// without its server.
func TestWhoConfirmedAndIsKilledBeginsWithTheChange(t *testing.T) {
	long(t)
	t.Parallel()
	f := newFleet(t, []string{"a", "b"}, "--lease", "60s")
	a, b := f.nodes[0], f.nodes[1]
	near := f.edge("near", b, "--lease", "60s")
	s := f.storm(0, 0, 0)
	gone, kept := s.apart(a), s.apart(a)
	for _, n := range []*node{b, near} {
		n.ask(kept.text, "app0")
		f.eventually(n.name+" has copied what it knows", 12*time.Second, func() bool {
			_, err := os.Stat(filepath.Join(n.data, "memory.stamp"))
			return err == nil && newerThan(n, s.lastChange)
		})
	}
	text := s.made(a, "DELETE", "/v2"+gone.cid, nil)
	near.kill()
	b.kill()
	f.pg.Kill(t)
	if r, _ := readReceipt(text); len(r.Confirmed) != 3 {
		t.Fatalf("confirmed are %+v", r)
	}
	for _, n := range []*node{near, b} {
		if err := n.start(); err != nil {
			t.Fatal(err)
		}
		for token, want := range map[held]int{gone: 401, kept: 200} {
			if status, _, err := n.ask(token.text, "app0"); status != want {
				t.Errorf("%s answers %d, %v to %s, want %d", n.name, status, err, token.cid, want)
			}
		}
	}
}
