package directory_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/directory"
)

func TestADirectoryKnowsWhatItHeldLately(t *testing.T) {
	t.Parallel()
	d := directory.New()
	if _, found := d.HeldAt(0); found {
		t.Error("an empty directory says what it held at revision 0")
	}
	r := rand.New(rand.NewPCG(1, 2))
	var all []ostiary.Digests
	for revision := range uint64(9000) {
		c, emails := randomChange(r, revision+1)
		if err := d.Apply(c, emails); err != nil {
			t.Fatal(err)
		}
		all = append(all, d.State().Digests)
	}
	for _, want := range all {
		got, found := d.HeldAt(want.Head.Revision)
		if recent := want.Head.Revision > 9000-8192; found != recent || recent && got != want {
			t.Fatalf("at %d: found %v, %+v; want %v, %+v", want.Head.Revision, found, got, recent, want)
		}
	}
	if _, found := d.HeldAt(9001); found {
		t.Error("it says what it will hold")
	}
	records := newLedger()
	records.head = ostiary.Head{Revision: 9000}
	if err := d.Load(context.Background(), records); err != nil {
		t.Fatal(err)
	}
	if _, found := d.HeldAt(8999); found {
		t.Error("it says what contents held that were replaced")
	}
	if got, found := d.HeldAt(9000); !found || got != d.Holds() || got.Text() == "" {
		t.Errorf("after loading: %v, %+v", found, got)
	}
}

// Each record that is another is named, taken over, and narrowed as it was.
func TestMendNamesWhatDiffers(t *testing.T) {
	t.Parallel()
	right := func() *directory.Directory {
		d := told(t)
		apply(t, d, nil)
		return d
	}
	wrong := func(emails map[ostiary.ID]string, facts ...ostiary.Fact) *directory.Directory {
		d := told(t)
		apply(t, d, emails, facts...)
		return d
	}
	gone := app("curl", 4, ostiary.Allowed)
	gone.App.Gone = true
	for want, d := range map[string]*directory.Directory{
		"":                         wrong(nil),
		"token 3":                  wrong(nil, token(func(f *ostiary.TokenFact) { f.Retired = true })),
		"application 4 of token 3": wrong(nil, gone),
		"application 9 of token 3": wrong(nil, app("wget", 9, ostiary.Denied)),
		"user 2":                   wrong(nil, ostiary.Fact{User: &ostiary.UserFact{ID: 2, Disabled: true}}),
		"user 2 of account 1": wrong(nil,
			ostiary.Fact{Member: &ostiary.MemberFact{Account: 1, User: 2, Role: ostiary.NoRole}}),
		"account 7":               wrong(nil, ostiary.Fact{Account: &ostiary.AccountFact{ID: 7, ShortName: "seven"}}),
		"a secret of token 3":     wrong(nil, ostiary.Fact{Secret: &ostiary.SecretFact{Account: 1, Token: 3, Hash: ostiary.Hash{9}}}),
		"credential 5 of an edge": wrong(nil, ostiary.Fact{Edge: &ostiary.EdgeFact{ID: 5, Name: "near"}}),
		"the e-mail of user 2":    wrong(map[ostiary.ID]string{2: "other@example.com"}),
		"the e-mail of user 8":    wrong(map[ostiary.ID]string{8: "other@example.com"}),
		"token 8; token 3":        wrong(nil, token(func(f *ostiary.TokenFact) { f.ID = 8 }), token(func(f *ostiary.TokenFact) { f.Privilege = ostiary.ReadOnly })),
	} {
		d.Restrict(facts{app("curl", 4, ostiary.Denied)})
		d.Doubt(facts{app("ended", 6, ostiary.Denied)}, d.Revision()+1)
		differs, err := d.Mend(right())
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(differs, "; ")
		wanted := strings.Split(want, "; ")
		slices.Sort(wanted)
		slices.Sort(differs)
		if !slices.Equal(wanted, differs) && want+got != "" {
			t.Errorf("it names %q, want %q", got, want)
		}
		if d.State().Digests != right().State().Digests {
			t.Errorf("%s: it is not right afterwards", want)
		}
		if held, _ := d.HeldAt(d.Revision()); held != d.Holds() {
			t.Errorf("%s: what it held is not what it holds", want)
		}
		var f ostiary.Facts
		d.Look(hash1, "curl", &f)
		if f.App.State != ostiary.Denied {
			t.Errorf("%s: what was narrowed is %v", want, f.App.State)
		}
		was := d.State().Restricted
		if apply(t, d, nil); d.State().Restricted != was-1 {
			t.Errorf("%s: a doubt lasts though the log has told", want)
		}
	}
	later := right()
	apply(t, later, nil)
	if _, err := right().Mend(later); err == nil {
		t.Error("two directories at two revisions are compared")
	}
}

// A million tokens are compared while no change is applied.
func BenchmarkMend(b *testing.B) {
	if testing.Short() {
		b.Skip("a million tokens")
	}
	c := crowd{tokens: 1_000_000}
	load := func() *directory.Directory {
		d := directory.New()
		if err := d.Load(context.Background(), c); err != nil {
			b.Fatal(err)
		}
		return d
	}
	for b.Loop() {
		b.StopTimer()
		d, right := load(), load()
		wrong, fine := c.token(77), c.token(77)
		wrong.Retired = true
		for to, f := range map[*directory.Directory]*ostiary.TokenFact{d: &wrong, right: &fine} {
			if err := to.Apply(ostiary.Change{Revision: 2, Facts: []ostiary.Fact{{Token: f}}}, nil); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
		begun := time.Now()
		if differs, err := d.Mend(right); err != nil || len(differs) != 1 {
			b.Fatal(differs, err)
		}
		b.ReportMetric(time.Since(begun).Seconds(), "s")
	}
}
