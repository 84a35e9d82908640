package main

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
)

func forms() map[string]form { return map[string]form{"joined": joined, "listed": listed} }

func TestEnvoyIsToldWhatTheDoorSays(t *testing.T) {
	t.Parallel()
	a := startAuthority(t)
	door, ask := startDoor(t, a.AuthURL)
	a.decide("allowed", "allowed")
	a.decide("denied", "denied")
	bob, allowed := "X-Circonus-Auth-Token: "+a.bob(), "X-Circonus-App-Name: allowed"
	for name, f := range forms() {
		for _, c := range []struct {
			name    string
			headers []string
			status  int
			code    string
		}{
			{"nothing", nil, 401, "Unauthorized.MissingToken"},
			{"no token of ours", []string{"X-Auth-Token: x", "X-App-Name: a"}, 401, "Unauthorized.BadToken"},
			{"no name", []string{bob}, 401, "Unauthorized.BadAppName"},
			{"waiting", []string{bob, "X-Circonus-App-Name: new"}, 401, "Unauthorized.PendingApp"},
			{"denied", []string{bob, "X-Circonus-App-Name: denied"}, 403, "Forbidden.BadApp"},
			{"another account", []string{bob, allowed, "X-Circonus-Account-ID: 9"}, 403, "Forbidden.Account"},
			{"ahead", []string{bob, allowed, "X-Ostiary-Min-Revision: 99999"}, 503, "Unavailable"},
			{"the token twice", []string{bob, bob, allowed}, 401, "Unauthorized.BadToken"},
			{"two tokens", []string{bob, allowed, "Authorization: Bearer " + a.alice()}, 401, "Unauthorized.BadToken"},
			{"allowed", []string{bob, "x-CIRCONUS-app-name: allowed"}, 200, ""},
			{"allowed with bytes", []string{bob, allowed, "X-Else: gr\u00fc\u00df"}, 200, ""},
		} {
			got := sent(t, ask, asking(f, "POST", "/checks?a=1;b=%20", c.headers...), c.headers...)
			if got.status != c.status || c.status != 200 && got.header["x-ostiary-code"][0] != c.code {
				t.Errorf("%s, %s: %d %v, want %d %s", name, c.name, got.status, got.header, c.status, c.code)
			}
			if c.status == 200 {
				continue
			}
			var body map[string]any
			if err := json.Unmarshal([]byte(got.body), &body); err != nil || body["code"] != c.code ||
				body["tag"] != got.header["x-ostiary-tag"][0] {
				t.Errorf("%s, %s: the body is %s (%v)", name, c.name, got.body, err)
			}
			if c.status == 401 && got.header["www-authenticate"] == nil ||
				c.code == "Unauthorized.PendingApp" && got.header["x-circonus-token-approval-url"] == nil ||
				c.status == 503 && got.header["retry-after"] == nil ||
				got.header["content-type"][0] != "application/json" {
				t.Errorf("%s, %s: the caller lacks a header: %v", name, c.name, got.header)
			}
		}
	}
	if log := door.text(); strings.Contains(log, a.bob()) || strings.Contains(log, a.alice()) {
		t.Errorf("a secret is in the log:\n%s", log)
	}
}

func TestAPIGetsTheIdentityAndNothingOfTheCallers(t *testing.T) {
	t.Parallel()
	a := startAuthority(t)
	_, ask := startDoor(t, a.AuthURL)
	headers := []string{
		"X-Circonus-Auth-Token: " + a.alice(), "X-Circonus-App-Name: script", "Authorization: Bearer " + a.alice(),
		"X-Circonus-Account-ID: 1", "X_Auth_Token: x", "X-Ostiary-User: root", "x-ostiary-role: Admin",
		"X_Ostiary_User: root", "x.ostiary.user: root", "X-OSTIARY-Else: 1", "X-Ostiary-Min-Revision: 1",
		"Connection: X-Ostiary-User, X-Ostiary-Role", "Accept: text/html", "X-Ostiaryan: kept",
	}
	for name, f := range forms() {
		got := sent(t, ask, asking(f, "DELETE", "/checks/%2e/7?a=b", headers...), headers...)
		if got.status != 200 {
			t.Fatalf("%s: %d %s", name, got.status, got.body)
		}
		want := map[string]string{
			"x-ostiary-account": "social_networks", "x-ostiary-account-id": "1",
			"x-ostiary-user": "alice@example.com", "x-ostiary-role": "Admin",
			"x-ostiary-token-id": a.Tokens[0].ID, "x-ostiary-app": "script",
			"x-ostiary-revision": got.header["x-ostiary-revision"][0],
			"connection":         "X-Ostiary-User, X-Ostiary-Role", "accept": "text/html", "x-ostiaryan": "kept",
		}
		for key, value := range want {
			if !slices.Equal(got.header[key], []string{value}) {
				t.Errorf("%s: the API gets %s: %q, want %q", name, key, got.header[key], value)
			}
		}
		for _, key := range slices.Sorted(maps.Keys(got.header)) {
			if want[key] == "" {
				t.Errorf("%s: the API gets %s: %q", name, key, got.header[key])
			}
		}
	}
}

// The credential is taken off also where Envoy was told not to show it to us.
func TestCredentialIsTakenOffUnseen(t *testing.T) {
	t.Parallel()
	a := startAuthority(t)
	_, ask := startDoor(t, a.AuthURL, "--headers", "X-Circonus-Auth-Token, X-Circonus-App-Name, X-Key")
	shown := []string{"X-Circonus-Auth-Token: " + a.alice(), "X-Circonus-App-Name: script"}
	all := append([]string{"X-Key: secret", "Authorization: of the API's own"}, shown...)
	got := sent(t, ask, asking(joined, "GET", "/", shown...), all...)
	if got.status != 200 || got.header["x-key"] != nil || got.header["x-circonus-auth-token"] != nil {
		t.Errorf("%d, and the API gets %v", got.status, got.header)
	}
	if got.header["authorization"] == nil {
		t.Error("a header that --headers does not name is taken off")
	}
}

func TestQuestionThatIsUnclearIsAnswered503(t *testing.T) {
	t.Parallel()
	a := startAuthority(t)
	_, ask := startDoor(t, a.AuthURL)
	headers := []string{"X-Auth-Token: " + a.alice(), "X-App-Name: script"}
	about := func(change func(*auth.AttributeContext_HttpRequest)) *auth.CheckRequest {
		r := asking(joined, "GET", "/", headers...)
		change(r.Attributes.Request.Http)
		return r
	}
	both := func(h *auth.AttributeContext_HttpRequest) {
		joined(h, headers)
		delete(h.Headers, ":authority")
		delete(h.Headers, ":scheme")
		listed(h, headers)
	}
	last := func(h *auth.AttributeContext_HttpRequest) *core.HeaderValue {
		return h.HeaderMap.Headers[len(h.HeaderMap.Headers)-1]
	}
	if got := sent(t, ask, about(both)); got.status != 200 {
		t.Errorf("two forms that say the same: %d %s", got.status, got.body)
	}
	for name, r := range map[string]*auth.CheckRequest{
		"nothing":       {},
		"no attributes": {Attributes: &auth.AttributeContext{}},
		"no request":    {Attributes: &auth.AttributeContext{Request: &auth.AttributeContext_Request{}}},
		"no method":     about(func(h *auth.AttributeContext_HttpRequest) { h.Method = "" }),
		"no path":       about(func(h *auth.AttributeContext_HttpRequest) { h.Path = "" }),
		"no path but a query": about(func(h *auth.AttributeContext_HttpRequest) {
			h.Path, h.Query = "", "a=b"
		}),
		"a path that is none": about(func(h *auth.AttributeContext_HttpRequest) {
			h.Path, h.Headers[":path"] = "*", "*"
		}),
		"another :method": about(func(h *auth.AttributeContext_HttpRequest) { h.Headers[":method"] = "HEAD" }),
		"another :path":   about(func(h *auth.AttributeContext_HttpRequest) { h.Headers[":path"] = "/else" }),
		"a method with a line end": about(func(h *auth.AttributeContext_HttpRequest) {
			h.Method, h.Headers[":method"] = "GET\r\n", "GET\r\n"
		}),
		"a token with a line end": asking(listed, "GET", "/", "X-Auth-Token: a\nb"),
		"two forms, one name more": about(func(h *auth.AttributeContext_HttpRequest) {
			both(h)
			h.Headers["x-else"] = "1"
		}),
		"two forms, another value": about(func(h *auth.AttributeContext_HttpRequest) {
			both(h)
			last(h).RawValue = []byte("else")
		}),
		"a value in two forms": about(func(h *auth.AttributeContext_HttpRequest) {
			h.Headers = nil
			listed(h, headers)
			last(h).Value = "else"
		}),
	} {
		got := sent(t, ask, r)
		code := got.header["x-ostiary-code"]
		if got.status != 503 || !slices.Equal(code, []string{"Unavailable"}) || got.header["retry-after"] == nil {
			t.Errorf("%s: %d %v", name, got.status, got.header)
		}
	}
}

func TestDoorIsToldWhereTheRequestComesFrom(t *testing.T) {
	t.Parallel()
	seen := make(chan []string, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		about := r.Header.Get("X-Original-Method") + " " + r.Header.Get("X-Original-Uri")
		seen <- append(r.Header["X-Forwarded-For"], about)
		w.WriteHeader(500)
	}))
	t.Cleanup(s.Close)
	_, ask := startDoor(t, s.URL+"/auth")
	const about = "DELETE /a/%2e/b?x=;y"
	for name, want := range map[string][]string{
		"192.0.2.7":    {"203.0.113.9, 192.0.2.7", "192.0.2.7", about},
		"2001:db8::7":  {"203.0.113.9, 192.0.2.7", "2001:db8::7", about},
		"@a.unix.sock": {"203.0.113.9, 192.0.2.7", "::", about},
	} {
		r := asking(joined, "DELETE", "/a/%2e/b?x=;y", "X-Forwarded-For: 203.0.113.9, 192.0.2.7")
		r.Attributes.Source.Address.GetSocketAddress().Address = name
		sent(t, ask, r)
		if got := <-seen; !slices.Equal(got, want) {
			t.Errorf("%s: the door is told %q, want %q", name, got, want)
		}
	}
	r := asking(joined, "DELETE", "/a/%2e/b?x=;y")
	r.Attributes.Source = nil
	sent(t, ask, r)
	if got := <-seen; !slices.Equal(got, []string{"::", about}) {
		t.Errorf("without a source: the door is told %q", got)
	}
}

// A token in two spellings of one name is a token given twice.
func TestTwoSpellingsOfANameAreTheNameTwice(t *testing.T) {
	t.Parallel()
	a := startAuthority(t)
	_, ask := startDoor(t, a.AuthURL)
	r := asking(joined, "GET", "/", "X-App-Name: script")
	r.Attributes.Request.Http.Headers["x-auth-token"] = a.alice()
	if got := sent(t, ask, r); got.status != 200 {
		t.Fatalf("once: %d %s", got.status, got.body)
	}
	r.Attributes.Request.Http.Headers["X-Auth-Token"] = a.alice()
	if got := sent(t, ask, r); got.status != 401 {
		t.Errorf("twice: %d, want 401", got.status)
	}
}
