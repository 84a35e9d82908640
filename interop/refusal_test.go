package interop_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A refused is a request that no door lets through.
type refused struct {
	method, path, secret, app string
	headers                   []string
	status                    int
	code                      string
}

// Callers behind a proxy learn what callers of the door learn: status, body, and the headers that
// clients act on.
func TestRefusalsReachTheCallerAsTheDoorSaysThem(t *testing.T) {
	rules := filepath.Join(t.TempDir(), "rules")
	if err := os.WriteFile(rules, []byte("* /admin/** Admin\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	forEachProxy(t, func(t *testing.T, proxy string, a *authority, api *upstream, base string) {
		alice, bob := a.secret("alice@example.com"), a.secret("bob@example.com")
		a.decide("add", "denied", "--state", "denied")
		a.decide("add", "let-in")
		second := []string{"X-Auth-Token: " + bob, "X-App-Name: script"}
		for _, r := range []refused{
			{"GET", "/x", "", "", nil, 401, "Unauthorized.MissingToken"},
			{"GET", "/x", "", "script", []string{"X_Circonus_Auth_Token: " + alice}, 401, "Unauthorized.MissingToken"},
			{"GET", "/x?X-Circonus-Auth-Token=" + alice, "", "script", nil, 401, "Unauthorized.MissingToken"},
			{"GET", "/x", alice[:len(alice)-1], "script", nil, 401, "Unauthorized.BadToken"},
			{"GET", "/x", alice, "script", second, 401, "Unauthorized.BadToken"},
			{"GET", "/x", alice, "", nil, 401, "Unauthorized.BadAppName"},
			{"GET", "/x", alice, "a,b", nil, 401, "Unauthorized.BadAppName"},
			{"GET", "/x", bob, `quo"ted\`, nil, 401, "Unauthorized.PendingApp"},
			{"GET", "/x", bob, `{}$host%[src]'<b>`, nil, 401, "Unauthorized.PendingApp"},
			{"GET", "/x", bob, "denied", nil, 403, "Forbidden.BadApp"},
			{"GET", "/x", alice, "script", []string{"X-Circonus-Account-Id: 99"}, 403, "Forbidden.Account"},
			{"DELETE", "/admin/x", bob, "let-in", nil, 403, "Forbidden.Privilege"},
			{"GET", "/%61dmin/x", bob, "let-in", nil, 403, "Forbidden.Privilege"},
			{"GET", "/x/..%2fadmin", alice, "script", nil, 403, "Forbidden.Path"},
			{"GET", "/x/;a", alice, "script", nil, 403, "Forbidden.Path"},
			{"GET", "//admin/x", alice, "script", nil, 403, "Forbidden.Path"},
			{"GET", "/x", alice, "script", []string{"X-Ostiary-Min-Revision: 99999"}, 503, "Unavailable"},
		} {
			if r.status == 503 && proxy == "caddy" {
				continue // it removes every X-Ostiary- header of the caller's before it asks
			}
			sameRefusal(t, a, api, base, r)
		}
	}, "--rules", rules)
}

// The door refuses a header that is there twice. nginx before 1.23 gives it the first alone: the caller
// is then who the first token says, and nobody else.
func TestTokenGivenTwiceIsNoCredential(t *testing.T) {
	forEachProxy(t, func(t *testing.T, proxy string, a *authority, api *upstream, base string) {
		req, err := http.NewRequest("GET", base+"/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		alice, bob := a.secret("alice@example.com"), a.secret("bob@example.com")
		req.Header["X-Circonus-Auth-Token"] = []string{alice, bob}
		req.Header.Set("X-Circonus-App-Name", "script")
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		text := body(t, res)
		_, _, h := api.taken()
		first := strings.HasPrefix(proxy, "nginx") && h.Get("X-Ostiary-User") == "alice@example.com"
		if !first && (res.StatusCode != 401 || h != nil) {
			t.Errorf("got %d %s, want 401; the API got %v", res.StatusCode, text, h)
		}
	})
}

func TestTooManyRequestsReachTheCallerAsSuch(t *testing.T) {
	forEachProxy(t, func(t *testing.T, _ string, a *authority, api *upstream, base string) {
		alice := a.secret("alice@example.com")
		for range 10 {
			body(t, send(t, "GET", base+"/x", alice, "script"))
		}
		api.taken()
		sameRefusal(t, a, api, base, refused{"GET", "/x", alice, "script", nil, 429, "TooManyRequests"})
	}, "--rate-limit", "0.01")
}

// sameRefusal asks the door, then the proxy, and compares what each says.
func sameRefusal(t *testing.T, a *authority, api *upstream, base string, r refused) {
	t.Helper()
	path, _, _ := strings.Cut(r.path, "?")
	direct := send(t, "GET", a.AuthURL, r.secret, r.app, append(r.headers,
		"X-Original-Method: "+r.method, "X-Original-URI: "+path)...)
	want := body(t, direct)
	if direct.StatusCode != r.status || direct.Header.Get("X-Ostiary-Code") != r.code {
		t.Fatalf("%s %s: the door says %d %s", r.method, r.path, direct.StatusCode, want)
	}
	behind := send(t, r.method, base+r.path, r.secret, r.app, r.headers...)
	got := body(t, behind)
	tag := behind.Header.Get("X-Ostiary-Tag")
	if tag == "" || !strings.Contains(got, `"tag":"`+tag+`"`) {
		t.Errorf("%s %s: the tag %q is not in %s", r.method, r.path, tag, got)
	}
	got = strings.ReplaceAll(got, tag, direct.Header.Get("X-Ostiary-Tag"))
	if behind.StatusCode != r.status || got != want || !json.Valid([]byte(got)) {
		t.Errorf("%s %s: the proxy says %d %s\nthe door %d %s",
			r.method, r.path, behind.StatusCode, got, r.status, want)
	}
	for _, name := range []string{
		"Cache-Control", "Content-Type", "Retry-After", "Www-Authenticate", "X-Circonus-Token-Approval-Url",
		"X-Ostiary-Code", "X-Ostiary-Revision",
	} {
		if g, w := all(behind, name), all(direct, name); g != w {
			t.Errorf("%s %s: the proxy says %s: %q, the door %q", r.method, r.path, name, g, w)
		}
	}
	if method, uri, _ := api.taken(); method != "" {
		t.Errorf("%s %s: the API got %s %s", r.method, r.path, method, uri)
	}
}

func all(res *http.Response, name string) string { return strings.Join(res.Header[name], " | ") }
