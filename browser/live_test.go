package browser_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// secretOf is the secret of the demo's token of a user.
func (s *server) secretOf(email string) string {
	s.t.Helper()
	for _, u := range s.Users {
		for _, token := range s.Tokens {
			if u.Email == email && token.Owner == u.ID {
				return token.Secret
			}
		}
	}
	s.t.Fatalf("%s has no token", email)
	return ""
}

func TestOpenPageLeavesWhatThePersonIsAtWorkOn(t *testing.T) {
	t.Parallel()
	s := demo(t)
	secret := s.secretOf("bob@example.com")
	s.answers(get("first", secret), 401)
	bob := s.signsIn("bob")
	bob.Click("checkbox", "Choose first")
	s.answers(get("second", secret), 401)
	bob.SeesWithin(time.Second, "2 applications wait for you")
	bob.Says("second waits for you")
	chosen := evaluate[string](bob, `[...document.querySelectorAll("input:checked")].map(n => n.ariaLabel).join()`)
	if chosen != "Choose first" {
		t.Errorf("after news %q is chosen, want first", chosen)
	}

	bob.Choose("combobox", "Privileges", "Read-Only")
	bob.Click("button", "Menu")
	s.answers(get("third", secret), 401)
	bob.SeesWithin(time.Second, "3 applications wait for you")
	bob.Sees("New User Token") // the menu is still open
	if got := bob.Value("combobox", "Privileges"); got != "Read-Only" {
		t.Errorf("after news the drop-down says %q", got)
	}
	bob.Click("button", "Save")
	bob.Sees("Revision")

	bob.Type("textbox", "Filter tokens", "ostiary_neverSentLetterByLetter") // waits for Enter
	s.answers(get("fourth", secret), 401)
	bob.SeesWithin(time.Second, "4 applications wait for you")
	if got := bob.Value("textbox", "Filter tokens"); !strings.HasPrefix(got, "ostiary_") {
		t.Errorf("after news the filter says %q", got)
	}
}

// Says waits until a screen reader is told this.
func (p *Person) Says(text string) {
	p.t.Helper()
	if !p.eventually(time.Second, func() bool {
		return evaluate[string](p, `document.querySelector(".unseen[role=status]").textContent`) == text
	}) {
		p.t.Errorf("a screen reader is not told %q", text)
	}
}

func TestDecisionOfSomebodyElseAppearsOnAnOpenPage(t *testing.T) {
	t.Parallel()
	s := demo(t)
	secret := s.secretOf("bob@example.com")
	s.answers(get("first", secret), 401)
	bob, alice := s.signsIn("bob"), s.signsIn("alice")
	bob.Sees("1 application waits for you")
	alice.Click("button", "Allow first")
	if !bob.eventually(time.Second, func() bool { return !strings.HasPrefix(bob.Title(), "(") }) {
		t.Errorf("a second after alice's decision bob's title is %q", bob.Title())
	}
	bob.SeesNot("1 application waits for you")
	bob.Sees("by Alice")
}

func TestOpenPageEndsWithItsSession(t *testing.T) {
	t.Parallel()
	s := demo(t)
	bob := s.signsIn("bob")
	s.command("user", "disable", "bob@example.com")
	time.Sleep(1500 * time.Millisecond) // a browser that is asked while it goes on may never answer
	bob.WaitFor("heading", "Sign in", 500*time.Millisecond)
}

func TestFilterAnswersAsOneTypes(t *testing.T) {
	t.Parallel()
	s := demo(t)
	alice := s.signsIn("alice")
	alice.Sees("Alice's first token", "Bob's first token")
	alice.Type("textbox", "Filter tokens", "bob")
	if !alice.eventually(time.Second, func() bool { return strings.HasPrefix(alice.URL(), "/tokens?q=bob") }) {
		t.Errorf("the address is %s, want that of what is shown", alice.URL())
	}
	alice.SeesNot("Alice's first token")
	alice.Sees("Bob's first token")
	alice.Reload()
	alice.Sees("Bob's first token")
	alice.Type("textbox", "Filter tokens", "")
	alice.SeesWithin(time.Second, "Alice's first token")

	alice.Type("textbox", "Filter tokens", s.secretOf("bob@example.com"))
	alice.Press("\r")
	if got := alice.Title(); !strings.HasPrefix(got, "Which token is this?") {
		t.Errorf("a pasted secret leads to %q", got)
	}
	alice.Sees("Bob's first token")
	if strings.Contains(alice.URL(), "ostiary_") {
		t.Errorf("the secret stands in the address %s", alice.URL())
	}
}

func TestOneMenuIsOpenAtATimeAndEscapeClosesIt(t *testing.T) {
	t.Parallel()
	s := demo(t)
	bob := s.signsIn("bob")
	bob.Click("button", "Menu")
	bob.Sees("New User Token")
	bob.Click("button", "You: Bob")
	bob.Sees("Sign out")
	bob.SeesNot("New User Token")
	bob.Press("\x1b")
	bob.SeesNot("Sign out")
	bob.Press("\r") // the focus is where the menu was opened
	bob.Sees("Sign out")
	bob.Click("heading", "API Tokens")
	bob.SeesNot("Sign out")
}

func TestOpenPageGoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() + "/kept"
	first := runs(t, "demo", "--json", "--keep", dir, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
	s := &server{t: t}
	if err := json.NewDecoder(first.out).Decode(s); err != nil {
		t.Fatal(err)
	}
	bob := s.signsIn("bob")
	bob.Excuse("ERR_") // while nobody answers
	began := time.Now()
	first.end()
	if took := time.Since(began); took > time.Second {
		t.Errorf("an open page keeps the server from ending for %s", took)
	}
	runs(t, "serve", "--data", dir, "--listen", strings.TrimPrefix(s.URL, "http://"), "--admin-listen", "127.0.0.1:0")
	for began := time.Now(); time.Since(began) < patience; time.Sleep(50 * time.Millisecond) {
		if res, err := http.Get(s.URL + "/readyz"); err == nil {
			res.Body.Close()
			break
		}
	}
	s.answers(get("late", s.secretOf("bob@example.com")), 401)
	bob.SeesWithin(patience, "late", "1 application waits for you")
}

// A process is the program, run until the test ends it.
type process struct {
	out io.Reader
	end func()
}

func runs(t *testing.T, args ...string) process {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end := sync.OnceFunc(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v ended with %v", args, err)
		}
	})
	t.Cleanup(end)
	return process{out, end}
}
