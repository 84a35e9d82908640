package web_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ostiary"
)

const home = "https://tokens.example.com"

// An asked is one request as it comes off the wire.
type asked struct {
	method, host, path string
	form               url.Values
	header             http.Header
}

// on sends it to pages that are told that they are at an address.
func (a asked) on(w *world, publicURL string) *http.Response {
	w.Helper()
	r := httptest.NewRequest(a.method, "http://"+a.host+a.path, strings.NewReader(a.form.Encode()))
	r.RemoteAddr = "127.0.0.1:40000"
	for key, values := range a.header {
		r.Header[key] = values
	}
	if a.method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	rec := httptest.NewRecorder()
	w.pages(publicURL).ServeHTTP(rec, r)
	return rec.Result()
}

func bodyOf(w *world, res *http.Response) string {
	w.Helper()
	text, err := io.ReadAll(res.Body)
	w.ok(err)
	return string(text)
}

func TestPagesAnswerUnderTheirOwnNamesAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for host, want := range map[string]int{
		"tokens.example.com": 200, "Tokens.Example.com:443": 200, "127.0.0.1:8700": 200, "localhost": 200,
		"[::1]:8700": 200, "tokens.example.com:8443": 421, "tokens.example.com.": 421, "tokens.example.com:80": 421,
		"example.com": 421, "rebound.example": 421, "127.0.0.1.rebound.example": 421,
		"localhost.rebound.example": 421, "10.0.0.5:8700": 421, "0.0.0.0:8700": 421,
	} {
		if got := (asked{method: "GET", host: host, path: "/login"}).on(w, home); got.StatusCode != want {
			t.Errorf("%s: %d, want %d", host, got.StatusCode, want)
		}
	}
	res := asked{method: "GET", host: "rebound.example", path: "/tokens"}.on(w, home)
	text := bodyOf(w, res)
	if res.StatusCode != 421 || !strings.Contains(text, "--public-url") || strings.Contains(text, "<form") {
		t.Errorf("under a strange name: %d\n%s", res.StatusCode, text)
	}
}

// nginx writes the name of this machine over the browser's, unless it is told otherwise.
func TestProxyThatHidesTheNameIsToldSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ask := asked{method: "GET", host: "127.0.0.1:8700", path: "/login", header: http.Header{
		"X-Forwarded-For": {"203.0.113.9"},
	}}
	if got := ask.on(w, home).StatusCode; got != 421 {
		t.Errorf("somebody else's browser, sent on as loopback: %d, want 421", got)
	}
	ask.host = "tokens.example.com"
	if got := ask.on(w, home).StatusCode; got != 200 {
		t.Errorf("the same under the browser's name: %d, want 200", got)
	}
}

func TestOnPlainHTTPThereIsNoFormButASentence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"/login", "/tokens", "/invite/abc"} {
		res := asked{method: "GET", host: "intranet:8700", path: path}.on(w, "http://intranet:8700")
		text := bodyOf(w, res)
		if res.StatusCode != 403 || strings.Contains(text, "<form") || !strings.Contains(text, "--tls-cert") ||
			!strings.Contains(text, "--public-url https://") {
			t.Errorf("%s: %d\n%s", path, res.StatusCode, text)
		}
	}
	res := asked{method: "POST", host: "intranet:8700", path: "/login", form: signInForm(w), header: http.Header{
		"Origin": {"http://intranet:8700"},
	}}.on(w, "http://intranet:8700")
	if res.StatusCode != 403 || len(res.Cookies()) > 0 {
		t.Errorf("signing in on plain http: %d, cookies %v", res.StatusCode, res.Cookies())
	}
}

func signInForm(w *world) url.Values {
	return url.Values{"email": {w.bob.email}, "password": {password}}
}

func TestCookiesAreOursAloneAndHiddenFromScripts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct {
		publicURL, host, prefix, suffix string
		secure                          bool
	}{
		{home, "tokens.example.com", "__Host-ostiary-", "", true},
		{"http://127.0.0.1:8700", "127.0.0.1:8700", "ostiary-", "-8700", false},
		{home, "localhost:8700", "ostiary-", "-8700", false}, // past the proxy, on the machine itself
	} {
		scheme := map[bool]string{true: "https://", false: "http://"}[c.secure]
		res := asked{method: "POST", host: c.host, path: "/login", form: signInForm(w), header: http.Header{
			"Origin": {scheme + c.host},
		}}.on(w, c.publicURL)
		if res.StatusCode != 303 || len(res.Cookies()) == 0 {
			t.Fatalf("signing in at %s: %d, %s", c.host, res.StatusCode, bodyOf(w, res))
		}
		seen := map[string]bool{}
		for _, got := range res.Cookies() {
			name := strings.TrimSuffix(strings.TrimPrefix(got.Name, c.prefix), c.suffix)
			seen[name] = true
			got.Raw, got.RawExpires, got.Unparsed = "", "", nil
			want := &http.Cookie{
				Name: c.prefix + name + c.suffix, Value: got.Value, Path: "/", HttpOnly: true, Secure: c.secure,
				SameSite: http.SameSiteLaxMode, MaxAge: got.MaxAge,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("at %s (-want +got):\n%s", c.host, diff)
			}
			if name == "session" && got.MaxAge != 0 {
				t.Errorf("at %s the session outlives the browser", c.host)
			}
		}
		if !seen["session"] {
			t.Errorf("at %s there is no session among %v", c.host, res.Cookies())
		}
	}
}

func TestChangeMustComeFromAPageOfOurs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ours := home
	for _, c := range []struct {
		name   string
		header http.Header
		want   int
	}{
		{"our page, by Origin", http.Header{"Origin": {ours}}, 303},
		{"our page, by both", http.Header{"Origin": {ours}, "Sec-Fetch-Site": {"same-origin"}}, 303},
		{"our page, by Sec-Fetch-Site", http.Header{"Sec-Fetch-Site": {"same-origin"}}, 303},
		{"neither", http.Header{}, 403},
		{"null", http.Header{"Origin": {"null"}}, 403},
		{"empty", http.Header{"Origin": {""}}, 403},
		{"another site", http.Header{"Origin": {"https://evil.example"}}, 403},
		{
			"another site, which says it is ours",
			http.Header{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"same-origin"}},
			403,
		},
		{"plain http for https", http.Header{"Origin": {"http://tokens.example.com"}}, 403},
		{"another port", http.Header{"Origin": {"https://tokens.example.com:8443"}}, 403},
		{"a name that begins like ours", http.Header{"Origin": {"https://tokens.example.com.evil.example"}}, 403},
		{"twice", http.Header{"Origin": {ours, ours}}, 403},
		{"ours and another", http.Header{"Origin": {ours, "https://evil.example"}}, 403},
		{"cross-site", http.Header{"Sec-Fetch-Site": {"cross-site"}}, 403},
		{"cross-site with our Origin", http.Header{"Origin": {ours}, "Sec-Fetch-Site": {"cross-site"}}, 403},
		{"a neighbour", http.Header{"Sec-Fetch-Site": {"same-site"}}, 403},
		{"an address bar", http.Header{"Sec-Fetch-Site": {"none"}}, 403},
		{"same-origin twice", http.Header{"Sec-Fetch-Site": {"same-origin", "same-origin"}}, 403},
		{"a page on this machine", http.Header{"Origin": {"http://127.0.0.1:8700"}}, 403},
	} {
		ask := asked{"POST", "tokens.example.com", "/login", signInForm(w), c.header}
		res := ask.on(w, home)
		if res.StatusCode != c.want || (c.want == 403) != (len(res.Cookies()) == 0) {
			t.Errorf("%s: %d, cookies %v; want %d", c.name, res.StatusCode, res.Cookies(), c.want)
		}
	}
	// On the machine itself other ports are other sites.
	res := asked{method: "POST", host: "127.0.0.1:8700", path: "/login", form: signInForm(w), header: http.Header{
		"Origin": {"http://127.0.0.1:9000"},
	}}.on(w, home)
	if res.StatusCode != 403 {
		t.Errorf("another port of this machine: %d, want 403", res.StatusCode)
	}
}

func TestRefusedFormChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	page := w.bob.open("/profile")
	before := w.revision()
	r, err := http.NewRequest(http.MethodPost, w.URL+"/profile/name", strings.NewReader("firstname=Mallory&lastname="))
	w.ok(err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w.bob.send(r).is("The form did not come from here", 403)
	if after := w.revision(); after != before {
		t.Errorf("revision %s after a refused form, %s before", after, before)
	}
	if again := page.open("/profile"); strings.Contains(again.body, "Mallory") {
		t.Error("the name was changed")
	}
}

func TestFormThatIsTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bob.post("/tokens", "q", strings.Repeat("x", 300<<10)).is("Something is not right in the form", 413)
}

func TestSessionGivenTwiceIsNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bob.open("/tokens").is("API Tokens", 200)
	where, err := url.Parse(w.URL)
	w.ok(err)
	var session string
	for _, c := range w.bob.client.Jar.Cookies(where) {
		if strings.HasPrefix(c.Name, "ostiary-session") {
			session = c.Name + "=" + c.Value
		}
	}
	ask := asked{method: "GET", host: where.Host, path: "/tokens", header: http.Header{"Cookie": {session}}}
	if res := ask.on(w, w.URL); res.StatusCode != 200 {
		t.Fatalf("with the session: %d, want 200", res.StatusCode)
	}
	ask.header.Set("Cookie", session+"; "+session)
	if res := ask.on(w, w.URL); res.StatusCode != 303 || !strings.HasPrefix(res.Header.Get("Location"), "/login") {
		t.Errorf("with the session twice: %d to %s, want to sign in", res.StatusCode, res.Header.Get("Location"))
	}
}

func TestAccountOfOthersDoesNotExist(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bob.open("/tokens?account="+w.press.String()).is("You are not on this account", 404)
	w.bob.open("/tokens?account=999").is("You are not on this account", 404)
	where, err := url.Parse(w.URL)
	w.ok(err)
	w.bob.client.Jar.SetCookies(where, []*http.Cookie{
		{Name: "ostiary-account-" + where.Port(), Value: w.press.String(), Path: "/"},
	})
	w.bob.open("/tokens").is("API Tokens", 200)
	if page := w.bob.open("/tokens"); strings.Contains(page.body, "Press") {
		t.Error("a cookie shows another account")
	}
}

func TestAccountLookedAtLastIsShownNext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{"The Press", "Social Networks"} {
		w.alice.open("/tokens").follow(name + " Admin")
		if page := w.alice.open("/tokens"); !strings.Contains(page.body, "<title>API Tokens · "+name) {
			t.Errorf("after a look at %s the page is about another account:\n%s", name, page.body[:1000])
		}
	}
}

// A person may join an account, or leave one, while a form is open. The form knows nothing of it.
func TestFormStaysOnTheAccountOfItsPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	form := w.bob.open("/tokens/new")
	w.join(w.bob, w.newAccount("aaa", "Aaa", "UTC"), ostiary.ReadOnly) // the first by name
	form.press("Make the token").is("Your new token", 200)
	w.leave(w.bob)
	form.press("Make the token").is("You are not on this account", 404)
	form.press("Sign out").at("/login")
}

func TestBrowsersAloneGetAPageAtTheRoot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct {
		accept, authorization string
		want                  bool
	}{
		{"text/html,application/xhtml+xml,*/*;q=0.8", "", true},
		{"*/*", "", false},
		{"application/json", "", false},
		{"", "", false},
		{"text/html", "Basic YTpi", false},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept", c.accept)
		if c.authorization != "" {
			r.Header.Set("Authorization", c.authorization)
		}
		if got := w.web.Owns(r); got != c.want {
			t.Errorf("Accept %q, Authorization %q: a page %v, want %v", c.accept, c.authorization, got, c.want)
		}
	}
	for path, want := range map[string]bool{
		"/tokens": true, "/tokens/5/retire": true, "/audit.csv": true, "/static/x": true,
		"/tokensx": false, "/v2/token": false, "/docs": false, "/auth": false, "/user": false, "/healthz": false,
	} {
		if got := w.web.Owns(httptest.NewRequest("GET", path, nil)); got != want {
			t.Errorf("%s: a page %v, want %v", path, got, want)
		}
	}
	if p := w.stranger().open("/"); p.address != "/login" {
		t.Errorf("a browser at / is led to %s", p.address)
	}
}

func TestSignInLeadsToNoOtherSite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for next, want := range map[string]string{
		"/team":                         "/team",
		"/tokens?q=a&show=own":          "/tokens?q=a&show=own",
		"//evil.example":                "/tokens",
		"/\\evil.example":               "/tokens",
		"///evil.example":               "/tokens",
		"https://evil.example":          "/tokens",
		"https:evil.example":            "/tokens",
		"javascript:alert(1)":           "/tokens",
		"/\t/evil.example":              "/tokens",
		"/%5cevil.example":              "/tokens",
		"/./tokens":                     "/tokens",
		"/.//evil.example/../tokens":    "/tokens",
		"/tokens/..//evil.example":      "/tokens",
		"/tokens\r\nSet-Cookie: a=b":    "/tokens",
		"/logout":                       "/tokens",
		"/login?next=/login":            "/tokens",
		"/live":                         "/tokens",
		"/static/../tokens":             "/tokens",
		"/v2/token":                     "/tokens",
		"tokens":                        "/tokens",
		"":                              "/tokens",
		"@evil.example":                 "/tokens",
		"http://127.0.0.1:1@evil/login": "/tokens",
	} {
		res := asked{
			method: "POST", host: "tokens.example.com", path: "/login",
			form:   url.Values{"email": {w.bob.email}, "password": {password}, "next": {next}},
			header: http.Header{"Origin": {home}},
		}.on(w, home)
		if got := res.Header.Get("Location"); res.StatusCode != 303 || got != want {
			t.Errorf("next=%q leads to %q (%d), want %q", next, got, res.StatusCode, want)
		}
	}
	for asks, want := range map[string]string{
		"/team?a=b":                     "/login?next=%2Fteam%3Fa%3Db",
		"/tokens?q=" + fmt.Sprint(fake): "/login", // no secret goes on into a further address
	} {
		res := asked{method: "GET", host: "tokens.example.com", path: asks}.on(w, home)
		if got := res.Header.Get("Location"); got != want {
			t.Errorf("%s leads to %s, want %s", asks, got, want)
		}
	}
}

// fake looks like a token, and is none.
const fake = "ostiary_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNO"
