package login_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/login"
)

func hash(t *testing.T, password string) string {
	t.Helper()
	h, err := login.Hash(password)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func verify(encoded, password string) bool {
	ok, err := login.Verify(context.Background(), encoded, password)
	return ok && err == nil
}

func TestPasswordIsKnownByItsHashAlone(t *testing.T) {
	t.Parallel()
	const password = "correct horse battery staple"
	h := hash(t, password)
	if !verify(h, password) {
		t.Error("the right password is refused")
	}
	for _, wrong := range []string{"", "correct horse battery stapl", password + " ", "Correct horse battery staple", h} {
		if verify(h, wrong) {
			t.Errorf("the password %q is taken for another", wrong)
		}
	}
	if strings.Contains(h, password) {
		t.Error("the hash holds the password")
	}
	if again := hash(t, password); again == h {
		t.Error("two hashes of one password are equal: there is no salt")
	}
	if want := "$argon2id$v=19$m=19456,t=2,p=1$"; !strings.HasPrefix(h, want) {
		t.Errorf("the hash begins %.32q, want %q", h, want)
	}
}

// The hash stands in the tests of the reference implementation: another cost than ours.
func TestHashOfAnotherCostIsUnderstood(t *testing.T) {
	t.Parallel()
	const h = "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"
	if !verify(h, "password") || verify(h, "passwore") {
		t.Error("a hash of the reference implementation is not understood")
	}
}

func TestPasswordHasALengthInLimits(t *testing.T) {
	t.Parallel()
	for n, ok := range map[int]bool{0: false, 7: false, 8: true, 1024: true, 1025: false} {
		h, err := login.Hash(strings.Repeat("x", n))
		if (err == nil) != ok {
			t.Errorf("%d characters: %v", n, err)
		}
		var refusal *ostiary.Refusal
		if err != nil && (!errors.As(err, &refusal) || refusal.Field != "password") {
			t.Errorf("%d characters: the refusal does not name the field: %v", n, err)
		}
		if ok && !verify(h, strings.Repeat("x", n)) {
			t.Errorf("%d characters are hashed and then refused", n)
		}
	}
	if verify(hash(t, "long enough"), strings.Repeat("x", 1<<20)) {
		t.Error("a megabyte is a password")
	}
}

func TestWhatIsNoHashLetsNobodyIn(t *testing.T) {
	t.Parallel()
	good := hash(t, "long enough")
	parts := strings.Split(good, "$")
	with := func(i int, s string) string {
		p := strings.Split(good, "$")
		p[i] = s
		return strings.Join(p, "$")
	}
	for _, h := range []string{
		"", "$", "long enough", "$argon2id$v=19$m=19456,t=2,p=1$$", strings.Join(parts[:5], "$"), good + "$",
		with(1, "argon2i"), with(2, "v=16"), with(3, "m=19456,t=0,p=1"), with(3, "m=19456,t=2,p=0"), with(3, "m=4294967295,t=2,p=1"),
		with(3, "m=19456,t=1000000,p=1"), with(3, "m=19456,t=2,p=1,x=1")[:20], with(4, "!"), with(5, ""), with(5, "AAAA"),
	} {
		if verify(h, "long enough") {
			t.Errorf("%q lets somebody in", h)
		}
	}
}

func TestManyLoginsAtOnceAllGetTheirAnswer(t *testing.T) {
	t.Parallel()
	h := hash(t, "long enough")
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			verify("", "long enough")
			if !verify(h, "long enough") {
				t.Error("the right password is refused under load")
			}
		})
	}
	wait.Wait()
}

func TestHashForNobodyCostsWhatAnotherDoes(t *testing.T) {
	t.Parallel()
	want := login.Costs(hash(t, "long enough"), "wrong one")
	for what, encoded := range map[string]string{"no password": "", "no hash": "$argon2id$v=19$m=8,t=1$x$y"} {
		if got := login.Costs(encoded, "wrong one"); len(want) != 1 || !slices.Equal(got, want) {
			t.Errorf("%s costs %v, a hash on record %v", what, got, want)
		}
	}
}

func TestWaitingForAHashEndsWithTheCall(t *testing.T) {
	defer login.FillSlots()()
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer stop()
	if ok, err := login.Verify(ctx, "", "long enough"); ok || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, %v, want %v", ok, err, context.DeadlineExceeded)
	}
}

func TestNewPasswordsDiffer(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		p := login.NewPassword()
		if err := login.Check(p); err != nil || seen[p] {
			t.Fatalf("%q: %v, seen before: %v", p, err, seen[p])
		}
		seen[p] = true
	}
}

func BenchmarkHash(b *testing.B) {
	for b.Loop() {
		login.Hash("long enough")
	}
}
