package directory_test

import (
	"testing"

	"ostiary"
	"ostiary/internal/directory"
)

// What takes the place of older contents gives nothing back that the log cannot have given back.
func TestWhatWasTakenAwayStaysSoInContentsOfAnotherLog(t *testing.T) {
	t.Parallel()
	retired := token(func(f *ostiary.TokenFact) { f.Retired = true })
	low := token(func(f *ostiary.TokenFact) { f.Privilege = ostiary.ReadOnly })
	removed := ostiary.Fact{Member: &ostiary.MemberFact{Account: 1, User: 2}}
	secret := func(hash ostiary.Hash) ostiary.Fact {
		return ostiary.Fact{Secret: &ostiary.SecretFact{Account: 1, Token: 3, Hash: hash}}
	}
	for _, c := range []struct {
		name    string
		was, is []ostiary.Fact // besides the story
		another bool
		want    ostiary.Reason
		role    ostiary.Role
	}{
		{"nothing was taken away", nil, nil, true, ostiary.OK, ostiary.Normal},
		{"retired, in another log", []ostiary.Fact{retired}, nil, true, ostiary.BadToken, 0},
		{"retired, and nobody knows that it is another log", []ostiary.Fact{retired}, nil, false, ostiary.BadToken, 0},
		{
			"denied, and the log takes a retirement back",
			[]ostiary.Fact{app("curl", 4, ostiary.Denied), {Token: &ostiary.TokenFact{Account: 1, ID: 7, Retired: true}}},
			[]ostiary.Fact{{Token: &ostiary.TokenFact{Account: 1, ID: 7}}},
			false, ostiary.DeniedApp, 0,
		},
		{"denied, in another log", []ostiary.Fact{app("curl", 4, ostiary.Denied)}, nil, true, ostiary.DeniedApp, 0},
		{"denied, and allowed since", []ostiary.Fact{app("curl", 4, ostiary.Denied)}, nil, false, ostiary.OK, ostiary.Normal},
		{"lowered, in another log", []ostiary.Fact{low}, nil, true, ostiary.OK, ostiary.ReadOnly},
		{"removed, in another log", []ostiary.Fact{removed}, nil, true, ostiary.BadToken, 0},
		{"removed, and back since", []ostiary.Fact{removed}, nil, false, ostiary.OK, ostiary.Normal},
	} {
		t.Run(c.name, func(t *testing.T) {
			old, fresh := told(t), told(t)
			apply(t, old, nil, c.was...)
			apply(t, fresh, nil, c.is...)
			said := fresh.State().Digest()
			fresh.KeepTaken(old, c.another)
			if fresh.State().Digest() != said {
				t.Error("the digest is of more than what the log says")
			}
			f := look(fresh, hash1, "curl")
			q := &ostiary.Question{Credential: ostiary.Credential{Shown: ostiary.ShownToken, App: "curl"}}
			if got := ostiary.Decide(&f, q); got.Reason != c.want || got.Role != c.role {
				t.Errorf("got %v as %v, want %v as %v", got.Reason, got.Role, c.want, c.role)
			}
		})
	}

	// Another log may have given the number of a retired token to a new one.
	old, fresh := directory.New(), directory.New()
	apply(t, old, nil, retired, secret(hash2), app("curl", 4, ostiary.Denied))
	apply(t, fresh, nil, story...)
	fresh.SetReady(true)
	fresh.KeepTaken(old, true)
	if f := look(fresh, hash1, "curl"); f.Token.Retired || f.App.State != ostiary.Allowed {
		t.Errorf("another token under the same number is %+v, its application %v", f.Token, f.App.State)
	}
}

// What is narrowed stays so in contents that come whole, until the log says something of the record.
func TestWhatIsNarrowedStaysSoInContentsThatComeWhole(t *testing.T) {
	t.Parallel()
	denied := []ostiary.Fact{app("curl", 4, ostiary.Denied)}
	old := told(t)
	old.Restrict(denied)
	same, since := told(t), told(t)
	apply(t, since, nil, app("curl", 4, ostiary.Waiting))
	same.KeepNarrowed(old)
	since.KeepNarrowed(old)
	if f := look(same, hash1, "curl"); f.App.State != ostiary.Denied {
		t.Errorf("of a record that is what it was, the application is %v, want denied", f.App.State)
	}
	if f := look(since, hash1, "curl"); f.App.State != ostiary.Waiting {
		t.Errorf("the log says that it waits, and it is %v", f.App.State)
	}
}
