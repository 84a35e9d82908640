package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/store"
	"ostiary/internal/store/pgtest"
)

// inTwoSeconds gives a call as long as a node gives it.
func inTwoSeconds(t *testing.T, fn func(context.Context) error) error {
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Second)
	defer stop()
	return fn(ctx)
}

// headWithin reads where the log ends.
func headWithin(t *testing.T, db *store.DB) (head ostiary.Head) {
	err := inTwoSeconds(t, func(ctx context.Context) error {
		return db.View(ctx, func(r ostiary.Reader) (err error) { head, err = r.Head(); return err })
	})
	if err != nil {
		t.Log(err)
	}
	return head
}

// A server that was left alone goes on answering who is connected to it, and says nothing new. Once words last on the
// one that took over, all is asked there.
func TestAllIsAskedWhereWordsLast(t *testing.T) {
	if testing.Short() {
		t.Skip("waits until a server is given up")
	}
	t.Parallel()
	alone := pgtest.Start(t)
	name := alone.Database(t)
	addTokens(t, createOn(t, alone.URL(name)), 1)
	second := alone.Standby(t)
	alone.Exec(t, "postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'")
	alone.Exec(t, "postgres", "SELECT pg_reload_conf()")
	url := fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d,127.0.0.1:%d/%s?sslmode=disable",
		pgtest.User, pgtest.Password, second.Port, alone.Port, name)
	a, silent := join(t, url), join(t, url)
	var log ostiary.Head
	speak := func() error {
		return inTwoSeconds(t, func(ctx context.Context) (err error) {
			log, err = a.Registry().KeepNodes(ctx, ostiary.Node{ID: "a", Name: "a", Lease: time.Minute})
			return err
		})
	}
	ok(t, speak())
	before := headWithin(t, a)
	list := func(knows ostiary.Head) (nodes []ostiary.Node, err error) {
		err = inTwoSeconds(t, func(ctx context.Context) (err error) {
			nodes, err = a.Registry().Nodes(ctx, knows)
			return err
		})
		return nodes, err
	}
	_, err := list(before)
	ok(t, err)
	second.Promote(t) // nobody tells the other one
	b := join(t, second.URL(name))
	for range 3 {
		change(t, b, count)
	}
	newest := headWithin(t, b)
	if at := headWithin(t, a); at != before {
		t.Fatalf("this test needs a node that still reads at revision %d, got %d", before.Revision, at.Revision)
	}
	_, err = b.Registry().KeepNodes(t.Context(), ostiary.Node{ID: "b", Name: "b", Lease: time.Minute})
	ok(t, err)
	if nodes, err := list(newest); err == nil {
		t.Errorf("the server that was left alone lists %d nodes to one that knows more than it", len(nodes))
	}
	silent.Seen(newest) // it decides by that, which the old server does not know
	latest := time.Now().Add(30 * time.Second)
	for speak() != nil && time.Now().Before(latest) {
		time.Sleep(100 * time.Millisecond)
	}
	if log != newest {
		t.Fatalf("a word lasts where the log ends at %d, want %d", log.Revision, newest.Revision)
	}
	for range 40 {
		if at := headWithin(t, a); at != newest {
			t.Errorf("words last on the server that took over, and it reads revision %d, want %d", at.Revision, newest.Revision)
		}
		time.Sleep(50 * time.Millisecond)
	}
	if nodes, err := list(newest); err != nil || len(nodes) != 2 {
		t.Errorf("words last on the server that took over, and the list of nodes is %v, %v", nodes, err)
	}
	ok(t, a.Degraded())
	change(t, a, count)
	soon(t, "one that has seen more than the old server asks another one, and goes on", func() bool {
		return silent.Degraded() == nil && headWithin(t, silent).Revision > newest.Revision
	})
}

// Hints that are asked for on a server that was left alone never come, and those that are told there are heard by nobody.
func TestNoConnectionIsKeptThatIsOlderThanGathering(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	name := c.Database(t)
	a := createOn(t, c.URL(name))
	addTokens(t, a, 1)
	hints := a.Hints(t.Context())
	_, err := a.Registry().KeepNodes(t.Context(), ostiary.Node{ID: "a"})
	ok(t, err)
	change(t, a, count)
	listens := func() (listening, telling, asking []int) {
		last := func(said string) []int {
			return pgtest.Column[int](t, c, "postgres", `
				SELECT pid
				FROM pg_stat_activity
				WHERE datname = $1 AND query LIKE $2
				ORDER BY pid`, name, said)
		}
		const watches = "%SELECT 1 WHERE current_setting%"
		return last("LISTEN%"), last("%pg_notify%"), last(watches)
	}
	before := map[int]string{}
	soon(t, "the node asks, listens and tells", func() bool {
		listening, telling, asking := listens()
		for what, pids := range map[string][]int{"listens": listening, "tells": telling, "asks": asking} {
			for _, pid := range pids {
				before[pid] = what
			}
		}
		return len(listening) > 0 && len(telling) > 0 && len(asking) > 0
	})
	a.Registry().Gather()
	change(t, a, count)
	still := func() (what []string) {
		for _, pid := range c.Backends(t, name, "") {
			if said, old := before[pid]; old {
				what = append(what, said)
			}
		}
		return what
	}
	for end := time.Now().Add(6 * time.Second); len(still()) > 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after gathering, on connections from before it, the node %v", still())
		}
	}
	for len(hints) > 0 {
		<-hints
	}
	soon(t, "hints go on", func() bool {
		change(t, a, count)
		select {
		case <-hints:
			return true
		case <-time.After(300 * time.Millisecond):
			return false
		}
	})
}
