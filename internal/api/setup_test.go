package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/answer"
	"ostiary/internal/api"
	"ostiary/internal/authority"
	"ostiary/internal/credential"
	"ostiary/internal/directory"
	"ostiary/internal/follow"
	"ostiary/internal/store"
	"ostiary/internal/usage"
)

// A world is a real authority on a real database, with the API in front of it over real HTTP.
type world struct {
	testing.TB
	authority *authority.Authority
	db        *store.DB
	api       *api.API
	public    *httptest.Server
	socket    *httptest.Server
	events    *events
	document  *contract
	settings  authority.Settings
}

// Events keeps what the request log is told.
type events struct {
	mu  sync.Mutex
	all []answer.Event
}

func (e *events) Record(event *answer.Event) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, *event)
	if event.Tag != "" {
		return event.Tag
	}
	return fmt.Sprint("tag-", len(e.all))
}

func (e *events) last() answer.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.all[len(e.all)-1]
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	return newWorldWith(tb, authority.Settings{}, api.Options{})
}

func newWorldWith(tb testing.TB, set authority.Settings, o api.Options) *world {
	tb.Helper()
	ctx, dir := context.Background(), tb.TempDir()
	db, err := store.Create(ctx, filepath.Join(dir, "data"), store.Options{})
	check(tb, err)
	d := directory.New()
	check(tb, d.Load(ctx, db))
	used, err := usage.Open(filepath.Join(dir, "use.db"), usage.Options{})
	check(tb, err)
	w := &world{TB: tb, db: db, events: &events{}, settings: set}
	w.authority = authority.New(db, d, follow.New(db, d, nil), used, set)
	read, err := credential.New(credential.Settings{Format: ostiary.SecretFormat{Prefix: ostiary.DefaultSecretPrefix}})
	check(tb, err)
	trusted, err := credential.ParseTrusted("loopback")
	check(tb, err)
	table := answer.New(answer.Settings{Server: "test", Realm: "Ostiary", PublicURL: "https://tokens.example.com"})
	o.PublicURL, o.APIURL = "https://tokens.example.com/", "https://api.example.com"
	if o.Hash == nil {
		o.Hash = func(password string) (string, error) { return "hash of " + fmt.Sprint(len(password)), nil }
	}
	w.api = api.New(w.authority, read, trusted, table, w.events, o)
	w.public = httptest.NewServer(w.api.Public())
	w.socket = httptest.NewServer(w.api.Operator("root"))
	tb.Cleanup(func() {
		w.public.Close()
		w.socket.Close()
		short, stop := context.WithTimeout(ctx, time.Second)
		defer stop()
		w.authority.Close(short)
		used.Close()
		db.Close()
	})
	w.document = w.readContract()
	return w
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// An object is one that the API gave.
type object = map[string]any

// A reply is what a caller gets.
type reply struct {
	testing.TB
	*http.Response
	text string
	what string // the request, for messages
}

// A client calls the API under one token and application. The operator's has none.
type client struct {
	*world
	server     *httptest.Server
	token, app string
	headers    []string // "Name: value"
}

func (w *world) operator() *client { return &client{world: w, server: w.socket} }

func (w *world) with(token, app string) *client {
	return &client{world: w, server: w.public, token: token, app: app}
}

// sending adds headers.
func (c client) sending(headers ...string) *client {
	c.headers = append(c.headers[:len(c.headers):len(c.headers)], headers...)
	return &c
}

// call sends a request, and holds the answer against the OpenAPI document. A body that is no string
// is sent as JSON.
func (c *client) call(method, path string, body ...any) *reply {
	c.Helper()
	var text string
	if len(body) > 0 {
		var ok bool
		if text, ok = body[0].(string); !ok {
			b, err := json.Marshal(body[0])
			check(c, err)
			text = string(b)
		}
	}
	req, err := http.NewRequest(method, c.server.URL, strings.NewReader(text))
	check(c, err)
	req.URL.Opaque = c.server.Listener.Addr().String() + path
	req.URL.Opaque = "//" + req.URL.Opaque
	if c.token != "" {
		req.Header["X-Circonus-Auth-Token"] = []string{c.token}
	}
	if c.app != "" {
		req.Header["X-Circonus-App-Name"] = []string{c.app}
	}
	for _, line := range c.headers {
		name, value, _ := strings.Cut(line, ": ")
		req.Header[http.CanonicalHeaderKey(name)] = append(req.Header[http.CanonicalHeaderKey(name)], value)
	}
	res, err := c.server.Client().Do(req)
	check(c, err)
	defer res.Body.Close()
	out, err := io.ReadAll(res.Body)
	check(c, err)
	r := &reply{c, res, string(out), method + " " + path}
	c.document.check(r, method, path, out)
	return r
}

func (c *client) get(path string) *reply { c.Helper(); return c.call("GET", path) }
func (c *client) post(path string, body ...any) *reply {
	c.Helper()
	return c.call("POST", path, body...)
}

func (c *client) put(path string, body ...any) *reply {
	c.Helper()
	return c.call("PUT", path, body...)
}
func (c *client) delete(path string) *reply { c.Helper(); return c.call("DELETE", path) }

// is holds status and code against what is wanted.
func (r *reply) is(status int, code string) *reply {
	r.Helper()
	got := r.Header.Get("X-Ostiary-Code")
	if r.StatusCode != status || got != code {
		r.Fatalf("%s: got %d %s, want %d %s\n%s", r.what, r.StatusCode, got, status, code, r.text)
	}
	return r
}

func (r *reply) ok() object {
	r.Helper()
	var o object
	r.is(200, "")
	check(r, json.Unmarshal([]byte(r.text), &o))
	return o
}

func (r *reply) body() object {
	r.Helper()
	var o object
	check(r, json.Unmarshal([]byte(r.text), &o))
	return o
}

func (r *reply) list() []object {
	r.Helper()
	var l []object
	r.is(200, "")
	if !strings.HasPrefix(r.text, "[") {
		r.Fatalf("%s: not a list: %s", r.what, r.text)
	}
	check(r, json.Unmarshal([]byte(r.text), &l))
	return l
}

// A person has a login, and a token with all that the role gives.
type person struct {
	*client
	cid   string
	email string
}

// account makes the account that most tests work on.
func (w *world) account() {
	w.Helper()
	w.operator().post("/v2/account", object{"short_name": "social_networks", "name": "Social Networks"}).ok()
}

// person makes a member, and a token of it with the role as privilege.
func (w *world) person(name, role string) *person {
	w.Helper()
	email := name + "@example.com"
	op := w.operator().sending("X-Circonus-Account-ID: social_networks")
	u := op.post("/v2/user", object{"email": email, "firstname": strings.ToUpper(name[:1]) + name[1:], "role": role}).ok()
	t := op.post("/v2/token", object{"owner": email, "privilege": role, "default_app_state": "Allow"}).ok()
	return &person{w.with(t["_secret"].(string), "tests"), u["_cid"].(string), email}
}

// newToken makes a token with the client's, and gives its path and its secret.
func (c *client) newToken(fields object) (path, secret string) {
	c.Helper()
	t := c.post("/v2/token", fields).ok()
	return "/v2" + t["_cid"].(string), t["_secret"].(string)
}

// revision is how many changes there are.
func (w *world) revision() (at uint64) {
	w.Helper()
	check(w, w.db.View(context.Background(), func(r ostiary.Reader) error {
		head, err := r.Head()
		at = head.Revision
		return err
	}))
	return at
}

// changesNothing runs what must not change any record.
func (w *world) changesNothing(fn func()) {
	w.Helper()
	before := w.revision()
	fn()
	if after := w.revision(); after != before {
		w.Fatalf("%d changes were made", after-before)
	}
}

var errBroken = errors.New("broken")

func jsonEqual(a, b any) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return bytes.Equal(x, y)
}
