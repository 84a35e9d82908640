package feed_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"ostiary"
	"ostiary/internal/directory"
	"ostiary/internal/feed"
)

// Memory may become that of another log at the same revision. Those that follow it are not told that they are level.
func TestAFollowerOfAnotherLogIsNotCalledFresh(t *testing.T) {
	t.Parallel()
	s, other := newSource(t), newSource(t)
	s.change(ostiary.Fact{User: &ostiary.UserFact{ID: 1}})
	to, _ := s.follower()
	s.eventually("it is level", func() bool { return to.Head() == s.dir.Head() && to.asOf.Load() != 0 })
	change := ostiary.Change{Revision: other.dir.Revision() + 1, Chain: ostiary.Hash{9}, Facts: []ostiary.Fact{{
		User: &ostiary.UserFact{ID: 1, Disabled: true},
	}}}
	if err := other.dir.Apply(change, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.dir.Become(other.dir); err != nil {
		t.Fatal(err)
	}
	s.ring.Begin(s.dir.Head())
	s.eventually("it holds the other log", func() bool { return to.Head() == s.dir.Head() })
	if why := feed.Fill(to.why.Load()); why != feed.OtherLog {
		t.Errorf("it is told that everything is sent for reason %d, want %d", why, feed.OtherLog)
	}
}

// What is no longer at hand is looked up in the log. While that cannot be, nobody is told that it is the same.
func TestTheLogSaysWhetherAFollowerHoldsIt(t *testing.T) {
	t.Parallel()
	s := newSource(t)
	first := s.dir.Head()
	for id := range ostiary.ID(3) {
		s.change(ostiary.Fact{User: &ostiary.UserFact{ID: id + 1}})
	}
	s.ring.Begin(s.dir.Head()) // as after a restart
	var away atomic.Bool
	s.chain = func(revision uint64) (ostiary.Hash, error) {
		if away.Load() {
			return ostiary.Hash{}, errors.New("the database is away")
		}
		if revision != 1 {
			t.Errorf("the log is asked for revision %d, want 1", revision)
		}
		return first.Chain, nil
	}
	of := func(chain ostiary.Hash) *sink {
		to := &sink{Directory: directory.New(), folder: t.TempDir()}
		if err := to.Apply(ostiary.Change{Revision: 1, Chain: chain}, nil); err != nil {
			t.Fatal(err)
		}
		return to
	}
	for chain, want := range map[ostiary.Hash]feed.Fill{first.Chain: feed.Missed, {9}: feed.OtherLog} {
		to := of(chain)
		s.follows(to)
		s.eventually("it is level", func() bool { return to.Head() == s.dir.Head() })
		if why := feed.Fill(to.why.Load()); why != want {
			t.Errorf("everything is sent for reason %d, want %d", why, want)
		}
	}
	away.Store(true)
	to := of(first.Chain)
	c := s.follows(to)
	s.eventually("it is told to come again", func() bool { return c.Err() != nil && strings.Contains(c.Err().Error(), "503") })
	if to.fills.Load() > 0 {
		t.Error("it was sent everything, and nobody knows whether it is of the same log")
	}
	away.Store(false)
	s.eventually("it is level after all", func() bool { return to.Head() == s.dir.Head() })
}

// A server that stands before what a follower holds has nothing for it.
func TestAFollowerIsNotSentWhatIsOlder(t *testing.T) {
	t.Parallel()
	s := newSource(t)
	chain := func(revision uint64) (ostiary.Hash, error) { return ostiary.Hash{byte(revision), 1}, nil }
	s.chain = chain
	to := &sink{Directory: directory.New(), folder: t.TempDir()}
	for revision := range uint64(5) {
		c := ostiary.Change{Revision: revision + 1}
		c.Chain, _ = chain(c.Revision)
		if err := to.Apply(c, nil); err != nil {
			t.Fatal(err)
		}
	}
	c := s.follows(to)
	s.eventually("it is told to come again", func() bool { return c.Err() != nil && strings.Contains(c.Err().Error(), "503") })
	for range 5 {
		s.change(ostiary.Fact{User: &ostiary.UserFact{ID: 1}})
	}
	s.eventually("once the server has come so far, it is level", func() bool { return to.Head() == s.dir.Head() })
	if to.fills.Load() > 0 {
		t.Error("it was sent a copy")
	}
}
