package follow_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/follow"
)

// token makes an account, its owner and a token, or changes them.
func (w *world) token(t ostiary.Token, role ostiary.Role) uint64 {
	w.Helper()
	t.Account, t.ID, t.Kind, t.Owner, t.CreatedOn = 1, 3, ostiary.UserToken, 2, time.Now()
	return w.change(func(wr ostiary.Writer) error {
		return errors.Join(
			wr.PutAccount(ostiary.Account{ID: 1, ShortName: "one", CreatedOn: time.Now()}),
			wr.PutUser(ostiary.User{ID: 2, Email: "two@example.com", CreatedOn: time.Now()}),
			wr.PutMember(ostiary.Member{Account: 1, User: 2, Role: role, Since: time.Now()}),
			wr.PutToken(t),
			wr.PutSecret(ostiary.Secret{Account: 1, ID: 4, Token: 3, Hash: secret, CreatedOn: time.Now()}))
	})
}

var secret = ostiary.ReadSecret("one").Hash()

func (w *world) looked() (f ostiary.Facts) {
	w.dir.Look(secret, "", &f)
	return f
}

// What a node knows is in force, also where the records have forgotten it; and what they take away besides.
func TestOlderRecordsGiveNothingBack(t *testing.T) {
	t.Parallel()
	w, clock := shared(t, time.Minute)
	w.token(ostiary.Token{Privilege: ostiary.Admin}, ostiary.Admin)
	w.token(ostiary.Token{Privilege: ostiary.Normal}, ostiary.Admin)
	last := w.token(ostiary.Token{Privilege: ostiary.Normal, RetiredOn: time.Now()}, ostiary.Admin)
	w.look()

	older := newWorld(t) // a copy that lagged: it has the first change, and somebody lowered a role on it since
	older.token(ostiary.Token{Privilege: ostiary.Admin}, ostiary.Admin)
	w.log.Log = older.records
	for range 3 {
		clock.forward(10 * time.Second)
		if err := w.follow.Look(t.Context()); !errors.Is(err, follow.ErrBack) {
			t.Fatalf("got %v, want ErrBack", err)
		}
		w.wantAge(0) // it is known what the records say: decisions go on
	}
	if f := w.looked(); !f.Token.Retired || f.Token.Privilege != ostiary.Normal || f.Revision != last {
		t.Errorf("got %+v at %d", f.Token, f.Revision)
	}
	if n := w.said.count("acknowledged are lost"); n != 1 || w.said.count("3: token 3 retired") != 1 {
		t.Errorf("the log told of it %d times: %s", n, &w.said.text)
	}

	older.token(ostiary.Token{Privilege: ostiary.Admin}, ostiary.ReadOnly)
	clock.forward(10 * time.Second)
	w.follow.Look(t.Context())
	if f := w.looked(); f.Owner != ostiary.ReadOnly || !f.Token.Retired {
		t.Errorf("a role that was lowered since is %v, retired %v", f.Owner, f.Token.Retired)
	}
	w.wantAge(0)
}

func TestOlderRecordsThatCannotBeReadRenewNothing(t *testing.T) {
	t.Parallel()
	w, clock := shared(t, time.Minute)
	w.token(ostiary.Token{Privilege: ostiary.Admin}, ostiary.Admin)
	w.look()
	older := newWorld(t)
	w.log.Log = older.records
	w.log.views = errAway
	clock.forward(10 * time.Second)
	if err := w.follow.Look(t.Context()); !errors.Is(err, follow.ErrBack) {
		t.Errorf("got %v, want ErrBack", err)
	}
	w.wantAge(10 * time.Second)
}

// A change that this node makes between the question and the comparison is no change that is lost.
func TestAChangeDuringALookIsNotLost(t *testing.T) {
	t.Parallel()
	w, _ := shared(t, time.Minute)
	w.token(ostiary.Token{Privilege: ostiary.Admin}, ostiary.Admin)
	w.look()
	w.log.during = func() {
		w.log.during = nil
		last := w.token(ostiary.Token{Privilege: ostiary.Normal}, ostiary.Admin)
		if err := w.follow.CatchUp(t.Context(), last); err != nil {
			t.Error(err)
		}
	}
	if err := w.follow.Look(t.Context()); err != nil {
		t.Errorf("got %v; it was told %d times that changes are lost", err, w.said.count("acknowledged are lost"))
	}
	w.look()
}

// A notification about what memory holds anyway does not say that the log goes on from there.
func TestAHintIsNoAllClear(t *testing.T) {
	t.Parallel()
	w, _ := shared(t, time.Minute)
	w.token(ostiary.Token{Privilege: ostiary.Admin}, ostiary.Admin)
	last := w.token(ostiary.Token{Privilege: ostiary.Normal}, ostiary.Admin)
	older := newWorld(t)
	hints := make(chan uint64)
	f := follow.NewShared(w.log, w.dir, time.Minute, hints, slog.New(slog.NewTextHandler(w.said, nil)))
	if err := f.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.log.Log = older.records
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { f.Run(ctx) })
	defer running.Wait()
	defer stop()
	eventually(t, "it is noticed", func() bool { return errors.Is(f.Err(), follow.ErrBack) })
	for range 5 {
		hints <- last
	}
	if n := w.said.count("follows the log again"); n > 0 {
		t.Errorf("it says %d times that it follows again", n)
	}
}

// Those that follow this node hold what it held before it was narrowed. Nothing renews their leases.
func TestNothingIsHandedOnWhileTheLogWentBack(t *testing.T) {
	t.Parallel()
	w, clock := shared(t, time.Minute)
	w.token(ostiary.Token{Privilege: ostiary.Admin}, ostiary.Admin)
	last := w.token(ostiary.Token{Privilege: ostiary.Normal}, ostiary.Admin)
	w.look()
	own := w.dir.Head()
	older := newWorld(t)
	older.token(ostiary.Token{Privilege: ostiary.Admin}, ostiary.ReadOnly)
	clock.forward(time.Second)
	w.look()
	clock.forward(time.Second)
	if age, _ := w.follow.HandOn(); age != time.Second {
		t.Errorf("memory is handed on as %v old, want 1s", age)
	}
	w.log.Log = older.records
	var lagging ostiary.Head
	err := older.records.View(t.Context(), func(r ostiary.Reader) (err error) { lagging, err = r.Head(); return err })
	if err != nil {
		t.Fatal(err)
	}
	w.follow.Look(t.Context())
	w.wantAge(0)
	if age, limit := w.follow.HandOn(); age <= limit || w.follow.Applied() != lagging {
		t.Errorf("it hands on memory as %v old, within a lease of %v, and decides by %d, want %d", age, limit,
			w.follow.Applied().Revision, lagging.Revision)
	}
	w.log.Log = w.records
	w.look()
	if age, _ := w.follow.HandOn(); age != 0 || w.follow.Applied() != own || own.Revision != last {
		t.Errorf("once the newer records are back it hands on %v, and decides by %d", age, w.follow.Applied().Revision)
	}
}
