package web_test

import (
	"strings"
	"testing"
	"time"

	"ostiary"
)

func TestInvitationMakesALoginForAnAddressThatHasNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	link := w.alice.invites("erin@example.com", "Normal")
	erin := w.stranger()
	page := erin.open(link).is("Join Social Networks", 200).says("Alice invites erin@example.com", "as Normal")
	if got := page.header.Get("Referrer-Policy"); got != "strict-origin" {
		t.Errorf("the link's page has the referrer policy %q: its address is a secret", got)
	}
	page = page.press("Join", "First name", "Erin", "Last name", "Evans", "Password", "short").
		is("Join Social Networks", 400).says("A password has at least 8 characters").silent("password: ")
	page.press("Join", "Password", password).at("/tokens").is("API Tokens", 200)
	erin.open("/profile").says("erin@example.com")
	w.alice.open("/team").in("erin@example.com").says("Erin Evans Normal")
	w.stranger().open(link).is("This link does not work any more", 404)

	again := w.person(0, "erin@example.com") // at another browser
	again.signIn().is("API Tokens", 200)
}

func TestInvitationIsAcceptedBySomebodyWhoHasALogin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.alice.open("/team?account=2")
	link := linkOn(w.alice.open("/team").press("Invite", "E-mail", "BOB@example.com", "Role", "Read-Only"))
	page := w.bob.again().asStranger().open(link).is("Join The Press", 200).
		says("has a login already. Sign in with it, then accept")
	if field := page.root.labelled("First name"); field != nil {
		t.Error("an address that has a login is offered another one")
	}
	page = page.press("Sign in", "Password", password).at("/invite/").is("Join The Press", 200)
	page.press("Accept").at("/tokens?account=2").is("API Tokens", 200)
	w.alice.open("/team").in("bob@example.com").says("Read-Only")
	w.bob.open("/profile").says("The Press Read-Only", "Social Networks Normal")
	w.bob.open(link).is("This link does not work any more", 404)
}

func TestInvitationIsForItsAddressAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.alice.open("/team?account=2")
	link := w.alice.invites("erin@example.com", "Admin")
	w.bob.open("/tokens")
	const other = "You are signed in as bob@example.com"
	page := w.bob.open(link).is("Join The Press", 200).says(other).lacks("Accept", "Join")
	w.bob.post(link, "first", "Bob", "password", password).is("Join The Press", 403).says(other)
	page.press("Sign out").at("/invite/").is("Join The Press", 200).has("Join")
	w.stranger().post(link, "first", "Eve").is("Join The Press", 400) // without a password
	w.alice.open("/team?account=2").silent("bob@example.com", "Eve")
}

func TestLinkThatEndsWhileItsPageIsOpenSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	link := w.alice.invites("erin@example.com", "Normal")
	one, two := w.stranger(), w.stranger()
	first, second := one.open(link), two.open(link)
	first.press("Join", "First name", "Erin", "Password", password).at("/tokens")
	second.press("Join", "First name", "Eve", "Password", password).is("This link does not work any more", 404)
	w.alice.open("/team").silent("Eve")

	late := w.alice.invites("frank@example.com", "Normal")
	three := w.stranger()
	page := three.open(late)
	w.clock.pass(72*time.Hour + time.Second)
	page.press("Join", "First name", "Frank", "Password", password).is("This link does not work any more", 404)
	w.stranger().open("/invite/0123").is("This link does not work any more", 404)
}

func TestSecretOfALinkStandsNowhereInTheLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	link := w.alice.invites("bob@example.net", "Normal")
	secret := strings.TrimPrefix(link, "/invite/")
	erin := w.stranger()
	erin.open(link)
	erin.open("/login?next=" + link)
	erin.open(link + "/").at("/invite/")
	erin.post(link, "password", "short")
	erin.post(link, "password", password)
	for _, e := range w.events.since(0) {
		if text := strings.ToLower(e.Path + e.Agent + e.AppName); strings.Contains(text, secret[:16]) {
			t.Errorf("the log of requests holds a link: %s", e.Path)
		}
	}
	log, err := w.authority.LogPage(ctx, w.alice.on(w.account), ostiary.LogFilter{})
	w.ok(err)
	for _, c := range log.Changes {
		if text, _ := ostiary.EncodeStory(c.Story); strings.Contains(string(text), secret[:16]) {
			t.Errorf("the log of changes holds a link: %s", text)
		}
	}
}

func TestWhoeverSignsInGoesOnToPagesOfOursAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	link := w.alice.invites("erin@example.com", "Normal")
	for next, want := range map[string]string{
		link: link, "/team?x=1": "/team?x=1", "/profile": "/profile",
		"/login": "/tokens", "/logout": "/tokens",
		"//evil.example/team": "/tokens", "https://evil.example/": "/tokens",
		"/\\evil.example": "/tokens", "/nothing": "/tokens", "": "/tokens",
	} {
		bob := w.bob.again().asStranger()
		if got := bob.post("/login", "email", bob.email, "password", password, "next", next).address; got != want {
			t.Errorf("signing in goes on from %q to %q, want %q", next, got, want)
		}
		if got := bob.post("/logout", "next", next).address; next == link && got != link {
			t.Errorf("signing out goes on from the link to %q", got)
		}
	}
}
