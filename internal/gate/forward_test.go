package gate_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/answer"
	"ostiary/internal/credential"
	"ostiary/internal/gate"
)

var (
	format = ostiary.SecretFormat{Prefix: ostiary.DefaultSecretPrefix}
	// One token in each situation.
	adminToken, normalToken, accountToken, pendingToken   = secret(), secret(), secret(), secret()
	denyToken, retiredToken, expiredToken, ownerlessToken = secret(), secret(), secret(), secret()
	networkToken, busyToken, unknownToken, readOnlyToken  = secret(), secret(), secret(), secret()
	uuidToken                                             = ostiary.NewUUID()
	passing                                               = []string{"X-Original-Method: GET", "X-Original-URI: /x"}
)

func secret() string { return format.New().Reveal() }

// authority is a small one that decides with the real rules. It is told what it was asked.
type authority struct {
	mu     sync.Mutex
	facts  map[ostiary.Hash]ostiary.Facts
	apps   map[string]ostiary.AppState // by application name, for every token
	asked  []ostiary.Question
	decide func(q *ostiary.Question) ostiary.Decision // instead of the rules
}

func newAuthority() *authority {
	a := &authority{
		facts: map[ostiary.Hash]ostiary.Facts{},
		apps:  map[string]ostiary.AppState{"known": ostiary.Allowed, "banned": ostiary.Denied},
	}
	add := func(token string, change func(f *ostiary.Facts)) {
		f := ostiary.Facts{
			Ready: true, Known: true, Owner: ostiary.Admin, OwnerID: 2, AccountName: "social_networks",
			Email: "alice@example.com", Revision: 7,
			Token: ostiary.TokenFact{
				Account: 42, ID: ostiary.ID(10 + len(a.facts)), Kind: ostiary.UserToken, Owner: 2,
				Privilege: ostiary.Admin, Default: ostiary.Allow,
			},
		}
		change(&f)
		a.facts[ostiary.ReadSecret(token).Hash()] = f
	}
	add(adminToken, func(f *ostiary.Facts) {})
	add(uuidToken, func(f *ostiary.Facts) {})
	add(normalToken, func(f *ostiary.Facts) { f.Token.Privilege = ostiary.Normal })
	add(readOnlyToken, func(f *ostiary.Facts) { f.Owner = ostiary.ReadOnly })
	add(accountToken, func(f *ostiary.Facts) {
		f.Token.Kind, f.Token.Owner, f.Owner, f.OwnerID, f.Email = ostiary.AccountToken, 0, 0, 0, ""
	})
	add(pendingToken, func(f *ostiary.Facts) { f.Token.Default = ostiary.Pending })
	add(denyToken, func(f *ostiary.Facts) { f.Token.Default = ostiary.Deny })
	add(retiredToken, func(f *ostiary.Facts) { f.Token.Retired = true })
	add(expiredToken, func(f *ostiary.Facts) { f.Token.ExpiresOn = 1 })
	add(ownerlessToken, func(f *ostiary.Facts) { f.Owner = ostiary.NoRole })
	add(networkToken, func(f *ostiary.Facts) { f.Token.Networks = networks("192.0.2.0/24") })
	add(busyToken, func(f *ostiary.Facts) {})
	return a
}

func (a *authority) Check(_ context.Context, q *ostiary.Question) ostiary.Decision {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, *q)
	if a.decide != nil {
		return a.decide(q)
	}
	f := ostiary.Facts{Ready: true, Revision: 7}
	if q.Shown == ostiary.ShownToken {
		if known, ok := a.facts[q.Token.Hash()]; ok {
			f = known
		}
		q.OverRate = q.Token.Reveal() == busyToken
	}
	if state, ok := a.apps[q.App]; ok {
		f.App = ostiary.AppFact{ID: 5, State: state}
	}
	d := ostiary.Decide(&f, q)
	if d.Record && d.App == 0 {
		d.App = 6
	}
	return d
}

func (a *authority) last(t *testing.T) ostiary.Question {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.asked) == 0 {
		t.Fatal("the authority was not asked")
	}
	return a.asked[len(a.asked)-1]
}

// requestLog keeps what it is told.
type requestLog struct {
	mu     sync.Mutex
	events []answer.Event
	broken bool
}

func (l *requestLog) Record(e *answer.Event) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken {
		panic("the log is broken")
	}
	l.events = append(l.events, *e)
	return fmt.Sprintf("tag-%d", len(l.events))
}

func (l *requestLog) last() answer.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.events) == 0 {
		return answer.Event{}
	}
	return l.events[len(l.events)-1]
}

// A site is a door on a real server.
type site struct {
	*authority
	log  *requestLog
	addr string
}

func open(t testing.TB, trusted string, rules ...ostiary.Rule) *site {
	t.Helper()
	s := &site{authority: newAuthority(), log: &requestLog{}}
	server := httptest.NewServer(newDoor(t, s.authority, s.log, trusted, rules))
	t.Cleanup(server.Close)
	s.addr = server.Listener.Addr().String()
	return s
}

func newDoor(t testing.TB, c gate.Checker, rec gate.Recorder, trusted string, rules []ostiary.Rule) *gate.Forward {
	t.Helper()
	read, err := credential.New(credential.Settings{Format: format})
	if err != nil {
		t.Fatal(err)
	}
	peers, err := credential.ParseTrusted(trusted)
	if err != nil {
		t.Fatal(err)
	}
	table := answer.New(answer.Settings{Server: "door", Realm: "Ostiary", PublicURL: "https://ostiary.example.com"})
	return gate.NewForward(c, read, peers, rules, table, rec)
}

// A reply is an answer of the door, and its body where it is JSON.
type reply struct {
	*http.Response
	text string
	body map[string]any
}

func (r reply) code() string { return r.Header.Get("X-Ostiary-Code") }

// ask sends the lines as they are: net/http's client would put them right.
func (s *site) ask(t testing.TB, request string, lines ...string) reply {
	t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	text := request + " HTTP/1.1\r\nHost: door\r\nConnection: close\r\n"
	for _, line := range lines {
		text += line + "\r\n"
	}
	if _, err := io.WriteString(conn, text+"\r\n"); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%s %q: no answer: %v", request, lines, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	r := reply{Response: res, text: string(body)}
	if len(body) > 0 && json.Unmarshal(body, &r.body) != nil && res.StatusCode != 400 {
		t.Fatalf("%s %q: the body is not JSON: %s", request, lines, body)
	}
	return r
}

// show is a request for /x with these lines, and GET as the question.
func (s *site) show(t testing.TB, lines ...string) reply {
	t.Helper()
	return s.ask(t, "GET /auth", append(lines, passing...)...)
}

func pair(token, app string) []string {
	return []string{"X-Circonus-Auth-Token: " + token, "X-Circonus-App-Name: " + app}
}

func basic(user, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// Every row of the contract's table that the door can give, with the real rules.
func TestEveryRowOfTheContractIsAnswered(t *testing.T) {
	s := open(t, "loopback", ostiary.Rule{Path: "/admin/**", Role: ostiary.Admin})
	post := []string{"X-Original-Method: POST", "X-Original-URI: /x?y=1"}
	for name, tt := range map[string]struct {
		lines   []string
		status  int
		code    string
		message string
	}{
		"no token": {nil, 401, "Unauthorized.MissingToken", "missing authentication token"},
		"unknown token": {
			pair(unknownToken, "app"), 401, "Unauthorized.BadToken", "invalid authentication token",
		},
		"malformed token": {
			pair("secret", "app"), 401, "Unauthorized.BadToken", "invalid authentication token",
		},
		"retired token": {
			pair(retiredToken, "app"), 401, "Unauthorized.BadToken", "invalid authentication token",
		},
		"expired token": {
			pair(expiredToken, "app"), 401, "Unauthorized.BadToken", "invalid authentication token",
		},
		"owner gone": {
			pair(ownerlessToken, "app"), 401, "Unauthorized.BadToken", "invalid authentication token",
		},
		"another account": {
			append(pair(adminToken, "app"), "X-Circonus-Account-ID: 43"), 403, "Forbidden.Account", "",
		},
		"no application": {
			pair(adminToken, ""), 401, "Unauthorized.BadAppName", "missing application name",
		},
		"no application, default": {
			pair(adminToken, ""), 401, "Unauthorized.BadAppName", "missing application name",
		},
		"no valid application": {
			pair(adminToken, "a,b"), 401, "Unauthorized.BadAppName", "malformed application name",
		},
		"application waits": {
			pair(pendingToken, "new"), 401, "Unauthorized.PendingApp", "invalid api application 'new'",
		},
		"application denied": {
			pair(adminToken, "banned"), 403, "Forbidden.BadApp", "App 'banned' not allowed",
		},
		"denied by default":       {pair(denyToken, "new"), 403, "Forbidden.BadApp", "App 'new' not allowed"},
		"network not on the list": {pair(networkToken, "app"), 403, "Forbidden.Network", ""},
		"over the rate limit":     {pair(busyToken, "app"), 429, "TooManyRequests", ""},
		"let in":                  {pair(adminToken, "app"), 200, "", ""},
		"allowed under Pending":   {pair(pendingToken, "known"), 200, "", ""},
		"allowed under Deny":      {pair(denyToken, "known"), 200, "", ""},
		"own account": {
			append(pair(adminToken, "app"), "X-Circonus-Account-ID: /account/42"), 200, "", "",
		},
		"network on the list": {append(pair(networkToken, "app"), "X-Forwarded-For: 192.0.2.7"), 200, "", ""},
		"UUID":                {pair(uuidToken, "app"), 200, "", ""},
		"UUID in capitals":    {pair(strings.ToUpper(uuidToken), "app"), 200, "", ""},
		"Basic":               {[]string{basic("app", adminToken)}, 200, "", ""},
		"Bearer": {
			[]string{"Authorization: Bearer " + adminToken, "X-App-Name: app"}, 200, "", "",
		},
		"Basic of an unknown user": {[]string{basic("app", unknownToken)}, 401, "Unauthorized.BadToken", ""},
	} {
		t.Run(name, func(t *testing.T) { expect(t, s, s.show(t, tt.lines...), tt.status, tt.code, tt.message) })
	}
	expect(t, s, s.ask(t, "GET /auth", append(pair(readOnlyToken, "app"), post...)...), 403, "Forbidden.Privilege",
		"the token can use Read Only, and the request needs Normal")
	unclear := []string{"X-Original-Method: GET", "X-Original-URI: /admin/../x"}
	expect(t, s, s.ask(t, "GET /auth", append(pair(adminToken, "app"), unclear...)...), 403, "Forbidden.Path", "")
	expect(t, s, s.ask(t, "GET /auth", append(pair(pendingToken, "new"), unclear...)...), 401, "Unauthorized.PendingApp", "")
	expect(t, s, s.ask(t, "GET /auth", unclear...), 401, "Unauthorized.MissingToken", "")
	expect(t, s, s.ask(t, "GET /auth", pair(adminToken, "app")...), 503, "Unavailable", "")
}

// expect compares an answer with its row, and looks at what every answer must have.
func expect(t *testing.T, s *site, r reply, status int, code, message string) {
	t.Helper()
	if r.StatusCode != status || r.code() != code {
		t.Fatalf("got %d %s, want %d %s (%s)", r.StatusCode, r.code(), status, code, r.text)
	}
	if got := r.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %q", got)
	}
	e := s.log.last()
	if e.Door != "auth" || e.Answer.Status != status || e.Answer.Reason == ostiary.OK != (status == 200) {
		t.Errorf("the log was told %+v", e)
	}
	if decided := r.Header.Get("X-Ostiary-Revision") == "7"; decided != (status != 503) {
		t.Errorf("X-Ostiary-Revision %q with status %d", r.Header.Get("X-Ostiary-Revision"), status)
	}
	if status == 200 {
		if r.text != "" || r.Header.Get("X-Ostiary-User") == "" {
			t.Errorf("a 200 with body %q and headers %v", r.text, r.Header)
		}
		return
	}
	for _, name := range []string{"X-Ostiary-User", "X-Ostiary-Role", "X-Ostiary-Account", "X-Ostiary-App"} {
		if r.Header.Get(name) != "" {
			t.Errorf("a refusal with %s", name)
		}
	}
	if r.body["code"] != code || r.body["tag"] != r.Header.Get("X-Ostiary-Tag") || r.body["tag"] == "" {
		t.Errorf("headers %v, body %s", r.Header, r.text)
	}
	if message != "" && r.body["message"] != message {
		t.Errorf("message %q, want %q", r.body["message"], message)
	}
	if (r.Header.Get("Www-Authenticate") != "") != (status == 401) {
		t.Errorf("status %d with WWW-Authenticate %q", status, r.Header.Get("Www-Authenticate"))
	}
	if (r.Header.Get("Retry-After") != "") != (status == 429 || status == 503) {
		t.Errorf("status %d with Retry-After %q", status, r.Header.Get("Retry-After"))
	}
	approval := r.Header.Get("X-Circonus-Token-Approval-Url")
	if waits := code == "Unauthorized.PendingApp"; waits != (approval == "https://ostiary.example.com/tokens?app=6") {
		t.Errorf("code %s with approval address %q", code, approval)
	}
}

func TestDoorSaysFiveStatusesWhateverTheReason(t *testing.T) {
	s := open(t, "loopback")
	for _, reason := range append(ostiary.Reasons(), 200, 255) {
		s.decide = func(q *ostiary.Question) ostiary.Decision { return ostiary.Decision{Reason: reason} }
		r := s.show(t, pair(adminToken, "app")...)
		switch r.StatusCode {
		case 401, 403, 429, 503:
		default:
			t.Errorf("%s: status %d", reason, r.StatusCode)
		}
		if reason == ostiary.OK && (r.StatusCode != 503 || s.log.last().Err == nil) {
			t.Errorf("let through without an identity: %d %v", r.StatusCode, r.Header)
		}
		if e := s.log.last(); e.Answer.Reason == ostiary.Hidden || e.Answer.Status != r.StatusCode {
			t.Errorf("%s: the log was told %+v", reason, e.Answer)
		}
	}
}

func TestPanicIsUnavailableAndTellsNoSecret(t *testing.T) {
	s := open(t, "loopback")
	s.decide = func(q *ostiary.Question) ostiary.Decision { panic(errors.New("lost " + q.Token.Reveal())) }
	r := s.show(t, pair(adminToken, "app")...)
	if r.StatusCode != 503 || r.code() != "Unavailable" {
		t.Errorf("got %d %s", r.StatusCode, r.code())
	}
	e := s.log.last()
	if e.Err == nil || !strings.Contains(e.Err.Error(), "lost") || strings.Contains(e.Err.Error(), adminToken) {
		t.Errorf("the log was told %v", e.Err)
	}

	s = open(t, "loopback")
	s.log.broken = true
	for range 3 {
		r = s.show(t, pair(adminToken, "app")...)
		if r.StatusCode != 503 || r.Header.Get("X-Ostiary-User") != "" {
			t.Errorf("with a broken log: %d %v", r.StatusCode, r.Header)
		}
	}
}
