package ostiarytest_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ostiary"
	"ostiary/ostiarytest"
)

// ask asks the door with need=Read-Only, and gives status and code.
func ask(t *testing.T, s *ostiarytest.Server, token ostiarytest.Token, app string) string {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, s.AuthURL+"?need=Read-Only", nil)
	if err != nil {
		t.Fatal(err)
	}
	token.Show(r, app)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return "away"
	}
	res.Body.Close()
	return strings.TrimSpace(fmt.Sprint(res.StatusCode, " ", res.Header.Get("X-Ostiary-Code")))
}

func TestHelpersDoWhatTheySay(t *testing.T) {
	t.Parallel()
	s := ostiarytest.Start(t)
	account := s.NewAccountToken(ostiary.Normal, ostiary.Deny)
	dan := s.NewPerson("dan@example.com", ostiary.Normal)
	dans := s.NewToken(dan, ostiary.ReadOnly, ostiary.Allow)
	s.Allow(account, "b")
	s.Deny(dans, "b")
	for _, c := range []struct {
		token     ostiarytest.Token
		app, want string
	}{
		{s.Alice.Token, "a", "200"},
		{s.Bob.Token, "a", "401 Unauthorized.PendingApp"},
		{s.Carol.Token, "a", "401 Unauthorized.MissingToken"},
		{account, "a", "403 Forbidden.BadApp"},
		{account, "b", "200"},
		{dans, "a", "200"},
		{dans, "b", "403 Forbidden.BadApp"},
	} {
		if got := ask(t, s, c.token, c.app); got != c.want {
			t.Errorf("token %s as %s: %s, want %s", c.token.ID, c.app, got, c.want)
		}
	}
	s.Retire(account)
	if got := ask(t, s, account, "b"); got != "401 Unauthorized.BadToken" {
		t.Errorf("after Retire: %s", got)
	}
	if text := fmt.Sprintf("%v %+v %#v", dans, s, *s); strings.Contains(text, dans.Secret.Reveal()) {
		t.Error("a secret prints itself")
	}
}

func TestRestartedServerKnowsWhatItKnew(t *testing.T) {
	t.Parallel()
	s := ostiarytest.Start(t)
	s.Allow(s.Bob.Token, "a")
	door := s.AuthURL
	s.Stop()
	if got := ask(t, s, s.Bob.Token, "a"); got != "away" {
		t.Errorf("while it is stopped: %s", got)
	}
	s.Restart()
	if got := ask(t, s, s.Bob.Token, "a"); got != "200" || s.AuthURL != door {
		t.Errorf("after Restart: %s at %s, before at %s", got, s.AuthURL, door)
	}
}

// The API is there too.
func TestTokenReadsTheAPI(t *testing.T) {
	t.Parallel()
	s := ostiarytest.Start(t)
	r, err := http.NewRequest(http.MethodGet, s.URL+"/v2/account/current", nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Alice.Token.Show(r, "a")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 200 {
		t.Errorf("%s, want 200", res.Status)
	}
}

// A failing is a test that a helper fails.
type failing struct {
	*testing.T
	said string
	ends []func()
}

func (f *failing) Cleanup(end func()) { f.ends = append(f.ends, end) }
func (f *failing) Fatalf(text string, a ...any) {
	f.said = fmt.Sprintf(text, a...)
	panic(f)
}

func TestServerLeavesNothingBehindAndFailsItsTest(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	f := &failing{T: t}
	s := ostiarytest.Start(f)
	func() {
		defer func() { recover() }()
		s.NewToken(s.Carol, ostiary.Admin, ostiary.Allow)
	}()
	if !strings.HasPrefix(f.said, "ostiarytest: ") {
		t.Errorf("a privilege above its owner's role is made: %q", f.said)
	}
	f.said = ""
	s.Stop()
	func() {
		defer func() { recover() }()
		s.Retire(s.Bob.Token)
	}()
	if !strings.Contains(f.said, "Restart") {
		t.Errorf("a change while it is stopped fails with %q", f.said)
	}
	for _, end := range f.ends {
		end()
	}
	left, err := filepath.Glob(tmp + "/*")
	if err != nil || len(left) != 0 {
		t.Errorf("%v is left behind (%v)", left, err)
	}
	if _, err := os.Stat(tmp); err != nil {
		t.Error(err)
	}
}
