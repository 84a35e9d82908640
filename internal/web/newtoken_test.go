package web_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/authority"
)

var shaped = regexp.MustCompile(`ostiary_[0-9A-Za-z]{49}`)

func TestNewTokenIsShownOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	form := w.bob.tokens("").follow("New User Token").is("New User Token", http.StatusOK)
	began := len(w.events.since(0))
	page := form.press("Make the token", "Description", "Dashboards")
	page.is("Your new token", http.StatusOK).says("Dashboards", "This is shown once", "is answered with 401")
	secret := shaped.FindString(page.body)
	if secret == "" {
		t.Fatalf("the page shows no token:\n%s", page.text())
	}
	page.says("curl -H 'X-Circonus-Auth-Token: "+secret+"' \\ -H 'X-Circonus-App-Name: my-script' \\ https://api.example.com/v2/account/current",
		"One Step Install", "curl https://api.example.com/install | TOKEN="+secret+" APP=my-script sh")
	if got := page.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("the page with the secret has Cache-Control %q, want no-store", got)
	}
	w.demand(ostiary.ReadSecret(secret), "my-script", ostiary.ReadOnly, ostiary.PendingApp)

	again := form.press("Make the token", "Description", "Dashboards").is("This token is already made", http.StatusOK)
	if shaped.MatchString(again.body) {
		t.Errorf("a reload shows the secret again:\n%s", again.text())
	}
	again.follow("To the token").is("Dashboards", http.StatusOK).says(ostiary.ReadSecret(secret).Hint())
	w.bob.tokens("").says("1 token that can never")
	form.press("Make the token", "Description", "Another").is("Your new token", http.StatusOK)
	for _, e := range w.events.since(began) {
		if strings.Contains(e.Path+e.Agent, "ostiary_") {
			t.Errorf("the log is told %q", e.Path)
		}
	}
}

func TestFormOfATabThatIsRestoredLateMakesNoSecondToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	form := w.bob.open("/tokens/new?kind=user")
	w.clock.pass(11 * time.Hour)
	form.press("Make the token", "Description", "Dashboards").is("Your new token", http.StatusOK)
	w.clock.pass(90 * time.Minute)
	again := form.press("Make the token", "Description", "Dashboards").is("New User Token", http.StatusConflict).
		says("This form is old, and may have been sent before. Nothing was made.")
	for range 4 {
		w.clock.pass(11 * time.Hour)
		w.bob.open("/tokens") // stays signed in
	}
	form.press("Make the token", "Description", "Dashboards").is("New User Token", http.StatusConflict)
	w.bob.tokens("").says("1 token that can never")
	again.press("Make the token").is("New User Token", http.StatusConflict) // it is old by now, too
	w.bob.open("/tokens/new?kind=user").press("Make the token").is("Your new token", http.StatusOK)
	w.bob.post("/tokens/new", "kind", "user", "privilege", "Read-Only", "default_app_state", "Pending", "nonce", "made-up").
		is("New User Token", http.StatusConflict)
}

func TestNewTokenIsTheLeastAtFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.alice.tokens("").follow("New Account Token").press("Make the token")
	w.alice.tokens("").follow("New User Token").press("Make the token", "Admin", "", "Deny", "", "Description", "All of it")
	w.bob.tokens("").follow("New User Token").press("Make the token")
	all, err := w.authority.Tokens(ctx, w.alice.on(w.account))
	w.ok(err)
	want := []ostiary.Token{
		{Kind: ostiary.AccountToken, Privilege: ostiary.ReadOnly, Default: ostiary.Pending},
		{Kind: ostiary.UserToken, Owner: w.alice.id, Privilege: ostiary.Admin, Default: ostiary.Deny, Description: "All of it"},
		{Kind: ostiary.UserToken, Owner: w.bob.id, Privilege: ostiary.ReadOnly, Default: ostiary.Pending},
	}
	for i, got := range all {
		if got.Kind != want[i].Kind || got.Owner != want[i].Owner || got.Privilege != want[i].Privilege ||
			got.Default != want[i].Default || got.Description != want[i].Description {
			t.Errorf("token %d is %+v, want %+v", i+1, got.Token, want[i])
		}
	}
}

func TestNewTokenOffersOnlyWhatMayBeMade(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bob.open("/tokens/new").says("Read-Only", "Normal").silent("Admin", "Account token")
	w.bob.post("/tokens/new", "kind", "user", "privilege", "Admin", "default_app_state", "Pending").is("You may not do this", http.StatusForbidden)
	w.bob.post("/tokens/new", "kind", "account", "privilege", "Normal", "default_app_state", "Pending").is("You may not do this", http.StatusForbidden)
	w.carol.open("/tokens/new").says("With the role Read-Only you cannot make a token", "Team").lacks("Make the token")
	w.carol.post("/tokens/new", "kind", "user", "privilege", "Read-Only", "default_app_state", "Pending").
		is("You may not do this", http.StatusForbidden)
}

func TestWrongFormForANewTokenIsShownAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	form := w.alice.open("/tokens/new?kind=account&account=" + w.account.String())
	page := form.press("Make the token", "Description", "zero\u200bwidth", "Normal", "", "Allow", "")
	page.is("New Account Token", http.StatusBadRequest).says("characters that do not show")
	page.press("Make the token", "Description", "good").is("Your new token", http.StatusOK).says("is let in at once")
	all, err := w.authority.Tokens(ctx, w.alice.on(w.account))
	w.ok(err)
	if len(all) != 1 || all[0].Privilege != ostiary.Normal || all[0].Kind != ostiary.AccountToken {
		t.Errorf("what was chosen is lost: %+v", all)
	}
	for _, field := range []string{"kind", "privilege", "default_app_state"} {
		fields := map[string]string{"kind": "user", "privilege": "Read-Only", "default_app_state": "Pending"}
		fields[field] = "none"
		var all []string
		for name, value := range fields {
			all = append(all, name, value)
		}
		if page := w.alice.post("/tokens/new", all...).says("Choose"); page.status != http.StatusBadRequest {
			t.Errorf("a form without %s is answered with %d, want 400", field, page.status)
		}
	}
}

func TestFormMakesTheTokenOnTheAccountOfItsPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	form := w.alice.open("/tokens/new?kind=account&account=" + w.account.String())
	w.alice.open("/tokens?account=" + w.press.String()) // meanwhile, in another tab
	form.press("Make the token", "Description", "Here")
	w.alice.open("/tokens?account=" + w.press.String()).silent("Here")
	w.alice.tokens("").says("Here")
}

func TestTokenLikeAnotherCopiesWhatWasAllowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, secret := w.newToken(w.alice, authority.NewToken{
		Kind: ostiary.AccountToken, Privilege: ostiary.Normal, Default: ostiary.Deny, Description: "Infrastructure",
	})
	for name, state := range map[string]ostiary.AppState{"terraform": ostiary.Allowed, "rogue's": ostiary.Denied} {
		_, _, err := w.authority.DecideName(ctx, w.alice.on(w.account), id, name, state)
		w.ok(err)
	}
	w.clock.pass(time.Second)
	w.ask(secret, "undecided", ostiary.ReadOnly)
	form := w.alice.token(id, "").follow("New token like this")
	form.is("New token like Infrastructure", http.StatusOK).says("Allowed from the beginning", "terraform").silent("rogue", "undecided")
	page := form.press("Make the token").is("Your new token", http.StatusOK).says("terraform is allowed from the beginning", "X-Circonus-App-Name: terraform")
	made := ostiary.ReadSecret(shaped.FindString(page.body))
	w.demand(made, "terraform", ostiary.Normal, ostiary.OK)
	w.demand(made, "rogue's", ostiary.Normal, ostiary.DeniedApp)
	w.demand(made, "terraform", ostiary.Admin, ostiary.LowRole)
	page.follow("To the token").is("Infrastructure", http.StatusOK).says("Account token")
	w.bob.open("/tokens/new?like="+id.String()).is("There is nothing here", http.StatusNotFound)
}
