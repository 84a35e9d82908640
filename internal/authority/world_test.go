package authority_test

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/authority"
	"ostiary/internal/directory"
	"ostiary/internal/follow"
	"ostiary/internal/store"
	"ostiary/internal/usage"
)

// A world is a real authority on a real database, with the people of the manual.
type world struct {
	*authority.Authority
	store *store.DB
	dir   *directory.Directory
	usage *usage.Usage
	path  string

	account           ostiary.ID
	alice, bob, carol ostiary.ID // Admin, Normal, Read Only
}

// tb is what testing.T and rapid.T have in common.
type tb interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

var operator = authority.Caller{Operator: "root", From: netip.MustParseAddr("127.0.0.1"), Agent: "test"}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := openWorld(t, t.TempDir(), authority.Settings{})
	t.Cleanup(w.close)
	w.people(t)
	return w
}

func openWorld(t tb, path string, set authority.Settings) *world {
	t.Helper()
	ctx := context.Background()
	db, err := store.Create(ctx, path, store.Options{})
	if errors.Is(err, store.ErrExists) {
		db, err = store.Open(ctx, path, store.Options{})
	}
	if err != nil {
		t.Fatal(err)
	}
	w := &world{store: db, dir: directory.New(), path: path}
	if err := w.dir.Load(ctx, db); err != nil {
		t.Fatal(err)
	}
	if w.usage, err = usage.Open(filepath.Join(path, "use.db"), usage.Options{}); err != nil {
		t.Fatal(err)
	}
	w.Authority = authority.New(db, w.dir, follow.New(db, w.dir, nil), w.usage, set)
	return w
}

func (w *world) close() {
	ctx, stop := context.WithTimeout(context.Background(), 5*time.Second)
	defer stop()
	w.Authority.Close(ctx)
	w.usage.Close()
	w.store.Close()
}

// people makes the account and members of the manual.
func (w *world) people(t tb) {
	t.Helper()
	w.account = w.newAccount(t, "social_networks")
	c := operator
	c.Account = w.account
	w.alice = w.newUser(t, c, "alice@example.com", ostiary.Admin)
	w.bob = w.newUser(t, c, "bob@example.com", ostiary.Normal)
	w.carol = w.newUser(t, c, "carol@example.com", ostiary.ReadOnly)
}

func (w *world) newAccount(t tb, name string) ostiary.ID {
	t.Helper()
	a, _, err := w.CreateAccount(context.Background(), operator, authority.NewAccount{ShortName: name})
	if err != nil {
		t.Fatal(err)
	}
	return a.ID
}

func (w *world) newUser(t tb, c authority.Caller, email string, role ostiary.Role) ostiary.ID {
	t.Helper()
	u, _, err := w.CreateUser(context.Background(), c, authority.NewUser{Email: email, Role: role})
	if err != nil {
		t.Fatal(err)
	}
	return u.ID
}

// as is a person at work on the account.
func (w *world) as(user ostiary.ID) authority.Caller {
	return authority.Caller{User: user, Account: w.account, From: netip.MustParseAddr("192.0.2.7"), Agent: "test"}
}

// with is a token at work on its account.
func (w *world) with(token ostiary.ID) authority.Caller {
	return authority.Caller{Token: token, Account: w.account, From: netip.MustParseAddr("192.0.2.8"), Agent: "test"}
}

func (w *world) newToken(t tb, c authority.Caller, kind ostiary.Kind, p ostiary.Role, def ostiary.DefaultAppState) authority.Made {
	t.Helper()
	made, _, err := w.CreateToken(context.Background(), c, authority.NewToken{Kind: kind, Privilege: p, Default: def})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// ask shows a token and an application name.
func (w *world) ask(secret ostiary.SecretText, app string, need ostiary.Role) ostiary.Decision {
	q := &ostiary.Question{Need: need, At: time.Now(), From: netip.MustParseAddr("203.0.113.5"), Method: "GET", Path: "/v2/x", Agent: "curl"}
	q.Shown, q.Token, q.App = ostiary.ShownToken, secret, app
	return w.Check(context.Background(), q)
}

// reason is why an error refuses; OK for none.
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
