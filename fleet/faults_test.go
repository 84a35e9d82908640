package fleet

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"ostiary/internal/store/pgtest"
)

// within is how much later than a change an answer from before it may be asked for, where nothing is wrong
// with the nodes: far more than it takes, because a tight bound fails correct programs on a busy machine.
const within = 2 * time.Second

// long leaves a test out where only short ones are run.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("this takes long")
	}
}

func TestNodesAnswerAsTheLogSays(t *testing.T) {
	long(t)
	t.Parallel()
	f := newFleet(t, []string{"a", "b", "c"}, "--lease", "5s")
	s := f.storm(2, 3, 2*time.Millisecond)
	time.Sleep(9 * time.Second)
	s.end(within)
	if len(f.answers) < 500 || len(f.changes) < 15 {
		t.Errorf("%d answers and %d changes are no storm", len(f.answers), len(f.changes))
	}
	for _, c := range f.changes {
		if len(c.receipt.Confirmed) != 3 || len(c.receipt.Unconfirmed) != 0 {
			t.Fatalf("with nothing wrong, the receipt of revision %d says %+v", c.receipt.Revision, c.receipt)
		}
	}
	if s.late.Load() > 0 || s.away.Load() > 0 {
		t.Errorf("with nothing wrong, %d answers are 503 and %d did not come", s.late.Load(), s.away.Load())
	}
}

func TestANodeThatIsKilledComesBack(t *testing.T) {
	long(t)
	t.Parallel()
	f := newFleet(t, []string{"a", "b", "c"}, "--lease", "20s", "--confirm-within", "500ms")
	s := f.storm(2, 3, 2*time.Millisecond)
	for range 4 {
		n := f.nodes[rand.IntN(3)]
		time.Sleep(time.Second)
		n.kill()
		time.Sleep(500 * time.Millisecond)
		if err := n.start(); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(time.Second)
	s.end(within)
}

// A frozen process keeps its sockets, and its memory. What it answers once it goes on must not be from
// before what happened meanwhile.
func TestANodeThatWasFrozenDoesNotSpeakFromThePast(t *testing.T) {
	long(t)
	t.Parallel()
	f := newFleet(t, []string{"a", "b", "c"}, "--lease", "5s", "--confirm-within", "300ms")
	s := f.storm(2, 3, 2*time.Millisecond)
	time.Sleep(time.Second)
	short := f.nodes[1].freeze()
	time.Sleep(2 * time.Second)
	short()
	time.Sleep(time.Second)
	long := f.nodes[2].freeze()
	time.Sleep(8 * time.Second)
	long()
	time.Sleep(2 * time.Second)
	s.end(within)
	named := 0
	for _, c := range f.changes {
		for _, u := range c.receipt.Unconfirmed {
			named++
			if u.SafeAfter.After(c.at.Add(8 * time.Second)) {
				t.Errorf("%s is called safe %v after the change, with a lease of 5s", u.Node, u.SafeAfter.Sub(c.at))
			}
		}
	}
	if named == 0 {
		t.Error("no receipt names the node that was frozen")
	}
}

func TestDecisionsOutliveTheDatabase(t *testing.T) {
	long(t)
	t.Parallel()
	f := newFleet(t, []string{"a", "b"}, "--lease", "8s")
	s := f.storm(2, 2, 2*time.Millisecond)
	time.Sleep(2 * time.Second)
	f.pg.Kill(t)
	begun := time.Now()
	f.eventually("a node says that it is behind", 6*time.Second, func() bool {
		_, header, err := f.nodes[0].ask(s.tokens[0].text, "app0")
		return err == nil && header.Get("X-Ostiary-Behind") != ""
	})
	time.Sleep(time.Until(begun.Add(6 * time.Second)))
	if s.late.Load() > 0 {
		t.Errorf("within the lease, %d answers were 503", s.late.Load())
	}
	f.eventually("a node answers 503 once its lease is over", 6*time.Second, func() bool {
		status, header, err := f.nodes[0].ask(s.tokens[0].text, "app0")
		return err == nil && status == 503 && header.Get("Retry-After") != ""
	})
	f.pg.Again(t)
	f.eventually("it answers again by itself", 10*time.Second, func() bool {
		status, _, err := f.nodes[0].ask(s.tokens[0].text, "app0")
		return err == nil && status != 503
	})
	made := len(f.madeSoFar())
	f.eventually("changes are made again", 10*time.Second, func() bool { return len(f.madeSoFar()) > made })
	s.end(within)
	if s.away.Load() > 0 {
		t.Errorf("%d requests had no answer", s.away.Load())
	}
	for _, a := range f.answers {
		if a.status != 200 && a.code == "" {
			t.Fatalf("%s answered %d without a code", a.node, a.status)
		}
	}
}

// madeSoFar are the changes that were acknowledged.
func (f *fleet) madeSoFar() []acked {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.changes)
}

func TestTheServerIsKilledAgainAndAgain(t *testing.T) {
	long(t)
	t.Parallel()
	f := newFleet(t, []string{"a", "b", "c"}, "--lease", "20s")
	s := f.storm(1, 4, 2*time.Millisecond)
	for range 4 {
		time.Sleep(1200 * time.Millisecond)
		f.pg.Kill(t)
		time.Sleep(200 * time.Millisecond)
		f.pg.Again(t)
	}
	time.Sleep(2 * time.Second)
	s.end(5 * time.Second)
	if s.late.Load() > 0 {
		t.Errorf("within the lease, %d answers were 503", s.late.Load())
	}
}

// A backend that is killed takes the server down with it for a moment: all connections end.
func TestBackendsAreKilled(t *testing.T) {
	long(t)
	t.Parallel()
	f := newFleet(t, []string{"a", "b", "c"})
	s := f.storm(1, 4, 2*time.Millisecond)
	for range 8 {
		time.Sleep(400 * time.Millisecond)
		f.pg.Exec(t, "postgres", `
			SELECT pg_terminate_backend(pid)
			FROM pg_stat_activity
			WHERE datname = $1 AND random() < 0.5`, f.database)
	}
	time.Sleep(time.Second)
	s.end(within)
	if s.late.Load() > 0 {
		t.Errorf("%d answers were 503", s.late.Load())
	}
}

// A listening connection can die without a word: nothing depends on it.
func TestTheListeningBackendsAreFrozen(t *testing.T) {
	long(t)
	t.Parallel()
	f := newFleet(t, []string{"a", "b", "c"})
	s := f.storm(1, 3, 2*time.Millisecond)
	time.Sleep(time.Second)
	listening := pgtest.Column[int](t, f.pg, "postgres", `
		SELECT pid
		FROM pg_stat_activity
		WHERE datname = $1 AND (query ILIKE 'listen%' OR query = ';' OR query ILIKE '-- ping')`, f.database)
	if len(listening) != 3 {
		t.Errorf("%d connections listen, want 3", len(listening))
	}
	thaw := pgtest.Freeze(t, listening...)
	time.Sleep(4 * time.Second)
	thaw()
	s.end(within)
	if s.late.Load() > 0 {
		t.Errorf("%d answers were 503", s.late.Load())
	}
	for _, c := range f.changes {
		if len(c.receipt.Unconfirmed) > 0 {
			t.Fatalf("a receipt names %v as not confirmed", c.receipt.Unconfirmed)
		}
	}
}

// Every process of the server stands still: connections stay open, and nothing answers.
func TestTheWholeServerIsFrozen(t *testing.T) {
	long(t)
	t.Parallel()
	f := newFleet(t, []string{"a", "b"}, "--lease", "20s")
	s := f.storm(2, 2, 2*time.Millisecond)
	time.Sleep(time.Second)
	thaw := f.pg.Pause(t)
	begun := time.Now()
	status, text := f.nodes[0].operate("PUT", "/v2"+s.tokens[0].cid, map[string]any{"description": "x"}, nil)
	if took := time.Since(begun); status != 503 && status != 200 || took > 14*time.Second {
		t.Errorf("a change answers %d %s after %v", status, strings.TrimSpace(text), took)
	}
	thaw()
	f.eventually("changes are made again", 20*time.Second, func() bool {
		status, _ := f.nodes[0].operate("PUT", "/v2"+s.tokens[0].cid, map[string]any{"description": "y"}, nil)
		return status == 200
	})
	s.end(5 * time.Second)
	if s.late.Load() > 0 {
		t.Errorf("within the lease, %d answers were 503", s.late.Load())
	}
}
