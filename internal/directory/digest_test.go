package directory_test

import (
	"context"
	"maps"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ostiary"
	"ostiary/internal/directory"
)

// A shuffled ledger shows its records in any order.
type shuffled struct {
	*ledger
	r *rand.Rand
}

func (s shuffled) View(_ context.Context, fn func(ostiary.Reader) error) error { return fn(s) }

func (s shuffled) Snapshot(fn func(ostiary.Fact) error) error {
	facts := slices.Collect(maps.Values(s.facts))
	s.r.Shuffle(len(facts), func(i, j int) { facts[i], facts[j] = facts[j], facts[i] })
	for _, f := range facts {
		if err := fn(f); err != nil {
			return err
		}
	}
	return nil
}

func TestDigestDoesNotTellHowTheRecordsCame(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		applied, records := directory.New(), newLedger()
		for revision := range rapid.Uint64Range(1, 200).Draw(rt, "changes") {
			c, emails := randomChange(r, revision+1)
			if r.IntN(20) == 0 {
				uncertain, _ := randomChange(r, 0)
				applied.Restrict(uncertain.Facts)
			}
			records.apply(c, emails)
			if err := applied.Apply(c, emails); err != nil {
				rt.Fatal(err)
			}
		}
		loaded := directory.New()
		if err := loaded.Load(context.Background(), shuffled{records, r}); err != nil {
			rt.Fatal(err)
		}
		copied := twin(rt, applied)
		want := loaded.State()
		for way, d := range map[string]*directory.Directory{"applied": applied, "copied": copied} {
			got := d.State()
			got.Restricted = 0 // what was loaded knows of no doubt
			if got != want {
				rt.Errorf("%s: %+v, loaded: %+v", way, got, want)
			}
		}
		if got, want := copied.State(), applied.State(); got != want {
			rt.Errorf("copied: %+v, want %+v", got, want)
		}
	})
}

// Every field of every fact is set to something else in turn, so that a new one cannot be forgotten.
func TestEveryFieldOfAFactChangesTheDigest(t *testing.T) {
	one := ostiary.Fact{
		Account: &ostiary.AccountFact{ID: 1, ShortName: "a"},
		User:    &ostiary.UserFact{ID: 1},
		Member:  &ostiary.MemberFact{Account: 1, User: 1, Role: ostiary.Normal},
		Token:   &ostiary.TokenFact{Account: 1, ID: 1},
		Secret:  &ostiary.SecretFact{Account: 1, Token: 1},
		App:     &ostiary.AppFact{Account: 1, Token: 1, ID: 1, Name: "a"},
	}
	kinds := reflect.ValueOf(one)
	for k := range kinds.NumField() {
		kind := kinds.Type().Field(k).Name
		if kinds.Field(k).IsNil() {
			t.Errorf("there is no example of a fact about a %s", kind)
			continue
		}
		about := func(record reflect.Value) directory.State {
			var f ostiary.Fact
			reflect.ValueOf(&f).Elem().Field(k).Set(record)
			d := directory.New()
			apply(t, d, nil, f)
			return d.State()
		}
		base := about(kinds.Field(k))
		if base.Facts == directory.New().State().Facts {
			t.Errorf("a %s is not in the digest", kind)
		}
		for n := range kinds.Field(k).Elem().NumField() {
			other := reflect.New(kinds.Field(k).Elem().Type())
			other.Elem().Set(kinds.Field(k).Elem())
			change(t, other.Elem().Field(n))
			got := about(other)
			if name := other.Elem().Type().Field(n).Name; got.Facts == base.Facts || got.Digest() == base.Digest() {
				t.Errorf("another %s of a %s is not in the digest", name, kind)
			}
		}
	}
}

// change sets a field to something else.
func change(t *testing.T, field reflect.Value) {
	t.Helper()
	switch field.Interface().(type) {
	case []netip.Prefix:
		field.Set(reflect.ValueOf(prefixes("10.0.0.0/8")))
		return
	case ostiary.Hash:
		field.Index(31).SetUint(1)
		return
	}
	switch field.Kind() {
	case reflect.String:
		field.SetString(field.String() + "b")
	case reflect.Bool:
		field.SetBool(!field.Bool())
	case reflect.Int64:
		field.SetInt(field.Int() + 1)
	case reflect.Uint8, reflect.Uint64:
		field.SetUint(field.Uint() + 1)
	default:
		t.Fatalf("this test does not know how to change a %v", field.Type())
	}
}

func TestDigestSeesWhatNoFactHolds(t *testing.T) {
	d := told(t)
	before := d.State()
	email := func(text string) directory.State {
		apply(t, d, map[ostiary.ID]string{2: text}, ostiary.Fact{User: &ostiary.UserFact{ID: 2}})
		return d.State()
	}
	for _, other := range []string{"alice@example.org", ""} {
		now := email(other)
		if now.Facts != before.Facts {
			t.Errorf("%q: an e-mail is part of the facts' digest", other)
		}
		if now.Emails == before.Emails || now.Digest() == before.Digest() {
			t.Errorf("%q: another e-mail is not in the digest", other)
		}
	}
	if now := email("alice@example.com"); now.Digest() != before.Digest() {
		t.Error("the e-mail of old does not bring the digest back")
	}
}

func TestDigestComesBackWithTheRecords(t *testing.T) {
	d := told(t)
	before := d.State()
	gone := app("wget", 9, ostiary.Denied)
	apply(t, d, nil, gone)
	if d.Digest() == before.Facts {
		t.Error("another application is not in the digest")
	}
	gone.App.Gone = true
	apply(t, d, nil, gone)
	nameless := ostiary.AppFact{Account: 1, Token: 8, ID: 9} // no record is, and it counts like any other
	forgotten := nameless
	forgotten.Gone = true
	apply(t, d, nil, ostiary.Fact{App: &nameless}, ostiary.Fact{App: &nameless}, ostiary.Fact{App: &forgotten})
	apply(t, d, nil, story...)
	apply(t, d, nil, story[4]) // a secret that it has
	if d.Digest() != before.Facts {
		t.Error("the records are those of old, the digest is not")
	}
}

func TestAFactIsReadAsItWasWritten(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 300 {
		c, _ := randomChange(r, 1)
		for _, want := range c.Facts {
			text := directory.AppendFact(nil, want)
			got, err := directory.ReadFact(text)
			if diff := cmp.Diff(want, got, byPrefix); diff != "" || err != nil {
				t.Fatalf("%v; -want +got:\n%s", err, diff)
			}
			for end := range text {
				if f, err := directory.ReadFact(text[:end]); err == nil {
					t.Fatalf("%d of %d bytes are read as %+v", end, len(text), f)
				}
			}
			if f, err := directory.ReadFact(append(text, 0)); err == nil {
				t.Fatalf("a byte more is read as %+v", f)
			}
		}
	}
}

// Digests of secrets and applications belong to their token, not only to the set of all.
func TestDigestSeesRecordsChangePlaces(t *testing.T) {
	two := func(first, second ostiary.Hash) ostiary.Hash {
		d := directory.New()
		apply(t, d, nil,
			ostiary.Fact{Token: &ostiary.TokenFact{Account: 1, ID: 1}},
			ostiary.Fact{Token: &ostiary.TokenFact{Account: 1, ID: 2}},
			ostiary.Fact{Secret: &ostiary.SecretFact{Account: 1, Token: 1, Hash: first}},
			ostiary.Fact{Secret: &ostiary.SecretFact{Account: 1, Token: 2, Hash: second}})
		return d.Digest()
	}
	if two(hash1, hash2) == two(hash2, hash1) {
		t.Error("two tokens with each other's secrets have the same digest")
	}
}

func TestARestrictionIsCountedUntilTheLogSaysHowItEnded(t *testing.T) {
	d := told(t)
	before := d.State()
	retired := token(func(f *ostiary.TokenFact) { f.Retired = true })
	low := token(func(f *ostiary.TokenFact) { f.Privilege = ostiary.ReadOnly })
	d.Restrict(facts{retired, low, retired, app("curl", 4, ostiary.Denied), app("new", 5, ostiary.Denied)})
	d.Restrict(facts{app("curl", 4, ostiary.Allowed), {User: &ostiary.UserFact{ID: 2}}})
	want := before
	want.Restricted = 3
	if got := d.State(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	apply(t, d, nil, story...)
	if got := d.State(); got.Restricted != 1 || got.Facts != before.Facts {
		t.Errorf("the log said that two are as they were: %+v, want 1 restricted and the digest of old", got)
	}
	sure := told(t)
	apply(t, sure, nil, story...)
	apply(t, sure, nil, app("new", 5, ostiary.Denied))
	apply(t, d, nil, app("new", 5, ostiary.Denied))
	same(t, sure, d)
}

func TestHeadHasTheChainOfTheLog(t *testing.T) {
	d := directory.New()
	if err := d.Apply(ostiary.Change{Revision: 1, Chain: hash1}, nil); err != nil {
		t.Fatal(err)
	}
	if got, want := d.Head(), (ostiary.Head{Revision: 1, Chain: hash1}); got != want {
		t.Errorf("after a change: %v, want %v", got, want)
	}
	records := newLedger()
	records.head = ostiary.Head{Revision: 7, Chain: hash2}
	if err := d.Load(context.Background(), records); err != nil {
		t.Fatal(err)
	}
	if got := d.Head(); got != records.head || d.State().Head != records.head {
		t.Errorf("after loading: %v, want %v", got, records.head)
	}
}
