package feed_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/directory"
)

// A gated source writes copies when it may, and counts them.
type gated struct {
	*directory.Directory
	gate    func()
	written atomic.Int64
}

func (g *gated) Stream(ctx context.Context, w io.Writer) (ostiary.Head, error) {
	g.written.Add(1)
	g.gate()
	return g.Directory.Stream(ctx, w)
}

// crowd fills a source with so many users that a copy of it does not fit into what lies between two programs.
func (s *source) crowd() {
	s.Helper()
	emails := map[ostiary.ID]string{}
	var facts []ostiary.Fact
	long := strings.Repeat("x", 2000)
	for id := range ostiary.ID(10_000) {
		facts = append(facts, ostiary.Fact{User: &ostiary.UserFact{ID: id + 1}})
		emails[id+1] = fmt.Sprint(id, long, "@example.com")
	}
	c := ostiary.Change{Revision: s.dir.Revision() + 1, Chain: ostiary.Hash{1}, Facts: facts}
	if err := s.dir.Apply(c, emails); err != nil {
		s.Fatal(err)
	}
	s.ring.Begin(s.dir.Head())
}

func TestACopyIsWrittenOnceForAllWhoWait(t *testing.T) {
	t.Parallel()
	open := make(chan struct{})
	g := &gated{gate: func() { <-open }}
	s := newSourceOf(t, g)
	var all []*sink
	for range 20 {
		to, _ := s.follower()
		all = append(all, to)
	}
	s.eventually("all wait", func() bool { return s.open.Load() == 20 })
	time.Sleep(4 * time.Second) // for longer than a follower waits for one that says nothing
	close(open)
	for _, to := range all {
		s.eventually("it is level", func() bool { return to.State() == s.dir.State() })
	}
	if n := s.came.Load(); n != 20 {
		t.Errorf("20 followers have opened %d streams", n)
	}
	to, _ := s.follower()
	s.change(ostiary.Fact{User: &ostiary.UserFact{ID: 1}})
	s.eventually("one that comes soon after is level", func() bool { return to.State() == s.dir.State() })
	if n := g.written.Load(); n != 1 {
		t.Errorf("the copy was written %d times for all of them", n)
	}
}

// One that reads slowly holds up nobody else, and not for ever.
func TestASlowFollowerHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	g := &gated{gate: func() {}}
	s := newSourceOf(t, g)
	s.crowd()
	s.feed.TransferWithin(3 * time.Second)
	slow := s.raw(greeting("slow"))
	if text, ok := slow.next('c'); !ok || len(text) == 0 {
		t.Fatal("a copy does not begin")
	}
	begun := time.Now()
	var written sync.WaitGroup
	written.Go(func() {
		if _, err := s.dir.WriteCopy(t.Context(), t.TempDir()+"/copy", directory.Copy{}); err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("writing the local copy takes %v beside a slow follower", took)
		}
	})
	to, _ := s.follower()
	s.eventually("another one is level", func() bool { return to.State() == s.dir.State() })
	written.Wait()
	read := 0
	for ok := true; ok && time.Since(begun) < 20*time.Second; read++ {
		time.Sleep(100 * time.Millisecond)
		_, ok = slow.next('c')
	}
	if took := time.Since(begun); took > 12*time.Second {
		t.Errorf("one that reads ten pieces a second is sent the copy for %v, and may take 3 s", took)
	}
}
