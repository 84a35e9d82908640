package login_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/authority"
	"ostiary/internal/login"
)

func TestSessionEndsWhenUnused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in := w.in()
	for range 30 {
		w.pass(11 * time.Hour / 2)
		if w.clock().Sub(noon) > 7*24*time.Hour {
			break
		}
		w.is("in use", in, true)
	}
	other := w.in()
	w.pass(12*time.Hour + time.Millisecond)
	w.is("unused for more than 12 hours", other, false)
}

func TestSessionEndsAfterItsLifetime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in := w.in()
	for range 14 {
		w.pass(12 * time.Hour)
		w.is("in use, up to 7 days", in, true)
	}
	w.pass(time.Millisecond)
	w.is("in use, after 7 days", in, false)
}

func TestPageViewIsNotAWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	counted := &counting{Store: w.store}
	w.begin(counted)
	in := w.in()
	began := counted.updates
	for range 290 {
		w.pass(time.Second)
		w.is("in use", in, true)
	}
	if counted.updates != began {
		t.Errorf("290 page views in 5 minutes make %d writes", counted.updates-began)
	}
	w.pass(5 * time.Minute)
	w.is("in use", in, true)
	w.is("in use", in, true)
	if n := counted.updates - began; n != 1 {
		t.Errorf("a page view after 5 minutes makes %d writes, want 1", n)
	}
	s, err := w.Session(ctx, in.Cookie)
	w.ok(err)
	if s.SeenOn != w.clock() {
		t.Errorf("seen on %s, want %s", s.SeenOn, w.clock())
	}
}

// A counting store counts writes, and does something before the next one.
type counting struct {
	ostiary.Store
	updates int
	before  func()
	failing error
}

func (c *counting) Update(ctx context.Context, fn func(ostiary.Writer) error) error {
	c.updates++
	if before := c.before; before != nil {
		c.before = nil
		before()
	}
	if c.failing != nil {
		return c.failing
	}
	return c.Store.Update(ctx, fn)
}

func TestSessionThatEndsWhileItIsNotedStaysEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	counted := &counting{Store: w.store}
	w.begin(counted)
	in := w.in()
	w.pass(time.Hour)
	counted.before = func() { w.ok(w.SignOut(ctx, in.Cookie)) }
	w.is("signed out in between", in, false)
	w.is("afterwards", in, false)
}

func TestWhoIsSignedInCanLookWhileNothingCanBeWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	broken := &counting{Store: w.store}
	w.begin(broken)
	in := w.in()
	broken.failing = fmt.Errorf("%w: the disk is full", ostiary.ErrReadOnly)
	w.pass(time.Hour)
	w.is("while nothing can be written", in, true)
	_, err := w.SignIn(ctx, "alice@example.com", password, "", home, "")
	if reason(err) != ostiary.Unavailable || !errors.Is(err, ostiary.ErrReadOnly) {
		t.Errorf("sign-in: %v", err)
	}
	if err := w.SignOut(ctx, in.Cookie); reason(err) != ostiary.Unavailable {
		t.Errorf("sign-out: %v", err)
	}
	w.ok(w.store.Close())
	if _, err := w.Session(ctx, in.Cookie); reason(err) != ostiary.Unavailable {
		t.Errorf("a database that is away is taken for somebody who is not signed in: %v", err)
	}
}

func TestSignOutEndsTheSessionAndTells(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in, other := w.in(), w.in()
	ended := w.Ended()
	w.ok(w.SignOut(ctx, ostiary.ReadSecret("none")))
	select {
	case <-ended:
		t.Error("nothing ended, and it is told")
	default:
	}
	w.ok(w.SignOut(ctx, in.Cookie))
	w.ok(w.SignOut(ctx, in.Cookie))
	<-ended
	w.is("signed out", in, false)
	w.is("another browser", other, true)
	if w.Ended() == ended {
		t.Error("the next end would not be told")
	}
}

func TestPersonSeesAndEndsOwnSessionsOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.in()
	w.pass(time.Minute)
	second := w.in()
	w.pass(time.Minute)
	third := w.in()
	bob, err := w.SignIn(ctx, "bob@example.com", "another one of Bob's", "", home, "")
	w.ok(err)
	ids := func() (out []ostiary.ID) {
		all, err := w.Sessions(ctx, first.Session)
		w.ok(err)
		for _, s := range all {
			out = append(out, s.ID)
		}
		return out
	}
	if got, want := ids(), []ostiary.ID{third.Session.ID, second.Session.ID, first.Session.ID}; !slices.Equal(got, want) {
		t.Errorf("Alice's sessions are %v, want %v", got, want)
	}
	if err := w.EndOne(ctx, first.Session, bob.Session.ID); !errors.Is(err, ostiary.ErrNotFound) {
		t.Errorf("Alice ends Bob's session: %v", err)
	}
	w.ok(w.EndOne(ctx, first.Session, second.Session.ID))
	w.is("ended by another browser", second, false)
	w.is("not ended", third, true)
	if err := w.EndOthers(ctx, second.Session); !errors.Is(err, ostiary.ErrNotFound) {
		t.Errorf("a session that ended ends others: %v", err)
	}
	w.ok(w.EndOthers(ctx, first.Session))
	w.is("the others", third, false)
	w.is("the one", first, true)
	w.is("Bob's", bob, true)
}

func TestDisabledUserIsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in := w.in()
	w.pass(time.Hour)
	_, _, err := w.authority.DisableUser(ctx, operator, w.alice, true)
	w.ok(err)
	w.is("disabled", in, false)
	w.ok(w.store.Update(ctx, func(tx ostiary.Writer) error { return tx.PutSession(in.Session) }))
	w.is("disabled, and the session is on record", in, false)
	if _, err := w.Begin(ctx, w.alice, w.hash(), home, ""); !errors.Is(err, ostiary.ErrNotFound) {
		t.Errorf("a session is begun for a disabled user: %v", err)
	}
	_, _, err = w.authority.DisableUser(ctx, operator, w.alice, false)
	w.ok(err)
	w.is("a new one, enabled again", w.in(), true)
}

func TestSessionsEndWithThePassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	here, there := w.in(), w.in()
	was, err := w.Confirm(ctx, here.Session, password, home)
	w.ok(err)
	_, err = w.authority.SetPassword(ctx, authority.Caller{User: w.alice}, was, login.CheapHash("another password"))
	w.ok(err)
	w.is("where it was changed", here, false)
	w.is("elsewhere", there, false)
	if why, _ := w.guess("alice@example.com", password, "", home); why != ostiary.WrongPassword {
		t.Errorf("the old password: %s", why)
	}
	anew, err := w.Begin(ctx, w.alice, w.hash(), home, "")
	w.ok(err)
	_, _, err = w.authority.ResetPassword(ctx, operator, w.alice, login.CheapHash(password))
	w.ok(err)
	w.is("after the operator's reset", anew, false)
}

// What ends all sessions also ends one that is about to begin because of a password that was right before.
func TestNoSessionBeginsWithAPasswordThatIsAnotherByNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	was := w.hash()
	_, _, err := w.authority.ResetPassword(ctx, operator, w.alice, login.CheapHash("another password"))
	w.ok(err)
	for _, hash := range []string{was, ""} {
		if _, err := w.Begin(ctx, w.alice, hash, home, ""); !errors.Is(err, ostiary.ErrNotFound) {
			t.Errorf("a session begins with the hash %q: %v", hash, err)
		}
	}
	if _, err := w.Begin(ctx, w.alice, w.hash(), home, ""); err != nil {
		t.Errorf("with the password that was set: %v", err)
	}
}

func TestPasswordThatChangesDuringSignInLetsNobodyIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	counted := &counting{Store: w.store}
	w.begin(counted)
	counted.before = func() {
		_, _, err := w.authority.ResetPassword(ctx, operator, w.alice, login.CheapHash("another password"))
		w.ok(err)
	}
	if why, _ := w.guess("alice@example.com", password, "", home); why != ostiary.WrongPassword {
		t.Errorf("the password of a moment ago: %s", why)
	}
}

func TestUserHasTwentySessionsAtMost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := []login.In{w.in()}
	for range 19 {
		w.pass(time.Minute)
		all = append(all, w.in())
	}
	w.pass(6 * time.Minute)
	w.is("the first, which is noted as seen", all[0], true)
	ended := w.Ended()
	all = append(all, w.in())
	<-ended
	for i, in := range all {
		w.is(fmt.Sprintf("session %d of 21", i+1), in, i != 1)
	}
}

func TestSessionsThatAreTooOldAreRemovedAtASignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bob, err := w.SignIn(ctx, "bob@example.com", "another one of Bob's", "", home, "")
	w.ok(err)
	w.pass(13 * time.Hour)
	w.in()
	w.ok(w.store.View(ctx, func(r ostiary.Reader) error {
		if _, err := r.Session(bob.Session.Hash); !errors.Is(err, ostiary.ErrNotFound) {
			t.Errorf("Bob's old session is still on record: %v", err)
		}
		return nil
	}))
}
