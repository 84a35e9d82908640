package directory_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ostiary"
	"ostiary/internal/directory"
)

var (
	hash1 = ostiary.ReadSecret("one").Hash()
	hash2 = ostiary.ReadSecret("two").Hash()

	byPrefix = cmpopts.EquateComparable(netip.Prefix{})
)

// story is an account with a user who owns a token with one application.
var story = []ostiary.Fact{
	{Account: &ostiary.AccountFact{ID: 1, ShortName: "social_networks"}},
	{User: &ostiary.UserFact{ID: 2}},
	{Member: &ostiary.MemberFact{Account: 1, User: 2, Role: ostiary.Normal}},
	token(nil),
	{Secret: &ostiary.SecretFact{Account: 1, Token: 3, Hash: hash1}},
	app("curl", 4, ostiary.Allowed),
}

func token(change func(*ostiary.TokenFact)) ostiary.Fact {
	f := &ostiary.TokenFact{
		Account: 1, ID: 3, Kind: ostiary.UserToken, Owner: 2, Privilege: ostiary.Admin, Default: ostiary.Pending,
	}
	if change != nil {
		change(f)
	}
	return ostiary.Fact{Token: f}
}

func app(name string, id ostiary.ID, state ostiary.AppState) ostiary.Fact {
	return ostiary.Fact{App: &ostiary.AppFact{Account: 1, Token: 3, ID: id, Name: name, State: state}}
}

// told is a directory that holds the story as its first change.
func told(t *testing.T) *directory.Directory {
	t.Helper()
	d := directory.New()
	d.SetReady(true)
	apply(t, d, map[ostiary.ID]string{2: "alice@example.com"}, story...)
	return d
}

func apply(t *testing.T, d *directory.Directory, emails map[ostiary.ID]string, facts ...ostiary.Fact) {
	t.Helper()
	if err := d.Apply(ostiary.Change{Revision: d.Revision() + 1, Facts: facts}, emails); err != nil {
		t.Fatal(err)
	}
}

func look(d *directory.Directory, hash ostiary.Hash, app string) ostiary.Facts {
	// What stood there before must not shine through.
	f := ostiary.Facts{Owner: ostiary.Admin, Known: true, Email: "x", App: ostiary.AppFact{ID: 99}}
	d.Look(hash, app, &f)
	return f
}

func TestLookTellsEverythingOnRecord(t *testing.T) {
	d := told(t)
	want := ostiary.Facts{
		Ready: true, Known: true, Token: *token(nil).Token, Owner: ostiary.Normal, OwnerID: 2,
		App: *app("curl", 4, ostiary.Allowed).App, AccountName: "social_networks", Email: "alice@example.com", Revision: 1,
	}
	if diff := cmp.Diff(want, look(d, hash1, "curl"), byPrefix); diff != "" {
		t.Errorf("a known application (-want +got):\n%s", diff)
	}
	want.App = ostiary.AppFact{}
	if diff := cmp.Diff(want, look(d, hash1, "wget"), byPrefix); diff != "" {
		t.Errorf("an unknown application (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(ostiary.Facts{Ready: true, Revision: 1}, look(d, hash2, "curl"), byPrefix); diff != "" {
		t.Errorf("an unknown secret (-want +got):\n%s", diff)
	}
}

func TestEveryFactIsSeenByTheNextLook(t *testing.T) {
	networks := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	all := token(func(f *ostiary.TokenFact) {
		*f = ostiary.TokenFact{
			Account: 1, ID: 3, Kind: ostiary.AccountToken, Privilege: ostiary.ReadOnly, Default: ostiary.Allow,
			Retired: true, CapMet: true, ExpiresOn: 7, Networks: networks,
		}
	})
	for _, c := range []struct {
		name string
		fact ostiary.Fact
		want func(*ostiary.Facts)
	}{
		{
			"account",
			ostiary.Fact{Account: &ostiary.AccountFact{ID: 1, ShortName: "other"}},
			func(f *ostiary.Facts) { f.AccountName = "other" },
		},
		{
			"user",
			ostiary.Fact{User: &ostiary.UserFact{ID: 2, Disabled: true}},
			func(f *ostiary.Facts) { f.Owner = ostiary.NoRole },
		},
		{
			"role",
			ostiary.Fact{Member: &ostiary.MemberFact{Account: 1, User: 2, Role: ostiary.ReadOnly}},
			func(f *ostiary.Facts) { f.Owner = ostiary.ReadOnly },
		},
		{
			"removed member",
			ostiary.Fact{Member: &ostiary.MemberFact{Account: 1, User: 2}},
			func(f *ostiary.Facts) { f.Owner = ostiary.NoRole },
		},
		{
			"another account's member",
			ostiary.Fact{Member: &ostiary.MemberFact{Account: 9, User: 2}},
			func(*ostiary.Facts) {},
		},
		{
			"token", all,
			func(f *ostiary.Facts) {
				f.Token, f.Owner, f.OwnerID, f.Email = *all.Token, ostiary.NoRole, 0, ""
			},
		},
		{
			"application", app("curl", 4, ostiary.Denied),
			func(f *ostiary.Facts) { f.App.State = ostiary.Denied },
		},
		{
			"forgotten application",
			ostiary.Fact{App: &ostiary.AppFact{Account: 1, Token: 3, ID: 4, Name: "curl", Gone: true}},
			func(f *ostiary.Facts) { f.App = ostiary.AppFact{} },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := told(t)
			want := look(d, hash1, "curl")
			c.want(&want)
			want.Revision = 2
			apply(t, d, nil, c.fact)
			if diff := cmp.Diff(want, look(d, hash1, "curl"), byPrefix); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			apply(t, d, nil, story...)
			want = look(told(t), hash1, "curl")
			want.Revision = 3
			if diff := cmp.Diff(want, look(d, hash1, "curl"), byPrefix); diff != "" {
				t.Errorf("after the facts of old again (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEverySecretOfATokenFindsIt(t *testing.T) {
	d := told(t)
	// The third one begins like the first, which is all that the table compares at first.
	hash3 := hash1
	hash3[31]++
	for _, hash := range []ostiary.Hash{hash2, hash3} {
		if f := look(d, hash, "curl"); f.Known {
			t.Errorf("%v is known before it is on record", hash)
		}
		apply(t, d, nil, ostiary.Fact{Secret: &ostiary.SecretFact{Account: 1, Token: 3, Hash: hash}})
	}
	apply(t, d, nil, token(func(f *ostiary.TokenFact) { f.Retired = true }))
	for _, hash := range []ostiary.Hash{hash1, hash2, hash3} {
		if f := look(d, hash, "curl"); f.Token.ID != 3 || !f.Token.Retired {
			t.Errorf("%v: token %v, want the retired 3", hash, f.Token)
		}
		if account, id, ok := d.Find(hash); account != 1 || id != 3 || !ok {
			t.Errorf("Find(%v) = %v, %v, %v; want 1, 3, true", hash, account, id, ok)
		}
	}
	if _, _, ok := d.Find(ostiary.Hash{}); ok {
		t.Error("a hash of zeros finds a token")
	}
	if got := d.Size().Secrets; got != 3 {
		t.Errorf("%d secrets, want 3", got)
	}
}

func TestATokenWithoutASecretIsNotFoundByZeros(t *testing.T) {
	d := directory.New()
	apply(t, d, nil, token(nil))
	if f := look(d, ostiary.Hash{}, ""); f.Known {
		t.Error("a token that has no secret yet was found")
	}
}

func TestAnEmptyDirectoryIsNotReady(t *testing.T) {
	d := directory.New()
	if diff := cmp.Diff(ostiary.Facts{}, look(d, hash1, "curl"), byPrefix); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	d.SetReady(true)
	if !look(d, hash1, "curl").Ready {
		t.Error("not ready after SetReady")
	}
	d.SetReady(false)
	if look(d, hash1, "curl").Ready {
		t.Error("ready after SetReady(false)")
	}
}

func TestChangesComeInOrderWithoutAGap(t *testing.T) {
	d := told(t)
	before := d.State()
	for _, revision := range []uint64{0, 1, 3, 1 << 63} {
		err := d.Apply(ostiary.Change{Revision: revision, Facts: []ostiary.Fact{app("x", 9, ostiary.Denied)}}, nil)
		if !errors.Is(err, directory.ErrGap) {
			t.Errorf("revision %d after 1: %v, want ErrGap", revision, err)
		}
	}
	if d.State() != before {
		t.Error("a refused change left something behind")
	}
}

func TestEmailsAreKeptUntilTheyChange(t *testing.T) {
	d := told(t)
	apply(t, d, nil, ostiary.Fact{User: &ostiary.UserFact{ID: 2, Disabled: true}})
	if got := look(d, hash1, "").Email; got != "alice@example.com" {
		t.Errorf("after a change without an e-mail it is %q", got)
	}
	apply(t, d, map[ostiary.ID]string{2: "new@example.com"}, ostiary.Fact{User: &ostiary.UserFact{ID: 2}})
	if got := look(d, hash1, "").Email; got != "new@example.com" {
		t.Errorf("after it changed it is %q", got)
	}
}

func TestCountsFollowTheApplications(t *testing.T) {
	d := told(t)
	other := &ostiary.TokenFact{Account: 1, ID: 7, Kind: ostiary.AccountToken, CapMet: true}
	apply(t, d, nil,
		ostiary.Fact{Token: other},
		ostiary.Fact{App: &ostiary.AppFact{Account: 1, Token: 7, ID: 1, Name: "x", State: ostiary.Waiting}},
		app("one", 5, ostiary.Waiting), app("two", 6, ostiary.Waiting), app("two", 6, ostiary.Waiting))
	want := ostiary.AppCounts{Apps: 3, Waiting: 2, AccountApps: 4}
	if got := d.Counts(3); got != want {
		t.Errorf("after three came: %+v, want %+v", got, want)
	}
	gone := app("one", 5, ostiary.Waiting)
	gone.App.Gone = true
	apply(t, d, nil, gone, gone, app("two", 6, ostiary.Allowed),
		ostiary.Fact{Account: &ostiary.AccountFact{ID: 1, ShortName: "social_networks", CapMet: true}})
	want = ostiary.AppCounts{Apps: 2, Waiting: 0, AccountApps: 3, AccountCapMet: true}
	if got := d.Counts(3); got != want {
		t.Errorf("after one was forgotten and one allowed: %+v, want %+v", got, want)
	}
	if got := d.Counts(7); !got.TokenCapMet {
		t.Errorf("the other token's cap is not met: %+v", got)
	}
	if got := d.Counts(99); got != (ostiary.AppCounts{}) {
		t.Errorf("a token that is not there: %+v", got)
	}
	if got, want := d.Size(), (directory.Size{Accounts: 1, Users: 1, Members: 1, Tokens: 2, Secrets: 1, Apps: 3}); got != want {
		t.Errorf("size %+v, want %+v", got, want)
	}
}

func TestALoadThatFailsChangesNothing(t *testing.T) {
	d := told(t)
	d.SetReady(false)
	before := d.State()
	if err := d.Load(context.Background(), broken{}); !errors.Is(err, errBroken) {
		t.Errorf("got %v, want the viewer's error", err)
	}
	if d.State() != before || look(d, hash1, "").Ready {
		t.Error("a failed load changed the directory")
	}
}

var errBroken = errors.New("broken")

// broken shows half of the records, then fails.
type broken struct{ ostiary.Reader }

func (b broken) View(_ context.Context, fn func(ostiary.Reader) error) error { return fn(b) }
func (broken) Head() (ostiary.Head, error)                                   { return ostiary.Head{Revision: 9}, nil }
func (broken) Users() ([]ostiary.User, error)                                { return nil, nil }

func (broken) Snapshot(fn func(ostiary.Fact) error) error {
	if err := fn(story[0]); err != nil {
		return err
	}
	return errBroken
}
