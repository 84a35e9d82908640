package browser_test

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
)

// tabsTo steps from one control to the next until one has this name, as somebody without a mouse does.
func (p *Person) tabsTo(name string) {
	p.t.Helper()
	var passed []string
	for range 60 {
		p.Press(kb.Tab)
		at := evaluate[string](p, `(n => n.ariaLabel || n.labels?.[0]?.textContent.trim() || n.textContent.trim())(document.activeElement)`)
		if at == name {
			return
		}
		passed = append(passed, at)
	}
	p.t.Fatalf("no step leads to %q, but to %q", name, passed)
}

func TestKeyboardAloneIsEnough(t *testing.T) {
	t.Parallel()
	s := demo(t)
	secret := s.secretOf("bob@example.com")
	s.answers(get("first", secret), 401)
	bob := s.signsIn("bob")
	bob.tabsTo("Allow first")
	bob.Press(kb.Enter)
	bob.Sees("Revision")
	s.answers(get("first", secret), 200)

	bob.tabsTo("Menu")
	bob.Press(kb.Enter)
	bob.tabsTo("New User Token")
	bob.Press(kb.Enter)
	bob.WaitFor("heading", "New User Token", 5*time.Second)
	bob.tabsTo("Make the token")
	bob.Press(kb.Enter)
	bob.Sees("curl")
}

// A page that nobody looks at costs the server nothing, and is current when somebody does again.
func TestHiddenPageAsksForNothing(t *testing.T) {
	t.Parallel()
	s := demo(t)
	secret := s.secretOf("bob@example.com")
	bob := s.signsIn("bob")
	hide := func(hidden string) {
		evaluate[bool](bob, `Object.defineProperty(document, 'hidden', {configurable: true, get: () => `+hidden+`});
			document.dispatchEvent(new Event('visibilitychange'))`)
	}
	hide("true")
	s.answers(get("first", secret), 401)
	time.Sleep(1500 * time.Millisecond)
	bob.SeesNot("waits for you")
	hide("false")
	bob.SeesWithin(2*time.Second, "1 application waits for you")
}
