package follow_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/directory"
	"ostiary/internal/follow"
)

// kept is a world whose memory is kept in a file, and the file.
func kept(t *testing.T) (w *world, clock *hand, path string) {
	t.Helper()
	if follow.Boot() == "" {
		t.Skip("nobody knows the boot here")
	}
	w, clock = shared(t, time.Minute)
	w.token(ostiary.Token{Privilege: ostiary.Admin}, ostiary.Admin)
	w.look()
	path = filepath.Join(t.TempDir(), "memory")
	k := follow.NewKeeper(path, w.dir, w.follow, ostiary.Head{}, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { k.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	eventually(t, "the copy is written, and stamped", func() bool {
		_, err := os.Stat(path + ".stamp")
		return err == nil
	})
	return w, clock, path
}

// begun is what a node that was killed begins from, without the database.
func begun(t *testing.T, w *world, clock *hand, path string) (f ostiary.Facts) {
	t.Helper()
	copied, about, err := directory.OpenKept(path)
	if err != nil {
		t.Fatal(err)
	}
	again := follow.NewSharedByClock(w.log, copied, time.Minute, slog.New(slog.DiscardHandler), clock.now)
	if err := again.Resume(path, copied, about.Boot, about.Queried); err != nil {
		t.Fatal(err)
	}
	copied.SetReady(true)
	copied.Look(secret, "", &f)
	f.Behind, f.Lease = again.Lease()
	return f
}

// What a node has applied it has said, and receipts count on it.
func TestANodeNeverBeginsBelowWhatItHasSaid(t *testing.T) {
	t.Parallel()
	w, clock, path := kept(t)
	last := w.token(ostiary.Token{Privilege: ostiary.Admin, RetiredOn: time.Now()}, ostiary.Admin)
	w.look()
	if f := begun(t, w, clock, path); !f.MayDecide() || !f.Token.Retired || f.Revision != last {
		t.Errorf("it decides: %v, at %d, and the token is retired: %v; it had said revision %d", f.MayDecide(), f.Revision,
			f.Token.Retired, last)
	}
}

// Changes that come all the time do not make the copy older than its last stamp.
func TestAStampCountsForWhatCameAfterIt(t *testing.T) {
	t.Parallel()
	w, clock, path := kept(t)
	clock.forward(40 * time.Second)
	w.token(ostiary.Token{Privilege: ostiary.Normal}, ostiary.Admin)
	w.look()
	stamped := func() bool {
		f := begun(t, w, clock, path)
		return f.Behind == 0
	}
	eventually(t, "it is stamped", stamped)
	w.token(ostiary.Token{Privilege: ostiary.ReadOnly}, ostiary.Admin)
	clock.forward(10 * time.Second)
	if err := w.follow.CatchUp(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	if f := begun(t, w, clock, path); f.Revision != 3 || f.Behind > 10*time.Second {
		t.Errorf("memory at revision %d is %v old, want 3, and at most 10 s", f.Revision, f.Behind)
	}
}

// A node that is started with a longer lease than before has, without the database, no more than the others know of.
func TestALeaseThatNobodyHasHeardOfIsNotBegunWith(t *testing.T) {
	t.Parallel()
	w, clock, path := kept(t)
	begun(t, w, clock, path)
	resume := func(lease time.Duration) error {
		copied, about, err := directory.OpenKept(path)
		if err != nil {
			t.Fatal(err)
		}
		again := follow.NewSharedByClock(w.log, copied, lease, slog.New(slog.DiscardHandler), clock.now)
		return again.Resume(path, copied, about.Boot, about.Queried)
	}
	clock.forward(50 * time.Second)
	if err := resume(10 * time.Minute); err != nil {
		t.Error("within the minute that the others know of:", err)
	}
	clock.forward(20 * time.Second)
	if err := resume(10 * time.Minute); err == nil {
		t.Error("it begins with ten minutes, and the others know of one")
	}
}

// Where nothing says when the others last heard of a node, they may take it for one that is gone.
func TestACopyWithoutAWordToTheOthersIsNotBegunWith(t *testing.T) {
	t.Parallel()
	w, clock, path := kept(t)
	copied, about, err := directory.OpenKept(path)
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	resume := func(path string) error {
		again := follow.NewSharedByClock(w.log, copied, time.Minute, quiet, clock.now)
		follow.NewNodes(follow.NewLocal(), ostiary.Node{ID: "a"}, again, copied, within, quiet) // now it must speak
		return again.Resume(path, copied, about.Boot, about.Queried)
	}
	eventually(t, "it is stamped", func() bool { return resume(path) == nil })
	if err := resume(path + "-without-a-stamp"); err == nil {
		t.Error("it begins, and nothing says that it has ever spoken")
	}
}
