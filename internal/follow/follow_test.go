package follow_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/directory"
	"ostiary/internal/follow"
	"ostiary/internal/store"
)

// A world is a real database, a directory loaded from it, and who follows.
type world struct {
	*testing.T
	records *store.DB
	log     *watched
	dir     *directory.Directory
	follow  *follow.Follower
	said    *lines
}

func newWorld(t *testing.T) *world {
	t.Helper()
	records, err := store.Create(t.Context(), t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { records.Close() })
	w := &world{T: t, records: records, log: &watched{Log: records}, dir: directory.New(), said: &lines{}}
	w.follow = follow.New(w.log, w.dir, slog.New(slog.NewTextHandler(w.said, nil)))
	if err := w.dir.Load(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	return w
}

// lines are what was logged.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) count(part string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), part)
}

// watched is a log that counts who reads it, and fails on request.
type watched struct {
	follow.Log
	reads   atomic.Int64
	fails   atomic.Bool
	hangs   atomic.Bool // until the caller's deadline
	changes error       // instead of changes
	views   error       // instead of all views but the next
	viewed  bool
	during  func() // runs while the log is looked at
}

var errAway = errors.New("the database is away")

func (w *watched) Changes(ctx context.Context, after uint64, fn func(ostiary.Change) error) error {
	w.reads.Add(1)
	if w.fails.Load() {
		return errAway
	}
	if w.changes != nil {
		return w.changes
	}
	return w.Log.Changes(ctx, after, fn)
}

func (w *watched) View(ctx context.Context, fn func(ostiary.Reader) error) error {
	if w.fails.Load() {
		return errAway
	}
	if w.hangs.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	if w.views != nil && w.viewed {
		return w.views
	}
	w.viewed = w.views != nil
	if during := w.during; during != nil {
		defer during()
	}
	return w.Log.View(ctx, fn)
}

// change makes one change and gives its revision.
func (w *world) change(put func(ostiary.Writer) error) (revision uint64) {
	w.Helper()
	err := w.records.Update(w.Context(), func(wr ostiary.Writer) error {
		if err := put(wr); err != nil {
			return err
		}
		var err error
		revision, err = wr.Append(0, time.Now(), ostiary.Story{What: "test"}, nil)
		return err
	})
	if err != nil {
		w.Error(err)
	}
	return revision
}

func (w *world) user(id ostiary.ID, email string) uint64 {
	w.Helper()
	return w.change(func(wr ostiary.Writer) error {
		return wr.PutUser(ostiary.User{ID: id, Email: email, CreatedOn: time.Now()})
	})
}

// loaded is a directory that reads the records afresh.
func (w *world) loaded() *directory.Directory {
	w.Helper()
	d := directory.New()
	if err := d.Load(context.Background(), w.records); err != nil {
		w.Fatal(err)
	}
	return d
}

func (w *world) wantLevel() {
	w.Helper()
	want := w.loaded()
	if w.dir.Revision() != want.Revision() || w.dir.Digest() != want.Digest() {
		w.Errorf("the directory at %d differs from the records at %d", w.dir.Revision(), want.Revision())
	}
}

func TestCatchUpAppliesEverythingUpToTheRevision(t *testing.T) {
	w := newWorld(t)
	last := w.change(func(wr ostiary.Writer) error {
		for i := range 1200 { // more than two batches
			id := ostiary.ID(1 + i%50)
			if err := wr.PutUser(ostiary.User{ID: id, Email: fmt.Sprint(i, "@example.com"), CreatedOn: time.Now()}); err != nil {
				return err
			}
			if _, err := wr.Append(0, time.Now(), ostiary.Story{What: "test"}, nil); err != nil {
				return err
			}
		}
		return wr.PutUser(ostiary.User{ID: 1, Email: "last@example.com", CreatedOn: time.Now()})
	})
	if err := w.follow.CatchUp(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	w.wantLevel()
	if got := w.follow.Err(); got != nil {
		t.Errorf("Err = %v", got)
	}
}

func TestCatchUpIsFreeWhereTheDirectoryIs(t *testing.T) {
	w := newWorld(t)
	last := w.user(1, "one@example.com")
	for range 3 {
		if err := w.follow.CatchUp(t.Context(), last); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.log.reads.Load(); got != 1 {
		t.Errorf("the log was read %d times for one change", got)
	}
}

func TestEmailsComeWithTheChange(t *testing.T) {
	w := newWorld(t)
	hash := ostiary.ReadSecret("one").Hash()
	w.change(func(wr ostiary.Writer) error {
		return errors.Join(
			wr.PutAccount(ostiary.Account{ID: 1, ShortName: "one", CreatedOn: time.Now()}),
			wr.PutUser(ostiary.User{ID: 2, Email: "old@example.com", CreatedOn: time.Now()}),
			wr.PutMember(ostiary.Member{Account: 1, User: 2, Role: ostiary.Admin, Since: time.Now()}),
			wr.PutToken(ostiary.Token{
				Account: 1, ID: 3, Kind: ostiary.UserToken, Owner: 2, Privilege: ostiary.Admin, CreatedOn: time.Now(),
			}),
			wr.PutSecret(ostiary.Secret{Account: 1, ID: 4, Token: 3, Hash: hash, CreatedOn: time.Now()}))
	})
	for _, email := range []string{"new@example.com", "newer@example.com"} {
		last := w.user(2, email)
		if err := w.follow.CatchUp(t.Context(), last); err != nil {
			t.Fatal(err)
		}
		var f ostiary.Facts
		w.dir.Look(hash, "", &f)
		if f.Email != email || f.Owner != ostiary.Admin {
			t.Errorf("got %q, %v; want %q, an Admin", f.Email, f.Owner, email)
		}
	}
}

func TestManyCallersShareTheWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var callers sync.WaitGroup
	const each, people = 20, 8
	for p := range people {
		callers.Go(func() {
			for i := range each {
				last := w.user(ostiary.ID(1+p), fmt.Sprintf("user%d.%d@example.com", p, i))
				if err := w.follow.CatchUp(context.Background(), last); err != nil {
					t.Error(err)
				}
				if got := w.dir.Revision(); got < last {
					t.Errorf("at %d after catching up with %d", got, last)
				}
			}
		})
	}
	callers.Wait()
	w.wantLevel()
	if got := w.log.reads.Load(); got > each*people {
		t.Errorf("the log was read %d times for %d changes", got, each*people)
	}
}

func TestACallerWhoGivesUpHoldsNobodyUp(t *testing.T) {
	w := newWorld(t)
	last := w.user(1, "one@example.com")
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := w.follow.CatchUp(ctx, last); err == nil {
		t.Error("a caller whose time was over succeeded")
	}
	if err := w.follow.CatchUp(t.Context(), last); err != nil {
		t.Error(err)
	}
}

func TestARevisionThatIsNotInTheLogIsAnError(t *testing.T) {
	w := newWorld(t)
	last := w.user(1, "one@example.com")
	if err := w.follow.CatchUp(t.Context(), last+1); err == nil {
		t.Error("caught up with a change that nobody made")
	}
	w.wantLevel()
}

func TestRunHealsAFailedAttempt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { w.follow.Run(ctx) })
	defer running.Wait()
	defer stop()

	w.log.fails.Store(true)
	last := w.user(1, "one@example.com")
	if err := w.follow.CatchUp(t.Context(), last); !errors.Is(err, errAway) {
		t.Errorf("got %v, want the log's error", err)
	}
	eventually(t, "Err tells", func() bool { return errors.Is(w.follow.Err(), errAway) })
	time.Sleep(3 * follow.Interval)
	if behind := w.follow.Behind(); behind < 2*follow.Interval {
		t.Errorf("behind by %v while the database was away for longer", behind)
	}
	if got := w.said.count("does not follow"); got != 1 {
		t.Errorf("%d lines about one trouble", got)
	}

	w.log.fails.Store(false)
	eventually(t, "the change arrives", func() bool { return w.dir.Revision() == last })
	eventually(t, "Err is over", func() bool { return w.follow.Err() == nil })
	if behind := w.follow.Behind(); behind > 5*time.Second {
		t.Errorf("behind by %v after it healed", behind)
	}
	eventually(t, "the log says so", func() bool { return w.said.count("follows the log again") == 1 })
	w.wantLevel()
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Errorf("not after ten seconds: %s", what)
}

func TestALogThatWentBackIsAnError(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	last := w.user(1, "one@example.com")
	if err := w.follow.CatchUp(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	other := newWorld(t) // the same node, but records from an earlier time
	back := follow.New(other.records, w.dir, slog.New(slog.NewTextHandler(w.said, nil)))
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { back.Run(ctx) })
	defer running.Wait()
	defer stop()
	eventually(t, "Err tells", func() bool { return errors.Is(back.Err(), follow.ErrBack) })
	if w.dir.Revision() != last {
		t.Errorf("the directory went to %d", w.dir.Revision())
	}
}

// gap is a log that leaves out the first change.
type gap struct{ follow.Log }

func (g gap) Changes(_ context.Context, after uint64, fn func(ostiary.Change) error) error {
	return fn(ostiary.Change{Revision: after + 2})
}
