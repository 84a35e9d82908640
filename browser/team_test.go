package browser_test

import (
	"testing"
	"time"
)

// writes changes something, which needs Normal.
func writes(app, secret string) request {
	return request{app, secret, "PUT", "/v2/user/current", `{"firstname":"Bob"}`}
}

// token is the demo's first token of a user: its id, and its secret.
func (s *server) token(email string) (id, secret string) {
	s.t.Helper()
	for _, u := range s.Users {
		for _, token := range s.Tokens {
			if u.Email == email && token.Owner == u.ID {
				return token.ID, token.Secret
			}
		}
	}
	s.t.Fatalf("%s has no token", email)
	return "", ""
}

func TestLoweredPersonsTokenIsLoweredAndRestored(t *testing.T) {
	t.Parallel()
	s := demo(t)
	id, secret := s.token("bob@example.com")
	s.command("app", "add", id, "deploy", "--state", "allowed")
	s.answers(writes("deploy", secret), 200)

	alice := s.signsIn("alice")
	alice.givesRole("Bob", "Read-Only")
	s.answers(writes("deploy", secret), 403)
	s.answers(get("deploy", secret), 200)
	bob := s.signsIn("bob")
	bob.Within("article", "Bob's first token").Sees("limited to Read-Only by your role")

	alice.givesRole("Bob", "Normal")
	s.answers(writes("deploy", secret), 200)
	bob.Reload()
	bob.SeesNot("limited to")
}

// givesRole changes a member's role on the Team page.
func (p *Person) givesRole(member, role string) {
	p.t.Helper()
	p.Open("/team")
	p.Click("link", "Change role of "+member)
	p.Click("radio", role)
	p.Click("button", "See what it does")
	p.Click("button", "Make "+member+" "+role)
	p.Sees("Revision")
}

func TestPromotedTokenOutlivesItsOwner(t *testing.T) {
	t.Parallel()
	s := demo(t)
	first, stays := s.token("bob@example.com")
	s.command("app", "add", first, "deploy", "--state", "allowed")
	bob := s.signsIn("bob")
	goes := bob.makesToken("Experiments", "Normal")
	s.answers(get("deploy", stays), 200)
	s.answers(get("notebook", goes), 401)
	bob.Open("/tokens")
	bob.Within("region", "1 application waits for you").Click("button", "Allow notebook")
	s.answers(get("notebook", goes), 200)

	alice := s.signsIn("alice")
	members := alice.Within("region", "Members’ User Tokens…")
	members.Sees("Bob's first token", "Experiments")
	members.Within("article", "Bob's first token").Click("link", "Promote Bob's first token")
	alice.Sees("deploy")
	alice.Click("button", "Promote it")
	alice.Within("region", "Account API Tokens…").Sees("Bob's first token")

	alice.Open("/team")
	alice.Click("link", "Remove Bob")
	alice.Sees("Experiments", "notebook")
	alice.Within("group", "Experiments").Click("radio", "Let it go")
	alice.Click("button", "Remove Bob")
	alice.Sees("Revision")
	s.answers(get("deploy", stays), 200)
	s.answers(get("notebook", goes), 401)
	time.Sleep(1500 * time.Millisecond)                               // a browser that is asked while it goes on may never answer
	bob.SeesWithin(500*time.Millisecond, "You are on no account now") // his open page ends
	bob.HasNot("article", "Experiments")
}

func TestOneOfTwoAdminsWhoRemoveEachOtherIsToldWhyNot(t *testing.T) {
	t.Parallel()
	s := demo(t)
	alice := s.signsIn("alice")
	alice.givesRole("Bob", "Admin")
	bob := s.signsIn("bob")
	alice.Open("/team")
	alice.Click("link", "Remove Bob")
	bob.Open("/team")
	bob.Click("link", "Remove Alice")
	alice.Excuse("the server responded with a status of")
	bob.Excuse("the server responded with a status of")

	alice.letsGo("Bob")
	alice.Sees("Revision")
	bob.letsGo("Alice")
	bob.Sees("you are not a member of it any more. Nothing was changed.")
	alice.Open("/team")
	alice.Within("region", "Members").Sees("alice@example.com")
	alice.Within("region", "Members").SeesNot("bob@example.com")
}

// letsGo removes a member with all tokens, on the page that says what stops.
func (p *Person) letsGo(member string) {
	p.t.Helper()
	p.Within("group", member+"'s first token").Click("radio", "Let it go")
	p.Click("button", "Remove "+member)
}
