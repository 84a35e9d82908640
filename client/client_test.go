package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ostiary"
	"ostiary/client"
	"ostiary/ostiarytest"
)

func TestCheckSaysWhatTheDoorSays(t *testing.T) {
	t.Parallel()
	s := ostiarytest.Start(t, ostiary.Rule{Path: "/admin/**", Role: ostiary.Admin})
	c := ask(t, s.AuthURL)
	s.Deny(s.Bob.Token, "denied")
	s.Allow(s.Bob.Token, "allowed")
	gone := s.NewToken(s.Bob, ostiary.Normal, ostiary.Allow)
	s.Retire(gone)
	bob := s.Bob.Token
	twice := shown(bob, "allowed")
	twice["X-Circonus-Auth-Token"] = []string{bob.Secret.Reveal(), bob.Secret.Reveal()}
	elsewhere := shown(bob, "allowed")
	elsewhere.Set("X-Circonus-Account-Id", "999")
	ahead := shown(bob, "allowed")
	ahead.Set("X-Ostiary-Min-Revision", "1000000")
	for _, c2 := range []struct {
		name, method, uri string
		header            http.Header
		status            int
		code              string
	}{
		{"nothing shown", "GET", "/", nil, 401, "Unauthorized.MissingToken"},
		{"a retired token", "GET", "/", shown(gone, "x"), 401, "Unauthorized.BadToken"},
		{"the token given twice", "GET", "/", twice, 401, "Unauthorized.BadToken"},
		{"no application name", "GET", "/", shown(bob, ""), 401, "Unauthorized.BadAppName"},
		{"another account", "GET", "/", elsewhere, 403, "Forbidden.Account"},
		{"a waiting application", "GET", "/checks?a=1", shown(bob, "new"), 401, "Unauthorized.PendingApp"},
		{"a denied application", "GET", "/", shown(bob, "denied"), 403, "Forbidden.BadApp"},
		{"a role too low", "GET", "/admin/x", shown(bob, "allowed"), 403, "Forbidden.Privilege"},
		{"a path with two meanings", "GET", "/admin/%2e%2e/x", shown(bob, "allowed"), 403, "Forbidden.Path"},
		{"no path", "OPTIONS", "*", shown(bob, "allowed"), 503, "Unavailable"},
		{"a revision that is not there yet", "GET", "/", ahead, 503, "Unavailable"},
		{"an allowed application", "PUT", "/checks", shown(bob, "allowed"), 200, ""},
	} {
		a := c.Check(t.Context(), client.Request{Method: c2.method, URI: c2.uri, Header: c2.header})
		if a.Status != c2.status || a.Code != c2.code || a.OK() != (c2.status == 200) || a.Err != nil {
			t.Errorf("%s: %d %q %v (%v), want %d %q", c2.name, a.Status, a.Code, a.OK(), a.Err, c2.status, c2.code)
		}
		if a.OK() {
			continue
		}
		var body map[string]any
		if err := json.Unmarshal(a.Body, &body); err != nil ||
			body["code"] != a.Code || body["message"] != a.Message || body["explanation"] != a.Explanation || body["tag"] != a.Tag || a.Tag == "" || a.Message == "" {
			t.Errorf("%s: the body is %s (%v), and the answer %+v", c2.name, a.Body, err, a)
		}
		if a.Identity != (client.Identity{Revision: a.Revision}) {
			t.Errorf("%s: a refusal comes with an identity: %+v", c2.name, a.Identity)
		}
	}
}

func TestRefusalSaysWhereToGoFromThere(t *testing.T) {
	t.Parallel()
	s := ostiarytest.Start(t)
	a := ask(t, s.AuthURL).Check(t.Context(),
		client.Request{Method: "GET", URI: "/", Header: shown(s.Bob.Token, "new")})
	if !strings.HasPrefix(a.ApprovalURL, s.URL+"/tokens?app=") || a.Revision == 0 {
		t.Errorf("a waiting application is told %q at revision %d", a.ApprovalURL, a.Revision)
	}
	for _, name := range []string{
		"Content-Type", "Cache-Control", "Www-Authenticate", "X-Circonus-Token-Approval-Url", "X-Ostiary-Code",
		"X-Ostiary-Tag", "X-Ostiary-Revision",
	} {
		if len(a.Header[name]) != 1 || a.Header[name][0] == "" {
			t.Errorf("%s is %q", name, a.Header[name])
		}
	}
	ahead := shown(s.Bob.Token, "new")
	ahead.Set("X-Ostiary-Min-Revision", strconv.FormatUint(a.Revision+1000, 10))
	a = ask(t, s.AuthURL).Check(t.Context(), client.Request{Method: "GET", URI: "/", Header: ahead})
	if a.RetryAfter != 1 || a.Header.Get("Retry-After") != "1" {
		t.Errorf("the door's 503 says to try again after %d s, %q", a.RetryAfter, a.Header.Get("Retry-After"))
	}
}

func TestIdentityIsWhatTheTokenProves(t *testing.T) {
	t.Parallel()
	s := ostiarytest.Start(t)
	c := ask(t, s.AuthURL)
	zoe := s.NewPerson("100%.sure@example.com", ostiary.Admin)
	token := s.NewToken(zoe, ostiary.Admin, ostiary.Allow)
	s.SetRole(zoe, ostiary.ReadOnly)
	robot := s.NewAccountToken(ostiary.Normal, ostiary.Allow)
	for _, w := range []struct {
		token ostiarytest.Token
		want  client.Identity
	}{
		{token, client.Identity{User: "100%.sure@example.com", Role: ostiary.ReadOnly, App: "a b"}},
		{robot, client.Identity{Role: ostiary.Normal, App: "a b"}},
		{s.Alice.Token, client.Identity{User: "alice@example.com", Role: ostiary.Admin, App: "a b"}},
	} {
		a := c.Check(t.Context(), client.Request{Method: "GET", URI: "/", Header: shown(w.token, "a b")})
		w.want.Account, w.want.AccountID, w.want.TokenID = "social_networks", s.Account, w.token.ID
		w.want.Revision = a.Revision
		if diff := cmp.Diff(w.want, a.Identity); diff != "" || !a.OK() || a.Revision == 0 {
			t.Errorf("%d %s (%v): want-, got+\n%s", a.Status, a.Code, a.Err, diff)
		}
	}
}

// The door takes the rightmost address that it does not trust. This program is trusted, and so is
// what runs on this machine.
func TestCallerIsWhoTheDoorDoesNotTrust(t *testing.T) {
	t.Parallel()
	seen := make(chan []string, 1)
	door := serveAnswer(t, func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Header["X-Forwarded-For"]
		w.WriteHeader(500)
	})
	c := ask(t, door)
	for _, f := range []struct {
		from string
		said []string
		want []string
	}{
		{"192.0.2.7", nil, []string{"192.0.2.7"}},
		{"::ffff:192.0.2.7", nil, []string{"192.0.2.7"}},
		{"fe80::1%eth0", nil, []string{"fe80::1"}},
		{
			"127.0.0.1",
			[]string{"203.0.113.9, 198.51.100.1", "10.0.0.1"},
			[]string{"203.0.113.9, 198.51.100.1", "10.0.0.1", "127.0.0.1"},
		},
		{"", []string{"203.0.113.9"}, []string{"203.0.113.9", "::"}},
	} {
		r := client.Request{Method: "GET", URI: "/", Header: http.Header{}}
		if f.from != "" {
			r.From = netip.MustParseAddr(f.from)
		}
		if f.said != nil {
			r.Header["X-Forwarded-For"] = f.said
		}
		c.Check(t.Context(), r)
		if diff := cmp.Diff(f.want, <-seen); diff != "" {
			t.Errorf("from %q, which said %q: want-, got+\n%s", f.from, f.said, diff)
		}
		if diff := cmp.Diff(f.said, r.Header["X-Forwarded-For"]); diff != "" {
			t.Errorf("the caller's headers were changed:\n%s", diff)
		}
	}
}

func TestOnlyTheCredentialIsSentToTheDoor(t *testing.T) {
	t.Parallel()
	seen := make(chan http.Header, 1)
	door := serveAnswer(t, func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Host", r.Host)
		r.Header.Set("Asked", r.Method+" "+r.RequestURI)
		seen <- r.Header
		w.WriteHeader(500)
	})
	ask(t, door+"?need=Admin").Check(t.Context(), client.Request{
		Method: "POST", URI: "/a%20b?q=1;2",
		Header: http.Header{
			"X-Auth-Token": {"1", "2"}, "Authorization": {"Basic eA=="}, "X-Circonus-Account-Id": {"7"},
			"X-Circonus-Auth-Token": {"3"}, "X-Circonus-App-Name": {"4"}, "X-App-Name": {"5"},
			"User-Agent": {"curl/8"}, "X-Ostiary-Min-Revision": {"3"}, "Cookie": {"c"}, "X-Ostiary-User": {"root"},
			"X-Forwarded-Method": {"GET"}, "X-Forwarded-Uri": {"/"}, "X-Original-Uri": {"/"},
			"Content-Length": {"9"}, "X-Auth_token": {"6"},
		},
		From: netip.MustParseAddr("192.0.2.7"),
	})
	want := http.Header{
		"X-Auth-Token": {"1", "2"}, "Authorization": {"Basic eA=="}, "X-Circonus-Account-Id": {"7"},
		"X-Circonus-Auth-Token": {"3"}, "X-Circonus-App-Name": {"4"}, "X-App-Name": {"5"},
		"User-Agent": {"curl/8"}, "X-Ostiary-Min-Revision": {"3"},
		"X-Original-Method": {"POST"}, "X-Original-Uri": {"/a%20b?q=1;2"}, "X-Forwarded-For": {"192.0.2.7"},
		"Host":  {strings.TrimSuffix(strings.TrimPrefix(door, "http://"), "/auth")},
		"Asked": {"GET /auth?need=Admin"},
	}
	if diff := cmp.Diff(want, <-seen); diff != "" {
		t.Errorf("want-, got+\n%s", diff)
	}
}

func TestQuestionThatCannotBePutIsNotGuessed(t *testing.T) {
	t.Parallel()
	c := ask(t, serveAnswer(t, identity("")))
	for _, r := range []client.Request{
		{},
		{Method: "GET"},
		{URI: "/"},
		{Method: "GET\n", URI: "/"},
		{Method: "GET", URI: "/\r\nX-Auth-Token: x"},
		{Method: "GET", URI: "/", Header: http.Header{"X-Auth-Token": {"a\nb"}}},
	} {
		a := c.Check(t.Context(), r)
		if a.OK() || a.Status != 503 || a.Err == nil || strings.Contains(a.Err.Error(), "is not the door") {
			t.Errorf("%q: %d %v, want 503", r, a.Status, a.Err)
		}
	}
}

func TestClientTakesOnlyWhatItCanHold(t *testing.T) {
	t.Parallel()
	for _, o := range []client.Options{
		{},
		{URL: "http://127.0.0.1:8700"},
		{URL: "http://127.0.0.1:8700/auth/envoy"},
		{URL: "127.0.0.1:8700/auth"},
		{URL: "ftp://127.0.0.1/auth"},
		{URL: "http://u:p@127.0.0.1:8700/auth"},
		{URL: "http://127.0.0.1:8700\x00/auth"},
		{URL: "unix:"},
		{URL: "http://127.0.0.1:8700/auth", Timeout: -1},
		{URL: "http://127.0.0.1:8700/auth", Connections: -1},
		{URL: "http://127.0.0.1:8700/auth", Headers: []string{"X_Auth_Token"}},
		{URL: "http://127.0.0.1:8700/auth", Headers: []string{""}},
		{URL: "http://127.0.0.1:8700/auth", Headers: []string{"connection"}},
		{URL: "http://127.0.0.1:8700/auth", Headers: []string{"x-original-uri"}},
		{URL: "http://127.0.0.1:8700/auth", Headers: []string{"X-Ostiary-User"}},
	} {
		if _, err := client.New(o); err == nil || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%+v: %v, want an error without the password", o, err)
		}
	}
	c, err := client.New(client.Options{
		URL: "https://door.example.com/auth", Headers: []string{"x-key", "x-client"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"X-Key", "X-Client"}, c.Headers()); diff != "" {
		t.Error(diff)
	}
}

// The door behind the socket is a real one. What stands between passes bytes on.
func TestDoorIsAskedOverAUnixSocket(t *testing.T) {
	t.Parallel()
	s := ostiarytest.Start(t)
	socket := filepath.Join(t.TempDir(), "auth.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
			if err != nil {
				from.Close()
				return
			}
			go func() { io.Copy(to, from); to.Close() }()
			go func() { io.Copy(from, to); from.Close() }()
		}
	}()
	c := ask(t, "unix:"+socket)
	for range 3 {
		a := c.Check(t.Context(), client.Request{Method: "GET", URI: "/", Header: shown(s.Alice.Token, "x")})
		if !a.OK() || a.User != "alice@example.com" {
			t.Fatalf("%d %s %v", a.Status, a.Code, a.Err)
		}
	}
	a := ask(t, "unix:"+socket+"-nobody").Check(t.Context(), client.Request{Method: "GET", URI: "/"})
	var network *net.OpError
	if a.Status != 503 || !errors.As(a.Err, &network) {
		t.Errorf("where there is no socket: %d %v", a.Status, a.Err)
	}
}

func TestQuestionEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	began := time.Now()
	c, err := client.New(client.Options{URL: frozen(t), Timeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := contextFor(t, 50*time.Millisecond)
	defer stop()
	a := c.Check(ctx, client.Request{Method: "GET", URI: "/"})
	if took := time.Since(began); a.Status != 503 || took > 5*time.Second {
		t.Errorf("%d after %s", a.Status, took)
	}
	if !errors.Is(a.Err, context.DeadlineExceeded) {
		t.Errorf("its time ran out, and the reason is %v", a.Err)
	}
	gone, leave := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, leave)
	a = c.Check(gone, client.Request{Method: "GET", URI: "/"})
	if a.OK() || !errors.Is(a.Err, context.Canceled) {
		t.Errorf("the caller left, and the reason is %v", a.Err)
	}
}
