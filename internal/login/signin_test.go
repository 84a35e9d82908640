package login_test

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/authority"
	"ostiary/internal/login"
)

func TestPersonIsKnownByTheCookieOfTheSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in, err := w.SignIn(ctx, " ALICE@example.com", password, "", home, strings.Repeat("x", 1000))
	w.ok(err)
	s, err := w.Session(ctx, in.Cookie)
	w.ok(err)
	if s != in.Session || s.User != w.alice || s.From != "192.0.2.7" || s.BeganOn != noon || len(s.Agent) != 200 || s.ID == 0 {
		t.Errorf("the session is %+v, began as %+v", s, in.Session)
	}
	text := in.Cookie.Reveal()
	if len(text) != 43 || strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		t.Errorf("%d characters, or one that a cookie minds", len(text))
	}
	for _, other := range []string{"", "x", text + "x", strings.Repeat("A", 43), s.Hash.String()} {
		w.is("another cookie", login.In{Session: s, Cookie: ostiary.ReadSecret(other)}, false)
	}
}

func TestStolenDatabaseHoldsNoCookie(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in := w.in()
	if in.Session.Hash != in.Cookie.Hash() {
		t.Error("the session is not kept by the SHA-256 of its cookie")
	}
	w.is("the hash shown as a cookie", login.In{Session: in.Session, Cookie: ostiary.ReadSecret(string(in.Session.Hash[:]))}, false)
	files, err := filepath.Glob(filepath.Join(filepath.Dir(w.path()), "*"))
	w.ok(err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		w.ok(err)
		if bytes.Contains(text, []byte(in.Cookie.Reveal())) || bytes.Contains(text, []byte(in.Known)) {
			t.Errorf("%s holds a cookie", file)
		}
	}
	if len(files) < 3 {
		t.Errorf("only %v were looked at", files)
	}
	if log := w.log.String(); !strings.Contains(log, `msg="signed in"`) || strings.Contains(log, in.Cookie.Reveal()) || strings.Contains(log, password) {
		t.Errorf("the log says %q", log)
	}
}

func TestSessionIsNewAtEverySignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.in()
	second, err := w.SignIn(ctx, "alice@example.com", password, first.Known, home, "")
	w.ok(err)
	if first.Cookie == second.Cookie || first.Session.ID == second.Session.ID || first.Known != second.Known {
		t.Error("a second sign-in takes over what the first made")
	}
	third, err := w.Begin(ctx, w.alice, w.hash(), home, "")
	w.ok(err)
	for _, in := range []login.In{first, second, third} {
		w.is("one of three", in, true)
	}
}

func TestWhoIsRefusedCannotTellWhy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user("nopassword@example.com", "")
	disabled := w.user("disabled@example.com", login.CheapHash(password))
	_, _, err := w.authority.DisableUser(ctx, operator, disabled, true)
	w.ok(err)
	for what, c := range map[string][2]string{
		"wrong password":              {"alice@example.com", wrong},
		"unknown address":             {"nobody@example.com", password},
		"no address":                  {"", password},
		"an endless one":              {strings.Repeat("x", 1<<20), password},
		"no password on record":       {"nopassword@example.com", password},
		"disabled, right password":    {"disabled@example.com", password},
		"disabled, wrong password":    {"disabled@example.com", wrong},
		"a password of somebody else": {"bob@example.com", password},
		"empty password":              {"alice@example.com", ""},
		"empty, where there is none":  {"nopassword@example.com", ""},
	} {
		before := w.hashes.Load()
		_, err := w.SignIn(ctx, c[0], c[1], "", home, "")
		if reason(err) != ostiary.WrongPassword || err.Error() != "The e-mail address or the password is wrong." {
			t.Errorf("%s: %v", what, err)
		}
		if n := w.hashes.Load() - before; n != 1 {
			t.Errorf("%s: costs %d hashes, want 1", what, n)
		}
	}
	for range 3 {
		w.guess("disabled@example.com", password, "", netip.MustParseAddr("192.0.2.9"))
	}
	if why, _ := w.guess("disabled@example.com", password, "", netip.MustParseAddr("192.0.2.10")); why != ostiary.TooMany {
		t.Errorf("the right password of a disabled user does not count as wrong: %s", why)
	}
}

func TestLogNamesAddressesOfUsersOnlyAndCountsAFlood(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 50 {
		w.guess("alice@example.com", wrong, "", home)
		w.guess("my-secret-passphrase", wrong, "", netip.MustParseAddr("2001:db8::1"))
	}
	w.pass(2 * time.Minute)
	w.guess("alice@example.com", wrong, "", home)
	log := w.log.String()
	for _, secret := range []string{"my-secret-passphrase", wrong, password} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds what was typed: %q", secret)
		}
	}
	for _, says := range []string{"from=192.0.2.7 user=1 email=alice@example.com", "from=2001:db8::1\n", `why="too many tries"`, "not_written="} {
		if !strings.Contains(log, says) {
			t.Errorf("the log does not say %q", says)
		}
	}
	if n := strings.Count(log, "\n"); n > 8 {
		t.Errorf("a hundred tries make %d lines:\n%s", n, log)
	}
}

func TestConfirmationGivesTheHashOnRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in := w.in()
	was, err := w.Confirm(ctx, in.Session, password, home)
	w.ok(err)
	becomes := login.CheapHash("another password")
	if _, err := w.authority.SetPassword(ctx, authority.Caller{User: w.alice}, was, becomes); err != nil {
		t.Errorf("the hash proves nothing: %v", err)
	}
	in, err = w.Begin(ctx, w.alice, becomes, home, "")
	w.ok(err)
	if _, err := w.Confirm(ctx, in.Session, password, home); reason(err) != ostiary.WrongPassword {
		t.Errorf("the old password: %v", err)
	}
	for range 10 {
		_, err = w.Confirm(ctx, in.Session, wrong, home)
	}
	if reason(err) != ostiary.TooMany || wait(err) < 1 {
		t.Errorf("guessing at an open session: %v", err)
	}
	w.pass(time.Hour)
	if _, err := w.Confirm(ctx, in.Session, "another password", home); err != nil {
		t.Errorf("the new password, an hour later: %v", err)
	}
	w.ok(w.SignOut(ctx, in.Cookie))
	if _, err := w.Confirm(ctx, in.Session, "another password", home); !errors.Is(err, ostiary.ErrNotFound) {
		t.Errorf("after signing out: %v", err)
	}
}

func TestSignInThatNobodyWaitsForEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	gone, stop := context.WithCancel(ctx)
	w.Cheap(&w.hashes, stop) // whoever asks goes away before the hash
	if _, err := w.SignIn(gone, "alice@example.com", password, "", home, ""); err == nil {
		t.Error("a session was begun for nobody")
	}
}
