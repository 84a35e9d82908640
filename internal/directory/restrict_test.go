package directory_test

import (
	"net/netip"
	"testing"
	"time"

	"ostiary"
)

func prefixes(texts ...string) (list []netip.Prefix) {
	for _, t := range texts {
		list = append(list, netip.MustParsePrefix(t))
	}
	return list
}

func TestWhatIsUncertainIsTakenAwayAndNeverGiven(t *testing.T) {
	request := func(app string) *ostiary.Question {
		return &ostiary.Question{
			Credential: ostiary.Credential{Shown: ostiary.ShownToken, App: app},
			At:         time.Now(), From: netip.MustParseAddr("10.1.2.3"),
		}
	}
	tok := func(change func(*ostiary.TokenFact)) []ostiary.Fact { return []ostiary.Fact{token(change)} }
	gone := app("curl", 4, ostiary.Waiting)
	gone.App.Gone = true
	for _, c := range []struct {
		name          string
		before, facts []ostiary.Fact
		app           string
		want          ostiary.Reason
		role          ostiary.Role
	}{
		{"retired", nil, tok(func(f *ostiary.TokenFact) { f.Retired = true }), "curl", ostiary.BadToken, 0},
		{"not retired any more", tok(func(f *ostiary.TokenFact) { f.Retired = true }), tok(nil), "curl", ostiary.BadToken, 0},
		{"privilege lowered", nil, tok(func(f *ostiary.TokenFact) { f.Privilege = ostiary.ReadOnly }), "curl", ostiary.OK, ostiary.ReadOnly},
		{"privilege raised", tok(func(f *ostiary.TokenFact) { f.Privilege = ostiary.ReadOnly }), tok(nil), "curl", ostiary.OK, ostiary.ReadOnly},
		{"default opened", nil, tok(func(f *ostiary.TokenFact) { f.Default = ostiary.Allow }), "new", ostiary.PendingApp, 0},
		{"default tightened", nil, tok(func(f *ostiary.TokenFact) { f.Default = ostiary.Deny }), "new", ostiary.DeniedApp, 0},
		{"expired", nil, tok(func(f *ostiary.TokenFact) { f.ExpiresOn = 1 }), "curl", ostiary.BadToken, 0},
		{"expiry put off", tok(func(f *ostiary.TokenFact) { f.ExpiresOn = 1 }), tok(nil), "curl", ostiary.BadToken, 0},
		{"networks", nil, tok(func(f *ostiary.TokenFact) { f.Networks = prefixes("192.0.2.0/24") }), "curl", ostiary.WrongNetwork, ostiary.Normal},
		{"networks opened", tok(func(f *ostiary.TokenFact) { f.Networks = prefixes("192.0.2.0/24") }), tok(nil), "curl", ostiary.WrongNetwork, ostiary.Normal},
		{"networks moved here", tok(func(f *ostiary.TokenFact) { f.Networks = prefixes("192.0.2.0/24") }),
			tok(func(f *ostiary.TokenFact) { f.Networks = prefixes("10.0.0.0/8") }), "curl", ostiary.WrongNetwork, ostiary.Normal},
		{"networks narrowed around", tok(func(f *ostiary.TokenFact) { f.Networks = prefixes("10.0.0.0/8") }),
			tok(func(f *ostiary.TokenFact) { f.Networks = prefixes("10.1.0.0/16") }), "curl", ostiary.OK, ostiary.Normal},
		{"promoted, since its owner may go", []ostiary.Fact{{Member: &ostiary.MemberFact{Account: 1, User: 2}}},
			tok(func(f *ostiary.TokenFact) { f.Kind, f.Owner = ostiary.AccountToken, 0 }), "curl", ostiary.BadToken, 0},
		{"user disabled", nil, []ostiary.Fact{{User: &ostiary.UserFact{ID: 2, Disabled: true}}}, "curl", ostiary.BadToken, 0},
		{"user enabled", []ostiary.Fact{{User: &ostiary.UserFact{ID: 2, Disabled: true}}},
			[]ostiary.Fact{{User: &ostiary.UserFact{ID: 2}}}, "curl", ostiary.BadToken, 0},
		{"role lowered", nil, []ostiary.Fact{{Member: &ostiary.MemberFact{Account: 1, User: 2, Role: ostiary.ReadOnly}}}, "curl", ostiary.OK, ostiary.ReadOnly},
		{"role raised", nil, []ostiary.Fact{{Member: &ostiary.MemberFact{Account: 1, User: 2, Role: ostiary.Admin}}}, "curl", ostiary.OK, ostiary.Normal},
		{"member removed", nil, []ostiary.Fact{{Member: &ostiary.MemberFact{Account: 1, User: 2}}}, "curl", ostiary.BadToken, 0},
		{"member joined", []ostiary.Fact{{Member: &ostiary.MemberFact{Account: 1, User: 2}}},
			[]ostiary.Fact{{Member: &ostiary.MemberFact{Account: 1, User: 2, Role: ostiary.Admin}}}, "curl", ostiary.BadToken, 0},
		{"denied", nil, []ostiary.Fact{app("curl", 4, ostiary.Denied)}, "curl", ostiary.DeniedApp, 0},
		{"allowed", []ostiary.Fact{app("curl", 4, ostiary.Denied)}, []ostiary.Fact{app("curl", 4, ostiary.Allowed)}, "curl", ostiary.DeniedApp, 0},
		{"waiting one allowed", []ostiary.Fact{app("curl", 4, ostiary.Waiting)}, []ostiary.Fact{app("curl", 4, ostiary.Allowed)}, "curl", ostiary.PendingApp, 0},
		{"a new name denied", nil, []ostiary.Fact{app("new", 5, ostiary.Denied)}, "new", ostiary.DeniedApp, 0},
		{"a new name allowed", nil, []ostiary.Fact{app("new", 5, ostiary.Allowed)}, "new", ostiary.PendingApp, 0},
		{"forgotten", nil, []ostiary.Fact{gone}, "curl", ostiary.PendingApp, 0},
		{"forgotten while denied", []ostiary.Fact{app("curl", 4, ostiary.Denied)}, []ostiary.Fact{gone}, "curl", ostiary.DeniedApp, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := told(t)
			apply(t, d, nil, c.before...)
			d.Restrict(c.facts)
			f := look(d, hash1, c.app)
			if got := ostiary.Decide(&f, request(c.app)); got.Reason != c.want || got.Role != c.role {
				t.Errorf("got %v as %v, want %v as %v", got.Reason, got.Role, c.want, c.role)
			}
			if d.Revision() != 2 {
				t.Errorf("revision %d, want it to stay at 2", d.Revision())
			}

			// Once the log says how it ended, that counts.
			apply(t, d, nil, c.before...)
			apply(t, d, nil, c.facts...)
			sure := told(t)
			apply(t, sure, nil, c.before...)
			apply(t, sure, nil, c.before...)
			apply(t, sure, nil, c.facts...)
			if d.Digest() != sure.Digest() {
				t.Error("after the change was made the restriction left something behind")
			}
		})
	}
}

func TestUncertainNewRecordsAreNotThere(t *testing.T) {
	d := told(t)
	before, size := d.Digest(), d.Size()
	d.Restrict([]ostiary.Fact{
		{Account: &ostiary.AccountFact{ID: 11, ShortName: "other"}},
		{User: &ostiary.UserFact{ID: 12}},
		{Member: &ostiary.MemberFact{Account: 11, User: 12, Role: ostiary.Admin}},
		{Token: &ostiary.TokenFact{Account: 11, ID: 13, Kind: ostiary.AccountToken, Privilege: ostiary.Admin}},
		{Secret: &ostiary.SecretFact{Account: 11, Token: 13, Hash: hash2}},
		{Secret: &ostiary.SecretFact{Account: 1, Token: 3, Hash: hash2}},
		{App: &ostiary.AppFact{Account: 11, Token: 13, ID: 14, Name: "x", State: ostiary.Denied}},
		{},
	})
	if d.Digest() != before || d.Size() != size {
		t.Error("a record that may not exist was added")
	}
	if f := look(d, hash2, "x"); f.Known {
		t.Error("a secret that may not exist is known")
	}
}
