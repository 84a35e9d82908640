package assertion_test

import (
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"ostiary"
)

func TestAssertionSaysWhoWasLetThrough(t *testing.T) {
	w := newWorld(t)
	header, claims, verified := w.read(w.ask(alice(7)))
	var name string
	for name = range w.published() {
	}
	if want := `{"alg":"EdDSA","typ":"JWT","kid":"` + name + `"}`; header != want {
		t.Errorf("the header is %s\nwant %s", header, want)
	}
	want := `{"iss":"https://ostiary.example.com","aud":"my-api","sub":"/token/12","iat":1800000000,"exp":1800000060,` +
		`"account":"social_networks","account_id":"42","user":"zoë@example.com","role":"Read Only","token_id":"12",` +
		`"app":"say \"hi\"","revision":7}`
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Errorf("the claims (-want +got):\n%s", diff)
	}
	if !verified {
		t.Error("the published key does not verify it")
	}

	d := alice(7)
	d.Kind, d.User, d.Email, d.Role = ostiary.AccountToken, 0, "", ostiary.Admin
	_, claims, verified = w.read(w.ask(d))
	if got := field(t, claims, "user"); got != "-" || field(t, claims, "role") != "Admin" || !verified {
		t.Errorf("an account token's assertion is verified (%t) and says %s", verified, claims)
	}
}

func TestNothingIsSignedWithoutAWholeIdentity(t *testing.T) {
	w := newWorld(t)
	for what, lacks := range map[string]func(d *ostiary.Decision){
		"the account":              func(d *ostiary.Decision) { d.Account = 0 },
		"the account's name":       func(d *ostiary.Decision) { d.AccountName = "" },
		"the token":                func(d *ostiary.Decision) { d.Token = 0 },
		"the kind":                 func(d *ostiary.Decision) { d.Kind = ostiary.NoKind },
		"the e-mail":               func(d *ostiary.Decision) { d.Email = "" },
		"an e-mail of its own":     func(d *ostiary.Decision) { d.Email = "-" },
		"an e-mail that is UTF-8":  func(d *ostiary.Decision) { d.Email = "a\xff@example.com" },
		"the role":                 func(d *ostiary.Decision) { d.Role = ostiary.NoRole },
		"the application's name":   func(d *ostiary.Decision) { d.AppName = "" },
		"a sound application name": func(d *ostiary.Decision) { d.AppName = "a\nb" },
	} {
		d := alice(7)
		lacks(d)
		if text := w.Assertion(*d, w.at); text != "" {
			t.Errorf("without %s it is signed: %s", what, text)
		}
	}
}

func TestAssertionIsGivenAgainForThirtySeconds(t *testing.T) {
	w := newWorld(t)
	first := w.ask(alice(7))
	w.later(29 * time.Second)
	if w.ask(alice(7)) != first {
		t.Error("after 29 s another one is signed")
	}
	w.later(-30 * time.Second)
	if w.ask(alice(7)) != first {
		t.Error("for a request that was a second earlier another one is signed")
	}
	w.later(-time.Second)
	if w.ask(alice(7)) == first {
		t.Error("when the clock was put back, one from the future is given")
	}
	first = w.ask(alice(7))
	w.later(30 * time.Second)
	second := w.ask(alice(7))
	if second == first {
		t.Error("after 30 s the old one is given")
	}
	if _, claims, _ := w.read(second); field(t, claims, "iat") != strconv.FormatInt(w.at.Unix(), 10) {
		t.Errorf("it was signed at %d and says %s", w.at.Unix(), claims)
	}
}

// A door may read its next request into the buffer that the name of the application lies in.
func TestNothingOfARequestIsKept(t *testing.T) {
	w := newWorld(t)
	buffer := []byte("collector")
	d := alice(7)
	d.AppName = unsafe.String(&buffer[0], len(buffer))
	first := w.ask(d)
	copy(buffer, "elsewhere")
	w.later(time.Second)
	d = alice(7)
	d.AppName = "collector"
	if w.ask(d) != first {
		t.Error("the next request spoils what was kept of the one before")
	}
}

func TestNewGenerationOfTheCacheTakesNothingAway(t *testing.T) {
	w := newWorld(t)
	other := alice(7)
	other.AppName = "other"
	w.ask(other)
	w.later(20 * time.Second)
	first := w.ask(alice(7))
	w.later(15 * time.Second)
	w.ask(other) // begins a generation
	if w.ask(alice(7)) != first {
		t.Error("after 15 s another one is signed")
	}
}

func TestWhoeverDiffersGetsAnotherAssertion(t *testing.T) {
	w := newWorld(t)
	seen := map[string]string{w.ask(alice(7)): "alice"}
	for what, differs := range map[string]func(d *ostiary.Decision){
		"account":      func(d *ostiary.Decision) { d.Account = 43 },
		"account name": func(d *ostiary.Decision) { d.AccountName = "other" },
		"token":        func(d *ostiary.Decision) { d.Token = 13 },
		"kind":         func(d *ostiary.Decision) { d.Kind = ostiary.AccountToken },
		"e-mail":       func(d *ostiary.Decision) { d.Email = "mallory@example.com" },
		"role":         func(d *ostiary.Decision) { d.Role = ostiary.Normal },
		"application":  func(d *ostiary.Decision) { d.AppName = `say "HI"` },
	} {
		d := alice(7)
		differs(d)
		text := w.ask(d)
		if other, again := seen[text]; again {
			t.Errorf("with another %s it is the assertion of %s", what, other)
		}
		seen[text] = "another " + what
	}
}

// The facts of a change, and whether they touch alice's token 12 on account 42, her application, or her.
var changes = map[string]struct {
	fact    ostiary.Fact
	touches bool
}{
	"the token":           {ostiary.Fact{Token: &ostiary.TokenFact{Account: 42, ID: 12}}, true},
	"a secret of it":      {ostiary.Fact{Secret: &ostiary.SecretFact{Account: 42, Token: 12}}, true},
	"the application":     {ostiary.Fact{App: &ostiary.AppFact{Account: 42, Token: 12, ID: 5, Name: `say "hi"`}}, true},
	"its owner's role":    {ostiary.Fact{Member: &ostiary.MemberFact{Account: 42, User: 2}}, true},
	"its owner":           {ostiary.Fact{User: &ostiary.UserFact{ID: 2}}, true},
	"its account":         {ostiary.Fact{Account: &ostiary.AccountFact{ID: 42}}, true},
	"another token":       {ostiary.Fact{Token: &ostiary.TokenFact{Account: 42, ID: 13, Owner: 2}}, false},
	"another secret":      {ostiary.Fact{Secret: &ostiary.SecretFact{Account: 42, Token: 2}}, false},
	"another application": {ostiary.Fact{App: &ostiary.AppFact{Account: 42, Token: 12, ID: 6, Name: "else"}}, false},
	"the same name on another token": {
		ostiary.Fact{App: &ostiary.AppFact{Account: 42, Token: 13, ID: 7, Name: `say "hi"`}}, false,
	},
	"its owner elsewhere": {ostiary.Fact{Member: &ostiary.MemberFact{Account: 43, User: 2}}, false},
	"another member":      {ostiary.Fact{Member: &ostiary.MemberFact{Account: 42, User: 12}}, false},
	"another user":        {ostiary.Fact{User: &ostiary.UserFact{ID: 42}}, false},
	"another account":     {ostiary.Fact{Account: &ostiary.AccountFact{ID: 2}}, false},
}

func TestOnlyWhatTouchesTokenApplicationOwnerOrAccountSigns(t *testing.T) {
	for what, c := range changes {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			w.change(7)
			before := w.ask(alice(7))
			w.change(8, ostiary.Fact{User: &ostiary.UserFact{ID: 99}}, c.fact)
			w.change(9)
			after := w.ask(alice(9))
			if signed := before != after; signed != c.touches || w.Signed() != map[bool]uint64{true: 2, false: 1}[c.touches] {
				t.Errorf("another one is signed: %t; want %t; signatures: %d", signed, c.touches, w.Signed())
			}
			if c.touches && w.revision(after) != 9 {
				t.Errorf("it says revision %d, want 9", w.revision(after))
			}
			if again := w.ask(alice(9)); again != after {
				t.Error("asked again, another one is signed")
			}
		})
	}
}

// A member's user changes nothing for an account token, which has no owner.
func TestAccountTokenIsTouchedByNobody(t *testing.T) {
	w := newWorld(t)
	d := alice(7)
	d.Kind, d.User, d.Email = ostiary.AccountToken, 0, ""
	w.change(7)
	first := w.ask(d)
	w.change(8, changes["its owner"].fact, changes["its owner's role"].fact)
	d.Revision = 8
	if w.ask(d) != first {
		t.Error("a change of a user signs for an account token")
	}
}

func TestWhatNobodySaidCountsAsTouched(t *testing.T) {
	w := newWorld(t)
	first := w.ask(alice(7))
	if w.ask(alice(7)) != first {
		t.Error("at the same revision another one is signed")
	}
	second := w.ask(alice(8)) // memory was loaded anew at 8
	if second == first || w.revision(second) != 8 {
		t.Errorf("a change that nobody heard of is passed over: revision %d", w.revision(second))
	}
	w.change(9)
	if w.ask(alice(9)) != second {
		t.Error("the log goes on, and another one is signed")
	}
	w.change(12) // 10 and 11 were loaded anew
	third := w.ask(alice(12))
	if third == second {
		t.Error("a gap in what it hears of is passed over")
	}
	w.change(5) // the records were put back in time
	w.change(6)
	if w.ask(alice(6)) == first {
		t.Error("after the records were put back, an assertion of another history is given")
	}
}

func TestOlderDecisionIsNotGivenWhatWasSignedLater(t *testing.T) {
	w := newWorld(t)
	w.change(7)
	w.change(8)
	later := w.ask(alice(8))
	if older := w.ask(alice(7)); w.revision(older) != 7 {
		t.Errorf("a decision of revision 7 gets one of %d", w.revision(older))
	}
	if w.ask(alice(8)) != later {
		t.Error("an older decision pushed the later assertion out")
	}
}

// Whatever happens in whatever order, no assertion is older than the last change that touches it, and
// none is older than half a minute.
func TestNoAssertionIsOlderThanTheChangeThatTouchesIt(t *testing.T) {
	w := newWorld(t)
	random := rand.New(rand.NewPCG(1, 2))
	var names []string
	for what := range changes {
		names = append(names, what)
	}
	revision, touched, given := uint64(1), uint64(0), 0
	for range 5_000 {
		switch n := random.IntN(10); {
		case n < 4:
			revision++
			what := changes[names[random.IntN(len(names))]]
			if random.IntN(4) > 0 {
				what = changes["another token"]
			}
			if what.touches {
				touched = revision
			}
			if random.IntN(50) > 0 { // else it was loaded anew
				w.change(revision, what.fact)
			}
		case n < 5:
			w.later(time.Duration(random.IntN(15_000)) * time.Millisecond)
		default:
			signed := w.Signed()
			text := w.ask(alice(revision))
			says := w.revision(text)
			if says < touched || says > revision {
				t.Fatalf("at revision %d, touched at %d, it says %d", revision, touched, says)
			}
			_, claims, verified := w.read(text)
			iat, _ := strconv.ParseInt(field(t, claims, "iat"), 10, 64)
			if age := w.at.Sub(time.Unix(iat, 0)); age > 31*time.Second || !verified {
				t.Fatalf("it is %v old, and verified: %t", age, verified)
			}
			if w.Signed() == signed {
				given++
			}
		}
	}
	if given < 750 {
		t.Errorf("only %d were given again", given)
	}
}

func TestManyAskWhileTheRecordsChange(t *testing.T) {
	w := newWorld(t)
	var running sync.WaitGroup
	at := w.at
	for n := range 4 {
		running.Go(func() {
			for i := range 3000 {
				d := alice(uint64(i/3 + 1))
				d.Token = ostiary.ID(i%7 + 1)
				d.AppName = strconv.Itoa(n % 2)
				if w.Assertion(*d, at) == "" {
					t.Error("no assertion")
				}
			}
		})
	}
	running.Go(func() {
		for i := range 1000 {
			w.change(uint64(i+1), ostiary.Fact{Token: &ostiary.TokenFact{Account: 42, ID: ostiary.ID(i%14 + 1)}})
			w.keys.Turn()
		}
	})
	running.Wait()
}
