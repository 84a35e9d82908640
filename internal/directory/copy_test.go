package directory_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ostiary"
	"ostiary/internal/directory"
)

var about = directory.Copy{
	Boot: "3e3a1bb3-61e5-4b56-9d4d-6d2ec7c0f1a2", Queried: 3 * time.Hour,
	At: time.UnixMilli(1_790_000_000_123).UTC(), Epoch: "second life",
}

type tb interface {
	Helper()
	Fatal(args ...any)
}

// copyOf writes a copy into a file and makes a directory of it.
func copyOf(t tb, d *directory.Directory, path string) *directory.Directory {
	t.Helper()
	head, err := d.WriteCopy(context.Background(), path, about)
	if err != nil {
		t.Fatal(err)
	}
	copied, got, err := directory.OpenCopy(path)
	return checked(t, d, copied, head, got, err)
}

// twin does so in memory.
func twin(t tb, d *directory.Directory) *directory.Directory {
	t.Helper()
	var b bytes.Buffer
	head, err := d.CopyTo(&b, about)
	if err != nil {
		t.Fatal(err)
	}
	copied, got, err := directory.ReadCopy(b.Bytes())
	return checked(t, d, copied, head, got, err)
}

func checked(
	t tb, d, copied *directory.Directory, head ostiary.Head, got directory.Copy, err error,
) *directory.Directory {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	want := about
	want.Head = d.Head()
	if got != want || head != want.Head {
		t.Fatal("the copy says", got, "and its writer", head, "want", want)
	}
	return copied
}

func inTemp(t *testing.T) string { return filepath.Join(t.TempDir(), "copy") }

func TestACopyHoldsEverything(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 2))
		d := directory.New()
		for revision := range rapid.Uint64Range(1, 300).Draw(rt, "changes") {
			c, emails := randomChange(r, revision+1)
			if err := d.Apply(c, emails); err != nil {
				rt.Fatal(err)
			}
		}
		for range r.IntN(3) {
			uncertain, _ := randomChange(r, 0)
			d.Restrict(uncertain.Facts)
		}
		copied := twin(rt, d)
		copied.SetReady(true)
		d.SetReady(true)
		same(t, d, copied)
		// It also goes on as the other one does.
		for range 20 {
			c, emails := randomChange(r, d.Revision()+1)
			if err := errors.Join(d.Apply(c, emails), copied.Apply(c, emails)); err != nil {
				rt.Fatal(err)
			}
		}
		same(t, d, copied)
		if t.Failed() {
			rt.FailNow()
		}
	})
}

func TestACopyIsNotReadyUntilItsCallerSaysSo(t *testing.T) {
	d := told(t)
	copied := twin(t, d)
	if look(copied, hash1, "curl").Ready {
		t.Error("a directory that was made of a copy is ready")
	}
	copied.SetReady(true)
	d.SetReady(true)
	if diff := cmp.Diff(look(d, hash1, "curl"), look(copied, hash1, "curl"), byPrefix); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestWhatWasRestrictedIsSoInTheCopy(t *testing.T) {
	d := told(t)
	d.Restrict(facts{
		token(func(f *ostiary.TokenFact) { f.Retired, f.Networks = true, prefixes("10.0.0.0/8") }),
		{User: &ostiary.UserFact{ID: 2, Disabled: true}},
		app("new", 5, ostiary.Denied),
	})
	copied := twin(t, d)
	f := look(copied, hash1, "new")
	if !f.Token.Retired || f.Owner != ostiary.NoRole || f.App.State != ostiary.Denied {
		t.Errorf("the copy gives what was taken away: %+v", f)
	}
	if got, want := copied.State(), d.State(); got != want || got.Restricted != 3 {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for _, each := range []*directory.Directory{d, copied} {
		apply(t, each, nil, story...)
	}
	copied.SetReady(true)
	same(t, d, copied)
}

func TestACopyBelongsToItsUserAlone(t *testing.T) {
	path := inTemp(t)
	for _, name := range []string{path, path + ".new"} {
		if err := os.WriteFile(name, []byte("of somebody else"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	copyOf(t, told(t), path)
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("got %v, %v; want a file of mode 0600", info.Mode(), err)
	}
	wantNoLeftover(t, path)
}

func wantNoLeftover(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Lstat(path + ".new"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an unfinished copy stays: %v", err)
	}
}

// No secret, and no name of one, is in the file: hashes are, as they lie in the database.
func TestACopyHoldsNoSecret(t *testing.T) {
	var b bytes.Buffer
	if _, err := told(t).CopyTo(&b, about); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b.Bytes(), []byte("one")) || !bytes.Contains(b.Bytes(), hash1[:]) {
		t.Error("the copy holds more, or less, than the hash of a secret")
	}
}

func TestACopyThatCannotBeWrittenLeavesTheOldOne(t *testing.T) {
	path := inTemp(t)
	d := told(t)
	old := copyOf(t, d, path).State()
	still := func(what string) {
		t.Helper()
		got, _, err := directory.OpenCopy(path)
		if err != nil || got.State() != old {
			t.Errorf("%s: the old copy is gone: %v", what, err)
		}
		wantNoLeftover(t, path)
	}
	if _, err := directory.New().WriteCopy(context.Background(), path, about); err == nil {
		t.Error("a directory that was never loaded wrote a copy")
	}
	still("nothing to copy")

	d = crowded(t, 5000)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := d.WriteCopy(ctx, path, about); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	still("a context that is over")
	if err := d.Apply(crowd{tokens: 5000}.change(d.Revision()+1), nil); err != nil {
		t.Error("no change is taken after a copy that failed:", err)
	}
	if _, err := d.WriteCopy(context.Background(), filepath.Join(path, "below a file"), about); err == nil {
		t.Error("a copy was written below a file")
	}
}

// crowded is a directory with more records than a block of the copy holds.
func crowded(t testing.TB, tokens int) *directory.Directory {
	t.Helper()
	d := directory.New()
	if err := d.Load(context.Background(), crowd{tokens: tokens}); err != nil {
		t.Fatal(err)
	}
	return d
}

var errFull = errors.New("no room")

// A disk takes so many bytes.
type disk struct{ room int }

func (d *disk) Write(b []byte) (int, error) {
	if len(b) > d.room {
		return 0, errFull
	}
	d.room -= len(b)
	return len(b), nil
}

func TestEveryWriteThatFailsIsAnError(t *testing.T) {
	d := crowded(t, 3000)
	var whole bytes.Buffer
	if _, err := d.CopyTo(&whole, about); err != nil {
		t.Fatal(err)
	}
	for room := 0; room < whole.Len(); room += 10_000 {
		if _, err := d.CopyTo(&disk{room}, about); !errors.Is(err, errFull) {
			t.Errorf("room for %d of %d bytes: %v, want %v", room, whole.Len(), err, errFull)
		}
	}
	if _, err := d.CopyTo(&disk{whole.Len() - 1}, about); !errors.Is(err, errFull) {
		t.Errorf("no room for the last byte: %v", err)
	}
	if d.KeepsChanges() {
		t.Error("changes are kept for a copy that nobody writes any more")
	}
}
