package browser_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

func TestReadOnlyPersonFindsNoWayToMakeAToken(t *testing.T) {
	t.Parallel()
	s := demo(t)
	carol := s.signsIn("carol")
	for _, page := range []string{"/tokens", "/team", "/audit", "/why", "/profile"} {
		carol.Open(page)
		carol.HasNot("button", "Menu")
		carol.HasNot("link", "New User Token")
		carol.HasNot("link", "New Account Token")
		for _, name := range append(carol.Names("link"), carol.Names("button")...) {
			if name == "Promote" || name == "Retire" || name == "Invite" || name == "Make the token" {
				t.Errorf("%s offers Carol %q", page, name)
			}
		}
	}
	for _, page := range []string{"/tokens/new", "/tokens/new?kind=user", "/tokens/new?kind=account"} {
		carol.Open(page)
		carol.Sees("With the role Read-Only you cannot make a token")
		carol.HasNot("button", "Make the token")
		carol.HasNot("textbox", "")
	}
}

// aTag names a line of the server's log.
var aTag = regexp.MustCompile(`\b[0-9a-z]{15}(-[0-9]+)?\b`)

func TestHiddenTokenLooksLikeOneThatDoesNotExist(t *testing.T) {
	t.Parallel()
	s := demo(t)
	alice := s.signsIn("alice")
	alice.Click("button", "Menu")
	alice.Click("link", "New Account Token")
	alice.Type("textbox", "Description", "Infrastructure")
	alice.Click("radio", "Read-Only")
	alice.Click("button", "Make the token")
	secret := alice.secret()
	s.answers(get("probe", secret), 401)
	account := s.tokenID("Infrastructure")

	bob := s.signsIn("bob")
	bob.SeesNot("Infrastructure", "probe")
	bob.HasNot("region", "Account API Tokens…")
	bob.Excuse("the server responded with a status of 404")
	for _, below := range []string{"", "/retire", "/promote", "/apps/1"} {
		bob.Open("/tokens/" + account + below)
		hidden, status := aTag.ReplaceAllString(bob.tree(), "a tag"), bob.Status()
		bob.Open("/tokens/999999" + below)
		if none := aTag.ReplaceAllString(bob.tree(), "a tag"); status != 404 || bob.Status() != 404 || hidden != none {
			t.Errorf("/tokens/ID%s: a hidden token is answered with %d and\n%s\nno token with %d and\n%s",
				below, status, hidden, bob.Status(), none)
		}
	}
	bob.Open("/audit")
	bob.SeesNot("Infrastructure")
	bob.Open("/why?token=" + account + "&app=probe")
	if bob.Status() != 404 {
		t.Errorf("Why? answers %d about a hidden token, want 404", bob.Status())
	}
}

// tokenID is the id of the token with a description.
func (s *server) tokenID(description string) string {
	s.t.Helper()
	var all []struct {
		CID         string `json:"_cid"`
		Description string
	}
	if err := json.Unmarshal([]byte(s.command("token", "list", "--json")), &all); err != nil {
		s.t.Fatal(err)
	}
	for _, token := range all {
		if token.Description == description {
			return strings.TrimPrefix(token.CID, "/token/")
		}
	}
	s.t.Fatalf("there is no token %s", description)
	return ""
}
