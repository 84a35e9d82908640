package directory_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"ostiary"
)

// Two logs that part give one number to different records. Memory of the one gives no more than the records of the
// other do.
func TestMemoryBecomesTheLesserOfBoth(t *testing.T) {
	edge := ostiary.Fact{Edge: &ostiary.EdgeFact{ID: 9, Name: "near", Hash: ostiary.Hash{9}}}
	with := func(more ...ostiary.Fact) facts { return append(append(facts{}, story...), more...) }
	but := func(leave func(ostiary.Fact) bool, more ...ostiary.Fact) (left facts) {
		for _, f := range with(edge) {
			if !leave(f) {
				left = append(left, f)
			}
		}
		return append(left, more...)
	}
	isToken := func(f ostiary.Fact) bool { return f.Token != nil }
	another := ostiary.Hash{77}
	for _, c := range []struct {
		name   string
		others facts
		want   ostiary.Reason
		edge   bool
	}{
		{"the same", with(edge), ostiary.OK, true},
		{"more", with(edge, ostiary.Fact{User: &ostiary.UserFact{ID: 12}}), ostiary.OK, true},
		{"without the token", but(isToken), ostiary.BadToken, true},
		{"the token belongs to the account", but(isToken, token(func(f *ostiary.TokenFact) {
			f.Kind, f.Owner = ostiary.AccountToken, 0
		})), ostiary.BadToken, true},
		{"the token's number is another one's", but(func(f ostiary.Fact) bool { return f.Secret != nil },
			ostiary.Fact{Secret: &ostiary.SecretFact{Account: 1, Token: 3, Hash: another}}), ostiary.BadToken, true},
		{"without the application", but(func(f ostiary.Fact) bool { return f.App != nil }), ostiary.PendingApp, true},
		{"without the member", but(func(f ostiary.Fact) bool { return f.Member != nil }), ostiary.BadToken, true},
		{"without the user", but(func(f ostiary.Fact) bool { return f.User != nil }), ostiary.BadToken, true},
		{"without the edge", with(), ostiary.OK, false},
		{
			"the edge's number is another one's",
			with(ostiary.Fact{Edge: &ostiary.EdgeFact{ID: 9, Name: "far", Hash: another}}), ostiary.OK, false,
		},
		{"nothing", nil, ostiary.BadToken, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := told(t)
			apply(t, d, nil, edge)
			at := d.State().Head
			err := d.RestrictTo(func(fn func(ostiary.Fact) error) error {
				for _, f := range c.others {
					if err := fn(f); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			f := look(d, hash1, "curl")
			got := ostiary.Decide(&f, &ostiary.Question{
				Credential: ostiary.Credential{Shown: ostiary.ShownToken, App: "curl"}, At: time.Now(),
				From: netip.MustParseAddr("10.1.2.3"),
			})
			if got.Reason != c.want {
				t.Errorf("got %v, want %v", got.Reason, c.want)
			}
			if _, known := d.Edge(ostiary.Hash{9}); known != c.edge {
				t.Errorf("the edge's credential is good: %v, want %v", known, c.edge)
			}
			if d.State().Head != at {
				t.Error("the revision has moved")
			}
		})
	}
}

// What is lacking is known once all was read.
func TestHalfOfTheOtherRecordsTakeNothingAwayThatTheyLack(t *testing.T) {
	d := told(t)
	away := errors.New("away")
	if err := d.RestrictTo(func(func(ostiary.Fact) error) error { return away }); !errors.Is(err, away) {
		t.Errorf("got %v", err)
	}
	if f := look(d, hash1, "curl"); f.Token.Retired {
		t.Error("a token was taken away")
	}
}
