package web_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"ostiary"
	"ostiary/internal/answer"
	"ostiary/internal/authority"
	"ostiary/internal/credential"
	"ostiary/internal/directory"
	"ostiary/internal/follow"
	"ostiary/internal/login"
	"ostiary/internal/store"
	"ostiary/internal/usage"
	"ostiary/internal/web"
)

const password = "correct horse battery"

var (
	noon     = time.Date(2026, 3, 4, 17, 0, 0, 0, time.UTC) // in New York
	operator = authority.Caller{Operator: "root", From: netip.MustParseAddr("127.0.0.1"), Agent: "test"}
	ctx      = context.Background()
)

// A world is the pages over real HTTP, on real records, with a clock that a test moves. On the account
// social_networks are the people of the manual; on the account press, which comes second, Alice is an
// admin, and alone.
type world struct {
	*testing.T
	authority *authority.Authority
	store     *store.DB
	usage     *usage.Usage
	logins    *login.Logins
	web       *web.Web
	URL       string
	events    events
	clock     clock

	registry    *follow.Local // of nodes; only this one is in it
	beforeBegin func()

	account, press    ostiary.ID
	alice, bob, carol *person // Admin, Normal, Read-Only
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, clock: clock{now: noon}, beforeBegin: func() {}}
	dir := t.TempDir()
	var err error
	w.store, err = store.Create(ctx, dir, store.Options{})
	w.ok(err)
	t.Cleanup(func() { w.store.Close() })
	w.usage, err = usage.Open(filepath.Join(dir, "use.db"), usage.Options{Now: w.clock.Now})
	w.ok(err)
	t.Cleanup(func() { w.usage.Close() })
	memory := directory.New()
	w.ok(memory.Load(ctx, w.store))
	follower := follow.New(w.store, memory, nil)
	w.registry = follow.NewLocal()
	nodes := follow.NewNodes(w.registry, ostiary.Node{ID: "a", Name: "api-1"}, follower, memory, 200*time.Millisecond,
		slog.New(slog.DiscardHandler))
	following, halt := context.WithCancel(ctx)
	t.Cleanup(halt)
	go nodes.Run(following)
	w.authority = authority.New(w.store, memory, follower, w.usage, authority.Settings{Now: w.clock.Now, Nodes: nodes})
	t.Cleanup(func() {
		ctx, stop := context.WithTimeout(ctx, 5*time.Second)
		defer stop()
		w.authority.Close(ctx)
	})
	w.logins = login.New(w.store, login.Settings{Now: w.clock.Now})
	w.serve()
	w.people()
	return w
}

// serve puts the pages behind an address of this machine.
func (w *world) serve() {
	server := httptest.NewUnstartedServer(nil)
	w.URL = "http://" + server.Listener.Addr().String()
	w.web = w.pages(w.URL)
	server.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !w.web.Owns(r) {
			http.Error(rw, "not a page", http.StatusTeapot)
			return
		}
		w.web.ServeHTTP(rw, r)
	})
	server.Start()
	w.Cleanup(server.Close)
}

// pages are pages that are told that they are at an address.
func (w *world) pages(publicURL string) *web.Web {
	w.Helper()
	format := ostiary.SecretFormat{Prefix: ostiary.DefaultSecretPrefix}
	read, err := credential.New(credential.Settings{Format: format})
	w.ok(err)
	trusted, err := credential.ParseTrusted("127.0.0.1")
	w.ok(err)
	pages, err := web.New(w.authority, browsers{Logins: w.logins, beforeBegin: func() { w.beforeBegin() }}, read, trusted, answer.New(answer.Settings{PublicURL: publicURL}),
		&w.events, web.Options{
			PublicURL: publicURL, APIURL: "https://api.example.com", Hash: cheapHash, Now: w.clock.Now,
			Install: []web.Install{{Name: "One Step Install", Template: "curl {api}/install | TOKEN={token} APP={app} sh"}},
		})
	w.ok(err)
	return pages
}

func (w *world) people() {
	w.account = w.newAccount("social_networks", "Social Networks", "America/New_York")
	w.press = w.newAccount("press", "The Press", "Europe/Berlin")
	w.alice = w.newUser(w.account, "alice@example.com", "Alice", ostiary.Admin)
	w.bob = w.newUser(w.account, "bob@example.com", "Bob", ostiary.Normal)
	w.carol = w.newUser(w.account, "carol@example.com", "Carol", ostiary.ReadOnly)
	w.join(w.alice, w.press, ostiary.Admin)
}

func (w *world) newAccount(short, name, zone string) ostiary.ID {
	w.Helper()
	n := authority.NewAccount{ShortName: short, Name: name, Timezone: zone}
	a, _, err := w.authority.CreateAccount(ctx, operator, n)
	w.ok(err)
	return a.ID
}

// newUser makes a person, who signs in with the password when first asked to open a page.
func (w *world) newUser(account ostiary.ID, email, first string, role ostiary.Role) *person {
	w.Helper()
	c := operator
	c.Account = account
	u, _, err := w.authority.CreateUser(ctx, c, authority.NewUser{
		Email: email, FirstName: first, PasswordHash: passwordHash(), Role: role,
	})
	w.ok(err)
	return w.person(u.ID, email)
}

// join makes a person a member of a further account.
func (w *world) join(p *person, account ostiary.ID, role ostiary.Role) {
	w.Helper()
	c := operator
	c.Account = account
	view, _, err := w.authority.SetAccount(ctx, c, authority.AccountPatch{
		SetInvites: true, Invitations: []authority.Invitee{{Email: p.email, Role: role}},
	})
	w.ok(err)
	for _, link := range view.Links {
		_, _, err = w.authority.Accept(ctx, authority.Caller{User: p.id, Account: account}, link)
		w.ok(err)
	}
}

// newToken makes a token for a person, and gives its id and secret.
func (w *world) newToken(p *person, n authority.NewToken) (ostiary.ID, ostiary.SecretText) {
	w.Helper()
	if n.Kind == ostiary.NoKind {
		n.Kind = ostiary.UserToken
	}
	made, _, err := w.authority.CreateToken(ctx, p.on(w.account), n)
	w.ok(err)
	return made.ID, made.Secret
}

// ask is a request that shows a token under a name.
func (w *world) ask(secret ostiary.SecretText, app string, need ostiary.Role) ostiary.Decision {
	q := &ostiary.Question{
		Need: need, At: w.clock.Now(), From: netip.MustParseAddr("203.0.113.5"),
		Method: "GET", Path: "/v2/x", Agent: "curl/8",
	}
	q.Shown, q.Token, q.App = ostiary.ShownToken, secret, app
	d := w.authority.Check(ctx, q)
	// On a busy machine memory answers first, and the record follows; where a cap is met, it never does.
	for began := time.Now(); d.Record && d.App == 0 && time.Since(began) < time.Second; time.Sleep(5 * time.Millisecond) {
		d = w.authority.Still(q)
	}
	return d
}

// demand fails unless a request under a name is answered for this reason.
func (w *world) demand(secret ostiary.SecretText, app string, need ostiary.Role, want ostiary.Reason) {
	w.Helper()
	if d := w.ask(secret, app, need); d.Reason != want {
		w.Errorf("a request of %s is answered with %s, want %s", app, d.Reason, want)
	}
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatalf("got error %v, want none", err)
	}
}

// A clock stands still until a test moves it.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Events are what the log of requests is told.
type events struct {
	mu  sync.Mutex
	all []answer.Event
}

func (e *events) Record(event *answer.Event) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, *event)
	return fmt.Sprint("tag-", len(e.all))
}

func (e *events) since(n int) []answer.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]answer.Event(nil), e.all[n:]...)
}

// browsers are the logins as the pages name them.
type browsers struct {
	*login.Logins
	beforeBegin func() // what happens between a change and the session that is begun after it
}

func (b browsers) SignIn(ctx context.Context, email, password, known string, from netip.Addr, agent string,
) (web.SignedIn, error) {
	in, err := b.Logins.SignIn(ctx, email, password, known, from, agent)
	return web.SignedIn(in), err
}

func (b browsers) Begin(ctx context.Context, user ostiary.ID, was string, from netip.Addr, agent string,
) (web.SignedIn, error) {
	if b.beforeBegin != nil {
		b.beforeBegin()
	}
	in, err := b.Logins.Begin(ctx, user, was, from, agent)
	return web.SignedIn(in), err
}

// passwordHash is the hash of the password that everybody here has.
var passwordHash = sync.OnceValue(func() string {
	hash, _ := cheapHash(password)
	return hash
})

// cheapHash keeps a password like login.Hash, at a cost that many tests can pay.
func cheapHash(password string) (string, error) {
	if err := login.Check(password); err != nil {
		return "", err
	}
	salt := []byte("sixteen bytes !!")
	key := argon2.IDKey([]byte(password), salt, 1, 8, 1, 32)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=8,t=1,p=1$%s$%s",
		argon2.Version, b64.EncodeToString(salt), b64.EncodeToString(key)), nil
}
