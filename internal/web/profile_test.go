package web_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/authority"
)

func TestPersonChangesNameAndContacts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.carol.open("/profile").is("Profile", 200).
		press("Save", "First name", "Caroline", "Last name", "Chen", "SMS", "+1 555 0100").
		says("Your name and contacts are saved. Revision")
	if got := w.carol.open("/profile").root.labelled("SMS").attr["value"]; got != "+1 555 0100" {
		t.Errorf("the number is %q after it was saved", got)
	}
	w.alice.open("/team").says("Caroline Chen")
	page := w.carol.open("/profile").press("Save", "First name", "ostiary_"+strings.Repeat("a", 49)).
		is("Profile", 400).says("The text holds a token")
	page.press("Save", "First name", "Carol").says("are saved")
}

func TestPasswordIsChangedWithThePresentOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	elsewhere := w.bob.again()
	elsewhere.open("/profile").is("Profile", 200)
	form := w.bob.open("/profile").in("Current password")
	form.press("Change password", "Current password", "a guess", "New password", "a better password").
		is("Profile", 403).says("This is not your password")
	form.press("Change password", "Current password", password, "New password", "short").
		is("Profile", 400).says("A password has at least 8 characters")
	elsewhere.open("/profile").is("Profile", 200)

	before := w.cookies(w.bob)
	form.press("Change password", "Current password", password, "New password", "a better password").
		is("Profile", 200).says("Your password is changed. Everywhere else you are signed out. Revision")
	if w.cookies(w.bob) == before {
		t.Error("the session is the one of before")
	}
	w.bob.open("/team").is("Team", 200)
	elsewhere.open("/profile").is("Sign in", 200).says("You are signed out")
	elsewhere.post("/login", "email", "bob@example.com", "password", password).is("Sign in", 403)
	elsewhere.post("/login", "email", "bob@example.com", "password", "a better password").is("API Tokens", 200)
}

// cookies are those that a person's browser would send.
func (w *world) cookies(p *person) string {
	u, err := url.Parse(w.URL)
	w.ok(err)
	var all []string
	for _, c := range p.client.Jar.Cookies(u) {
		if strings.Contains(c.Name, "session") {
			all = append(all, c.Value)
		}
	}
	return strings.Join(all, " ")
}

func TestEmailIsChangedWithThePassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	elsewhere := w.bob.again()
	elsewhere.open("/profile").is("Profile", 200)
	form := w.bob.open("/profile").in("New e-mail")
	form.press("Change e-mail", "New e-mail", "robert@example.com", "Your password", "a guess").
		is("Profile", 403).says("This is not your password")
	form.press("Change e-mail", "New e-mail", "alice@example.com", "Your password", password).
		is("Profile", 409).says("A user with this address exists already")
	page := form.press("Change e-mail", "New e-mail", "robert", "Your password", password).
		is("Profile", 400).says("This is not an e-mail address")
	if got := page.root.labelled("New e-mail").attr["value"]; got != "robert" {
		t.Errorf("the form that is drawn again holds %q", got)
	}
	form.press("Change e-mail", "New e-mail", "robert@example.com", "Your password", password).
		says("From now on you sign in with the new address", "Revision")
	w.bob.open("/profile").press("Change e-mail", "New e-mail", "robert@example.com", "Your password", password).
		at("/profile").is("Profile", 200).silent("From now on", "signed out")
	elsewhere.open("/profile").is("Sign in", 200)
	elsewhere.post("/login", "email", "robert@example.com", "password", password).is("API Tokens", 200)
}

func TestResetInBetweenEndsTheSessionThatAChangeBegins(t *testing.T) {
	t.Parallel()
	for label, fields := range map[string][]string{
		"New e-mail":   {"Change e-mail", "New e-mail", "robert@example.com", "Your password", password},
		"New password": {"Change password", "New password", "a better password", "Current password", password},
	} {
		w := newWorld(t)
		form := w.bob.open("/profile").in(label)
		w.beforeBegin = func() {
			hash, err := cheapHash("what the operator says")
			w.ok(err)
			_, _, err = w.authority.ResetPassword(ctx, operator, w.bob.id, hash)
			w.ok(err)
		}
		form.press(fields[0], fields[1:]...).is("Sign in", 200)
	}
}

func TestManyWrongPasswordsOnProfileHaveToWait(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	form := w.bob.open("/profile").in("Current password")
	for range 5 {
		form.press("Change password", "Current password", "a guess", "New password", "a better password").
			is("Profile", 403)
	}
	form.press("Change password", "Current password", password, "New password", "a better password").
		is("Profile", 429).says("Too many tries")
}

func TestProfileListsAccountsAndOwnTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.newToken(w.alice, authority.NewToken{Privilege: ostiary.Admin, Description: "Laptop"})
	w.newToken(w.bob, authority.NewToken{Privilege: ostiary.Normal, Description: "Bob’s"})
	page := w.alice.open("/profile").
		says("Social Networks Admin", "The Press Admin", "Laptop", "never used").silent("Bob’s")
	page.follow("Laptop").says("Laptop")
	page.follow("The Press").is("API Tokens", 200)
	if got := w.alice.open("/profile"); !strings.Contains(got.body, "The Press") {
		t.Error("the account that was chosen is not kept")
	}
}

func TestSessionsAreListedAndEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, two := w.bob.again(), w.bob.again()
	w.bob.open("/tokens")
	w.clock.pass(time.Minute)
	one.open("/tokens")
	w.clock.pass(time.Minute)
	two.open("/tokens")
	page := w.bob.open("/profile").in("Sessions").says("Firefox on Linux this browser", "from 127.0.0.1")
	if n := len(page.root.all(isCalled("Sign out Firefox on Linux, 127.0.0.1"))); n != 2 {
		t.Fatalf("%d sessions can be signed out, want 2", n)
	}
	page.in("signed in 1 minute ago").press("Sign out Firefox on Linux, 127.0.0.1").
		says("That browser is signed out")
	one.open("/profile").is("Sign in", 200)
	two.open("/profile").is("Profile", 200)
	w.bob.open("/profile").press("Sign out the others").
		says("You are signed out everywhere else").lacks("Sign out the others")
	two.open("/profile").is("Sign in", 200)
	w.bob.open("/profile").is("Profile", 200)
	w.carol.open("/profile")
	w.bob.post("/profile/sessions", "end", "4").is("There is nothing here", 404)
	w.carol.open("/profile").is("Profile", 200)
}

func TestAddressOfTheProfileSaysNothingThatSomebodyMadeUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	said := w.bob.open("/profile").press("Save", "First name", "Robert").address
	w.bob.open(said).says("Your name and contacts are saved")
	w.bob.open(said+"%20Call%20555-0100.").silent("Your name and contacts are saved", "555-0100")
	w.bob.open("/profile?said=Call%20555-0100%20because%20of%20your%20password").silent("555-0100")
	w.carol.open(said).silent("Your name and contacts are saved")
}

func TestPersonWhoWasDroppedOrDisabledIsToldSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bob.open("/tokens").is("API Tokens", 200)
	w.alice.open("/team/2/remove").press("Remove Bob")
	w.bob.open("/tokens").at("/profile").says("You are on no account now", "invite bob@example.com")
	w.bob.open("/profile").press("Save", "First name", "Robert").says("are saved")
	w.bob.open("/tokens?account=1").is("You are not on this account", 404)
	w.bob.post("/tokens/new", "kind", "user").is("You are not on this account", 404).says("Nothing was changed")

	w.carol.open("/tokens").is("API Tokens", 200)
	_, _, err := w.authority.DisableUser(ctx, operator, w.carol.id, true)
	w.ok(err)
	w.carol.open("/tokens").is("Sign in", 200).says("You are signed out").
		press("Sign in", "E-mail", "carol@example.com", "Password", password).is("Sign in", 403)
	w.alice.open("/team").in("carol@example.com").says("login disabled")
}
