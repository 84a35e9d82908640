// Package ostiarytest starts a real authority in the process of a test: records in a folder of its
// own, the door and the API at a free port of this machine, three people and their tokens.
//
//	s := ostiarytest.Start(t)
//	door, err := client.New(client.Options{URL: s.AuthURL})
package ostiarytest

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"ostiary"
	"ostiary/internal/authority"
	"ostiary/internal/store"
)

// TB is what a Server needs of a test, a benchmark or a fuzz test.
type TB interface {
	Helper()
	Cleanup(func())
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// A Server is an authority that runs until its test ends. Its account is social_networks. An
// application that is new to Alice's token is let in, one that is new to Bob's waits for a decision,
// and Carol has no token. A helper that fails fails the test.
type Server struct {
	URL     string // of the API
	AuthURL string // of the door
	Account ostiary.ID

	Alice Person // Admin
	Bob   Person // Normal
	Carol Person // Read-Only

	t       TB
	dir     string
	address string
	rules   []ostiary.Rule
	logs    *lines
	node    *node // nil while it is stopped
}

// A Person is a member of the account.
type Person struct {
	ID    ostiary.ID
	Email string
	Token Token // the zero Token where there is none
}

// A Token is one that a test made, so its secret is known.
type Token struct {
	ID     ostiary.ID
	Secret ostiary.SecretText // Reveal gives the text; it prints as its hint
}

// Show shows the token on a request, as an application.
func (t Token) Show(r *http.Request, app string) {
	r.Header.Set("X-Circonus-Auth-Token", t.Secret.Reveal())
	r.Header.Set("X-Circonus-App-Name", app)
}

// Start starts an authority, and ends it when the test ends. The rules say which role requests to the
// API behind the door need; without any, reading needs Read-Only and everything else Normal.
func Start(t TB, rules ...ostiary.Rule) *Server {
	t.Helper()
	dir, err := os.MkdirTemp("", "ostiarytest-")
	if err != nil {
		t.Fatalf("ostiarytest: %v", err)
	}
	s := &Server{t: t, dir: dir, address: "127.0.0.1:0", rules: rules, logs: &lines{t: t}}
	t.Cleanup(func() {
		t.Helper()
		s.Stop()
		s.logs.end()
		s.check(os.RemoveAll(dir))
	})
	ctx, stop := bounded()
	defer stop()
	db, err := store.Create(ctx, dir, store.Options{})
	s.check(err)
	s.check(db.Close())
	s.Restart()
	s.URL, s.AuthURL = s.node.listeners.URL(), s.node.listeners.URL()+"/auth"
	s.address = strings.TrimPrefix(s.URL, "http://")
	s.cast()
	return s
}

// cast makes the account, the people and their tokens.
func (s *Server) cast() {
	s.t.Helper()
	ctx, stop := bounded()
	defer stop()
	account, _, err := s.node.CreateAccount(ctx, s.operator(), authority.NewAccount{
		ShortName: "social_networks", Name: "Social Networks", Timezone: "America/New_York",
	})
	s.check(err)
	s.Account = account.ID
	s.Alice = s.NewPerson("alice@example.com", ostiary.Admin)
	s.Alice.Token = s.NewToken(s.Alice, ostiary.Admin, ostiary.Allow)
	s.Bob = s.NewPerson("bob@example.com", ostiary.Normal)
	s.Bob.Token = s.NewToken(s.Bob, ostiary.Normal, ostiary.Pending)
	s.Carol = s.NewPerson("carol@example.com", ostiary.ReadOnly)
}

// Stop stops the authority, so that a test sees what its program does without it.
func (s *Server) Stop() {
	s.t.Helper()
	if s.node == nil {
		return
	}
	ctx, stop := bounded()
	defer stop()
	s.check(s.node.close(ctx))
	s.node = nil
}

// Restart starts the authority again, on its records and at its address.
func (s *Server) Restart() {
	s.t.Helper()
	s.Stop()
	ctx, stop := bounded()
	defer stop()
	n, err := open(ctx, s.dir, s.address, s.rules, s.logs)
	s.check(err)
	s.node = n
}

// running is the node, for what cannot be done while there is none.
func (s *Server) running() *node {
	s.t.Helper()
	if s.node == nil {
		s.check(errors.New("the authority is stopped; Restart starts it again"))
	}
	return s.node
}

// operator is who makes the changes.
func (s *Server) operator() authority.Caller {
	return authority.Caller{Operator: "ostiarytest", Account: s.Account, Agent: "ostiarytest"}
}

func (s *Server) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("ostiarytest: %v", err)
	}
}

func bounded() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 20*time.Second)
}

// lines are the log of the authority. They go to the test's, as long as there is one.
type lines struct {
	mu    sync.Mutex
	t     TB
	ended bool
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ended {
		l.t.Logf("%s", strings.TrimRight(string(b), "\n"))
	}
	return len(b), nil
}

func (l *lines) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
}
