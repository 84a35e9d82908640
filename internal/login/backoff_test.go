package login_test

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/authority"
	"ostiary/internal/login"
)

func TestGuessingAPasswordTakesLongerAndLonger(t *testing.T) {
	t.Parallel()
	for what, email := range map[string]string{"of a user": "alice@example.com", "of nobody": "nobody@example.com"} {
		w := newWorld(t)
		clients := 0
		try := func(password string) (ostiary.Reason, int) { // each from elsewhere, in another spelling
			clients++
			spelt := []string{email, " " + email, strings.ToUpper(email)}[clients%3]
			return w.guess(spelt, password, "", address(clients))
		}
		for n := range 14 {
			if why, _ := try(wrong); why != ostiary.WrongPassword {
				t.Fatalf("%s, try %d: %s", what, n+1, why)
			}
			if n < 4 {
				continue
			}
			want := min(60, 1<<(n-4))
			for range 50 { // what comes while waiting does not count
				if why, wait := try(password); why != ostiary.TooMany || wait != want {
					t.Fatalf("%s, after %d tries: %s, wait %d s, want %d", what, n+1, why, wait, want)
				}
			}
			w.pass(time.Duration(want) * time.Second)
		}
		w.pass(time.Hour + time.Minute)
		for range 5 {
			if why, _ := try(wrong); why != ostiary.WrongPassword {
				t.Errorf("%s, after a quiet hour: %s", what, why)
			}
		}
	}
}

func TestClientThatGuessesAtManyAddressesIsHeldBack(t *testing.T) {
	t.Parallel()
	for what, from := range map[string]func(n int) netip.Addr{
		"one IPv4 address": func(int) netip.Addr { return home },
		"one IPv6 network": func(n int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("2001:db8:1:2::%x", n)) },
		"mapped and plain": func(n int) netip.Addr {
			return map[bool]netip.Addr{true: home, false: netip.AddrFrom16(home.As16())}[n%2 == 0]
		},
	} {
		w := newWorld(t)
		for n := range 20 {
			if why, _ := w.guess(fmt.Sprintf("u%d@example.com", n), wrong, "", from(n+1)); why != ostiary.WrongPassword {
				t.Fatalf("%s, try %d: %s", what, n+1, why)
			}
		}
		if why, wait := w.guess("alice@example.com", password, "", from(99)); why != ostiary.TooMany || wait != 1 {
			t.Errorf("%s, try 21: %s, wait %d", what, why, wait)
		}
		if why, _ := w.guess("alice@example.com", password, "", netip.MustParseAddr("2001:db8:1:3::1")); why != ostiary.OK {
			t.Errorf("%s: somebody next door: %s", what, why)
		}
		longest := 0
		for n := range 20 {
			_, wait := w.guess("alice@example.com", wrong, "", from(99))
			longest = max(longest, wait)
			w.pass(time.Duration(wait) * time.Second)
			w.guess(fmt.Sprintf("v%d@example.com", n), wrong, "", from(99))
		}
		if longest != 300 {
			t.Errorf("%s waits %d s at most, want 300", what, longest)
		}
	}
}

func TestAttackerCannotLockOutABrowserThatIsKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	known := w.in().Known
	flood := func() {
		for n := range 200 {
			w.guess("alice@example.com", wrong, "guessed", home)
			w.guess("alice@example.com", wrong, "", address(n))
		}
	}
	flood()
	if why, _ := w.guess("alice@example.com", password, "", address(9999)); why != ostiary.TooMany {
		t.Errorf("a browser that is not known: %s", why)
	}
	for range 10 {
		if why, _ := w.guess("alice@example.com", password, known, home); why != ostiary.OK {
			t.Errorf("a browser that is known, at the attacker's own address: %s", why)
		}
	}
	if why, _ := w.guess("bob@example.com", "another one of Bob's", known, home); why != ostiary.TooMany {
		t.Errorf("a browser that is known as Alice's gets past the address for Bob: %s", why)
	}
	for range 5 {
		w.guess("alice@example.com", wrong, known, home)
	}
	if why, _ := w.guess("alice@example.com", password, known, home); why != ostiary.TooMany {
		t.Errorf("a known browser that guesses: %s", why)
	}
	_, _, err := w.authority.ResetPassword(ctx, operator, w.alice, login.CheapHash("another password"))
	w.ok(err)
	flood()
	if why, _ := w.guess("alice@example.com", "another password", known, home); why != ostiary.TooMany {
		t.Errorf("a browser that was known by the old password: %s", why)
	}
}

// Alice signs in with success while somebody guesses: that gives nobody new tries.
func TestSuccessForgivesNobodyElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 4 {
		w.guess("alice@example.com", wrong, "", address(1))
	}
	for range 10 {
		w.in()
	}
	if why, _ := w.guess("alice@example.com", wrong, "", address(1)); why != ostiary.WrongPassword {
		t.Errorf("the fifth try: %s", why)
	}
	if why, _ := w.guess("alice@example.com", wrong, "", address(2)); why != ostiary.TooMany {
		t.Errorf("the sixth: %s", why)
	}
}

func TestManyTriesAtOnceAreNotAllFree(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const tries = 200
	var wait sync.WaitGroup
	var sent atomic.Int64
	w.Cheap(&w.hashes, func() { // no hash ends before all were sent
		for sent.Load() < tries {
			time.Sleep(time.Millisecond)
		}
	})
	for n := range tries {
		wait.Go(func() {
			sent.Add(1)
			w.guess("alice@example.com", wrong, "", address(n))
		})
	}
	wait.Wait()
	if n := w.hashes.Load(); n != 5 {
		t.Errorf("%d of %d passwords were looked at, want 5", n, tries)
	}
}

func TestFloodOfAddressesTakesNoMemoryAndForgivesNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	attacked := func(n int) string { return fmt.Sprintf("attacked%d@example.com", n) }
	for n := range 50 {
		w.guess(attacked(n%10), wrong, "", address(n))
	}
	for n := range 13_000 {
		w.guess(fmt.Sprintf("u%d@example.com", n), wrong, "", address(100+n))
	}
	if n := w.Counts(); n > login.MaxCounts || n < 20_000 {
		t.Errorf("%d counts are kept, want at most %d", n, login.MaxCounts)
	}
	for n := range 10 {
		if why, _ := w.guess(attacked(n), wrong, "", address(99_000+n)); why != ostiary.TooMany {
			t.Errorf("after a flood of other addresses the guesses at %s are forgotten: %s", attacked(n), why)
		}
	}
}

func TestPersonWhoJoinsSignsIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account, _, err := w.authority.CreateAccount(ctx, operator, authority.NewAccount{ShortName: "one"})
	w.ok(err)
	view, _, err := w.authority.SetAccount(ctx, authority.Caller{Operator: "root", Account: account.ID}, authority.AccountPatch{
		SetInvites: true, Invitations: []authority.Invitee{{Email: "erin@example.com", Role: ostiary.Normal}},
	})
	w.ok(err)
	hash, err := login.Hash(password)
	w.ok(err)
	for _, link := range view.Links {
		erin, _, err := w.authority.Join(ctx, authority.Caller{Operator: "login"}, link, "Erin", "", hash)
		w.ok(err)
		in, err := w.Begin(ctx, erin.ID, hash, home, "")
		w.ok(err)
		w.is("who has just joined", in, true)
		if why, _ := w.guess("erin@example.com", password, in.Known, home); why != ostiary.OK {
			t.Errorf("signing in with the password that joined: %s", why)
		}
	}
}
