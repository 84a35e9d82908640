package directory_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ostiary"
	"ostiary/internal/directory"
)

// A ledger keeps the last fact about every record, in plain maps: what a database would hold.
type ledger struct {
	ostiary.Reader
	head   ostiary.Head
	emails map[ostiary.ID]string
	facts  map[string]ostiary.Fact
}

func newLedger() *ledger {
	return &ledger{emails: map[ostiary.ID]string{}, facts: map[string]ostiary.Fact{}}
}

func (l *ledger) apply(c ostiary.Change, emails map[ostiary.ID]string) {
	l.head = ostiary.Head{Revision: c.Revision, Chain: c.Chain}
	maps.Copy(l.emails, emails)
	for _, f := range c.Facts {
		key, gone := "", false
		switch {
		case f.Account != nil:
			key = fmt.Sprint("a account ", f.Account.ID)
		case f.User != nil:
			key = fmt.Sprint("b user ", f.User.ID)
		case f.Member != nil:
			key, gone = fmt.Sprint("c member ", f.Member.Account, f.Member.User), f.Member.Role == ostiary.NoRole
		case f.Token != nil:
			key = fmt.Sprint("d token ", f.Token.ID)
		case f.Secret != nil:
			key = fmt.Sprintf("e secret %x", f.Secret.Hash)
		case f.App != nil:
			key, gone = fmt.Sprint("f app ", f.App.Token, " ", f.App.Name), f.App.Gone
		}
		l.facts[key] = f
		if gone {
			delete(l.facts, key)
		}
	}
}

func (l *ledger) View(_ context.Context, fn func(ostiary.Reader) error) error { return fn(l) }

func (l *ledger) Head() (ostiary.Head, error) { return l.head, nil }

func (l *ledger) Users() ([]ostiary.User, error) {
	var users []ostiary.User
	for id, email := range l.emails {
		users = append(users, ostiary.User{ID: id, Email: email})
	}
	return users, nil
}

func (l *ledger) Snapshot(fn func(ostiary.Fact) error) error {
	for _, key := range slices.Sorted(maps.Keys(l.facts)) {
		if err := fn(l.facts[key]); err != nil {
			return err
		}
	}
	return nil
}

// randomChange touches one to four records out of a small world, so that they meet often.
func randomChange(r *rand.Rand, revision uint64) (ostiary.Change, map[ostiary.ID]string) {
	c := ostiary.Change{Revision: revision, Chain: ostiary.ReadSecret(fmt.Sprint("chain", revision)).Hash()}
	emails := map[ostiary.ID]string{}
	id := func(n int) ostiary.ID { return ostiary.ID(1 + r.IntN(n)) }
	for range 1 + r.IntN(4) {
		token := id(20)
		account := 1 + token%3
		var f ostiary.Fact
		switch r.IntN(8) {
		case 0:
			name := fmt.Sprint("account", r.IntN(9))
			f.Account = &ostiary.AccountFact{ID: id(3), ShortName: name, CapMet: r.IntN(2) == 0}
		case 1:
			f.User = &ostiary.UserFact{ID: id(5), Disabled: r.IntN(3) == 0}
			if emails[f.User.ID] = fmt.Sprint(r.IntN(99), "@example.com"); r.IntN(9) == 0 {
				emails[f.User.ID] = ""
			}
		case 2:
			f.Member = &ostiary.MemberFact{Account: id(3), User: id(5), Role: ostiary.Role(r.IntN(4))}
		case 3:
			f.Token = &ostiary.TokenFact{
				Account: account, ID: token, Kind: ostiary.UserToken, Owner: id(5), Privilege: ostiary.Role(r.IntN(4)),
				Default: ostiary.DefaultAppState(r.IntN(3)), Retired: r.IntN(9) == 0, ExpiresOn: int64(r.IntN(2)),
			}
			if r.IntN(3) == 0 {
				f.Token.Kind, f.Token.Owner, f.Token.Networks = ostiary.AccountToken, 0, prefixes("10.0.0.0/8")
			}
		case 4:
			hash := ostiary.ReadSecret(fmt.Sprint("secret", token, r.IntN(3))).Hash()
			f.Secret = &ostiary.SecretFact{Account: account, Token: token, Hash: hash}
		default:
			name := fmt.Sprint("app", r.IntN(12))
			f.App = &ostiary.AppFact{
				Account: account, Token: token, ID: id(1 << 40), Name: name,
				State: ostiary.AppState(r.IntN(3)), Gone: r.IntN(4) == 0,
			}
		}
		c.Facts = append(c.Facts, f)
	}
	return c, emails
}

func TestReplayEqualsLoad(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	replayed, records := directory.New(), newLedger()
	replayed.SetReady(true)
	for revision := uint64(1); revision <= 5000; revision++ {
		c, emails := randomChange(r, revision)
		if err := replayed.Apply(c, emails); err != nil {
			t.Fatal(err)
		}
		records.apply(c, emails)
		if revision%250 != 0 {
			continue
		}
		loaded := directory.New()
		if err := loaded.Load(context.Background(), records); err != nil {
			t.Fatal(err)
		}
		same(t, loaded, replayed)
		if t.Failed() {
			t.Fatalf("after revision %d", revision)
		}
	}
}

// same compares two directories in everything that they say.
func same(t *testing.T, want, got *directory.Directory) {
	t.Helper()
	if want.Revision() != got.Revision() || want.Size() != got.Size() {
		t.Errorf("at %d with %+v, want %d with %+v", got.Revision(), got.Size(), want.Revision(), want.Size())
	}
	if want.State() != got.State() {
		t.Errorf("the state is %v, want %v", got.State(), want.State())
	}
	if diff := cmp.Diff(everything(want), everything(got), byPrefix); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, f := range everything(want) {
		if f.Token != nil && want.Counts(f.Token.ID) != got.Counts(f.Token.ID) {
			t.Errorf("token %d counts %+v, want %+v", f.Token.ID, got.Counts(f.Token.ID), want.Counts(f.Token.ID))
		}
		if f.Secret == nil {
			continue
		}
		for _, name := range []string{"app0", "app7", "other"} {
			if diff := cmp.Diff(look(want, f.Secret.Hash, name), look(got, f.Secret.Hash, name), byPrefix); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		}
	}
}

func everything(d *directory.Directory) (all []ostiary.Fact) {
	d.Each(func(f ostiary.Fact) error {
		all = append(all, f)
		return nil
	})
	return all
}

func TestEachGivesEveryRecordOnceInOneOrder(t *testing.T) {
	records := newLedger()
	r := rand.New(rand.NewPCG(3, 4))
	d := directory.New()
	for revision := uint64(1); revision <= 500; revision++ {
		c, emails := randomChange(r, revision)
		records.apply(c, emails)
		if err := d.Apply(c, emails); err != nil {
			t.Fatal(err)
		}
	}
	again := newLedger()
	again.apply(ostiary.Change{Revision: 500, Facts: everything(d)}, records.emails)
	if diff := cmp.Diff(records.facts, again.facts, byPrefix); diff != "" {
		t.Errorf("-what was put +what Each gives:\n%s", diff)
	}
	if got, want := len(everything(d)), len(records.facts); got != want {
		t.Errorf("%d facts, want %d", got, want)
	}
}

// Every change here gives the role, the privilege, the application, the account's name and the
// e-mail the same number, so that a mix of two revisions shows.
func TestADecisionNeverMixesTwoRevisions(t *testing.T) {
	t.Parallel()
	d := told(t)
	var quit atomic.Bool
	var readers sync.WaitGroup
	var seen atomic.Uint64
	for range 4 {
		readers.Go(func() {
			var f ostiary.Facts
			for last := uint64(0); !quit.Load(); {
				d.Look(hash1, "curl", &f)
				if f.Revision < last {
					t.Errorf("revision %d after %d", f.Revision, last)
				}
				last = f.Revision
				if last == 1 {
					continue
				}
				seen.Add(1)
				n := last % 3
				got := [...]uint64{
					uint64(f.Owner), uint64(f.Token.Privilege), uint64(f.App.State) + 1, uint64(f.App.ID) % 3,
					uint64(len(f.Email)), uint64(len(f.AccountName)),
				}
				if want := [...]uint64{n + 1, n + 1, n + 1, n, n, n}; got != want {
					t.Errorf("at revision %d: %v, want %v", last, got, want)
					return
				}
			}
		})
	}
	for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end) && !t.Failed(); {
		revision := d.Revision() + 1
		n := revision % 3
		text := "xx"[:n]
		apply(t, d, map[ostiary.ID]string{2: text},
			ostiary.Fact{Member: &ostiary.MemberFact{Account: 1, User: 2, Role: ostiary.Role(n + 1)}},
			token(func(f *ostiary.TokenFact) { f.Privilege = ostiary.Role(n + 1) }),
			app("curl", ostiary.ID(revision), ostiary.AppState(n)),
			app(fmt.Sprint("other", revision%50), 1, ostiary.Waiting),
			ostiary.Fact{Account: &ostiary.AccountFact{ID: 1, ShortName: text}})
		if revision%100 == 0 {
			runtime.Gosched()
		}
	}
	quit.Store(true)
	readers.Wait()
	if seen.Load() == 0 {
		t.Error("no decision was made while changes came")
	}
}
