package login_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/authority"
	"ostiary/internal/directory"
	"ostiary/internal/follow"
	"ostiary/internal/login"
	"ostiary/internal/store"
	"ostiary/internal/usage"
)

const (
	password = "correct horse battery"
	wrong    = "a guess of somebody's"
)

var (
	noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	home = netip.MustParseAddr("192.0.2.7")
	ctx  = context.Background()
)

// A world is logins on a real database, with a clock that a test moves.
type world struct {
	*testing.T
	*login.Logins
	dir        string
	store      *store.DB
	authority  *authority.Authority
	hashes     atomic.Int64
	log        logged
	mu         sync.Mutex
	now        time.Time
	alice, bob ostiary.ID
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, now: noon, dir: t.TempDir()}

	db, err := store.Create(ctx, w.dir, store.Options{})
	w.ok(err)
	t.Cleanup(func() { db.Close() })
	use, err := usage.Open(filepath.Join(w.dir, "use.db"), usage.Options{})
	w.ok(err)
	t.Cleanup(func() { use.Close() })
	memory := directory.New()
	w.store, w.authority = db, authority.New(db, memory, follow.New(db, memory, nil), use, authority.Settings{Now: w.clock})
	w.begin(db)
	w.alice = w.user("Alice@example.com", login.CheapHash(password))
	w.bob = w.user("bob@example.com", login.CheapHash("another one of Bob's"))
	return w
}

// begin makes logins on a store, as a start of the program does.
func (w *world) begin(s ostiary.Store) {
	w.Logins = login.New(s, login.Settings{Now: w.clock, Log: slog.New(slog.NewTextHandler(&w.log, nil))})
	w.Cheap(&w.hashes, nil)
}

var operator = authority.Caller{Operator: "root"}

func (w *world) user(email, hash string) ostiary.ID {
	w.Helper()
	u, _, err := w.authority.CreateUser(ctx, operator, authority.NewUser{Email: email, PasswordHash: hash})
	w.ok(err)
	return u.ID
}

// hash is that of Alice's password.
func (w *world) hash() (hash string) {
	w.ok(w.store.View(ctx, func(r ostiary.Reader) (err error) {
		hash, err = r.Password(w.alice)
		return err
	}))
	return hash
}

func (w *world) path() string { return filepath.Join(w.dir, "ostiary.db") }

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatalf("got error %v, want none", err)
	}
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// in signs Alice in.
func (w *world) in() login.In {
	w.Helper()
	in, err := w.SignIn(ctx, "alice@example.com", password, "", home, "Firefox")
	w.ok(err)
	return in
}

// is demands that a cookie is of a session, or of none.
func (w *world) is(what string, in login.In, want bool) {
	w.Helper()
	s, err := w.Session(ctx, in.Cookie)
	if err != nil && !errors.Is(err, ostiary.ErrNotFound) {
		w.Fatal(err)
	}
	if got := err == nil && s.User == in.Session.User; got != want {
		w.Errorf("%s: signed in is %v, want %v (%v)", what, got, want, err)
	}
}

// guess tries a password, and gives why it was refused and how long to wait.
func (w *world) guess(email, password, known string, from netip.Addr) (ostiary.Reason, int) {
	_, err := w.SignIn(ctx, email, password, known, from, "")
	return reason(err), wait(err)
}

func reason(err error) ostiary.Reason {
	var refusal *ostiary.Refusal
	if err == nil {
		return ostiary.OK
	}
	if errors.As(err, &refusal) {
		return refusal.Reason
	}
	return ostiary.Undecided
}

func wait(err error) int {
	var refusal *ostiary.Refusal
	errors.As(err, &refusal)
	if refusal == nil {
		return 0
	}
	return refusal.RetryAfter
}

// address is the n-th client of a made-up network.
func address(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
}

// logged is the log of a world.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
