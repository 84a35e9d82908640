package follow_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/follow"
)

// snapshots counts how often all records are read.
type snapshots struct {
	follow.Log
	taken atomic.Int64
}

type snapshotReader struct {
	ostiary.Reader
	taken *atomic.Int64
}

func (r snapshotReader) Snapshot(fn func(ostiary.Fact) error) error {
	r.taken.Add(1)
	return r.Reader.Snapshot(fn)
}

func (s *snapshots) View(ctx context.Context, fn func(ostiary.Reader) error) error {
	return s.Log.View(ctx, func(r ostiary.Reader) error { return fn(snapshotReader{r, &s.taken}) })
}

// A log that lacks what memory holds goes on: each change on it takes away what it does, and costs no more than that.
func TestALogThatLacksChangesIsFollowedByItsChanges(t *testing.T) {
	t.Parallel()
	w, clock := shared(t, time.Minute)
	w.token(ostiary.Token{Privilege: ostiary.Admin}, ostiary.Admin)
	last := w.token(ostiary.Token{Privilege: ostiary.Normal}, ostiary.Admin)
	w.look()
	reg := &taken{Local: follow.NewLocal(), log: w.records}
	n := w.spoken(reg, clock)
	older := newWorld(t)
	older.token(ostiary.Token{Privilege: ostiary.Admin}, ostiary.Admin)
	log := &snapshots{Log: older.records}
	w.log.Log, reg.log = log, older.records
	if err := n.Speak(t.Context()); err != nil || log.taken.Load() != 1 {
		t.Fatalf("got %v, and %d snapshots", err, log.taken.Load())
	}

	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { n.Run(ctx) })
	running.Go(func() { w.follow.Run(ctx) })
	defer running.Wait()
	defer stop()
	var end uint64
	for i := range 8 { // past the number that memory is at
		end = older.token(ostiary.Token{Privilege: ostiary.Admin}, ostiary.Admin)
		if i == 4 {
			end = older.token(ostiary.Token{Privilege: ostiary.Admin}, ostiary.ReadOnly)
		}
		clock.forward(time.Second)
		eventually(t, "the node decides by it", func() bool { return w.follow.Applied().Revision == end })
		err := n.Speak(t.Context())
		if err != nil {
			t.Errorf("at %d its word does not count: %v", end, err)
		}
	}
	if f := w.looked(); f.Owner != ostiary.ReadOnly || f.Token.Privilege != ostiary.Normal || f.Revision != last {
		t.Errorf("got %+v, owner %v, at %d", f.Token, f.Owner, f.Revision)
	}
	eventually(t, "it is told", func() bool { return errors.Is(w.follow.Err(), follow.ErrBack) })
	if told, all := w.said.count("does not follow the log"), w.said.count("acknowledged are lost"); told != 1 || all != 1 {
		t.Errorf("it was told %d and %d times, want once: %s", told, all, &w.said.text)
	}
	if log.taken.Load() != 1 || reg.gathered.Load() != 0 {
		t.Errorf("all records were read %d times, want 1; all was asked of one server %d times, want 0",
			log.taken.Load(), reg.gathered.Load())
	}
	if end < last+5 {
		t.Errorf("the log ends at %d, and memory at %d: this test wants it to go beyond", end, last)
	}
}

// What comes on a third log is no word of the one that was met: all is compared again.
func TestAThirdLogIsMetAnew(t *testing.T) {
	t.Parallel()
	w, _ := shared(t, time.Minute)
	w.token(ostiary.Token{Privilege: ostiary.Admin}, ostiary.Admin)
	w.token(ostiary.Token{Privilege: ostiary.Admin}, ostiary.Admin)
	w.look()
	older, third := newWorld(t), newWorld(t)
	older.token(ostiary.Token{Privilege: ostiary.Admin}, ostiary.Admin)
	w.log.Log = older.records
	w.follow.Look(t.Context())
	for range 3 {
		third.token(ostiary.Token{Privilege: ostiary.Normal}, ostiary.ReadOnly)
	}
	w.log.Log = third.records
	if err := w.follow.Look(t.Context()); !errors.Is(err, follow.ErrBack) {
		t.Errorf("got %v, want ErrBack", err)
	}
	if f := w.looked(); f.Owner != ostiary.ReadOnly || w.follow.Applied().Revision != 3 {
		t.Errorf("got owner %v, and it decides by %d", f.Owner, w.follow.Applied().Revision)
	}
	if told := w.said.count("acknowledged are lost"); told != 2 {
		t.Errorf("it was told of %d logs, want 2", told)
	}
}

// Hints of a log that memory was narrowed by are no news of another one.
func TestHintsOfALogThatLacksChangesAreNotToldOneByOne(t *testing.T) {
	t.Parallel()
	w, _ := shared(t, time.Minute)
	w.token(ostiary.Token{Privilege: ostiary.Admin}, ostiary.Admin)
	w.look()
	older, hints := newWorld(t), make(chan uint64)
	w.log.Log = older.records
	f := follow.NewShared(w.log, w.dir, time.Minute, hints, slog.New(slog.NewTextHandler(w.said, nil)))
	f.Look(t.Context())
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { f.Run(ctx) })
	defer running.Wait()
	defer stop()
	for range 5 {
		hints <- older.token(ostiary.Token{Privilege: ostiary.Admin}, ostiary.Admin)
	}
	eventually(t, "they are followed", func() bool { return f.Applied().Revision == 5 })
	stop()
	running.Wait()
	if told := w.said.count("does not follow the log"); told != 1 {
		t.Errorf("it was told %d times, want once: %s", told, &w.said.text)
	}
}

// A look may find a later end than a word that was on its way meanwhile. One that is from before the word was sent
// is that of a server that lags.
func TestAWordAboutAnEndThatWasPassedMeanwhileCounts(t *testing.T) {
	t.Parallel()
	w, clock := shared(t, time.Minute)
	w.user(7, "seven@example.com")
	w.token(ostiary.Token{Privilege: ostiary.Admin}, ostiary.Admin)
	reg := &taken{Local: follow.NewLocal(), log: w.records}
	n := w.spoken(reg, clock)
	older := newWorld(t)
	older.user(7, "seven@example.com")
	w.log.Log, reg.log = older.records, older.records
	if err := n.Speak(t.Context()); err != nil {
		t.Fatal(err)
	}
	lagging := &stuck{Log: older.records, head: w.follow.Applied()}
	clock.forward(time.Second)
	reg.during = func() {
		reg.during = nil
		older.user(7, "eight@example.com")
		w.follow.Look(t.Context())
	}
	if err := n.Speak(t.Context()); err != nil || w.said.count("acknowledged are lost") != 1 || reg.gathered.Load() != 0 {
		t.Errorf("got %v, and %d times word of lost changes", err, w.said.count("acknowledged are lost"))
	}
	w.wantAge(0)
	w.log.Log = lagging
	clock.forward(time.Second)
	w.follow.Look(t.Context())
	w.wantAge(time.Second)
}
