package directory_test

import (
	"bytes"
	"testing"

	"ostiary"
	"ostiary/internal/directory"
)

var (
	retiredInDoubt = token(func(f *ostiary.TokenFact) { f.Retired = true })
	somethingElse  = ostiary.Fact{Account: &ostiary.AccountFact{ID: 11, ShortName: "other"}}
)

// wantRestricted demands it of a directory, and of whoever begins from its local copy.
func wantRestricted(t *testing.T, d *directory.Directory, path string, want int) {
	t.Helper()
	if got := d.State().Restricted; got != want {
		t.Errorf("%d records are restricted, want %d", got, want)
	}
	same(t, d, ready(wantKept(t, d, path)))
}

func ready(d *directory.Directory) *directory.Directory {
	d.SetReady(true)
	return d
}

// What is in doubt is so for whoever begins from the local copy, and ends where the log tells, wherever it was
// written down.
func TestADoubtThatIsWrittenDownEndsToo(t *testing.T) {
	for _, c := range []struct {
		name string
		copy func(begins, doubted func())
	}{
		{"in the journal", func(begins, doubted func()) { begins(); doubted() }},
		{"in the copy", func(begins, doubted func()) { doubted(); begins() }},
		{"in both", func(begins, doubted func()) { begins(); doubted(); begins(); doubted() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			path, d := inTemp(t), told(t)
			until := d.Revision() + 2
			c.copy(func() { keep(t, d, path) }, func() {
				d.Doubt(facts{retiredInDoubt, app("curl", 4, ostiary.Denied), app("new", 5, ostiary.Denied)}, until)
			})
			wantRestricted(t, d, path, 3)
			apply(t, d, nil, somethingElse)
			wantRestricted(t, d, path, 3)
			opened := ready(wantKept(t, d, path))
			for _, each := range []*directory.Directory{d, opened} {
				apply(t, each, nil, somethingElse)
			}
			wantRestricted(t, d, path, 0)
			same(t, d, opened)
			if f := look(opened, hash1, "curl"); f.Token.Retired || f.App.State != ostiary.Allowed {
				t.Errorf("the doubt is over, and the token is %+v", f)
			}
		})
	}
}

// The last word about how long counts, also where it takes nothing more away.
func TestHowLongADoubtLastsIsWrittenDown(t *testing.T) {
	path, d := inTemp(t), told(t)
	next, denied := d.Revision()+1, app("curl", 4, ostiary.Denied)
	keep(t, d, path)
	d.Doubt(facts{retiredInDoubt, denied}, next)
	d.Doubt(facts{retiredInDoubt}, next+1)
	d.Restrict(facts{denied}) // for good
	apply(t, d, nil, somethingElse)
	wantRestricted(t, d, path, 2)
	apply(t, d, nil, somethingElse)
	wantRestricted(t, d, path, 1)
}

// Whoever takes all of it over a connection learns from the log how a doubt ends, as those who follow already.
func TestADoubtIsNotSentToThoseThatFollow(t *testing.T) {
	d := told(t)
	d.Doubt(facts{retiredInDoubt, app("new", 5, ostiary.Denied)}, d.Revision()+1)
	d.Restrict(facts{app("curl", 4, ostiary.Denied)})
	var text bytes.Buffer
	if _, err := d.Stream(t.Context(), &text); err != nil {
		t.Fatal(err)
	}
	follows, _, err := directory.ReadCopy(text.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if got := follows.State(); got.Restricted != 1 || got.Digests != d.State().Digests {
		t.Errorf("got %+v, want what the log says, and what was taken away for good", got)
	}
	for _, each := range []*directory.Directory{d, ready(follows)} {
		apply(t, each, nil, somethingElse)
	}
	same(t, d, follows)
}
