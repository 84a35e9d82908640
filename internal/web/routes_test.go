package web_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/authority"
	"ostiary/internal/web"
)

// addresses are the routes with things in them that are there.
func (w *world) addresses(method string) (out []string) {
	w.Helper()
	token, secret := w.newToken(w.alice, authority.NewToken{Privilege: ostiary.ReadOnly, Default: ostiary.Pending})
	d := w.ask(secret, "grafana-sync", ostiary.ReadOnly)
	here := strings.NewReplacer("{$}", "", "{token}", token.String(), "{app}", d.App.String(),
		"{user}", w.bob.id.String(), "{invitation}", "1", "{link}", "0123456789abcdef", "{name}", "style.css")
	for _, pattern := range web.Patterns() {
		if path, ok := strings.CutPrefix(pattern, method+" "); ok {
			out = append(out, here.Replace(path))
		}
	}
	return out
}

// answerTo sends a request as a person, and follows nothing.
func (p *person) answerTo(method, path string) *http.Response {
	p.w.Helper()
	if !p.in {
		p.signIn()
	}
	r, err := http.NewRequest(method, p.w.URL+path, nil)
	p.w.ok(err)
	client := *p.client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := client.Do(r)
	p.w.ok(err)
	p.w.Cleanup(func() { res.Body.Close() })
	return res
}

func TestEveryAnswerIsGuardedByItsHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	guards := map[string]string{
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
			"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
		"X-Content-Type-Options":       "nosniff",
		"Referrer-Policy":              "same-origin",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Cache-Control":                "no-store",
	}
	check := func(what string, res *http.Response) {
		t.Helper()
		for name, want := range guards {
			if name == "Referrer-Policy" && strings.Contains(what, "/invite/") && !strings.Contains(what, "DELETE") {
				want = "strict-origin" // the link is a secret: not even we are told of it again
			}
			if got := res.Header.Values(name); len(got) != 1 || got[0] != want {
				t.Errorf("%s (%d): %s is %q, want %q", what, res.StatusCode, name, got, want)
			}
		}
	}
	gets, posts := w.addresses("GET"), w.addresses("POST")
	if len(gets) < 15 || len(posts) < 15 {
		t.Fatalf("%d addresses to get and %d to post to", len(gets), len(posts))
	}
	more := []string{
		"/tokens/99", "/tokens/x", "/tokens/", "/tokens?account=99", "/team/../tokens", "/static/none.css",
		"/why?token=99",
	}
	for who, p := range map[string]*person{"alice": w.alice, "nobody": w.stranger()} {
		for _, path := range append(gets, more...) {
			check(who+" GET "+path, p.answerTo("GET", path))
			check(who+" HEAD "+path, p.answerTo("HEAD", path))
			check(who+" DELETE "+path, p.answerTo("DELETE", path))
		}
	}
	for _, path := range posts {
		check("nobody POST "+path, w.stranger().answerTo("POST", path))
	}
}

func TestLookingChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	paths := w.addresses("GET")
	w.alice.signIn()
	w.alice.open("/tokens?account=" + w.account.String())
	before := w.revision()
	for _, path := range paths {
		if path == "/live" {
			continue
		}
		for _, more := range []string{"", "?state=allowed&role=Admin&privilege=Admin&confirm=x&email=x&done=1"} {
			res := w.alice.answerTo("GET", path+more)
			if res.StatusCode >= 500 {
				text, _ := io.ReadAll(res.Body)
				t.Errorf("GET %s: %d\n%s", path+more, res.StatusCode, text)
			}
			if after := w.revision(); after != before {
				t.Fatalf("GET %s made revision %s of %s", path+more, after, before)
			}
		}
	}
}

func TestHeadIsGetWithoutTheText(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range w.addresses("GET") {
		if path == "/live" {
			path += "?after=1"
			res := w.bob.answerTo("HEAD", path)
			if kind := res.Header.Get("Content-Type"); res.StatusCode != 200 || kind != "text/event-stream" {
				t.Errorf("HEAD %s: %d %s", path, res.StatusCode, kind)
			}
			continue
		}
		get, head := w.alice.answerTo("GET", path), w.alice.answerTo("HEAD", path)
		text, err := io.ReadAll(head.Body)
		w.ok(err)
		if head.StatusCode != get.StatusCode || len(text) > 0 ||
			head.Header.Get("Content-Type") != get.Header.Get("Content-Type") {
			t.Errorf("HEAD %s: %d, %d bytes; GET: %d", path, head.StatusCode, len(text), get.StatusCode)
		}
	}
}

func TestUnknownPageIs404AndWrongMethod405(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{
		"/tokens/", "/tokens/x", "/tokens/0", "/tokens/18446744073709551616", "/tokens/1/retire/now", "/team/../tokens",
		"/tokens/%2e%2e/team", "/tokens//new", "/static/", "/static/style.css", "/invite", "/profile/none",
	} {
		w.bob.open(path).is("There is nothing here", 404)
	}
	for _, c := range []struct{ method, path, allow string }{
		{"POST", "/team", "GET, HEAD"},
		{"GET", "/which", "POST"},
		{"GET", "/logout", "POST"},
		{"PUT", "/tokens", "GET, HEAD, POST"},
		{"DELETE", "/tokens/1", "GET, HEAD, POST"},
		{"OPTIONS", "/audit.csv", "GET, HEAD"},
		{"POST", "/static/x", "GET, HEAD"},
	} {
		res := w.bob.answerTo(c.method, c.path)
		if got := res.Header.Get("Allow"); res.StatusCode != 405 || got != c.allow {
			t.Errorf("%s %s: %d, Allow %q; want 405, %q", c.method, c.path, res.StatusCode, got, c.allow)
		}
	}
}

// Whatever people type, paste and follow stays out of the log: queries, forms, passwords, links, tokens.
func TestLogOfRequestsHoldsNothingThatPeopleType(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, secret := w.pendingToken(w.bob)
	const typed = "tyPedByAPerson"
	link := "/invite/" + strings.Repeat("5ecret", 10)
	w.stranger().post("/login", "email", typed, "password", typed, "next", "/"+typed)
	w.stranger().open(link)
	w.stranger().post(link, "firstname", typed, "password", typed)
	w.bob.open("/tokens?q=" + typed)
	w.bob.open("/tokens?done=" + typed + "&app=" + typed)
	w.bob.post("/tokens", "q", secret.Reveal())
	w.bob.post("/which", "secret", secret.Reveal())
	w.bob.open("/tokens/" + secret.Reveal())
	w.bob.open("/tokens?q=" + secret.Reveal())
	w.bob.post("/tokens/new", "kind", typed, "privilege", typed, "description", typed)
	w.bob.post("/profile/password", "old", typed, "new", typed, "password", typed)
	events := w.events.since(0)
	if len(events) < 12 {
		t.Fatalf("%d lines, want one each request", len(events))
	}
	for _, e := range events {
		trouble := ""
		if e.Err != nil {
			trouble = e.Err.Error()
		}
		for _, text := range []string{e.Method, e.Path, e.Agent, e.AppName, e.Hint, trouble, e.Answer.Message} {
			for _, secret := range []string{typed, password, secret.Reveal(), "5ecret5ecret", "?"} {
				if strings.Contains(text, secret) {
					t.Errorf("%s %s: %q is in the log", e.Method, e.Path, text)
				}
			}
		}
	}
}

func TestEveryVisitHasOneLineThatSaysHowItEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bob.signIn()
	for _, c := range []struct {
		what   string
		do     func()
		status int
		reason ostiary.Reason
	}{
		{"a page", func() { w.bob.open("/tokens") }, 200, ostiary.OK},
		{"what is not there", func() { w.bob.open("/tokens/99") }, 404, ostiary.Hidden},
		{"a wrong password", func() {
			w.stranger().post("/login", "email", "x@example.com", "password", "wrong")
		}, 403, ostiary.WrongPassword},
		{"a foreign form", func() {
			r, _ := http.NewRequest("POST", w.URL+"/which", nil)
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			w.bob.send(r)
		}, 403, ostiary.CrossSite},
		{"a form that is wrong", func() { w.bob.post("/tokens/new", "kind", "none") }, 400, ostiary.BadValue},
		{"a stream, from beginning to end", func() {
			page := w.bob.listen("/live?after=1")
			w.web.Close()
			page.next(time.Second)
			time.Sleep(50 * time.Millisecond)
		}, 200, ostiary.OK},
	} {
		before := len(w.events.since(0))
		c.do()
		got := w.events.since(before)
		if len(got) != 1 || got[0].Door != "page" ||
			got[0].Answer.Status != c.status || got[0].Answer.Reason != c.reason {
			t.Errorf("%s: the log has %+v; want one line, %d %s", c.what, got, c.status, c.reason)
		}
	}
}

func TestBrokenPageIsAPageThatSaysSo(t *testing.T) {
	t.Parallel()
	for name, breaks := range map[string]func(*web.Web){
		"a template that fails":    (*web.Web).BreakTemplates,
		"a handler that panics":    (*web.Web).BreakHandlers,
		"an error page that fails": (*web.Web).BreakErrors,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.bob.signIn()
			breaks(w.web)
			before := len(w.events.since(0))
			res := w.bob.answerTo("GET", "/tokens")
			text, err := io.ReadAll(res.Body)
			w.ok(err)
			if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" ||
				strings.Contains(string(text), "inner secret") {
				t.Errorf("%d %v\n%s", res.StatusCode, res.Header, text)
			}
			events := w.events.since(before)
			if len(events) != 1 || events[0].Err == nil || strings.Contains(events[0].Err.Error(), "inner secret") {
				t.Errorf("the log has %+v", events)
			}
			if name != "an error page that fails" && !strings.Contains(string(text), "This does not work at the moment") {
				t.Errorf("the page says\n%s", text)
			}
		})
	}
}
