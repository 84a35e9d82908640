package client_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ostiary"
	"ostiary/client"
	"ostiary/ostiarytest"
)

func TestHandlerSeesTheIdentityAndNoCredential(t *testing.T) {
	t.Parallel()
	s := ostiarytest.Start(t)
	behind, address := protected(t, s.AuthURL)
	secret := s.Alice.Token.Secret.Reveal()
	got := raw(t, address, "POST /a/%2e/b?q=1;2 HTTP/1.1",
		"X-Circonus-Auth-Token: "+secret, "X-Circonus-App-Name: script",
		"X-Circonus-Account-ID: "+s.Account.String(),
		"X_Auth_Token: "+secret, "X.App.Name: script", "Authorization: Bearer "+secret,
		"X-Ostiary-User: root", "x-ostiary-role: Admin", "X_Ostiary_User: root", "X.Ostiary.User: root",
		"x-OSTIARY_else: 1", "X-Ostiary-Min-Revision: 1", "X-Ostiaryan: kept", "Accept: text/html",
		"Content-Length: 0")
	if !strings.HasPrefix(got, "HTTP/1.1 200") || !strings.HasSuffix(got, "the API") {
		t.Fatal(got)
	}
	behind.mu.Lock()
	defer behind.mu.Unlock()
	want := client.Identity{
		Account: "social_networks", AccountID: s.Account, User: "alice@example.com", Role: ostiary.Admin,
		TokenID: s.Alice.Token.ID, App: "script", Revision: behind.id.Revision,
	}
	if diff := cmp.Diff(want, behind.id); diff != "" || !behind.known || behind.id.Revision == 0 {
		t.Errorf("the identity, want-, got+\n%s", diff)
	}
	if behind.last.RequestURI != "/a/%2e/b?q=1;2" || behind.last.Method != "POST" {
		t.Errorf("the API got %s %s", behind.last.Method, behind.last.RequestURI)
	}
	// net/http takes "Connection: close" and the length to itself, and leaves the first in place.
	left := http.Header{
		"X-Ostiaryan": {"kept"}, "Accept": {"text/html"}, "Connection": {"close"}, "Content-Length": {"0"},
	}
	if diff := cmp.Diff(left, behind.last.Header); diff != "" {
		t.Errorf("the headers, want-, got+\n%s", diff)
	}
}

// What is decided about is what was sent, and what the handler gets.
func TestQuestionIsTheRequestAsItWasSent(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 1)
	from := make(chan []string, 1)
	behind, address := protected(t, serveAnswer(t, func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Header.Get("X-Original-Method") + " " + r.Header.Get("X-Original-Uri")
		from <- r.Header["X-Forwarded-For"]
		identity("")(w, r)
	}))
	for _, line := range []string{
		"GET /", "PURGE /a/../b/./c", "GET //a//b", "GET /a/%2e%2E/%2fb%5c?x=/../;y=%20&z", "DELETE /?",
		"PUT /a;b\\c?q=?", "GET /%61dmin/\xc3\xa9", "POST //user@evil.example/x?http://y",
	} {
		got := raw(t, address, line+" HTTP/1.1", "X-Forwarded-For: 203.0.113.9")
		if !strings.HasPrefix(got, "HTTP/1.1 200") {
			t.Errorf("%s: %s", line, got)
		}
		if got := <-asked; got != line {
			t.Errorf("the door is asked about %q, want %q", got, line)
		}
		if diff := cmp.Diff([]string{"203.0.113.9", "127.0.0.1"}, <-from); diff != "" {
			t.Errorf("where it comes from: %s", diff)
		}
		behind.mu.Lock()
		if got := behind.last.Method + " " + behind.last.RequestURI; got != line {
			t.Errorf("the handler gets %q, want %q", got, line)
		}
		behind.mu.Unlock()
	}
}

func TestCallerGetsTheRefusalAsTheDoorSaidIt(t *testing.T) {
	t.Parallel()
	s := ostiarytest.Start(t)
	behind, address := protected(t, s.AuthURL)
	s.Deny(s.Bob.Token, "denied")
	bob := s.Bob.Token.Secret.Reveal()
	for _, c := range []struct{ app, method, uri string }{{"new", "GET", "/checks"}, {"denied", "POST", "/"}} {
		through, err := http.NewRequest(c.method, "http://"+address+c.uri, nil)
		if err != nil {
			t.Fatal(err)
		}
		s.Bob.Token.Show(through, c.app)
		direct, err := http.NewRequest("GET", s.AuthURL, nil)
		if err != nil {
			t.Fatal(err)
		}
		s.Bob.Token.Show(direct, c.app)
		direct.Header.Set("X-Original-Method", c.method)
		direct.Header.Set("X-Original-Uri", c.uri)
		got, want := answered(t, through), answered(t, direct)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: the door's own-, through Protect+\n%s", c.app, diff)
		}
		if strings.Contains(strings.Join(got, " "), bob) {
			t.Errorf("%s: the secret is in the answer", c.app)
		}
	}
	if n := behind.reached.Load(); n != 0 {
		t.Errorf("%d requests reached the API", n)
	}
}

// answered is an answer in lines, but for its tag, its date and its revision.
func answered(t *testing.T, r *http.Request) (lines []string) {
	t.Helper()
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var body map[string]any
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	if body["tag"] != res.Header.Get("X-Ostiary-Tag") || res.Header.Get("X-Ostiary-Revision") == "" {
		t.Errorf("tag %q in the body, %q and revision %q in the headers",
			body["tag"], res.Header.Get("X-Ostiary-Tag"), res.Header.Get("X-Ostiary-Revision"))
	}
	delete(body, "tag")
	text, _ := json.Marshal(body)
	lines = append(lines, res.Status, string(text))
	for name, values := range res.Header {
		switch name {
		case "X-Ostiary-Tag", "X-Ostiary-Revision", "Date", "Content-Length",
			"X-Ostiary-Refusal": // the body once more, for gateways that lose it
		default:
			lines = append(lines, name+": "+strings.Join(values, "|"))
		}
	}
	slices.Sort(lines)
	return lines
}

func TestWhatCannotBeAskedAboutIsRefused(t *testing.T) {
	t.Parallel()
	s := ostiarytest.Start(t)
	behind, address := protected(t, s.AuthURL)
	alice := "X-Auth-Token: " + s.Alice.Token.Secret.Reveal()
	for line, want := range map[string]string{
		"OPTIONS * HTTP/1.1":                             `400 InvalidValue`,
		"GET http://api.example.com/checks HTTP/1.1":     `400 InvalidValue`,
		"CONNECT api.example.com:443 HTTP/1.1":           `405 MethodNotAllowed`,
		"CONNECT / HTTP/1.1":                             `405 MethodNotAllowed`,
		"TRACE / HTTP/1.1":                               `405 MethodNotAllowed`,
		"get / HTTP/1.1":                                 `503 Unavailable`,
		"GET /a#b HTTP/1.1":                              `503 Unavailable`,
		"GET //api.example.com/..%2f/admin?x=/ HTTP/1.1": `200 `,
	} {
		before := behind.reached.Load()
		got := raw(t, address, line, alice, "X-App-Name: x")
		status, code, _ := strings.Cut(want, " ")
		if !strings.HasPrefix(got, "HTTP/1.1 "+status) || !strings.Contains(got, code) {
			t.Errorf("%s: want %s, got\n%s", line, want, got)
		}
		if strings.HasPrefix(want, "405") && !strings.Contains(got, "\r\nAllow: GET, ") {
			t.Errorf("%s: no Allow in\n%s", line, got)
		}
		if reached := behind.reached.Load() - before; (reached == 1) != (status == "200") {
			t.Errorf("%s: %d requests reached the API", line, reached)
		}
	}
	// A request that no server took has no target.
	w := httptest.NewRecorder()
	r, err := http.NewRequest("GET", "http://api.example.com/", nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Alice.Token.Show(r, "x")
	ask(t, s.AuthURL).Protect(behind).ServeHTTP(w, r)
	if w.Code != 400 {
		t.Errorf("a request without a target: %d", w.Code)
	}
}

func TestProgramsLogSaysWhyAndNoSecret(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	c, err := client.New(client.Options{
		URL: serveBytes(t, "HTTP/1.1 200 OK\r\n\r\n"), Log: slog.New(slog.NewJSONHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	const secret = "ostiary_0000000000000000000000000000000000000000000000000"
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/"+secret, nil)
	r.Header.Set("X-Auth-Token", secret)
	c.Protect(http.NotFoundHandler()).ServeHTTP(w, r)
	var line struct{ Tag, Error, Level string }
	if err := json.Unmarshal(log.Bytes(), &line); err != nil {
		t.Fatalf("%v in %q", err, log.String())
	}
	tag := w.Header().Get("X-Ostiary-Tag")
	if line.Tag == "" || line.Tag != tag || line.Error == "" || line.Level != "WARN" {
		t.Errorf("the line is %s, and the answer's tag %s", log.String(), tag)
	}
	if strings.Contains(log.String(), secret) {
		t.Errorf("the secret is in %s", log.String())
	}
}
