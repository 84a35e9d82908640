package directory_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ostiary"
)

func prefixes(texts ...string) (list []netip.Prefix) {
	for _, t := range texts {
		list = append(list, netip.MustParsePrefix(t))
	}
	return list
}

type facts []ostiary.Fact

func TestWhatIsUncertainIsTakenAwayAndNeverGiven(t *testing.T) {
	request := func(app string) *ostiary.Question {
		return &ostiary.Question{
			Credential: ostiary.Credential{Shown: ostiary.ShownToken, App: app},
			At:         time.Now(), From: netip.MustParseAddr("10.1.2.3"),
		}
	}
	var (
		is       = func(change func(*ostiary.TokenFact)) facts { return facts{token(change)} }
		was      = is(nil)
		retired  = is(func(f *ostiary.TokenFact) { f.Retired = true })
		low      = is(func(f *ostiary.TokenFact) { f.Privilege = ostiary.ReadOnly })
		open     = is(func(f *ostiary.TokenFact) { f.Default = ostiary.Allow })
		tight    = is(func(f *ostiary.TokenFact) { f.Default = ostiary.Deny })
		over     = is(func(f *ostiary.TokenFact) { f.ExpiresOn = 1 })
		far      = is(func(f *ostiary.TokenFact) { f.Networks = prefixes("192.0.2.0/24") })
		near     = is(func(f *ostiary.TokenFact) { f.Networks = prefixes("10.0.0.0/8") })
		here     = is(func(f *ostiary.TokenFact) { f.Networks = prefixes("10.1.0.0/16") })
		promoted = is(func(f *ostiary.TokenFact) { f.Kind, f.Owner = ostiary.AccountToken, 0 })

		disabled = facts{{User: &ostiary.UserFact{ID: 2, Disabled: true}}}
		enabled  = facts{{User: &ostiary.UserFact{ID: 2}}}
		member   = func(r ostiary.Role) facts {
			return facts{{Member: &ostiary.MemberFact{Account: 1, User: 2, Role: r}}}
		}
		curl   = func(s ostiary.AppState) facts { return facts{app("curl", 4, s)} }
		other  = func(s ostiary.AppState) facts { return facts{app("new", 5, s)} }
		forget = facts{{App: &ostiary.AppFact{Account: 1, Token: 3, ID: 4, Name: "curl", Gone: true}}}
	)
	for _, c := range []struct {
		name              string
		before, uncertain facts
		app               string
		want              ostiary.Reason
		role              ostiary.Role
	}{
		{"retired", nil, retired, "curl", ostiary.BadToken, 0},
		{"not retired any more", retired, was, "curl", ostiary.BadToken, 0},
		{"privilege lowered", nil, low, "curl", ostiary.OK, ostiary.ReadOnly},
		{"privilege raised", low, was, "curl", ostiary.OK, ostiary.ReadOnly},
		{"default opened", nil, open, "new", ostiary.PendingApp, 0},
		{"default tightened", nil, tight, "new", ostiary.DeniedApp, 0},
		{"expired", nil, over, "curl", ostiary.BadToken, 0},
		{"expiry put off", over, was, "curl", ostiary.BadToken, 0},
		{"bound to networks", nil, far, "curl", ostiary.WrongNetwork, ostiary.Normal},
		{"not bound any more", far, was, "curl", ostiary.WrongNetwork, ostiary.Normal},
		{"bound to others", far, near, "curl", ostiary.WrongNetwork, ostiary.Normal},
		{"bound more narrowly", near, here, "curl", ostiary.OK, ostiary.Normal},
		{"bound more widely", here, near, "curl", ostiary.OK, ostiary.Normal},
		{"promoted", member(0), promoted, "curl", ostiary.BadToken, 0},
		{"disabled", nil, disabled, "curl", ostiary.BadToken, 0},
		{"enabled", disabled, enabled, "curl", ostiary.BadToken, 0},
		{"role lowered", nil, member(ostiary.ReadOnly), "curl", ostiary.OK, ostiary.ReadOnly},
		{"role raised", nil, member(ostiary.Admin), "curl", ostiary.OK, ostiary.Normal},
		{"member removed", nil, member(0), "curl", ostiary.BadToken, 0},
		{"member joined", member(0), member(ostiary.Admin), "curl", ostiary.BadToken, 0},
		{"denied", nil, curl(ostiary.Denied), "curl", ostiary.DeniedApp, 0},
		{"allowed", curl(ostiary.Denied), curl(ostiary.Allowed), "curl", ostiary.DeniedApp, 0},
		{"waiting allowed", curl(ostiary.Waiting), curl(ostiary.Allowed), "curl", ostiary.PendingApp, 0},
		{"new denied", nil, other(ostiary.Denied), "new", ostiary.DeniedApp, 0},
		{"new allowed", nil, other(ostiary.Allowed), "new", ostiary.PendingApp, 0},
		{"forgotten", nil, forget, "curl", ostiary.PendingApp, 0},
		{"forgotten while denied", curl(ostiary.Denied), forget, "curl", ostiary.DeniedApp, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := told(t)
			apply(t, d, nil, c.before...)
			logged := d.State()
			d.Restrict(c.uncertain)
			if now := d.State(); now.Digest() != logged.Digest() || now.Head != logged.Head {
				t.Error("the digest is of more than what the log says")
			}
			f := look(d, hash1, c.app)
			if got := ostiary.Decide(&f, request(c.app)); got.Reason != c.want || got.Role != c.role {
				t.Errorf("got %v as %v, want %v as %v", got.Reason, got.Role, c.want, c.role)
			}
			if d.Revision() != 2 {
				t.Errorf("revision %d, want it to stay at 2", d.Revision())
			}

			// Once the log says how it ended, that counts.
			apply(t, d, nil, c.before...)
			apply(t, d, nil, c.uncertain...)
			sure := told(t)
			apply(t, sure, nil, c.before...)
			apply(t, sure, nil, c.before...)
			apply(t, sure, nil, c.uncertain...)
			same(t, sure, d)
		})
	}
}

func TestUncertainNewRecordsAreNotThere(t *testing.T) {
	d := told(t)
	// A member and a secret name a user and a token that are not on record themselves.
	apply(t, d, nil, ostiary.Fact{Member: &ostiary.MemberFact{Account: 1, User: 12, Role: ostiary.Admin}},
		ostiary.Fact{Secret: &ostiary.SecretFact{Account: 11, Token: 15, Hash: ostiary.Hash{1}}})
	before, held, size := d.State(), everything(d), d.Size()
	d.Restrict([]ostiary.Fact{
		{Account: &ostiary.AccountFact{ID: 11, ShortName: "other"}},
		{User: &ostiary.UserFact{ID: 12, Disabled: true}},
		{Member: &ostiary.MemberFact{Account: 11, User: 12, Role: ostiary.Admin}},
		{Token: &ostiary.TokenFact{Account: 11, ID: 13, Kind: ostiary.AccountToken, Retired: true}},
		{Token: &ostiary.TokenFact{Account: 11, ID: 15, Retired: true}},
		{Secret: &ostiary.SecretFact{Account: 11, Token: 13, Hash: hash2}},
		{Secret: &ostiary.SecretFact{Account: 1, Token: 3, Hash: hash2}},
		{App: &ostiary.AppFact{Account: 11, Token: 13, ID: 14, Name: "x", State: ostiary.Denied}},
		{},
	})
	if d.State() != before || d.Size() != size {
		t.Error("a record that may not exist was added")
	}
	if diff := cmp.Diff(held, everything(d), byPrefix); diff != "" {
		t.Errorf("-before +after:\n%s", diff)
	}
	if f := look(d, hash2, "x"); f.Known {
		t.Error("a secret that may not exist is known")
	}
}

// A change in doubt would stand at a revision. Once the log has another one there, it was not made.
func TestADoubtEndsAtTheRevisionThatTells(t *testing.T) {
	d, sure := told(t), told(t)
	next := d.Revision() + 1
	retired := token(func(f *ostiary.TokenFact) { f.Retired = true })
	denied, fresh := app("curl", 4, ostiary.Denied), app("new", 5, ostiary.Denied)
	disabled := ostiary.Fact{User: &ostiary.UserFact{ID: 2, Disabled: true}}
	other := ostiary.Fact{Account: &ostiary.AccountFact{ID: 11, ShortName: "other"}}

	d.Doubt(facts{retired, denied, fresh}, next+1)
	d.Restrict(facts{disabled}) // for good
	d.Doubt(facts{disabled}, next)
	if got := d.State().Restricted; got != 4 {
		t.Fatalf("%d records are restricted, want 4", got)
	}
	apply(t, d, nil, other)
	apply(t, sure, nil, other)
	if got := d.State().Restricted; got != 4 {
		t.Errorf("before the log tells, %d records are restricted, want 4", got)
	}
	apply(t, d, nil, denied) // the part of it that another one made
	apply(t, sure, nil, denied)
	sure.Restrict(facts{disabled})
	same(t, sure, d)

	d.Doubt(facts{retired}, d.Revision())
	same(t, sure, d) // the log has told before
	d.Doubt(facts{retired}, 0)
	apply(t, d, nil, other)
	if got := d.State().Restricted; got != 2 {
		t.Errorf("of a doubt without a revision nothing is left: %d records are restricted, want 2", got)
	}
}
