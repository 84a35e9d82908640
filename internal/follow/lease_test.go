package follow_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/directory"
	"ostiary/internal/follow"
)

// A hand is a clock that a test sets.
type hand struct{ at atomic.Int64 }

func (h *hand) now() time.Duration       { return time.Duration(h.at.Load()) }
func (h *hand) forward(by time.Duration) { h.at.Add(int64(by)) }

// shared is a world whose log others write too, under a clock that the test sets.
func shared(t *testing.T, lease time.Duration) (*world, *hand) {
	t.Helper()
	w, clock := newWorld(t), &hand{}
	clock.forward(time.Hour)
	w.follow = follow.NewSharedByClock(w.log, w.dir, lease, slog.New(slog.NewTextHandler(w.said, nil)), clock.now)
	return w, clock
}

func (w *world) look() {
	w.Helper()
	if err := w.follow.Look(w.Context()); err != nil {
		w.Fatal(err)
	}
}

func (w *world) wantAge(want time.Duration) {
	w.Helper()
	if age, _ := w.follow.Lease(); age != want {
		w.Errorf("memory is %v old, want %v", age, want)
	}
}

func TestMemoryThatNobodyElseWritesIsNeverBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.log.fails.Store(true)
	if age, limit := w.follow.Lease(); age != 0 || limit != 0 {
		t.Errorf("got %v old of %v, want 0 of 0", age, limit)
	}
}

func TestBeforeTheFirstLookEveryLeaseHasRunOut(t *testing.T) {
	t.Parallel()
	w, _ := shared(t, 24*365*time.Hour)
	if age, limit := w.follow.Lease(); age <= limit {
		t.Errorf("memory that was never compared with the log is %v old, within its lease of %v", age, limit)
	}
}

func TestALeaseCountsFromBeforeTheLook(t *testing.T) {
	t.Parallel()
	w, clock := shared(t, time.Minute)
	w.log.during = func() { clock.forward(5 * time.Second) } // the database takes its time
	w.look()
	w.wantAge(5 * time.Second)
	clock.forward(time.Second)
	w.wantAge(6 * time.Second)
	w.log.during = nil
	w.look()
	w.wantAge(0)
}

func TestALookThatFailsRenewsNothing(t *testing.T) {
	t.Parallel()
	w, clock := shared(t, time.Minute)
	w.look()
	for _, trouble := range []func(){
		func() { w.log.fails.Store(true) },
		func() { w.log.fails.Store(false); w.log.changes = errAway; w.user(1, "one@example.com") },
	} {
		trouble()
		clock.forward(10 * time.Second)
		if err := w.follow.Look(t.Context()); !errors.Is(err, errAway) {
			t.Errorf("got %v, want the log's error", err)
		}
	}
	w.wantAge(20 * time.Second)
	w.log.changes = nil
	w.look()
	w.wantAge(0)
	w.wantLevel()
}

func TestARenewalNeverGoesBack(t *testing.T) {
	t.Parallel()
	w, clock := shared(t, time.Minute)
	asked, answered := make(chan struct{}), make(chan struct{})
	w.log.during = func() { close(asked); <-answered }
	slow := make(chan error)
	go func() { slow <- w.follow.Look(context.Background()) }()
	<-asked
	w.log.during = nil
	clock.forward(30 * time.Second)
	w.look()
	close(answered)
	if err := <-slow; err != nil {
		t.Fatal(err)
	}
	w.wantAge(0)
}

// A log that takes each question and never answers, as a connection does that died without a word.
func TestALogThatHangsIsGivenUp(t *testing.T) {
	t.Parallel()
	w, _ := shared(t, time.Minute)
	w.log.hangs.Store(true)
	begun := time.Now()
	if err := w.follow.Look(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want that the deadline has passed", err)
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	w.log.hangs.Store(false)
	w.look()
}

func TestAHintBringsAChangeAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hints := make(chan uint64)
	f := follow.NewShared(w.log, w.dir, time.Minute, hints, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); f.Run(ctx) }()
	defer func() { stop(); <-ended }()
	for range 20 { // far fewer than the looks of Run would bring in this time
		last := w.user(1, "one@example.com")
		begun := time.Now()
		hints <- last
		if err := w.dir.Wait(t.Context(), last); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took > follow.Interval/2 {
			t.Logf("a hint took %v", took)
		}
	}
	hints <- 1 << 60 // a hint is not believed
	last := w.user(2, "two@example.com")
	eventually(t, "the next look brings it", func() bool { return w.dir.Revision() == last })
}

// A countedLog counts how often changes are read.
type countedLog struct {
	follow.Log
	reads atomic.Int64
}

func (c *countedLog) Changes(ctx context.Context, after uint64, fn func(ostiary.Change) error) error {
	c.reads.Add(1)
	return c.Log.Changes(ctx, after, fn)
}

func TestChangesThatComeAllTheTimeAreFollowedTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	log := &countedLog{Log: w.log}
	hints := make(chan uint64, 1)
	f := follow.NewShared(log, w.dir, time.Minute, hints, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); f.Run(ctx) }()
	defer func() { stop(); <-ended }()
	const changes = 100
	begun, last := time.Now(), uint64(0)
	for range changes {
		last = w.user(1, "one@example.com")
		select {
		case <-hints: // as the store does: the newest counts
		default:
		}
		hints <- last
	}
	if err := w.dir.Wait(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	took := time.Since(begun)
	if took > changes*5*time.Millisecond {
		t.Skipf("%d changes took %v here: they do not come all the time", changes, took)
	}
	if most := 3 + int64(took/(5*time.Millisecond)); log.reads.Load() > most {
		t.Errorf("%d changes were read in %d goes within %v, want at most %d", changes, log.reads.Load(), took, most)
	}
}

func TestAGapIsLoadedAnew(t *testing.T) {
	t.Parallel()
	w, _ := shared(t, time.Minute)
	w.user(1, "one@example.com")
	last := w.user(2, "two@example.com")
	w.log.Log = gap{w.records}
	w.look()
	if w.dir.Revision() != last || w.said.count("loaded anew") != 1 {
		t.Errorf("at %d, told %d times", w.dir.Revision(), w.said.count("loaded anew"))
	}
	w.wantLevel()
}

func TestMemoryNeverGoesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	last := w.user(1, "one@example.com")
	if err := w.follow.CatchUp(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	older := newWorld(t)
	if err := w.dir.Load(t.Context(), older.records); !errors.Is(err, directory.ErrBack) {
		t.Errorf("got %v, want ErrBack", err)
	}
	var f ostiary.Facts
	w.dir.Look(ostiary.Hash{}, "", &f)
	if f.Revision != last || !f.Ready {
		t.Errorf("memory is at %d, ready %v", f.Revision, f.Ready)
	}
}

func BenchmarkClock(b *testing.B) {
	for b.Loop() {
		follow.Clock()
	}
}

// A clock that is behind the copy's says nothing about its age, and would call it fresh until it has caught up.
func TestACopyFromLaterThanNowIsRefused(t *testing.T) {
	t.Parallel()
	if follow.Boot() == "" {
		t.Skip("nobody knows the boot here")
	}
	for by, good := range map[time.Duration]bool{-time.Second: true, 0: true, time.Second: false} {
		w, clock := shared(t, time.Minute)
		err := w.follow.Resume(t.TempDir(), w.dir, follow.Boot(), clock.now()+by)
		if (err == nil) != good {
			t.Errorf("a copy from %v after now: %v", by, err)
		}
		if age, limit := w.follow.Lease(); (age <= limit) != good {
			t.Errorf("a copy from %v after now is %v old of %v", by, age, limit)
		}
	}
}
