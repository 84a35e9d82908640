package gate_test

import (
	"bufio"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

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

	uuidToken = ostiary.NewUUID()
	passing   = []string{"X-Original-Method: GET", "X-Original-URI: /x"}
)

const publicURL = "https://ostiary.example.com"

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
	return fmt.Sprintf("tag-%06d", len(l.events)) // of one length, as real ones
}

func (l *requestLog) last() answer.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.events) == 0 {
		return answer.Event{}
	}
	return l.events[len(l.events)-1]
}

// A site is both doors, each on a real server: with net/http, and the fast one.
type site struct {
	*authority
	log        *requestLog
	addr, fast string
}

func open(t testing.TB, trusted string, rules ...ostiary.Rule) *site {
	t.Helper()
	return openSite(t, trusted, func(g *gate.Gate) { g.Rules = rules })
}

func openSite(t testing.TB, trusted string, set func(*gate.Gate)) *site {
	t.Helper()
	s := &site{authority: newAuthority(), log: &requestLog{}}
	g := newGate(t, s.authority, s.log, trusted, nil)
	set(g)
	server := httptest.NewServer(gate.NewForward(g))
	t.Cleanup(server.Close)
	s.addr, s.fast = server.Listener.Addr().String(), openFast(t, g)
	return s
}

func openFast(t testing.TB, g *gate.Gate) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveFast(t, gate.NewFast(g, quiet()), l)
	return l.Addr().String()
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func serveFast(t testing.TB, fast *gate.Fast, l net.Listener) {
	t.Helper()
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := fast.Serve(l); err != nil {
			t.Errorf("the fast door ended: %v", err)
		}
	})
	t.Cleanup(func() {
		ctx, stop := context.WithTimeout(context.Background(), 5*time.Second)
		defer stop()
		if err := fast.Shutdown(ctx); err != nil {
			t.Errorf("the fast door does not end: %v", err)
		}
		serving.Wait()
	})
}

func newDoor(t testing.TB, c gate.Checker, rec gate.Recorder, trusted string,
	rules []ostiary.Rule,
) *gate.Forward {
	t.Helper()
	return gate.NewForward(newGate(t, c, rec, trusted, rules))
}

func newGate(t testing.TB, c gate.Checker, rec gate.Recorder, trusted string,
	rules []ostiary.Rule,
) *gate.Gate {
	t.Helper()
	read, err := credential.New(credential.Settings{Format: format})
	if err != nil {
		t.Fatal(err)
	}
	peers, err := credential.ParseTrusted(trusted)
	if err != nil {
		t.Fatal(err)
	}
	table := answer.New(answer.Settings{Server: "door", Realm: "Ostiary", PublicURL: publicURL})
	return &gate.Gate{Check: c, Read: read, Trusted: peers, Rules: rules, Answers: table, Log: rec}
}

// A reply is an answer of the door, and its body where it is JSON.
type reply struct {
	*http.Response
	text string
	body map[string]any
}

func (r reply) code() string { return r.Header.Get("X-Ostiary-Code") }

// ask asks both doors, and expects the same of them. Where the fast one takes something for no HTTP,
// the other may say more.
func (s *site) ask(t testing.TB, request string, lines ...string) reply {
	t.Helper()
	fast := ask(t, s.fast, request, lines...)
	r := ask(t, s.addr, request, lines...)
	if fast.StatusCode == http.StatusBadRequest {
		return r
	}
	if diff := gocmp.Diff(r.said(), fast.said()); diff != "" {
		t.Errorf("%s %q: the fast door differs (-/auth +fast):\n%s", request, lines, diff)
	}
	return r
}

// said is all that an answer says but when and in which line of the log.
func (r reply) said() []string {
	tag := strings.NewReplacer(cmp.Or(r.Header.Get("X-Ostiary-Tag"), "no tag"), "TAG")
	said := []string{r.Status, tag.Replace(r.text)}
	for name, values := range r.Header {
		if name != "Date" && name != "Connection" {
			said = append(said, name+": "+tag.Replace(strings.Join(values, " | ")))
		}
	}
	slices.Sort(said)
	return said
}

// ask sends the lines as they are: net/http's client would put them right.
func ask(t testing.TB, addr, request string, lines ...string) reply {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
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
