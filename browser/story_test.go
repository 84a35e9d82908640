package browser_test

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

// signsIn seats a user of the demo, by first name, and signs in.
func (s *server) signsIn(name string) *Person {
	s.t.Helper()
	p := s.person(name)
	p.signsIn()
	return p
}

func (p *Person) signsIn() {
	p.t.Helper()
	p.Open("/login")
	p.Type("textbox", "E-mail", p.name+"@example.com")
	p.Type("textbox", "Password", p.server.password(p.name+"@example.com"))
	p.Click("button", "Sign in")
	p.WaitFor("heading", "API Tokens", patience)
}

// makesToken makes a user token on the page, and gives its secret as it is shown there.
func (p *Person) makesToken(description, privilege string) string {
	p.t.Helper()
	p.Open("/tokens")
	p.Click("button", "Menu")
	p.Click("link", "New User Token")
	p.Type("textbox", "Description", description)
	p.Click("radio", privilege)
	p.Click("button", "Make the token")
	return p.secret()
}

var tokenShaped = regexp.MustCompile(`\bostiary_[0-9A-Za-z]{49}\b`)

// secret is the secret of a token that was just made, as it can be read on the page.
func (p *Person) secret() string {
	p.t.Helper()
	p.Sees("This is shown once")
	secret := tokenShaped.FindString(p.read())
	if secret == "" {
		p.t.Fatalf("the page shows no token:\n%s", p.read())
	}
	return secret
}

func TestPersonLetsAnApplicationInAndShutsItOut(t *testing.T) {
	t.Parallel()
	s := demo(t)
	bob := s.signsIn("bob")
	secret := bob.makesToken("Reports", "Normal")
	bob.Within("region", "Reports").Click("button", "Copy")
	bob.Sees("Copied")
	if got := bob.Clipboard(); got != secret {
		t.Errorf("the clipboard holds %q, want the token", got)
	}

	bob.Open("/tokens")
	bob.SeesNot("report-maker")
	s.answers(get("report-maker", secret), 401)
	bob.SeesWithin(time.Second, "report-maker") // the page was not touched
	if got := bob.Title(); !strings.HasPrefix(got, "(1) ") {
		t.Errorf("the title is %q, want the number of what waits before it", got)
	}

	bob.Within("region", "1 application waits for you").Click("button", "Allow report-maker")
	bob.Sees("Revision")
	s.answers(get("report-maker", secret), 200)
	bob.denies("Reports", "report-maker")
	s.answers(get("report-maker", secret), 403)
}

// denies shuts out an application that was let in, from the page of the tokens.
func (p *Person) denies(token, app string) {
	p.t.Helper()
	card := p.Within("article", token)
	card.Click("button", app+": allowed, decide")
	card.Click("link", "Deny")
	p.Sees(app, "It stops at once")
	p.Click("button", "Deny it")
	p.Sees("Revision")
}

func TestPersonWithoutScriptsDoesTheSame(t *testing.T) {
	t.Parallel()
	s := demo(t)
	bob := s.person("bob")
	bob.WithoutScripts()
	bob.signsIn()
	secret := bob.makesToken("Reports", "Normal")

	bob.Open("/tokens")
	s.answers(get("report-maker", secret), 401)
	bob.SeesNot("report-maker")
	bob.Reload()
	bob.Sees("report-maker")
	if got := bob.Title(); !strings.HasPrefix(got, "(1) ") {
		t.Errorf("the title is %q, want the number of what waits before it", got)
	}
	bob.Within("region", "1 application waits for you").Click("button", "Allow report-maker")
	bob.Sees("Revision")
	s.answers(get("report-maker", secret), 200)

	reports := bob.Within("article", "Reports")
	reports.Choose("combobox", "Privileges", "Read-Only")
	reports.Click("button", "Save")
	bob.Sees("Revision")
	s.answers(request{"report-maker", secret, "PUT", "/v2/user/current", `{"firstname":"Bobby"}`}, 403)

	bob.denies("Reports", "report-maker")
	s.answers(get("report-maker", secret), 403)
}
