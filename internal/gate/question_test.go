package gate_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"ostiary"
)

func networks(s string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(s)} }

// original and forwarded are the two ways in which proxies say what they ask about.
func original(method, uri string) []string {
	return []string{"X-Original-Method: " + method, "X-Original-URI: " + uri}
}

func forwarded(method, uri string) []string {
	return []string{"X-Forwarded-Method: " + method, "X-Forwarded-Uri: " + uri}
}

func join(lists ...[]string) []string {
	var all []string
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

func TestDoorAsksWhatTheProxySays(t *testing.T) {
	s := open(t, "loopback",
		ostiary.Rule{Methods: []string{"DELETE"}, Path: "/metrics/*", Role: ostiary.Admin},
		ostiary.Rule{Path: "/open/**", Role: ostiary.ReadOnly})
	for name, tt := range map[string]struct {
		request      string
		lines        []string
		method, path string
		need         ostiary.Role
	}{
		"nginx": {
			"GET /auth", original("DELETE", "/metrics/1?x=/y"), "DELETE", "/metrics/1", ostiary.Admin,
		},
		"Traefik": {"GET /auth", forwarded("PUT", "/y"), "PUT", "/y", ostiary.Normal},
		"both alike": {
			"GET /auth", join(original("GET", "/y"), forwarded("GET", "/y")), "GET", "/y", ostiary.ReadOnly,
		},
		"a rule that lowers": {"GET /auth", original("POST", "/open/a/b"), "POST", "/open/a/b", ostiary.ReadOnly},
		"as sent":            {"GET /auth", original("GET", "/a%20b"), "GET", "/a%20b", ostiary.ReadOnly},
		"a rule, encoded": {
			"GET /auth", original("DELETE", "/m%65trics/1"), "DELETE", "/m%65trics/1", ostiary.Admin,
		},
		"encoded twice": {"GET /auth", original("DELETE", "/m%2565trics/1"), "DELETE", "/m%2565trics/1", ostiary.NoRole},
		"need alone":    {"GET /auth?need=Admin", nil, "", "", ostiary.Admin},
		"need, spelt":   {"GET /auth?need=Read%20Only", nil, "", "", ostiary.ReadOnly},
		"need, with +":  {"GET /auth?need=read+only", nil, "", "", ostiary.ReadOnly},
		"need raises":   {"GET /auth?need=Admin", original("GET", "/y"), "GET", "/y", ostiary.Admin},
		"need never lowers": {
			"GET /auth?need=read-only", original("DELETE", "/metrics/1"), "DELETE", "/metrics/1", ostiary.Admin,
		},
		"an empty query":    {"GET /auth?", original("GET", "/y"), "GET", "/y", ostiary.ReadOnly},
		"by another method": {"POST /auth", original("GET", "/y"), "GET", "/y", ostiary.ReadOnly},
		"by HEAD":           {"HEAD /auth", original("GET", "/y"), "GET", "/y", ostiary.ReadOnly},
		"absolute-form":     {"GET http://other/auth", original("GET", "/y"), "GET", "/y", ostiary.ReadOnly},
		"Envoy": {
			"DELETE /auth/envoy/metrics/1?need=read-only", nil, "DELETE", "/metrics/1", ostiary.Admin,
		},
		"Envoy, root":    {"GET /auth/envoy/", nil, "GET", "/", ostiary.ReadOnly},
		"Envoy, as sent": {"GET /auth/envoy/a%2Fb", nil, "GET", "/a%2Fb", ostiary.NoRole},
		"Envoy, spoofed": {
			"DELETE /auth/envoy/metrics/1", original("GET", "/y"), "DELETE", "/metrics/1", ostiary.Admin,
		},
		"Envoy, dot segments": {"GET /auth/envoy/../x", nil, "GET", "/../x", ostiary.NoRole},
	} {
		t.Run(name, func(t *testing.T) {
			r := s.ask(t, tt.request, append(pair(adminToken, "app"), tt.lines...)...)
			want := 200
			if tt.need == ostiary.NoRole { // the path is unclear
				want = 403
			}
			if r.StatusCode != want {
				t.Fatalf("got %d %s %s", r.StatusCode, r.code(), r.text)
			}
			q := s.last(t)
			got := fmt.Sprintf("%q %q with %s", q.Method, q.Path, q.Need)
			if want := fmt.Sprintf("%q %q with %s", tt.method, tt.path, tt.need); got != want {
				t.Errorf("asked about %s, want %s", got, want)
			}
		})
	}
}

func TestDoorThatIsNotToldDoesNotGuess(t *testing.T) {
	s := open(t, "loopback")
	const twice, half = "say something else", "once each"
	for name, tt := range map[string]struct {
		request string
		lines   []string
		hint    string // of what the log must name
	}{
		"nothing":                {"GET /auth", nil, "X-Original-Method"},
		"method alone":           {"GET /auth", original("GET", "/y")[:1], half},
		"URI alone":              {"GET /auth", original("GET", "/y")[1:], half},
		"forwarded method alone": {"GET /auth", forwarded("GET", "/y")[:1], half},
		"forwarded URI alone":    {"GET /auth", forwarded("GET", "/y")[1:], half},
		"half of each": {
			"GET /auth", []string{"X-Original-Method: GET", "X-Forwarded-Uri: /y"}, half,
		},
		"one and a half": {
			"GET /auth", join(original("GET", "/y"), forwarded("GET", "/y")[:1]), half,
		},
		"half, with need": {"GET /auth?need=Admin", original("GET", "/y")[:1], half},
		"an empty method": {"GET /auth", original("", "/y"), half},
		"an empty URI":    {"GET /auth", original("GET", ""), half},
		"method twice": {
			"GET /auth", append(original("GET", "/y"), "X-Original-Method: GET"), half,
		},
		"URI twice": {"GET /auth", append(original("GET", "/y"), "x-original-uri: /y"), half},
		"spoofed through Traefik": {
			"GET /auth", join(original("GET", "/open"), forwarded("DELETE", "/y")), twice,
		},
		"spoofed through nginx": {
			"GET /auth", join(original("DELETE", "/y"), forwarded("GET", "/y")), twice,
		},
		"spoofed path": {
			"GET /auth", join(original("GET", "/y"), forwarded("GET", "/open")), twice,
		},
		"lower-case method":       {"GET /auth", original("delete", "/y"), "method"},
		"joined methods":          {"GET /auth", original("GET, DELETE", "/y"), "method"},
		"endless method":          {"GET /auth", original(strings.Repeat("A", 33), "/y"), "method"},
		"method in other letters": {"GET /auth", original("ＧＥＴ", "/y"), "method"},
		"absolute-form":           {"GET /auth", original("GET", "http://host/y"), "begins with /"},
		"no slash":                {"GET /auth", original("GET", "y"), "begins with /"},
		"asterisk":                {"GET /auth", original("OPTIONS", "*"), "begins with /"},
		"query alone":             {"GET /auth", original("GET", "?x"), "begins with /"},
		"fragment":                {"GET /auth", original("GET", "/y#z"), "begins with /"},
		"space":                   {"GET /auth", original("GET", "/y /z"), "begins with /"},
		"underscores": {
			"GET /auth", []string{"X_Original_Method: GET", "X_Original_URI: /y"}, "X-Original-Method",
		},
		"dots": {
			"GET /auth", []string{"X.Original.Method: GET", "X.Original.URI: /y"}, "X-Original-Method",
		},
		"need, not a role":         {"GET /auth?need=Owner", original("GET", "/y"), "need"},
		"need, empty":              {"GET /auth?need=", original("GET", "/y"), "need"},
		"need, None":               {"GET /auth?need=None", original("GET", "/y"), "need"},
		"need twice":               {"GET /auth?need=Admin&need=Normal", original("GET", "/y"), "need"},
		"need and more":            {"GET /auth?need=Admin&x=1", original("GET", "/y"), "need"},
		"need behind ;":            {"GET /auth?need=Admin;x=1", original("GET", "/y"), "need"},
		"more and need":            {"GET /auth?x=1&need=Admin", original("GET", "/y"), "need"},
		"need encoded":             {"GET /auth?n%65ed=Admin", original("GET", "/y"), "need"},
		"need in capitals":         {"GET /auth?Need=Admin", original("GET", "/y"), "need"},
		"need, badly encoded":      {"GET /auth?need=%zz", original("GET", "/y"), "need"},
		"another query":            {"GET /auth?token=x", original("GET", "/y"), "need"},
		"a slash more":             {"GET /auth/", original("GET", "/y"), "/auth/envoy"},
		"a path below":             {"GET /auth/x", original("GET", "/y"), "/auth/envoy"},
		"an encoded path":          {"GET /%61uth", original("GET", "/y"), "/auth/envoy"},
		"a path in front":          {"GET //auth", original("GET", "/y"), "/auth/envoy"},
		"Envoy without a path":     {"GET /auth/envoy", original("GET", "/y"), "/auth/envoy"},
		"Envoy, a query alone":     {"GET /auth/envoy?need=Admin", nil, "begins with /"},
		"Envoy, a longer name":     {"GET /auth/envoys/x", nil, "begins with /"},
		"Envoy, encoded":           {"GET /auth/env%6fy/x", nil, "/auth/envoy"},
		"Envoy, absolute-form":     {"GET http://host/auth/envoy/x", nil, "/auth/envoy"},
		"Envoy, lower-case method": {"delete /auth/envoy/x", nil, "method"},
		"min revision, not a number": {
			"GET /auth", append(original("GET", "/y"), "X-Ostiary-Min-Revision: x"), "Min-Revision",
		},
		"min revision, negative": {
			"GET /auth", append(original("GET", "/y"), "X-Ostiary-Min-Revision: -1"), "Min-Revision",
		},
		"min revision, empty": {
			"GET /auth", append(original("GET", "/y"), "X-Ostiary-Min-Revision: "), "Min-Revision",
		},
		"min revision, huge": {
			"GET /auth", append(original("GET", "/y"), "X-Ostiary-Min-Revision: 18446744073709551616"), "Min-Revision",
		},
		"min revision twice, the same": {
			"GET /auth", append(original("GET", "/y"), "X-Ostiary-Min-Revision: 1", "X-Ostiary-Min-Revision: 1"),
			"Min-Revision",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s.asked = nil
			r := s.ask(t, tt.request, append(pair(adminToken, "app"), tt.lines...)...)
			expect(t, s, r, 503, "Unavailable", "")
			if len(s.asked) > 0 {
				t.Errorf("the authority was asked %+v", s.asked)
			}
			if err := s.log.last().Err; err == nil || !strings.Contains(err.Error(), tt.hint) {
				t.Errorf("the log was told %v, which does not name %q", err, tt.hint)
			} else if strings.Contains(r.text, err.Error()) {
				t.Errorf("the caller was told our trouble: %s", r.text)
			}
		})
	}
}

func TestOnlyTrustedPeersSayWhatTheyAskAbout(t *testing.T) {
	s := open(t, "192.0.2.0/24")
	for name, tt := range map[string]struct {
		request string
		lines   []string
	}{
		"original":           {"GET /auth", original("GET", "/y")},
		"forwarded":          {"GET /auth", forwarded("GET", "/y")},
		"with need":          {"GET /auth?need=Admin", original("GET", "/y")},
		"Envoy":              {"GET /auth/envoy/y", nil},
		"forwarded as local": {"GET /auth", append(original("GET", "/y"), "X-Forwarded-For: 192.0.2.1")},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, s, s.ask(t, tt.request, append(pair(adminToken, "app"), tt.lines...)...), 503, "Unavailable", "")
			if err := s.log.last().Err; err == nil || !strings.Contains(err.Error(), "--trusted-peers") {
				t.Errorf("the log was told %v, which does not name the setting", err)
			}
		})
	}
	r := s.ask(t, "GET /auth?need=Admin", append(pair(adminToken, "app"), "X-Forwarded-For: 192.0.2.1")...)
	expect(t, s, r, 200, "", "")
	if from := s.last(t).From.String(); from != "127.0.0.1" {
		t.Errorf("a peer that is not trusted said that the caller is %s", from)
	}
}

func TestNeedRaisesAndNeverLowers(t *testing.T) {
	s := open(t, "loopback")
	for method, asked := range map[string]ostiary.Role{"GET": ostiary.ReadOnly, "PUT": ostiary.Normal} {
		for _, need := range []ostiary.Role{ostiary.ReadOnly, ostiary.Normal, ostiary.Admin} {
			lines := append(pair(adminToken, "app"), original(method, "/y")...)
			r := s.ask(t, "GET /auth?need="+need.Label(), lines...)
			if got := s.last(t).Need; r.StatusCode != 200 || got != max(asked, need) {
				t.Errorf("%s with need=%s asks for %s (%d)", method, need, got, r.StatusCode)
			}
		}
	}
}

func TestQuestionTellsTheCallerAndTheOldestRevision(t *testing.T) {
	s := open(t, "loopback")
	s.show(t, append(pair(adminToken, "app"), "X-Ostiary-Min-Revision: 12", "User-Agent: probe/1",
		"X-Forwarded-For: 198.51.100.66, 192.0.2.1, 127.0.0.1")...)
	q := s.last(t)
	if q.From.String() != "192.0.2.1" || q.AtLeast != 12 || q.Agent != "probe/1" || q.At.IsZero() {
		t.Errorf("asked %+v", q)
	}
	if e := s.log.last(); e.From != "192.0.2.1" || e.Agent != "probe/1" || e.Method != "GET" || e.Path != "/x" {
		t.Errorf("the log was told %+v", e)
	}
}
