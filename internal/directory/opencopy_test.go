package directory_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ostiary"
	"ostiary/internal/directory"
)

// aCopy is a small copy with a record of every kind, one that is restricted and one in doubt too.
func aCopy(t testing.TB) []byte {
	t.Helper()
	d, r := directory.New(), rand.New(rand.NewPCG(9, 9))
	for range 3 {
		c, emails := randomChange(r, d.Revision()+1)
		emails[2] = "alice@example.com"
		c.Facts = append(c.Facts, story...)
		if err := d.Apply(c, emails); err != nil {
			t.Fatal(err)
		}
	}
	d.Restrict(facts{app("new", 5, 1)})
	d.Doubt(facts{{User: &ostiary.UserFact{ID: 2, Disabled: true}}}, d.Revision()+1)
	var b bytes.Buffer
	if _, err := d.CopyTo(&b, about); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// mended has the checksum that belongs to it.
func mended(text []byte) []byte {
	body := text[:max(0, len(text)-sha256.Size)]
	sum := sha256.Sum256(body)
	return append(bytes.Clone(body), sum[:]...)
}

// open opens a copy with these bytes: all of it, or nothing.
func open(t testing.TB, text []byte) (*directory.Directory, error) {
	t.Helper()
	d, got, err := directory.ReadCopy(text)
	if (err != nil) != (d == nil) || err != nil && got != (directory.Copy{}) {
		t.Fatalf("got %v, %+v, %v; want all of it, or an error alone", d, got, err)
	}
	return d, err
}

func TestACopyThatIsTornIsRefused(t *testing.T) {
	whole := aCopy(t)
	for end := range len(whole) {
		if _, err := open(t, whole[:end]); err == nil {
			t.Fatalf("the first %d of %d bytes make a directory", end, len(whole))
		}
		if end < sha256.Size {
			continue
		}
		if _, err := open(t, mended(whole[:end])); err == nil {
			t.Fatalf("the first %d bytes and a checksum make a directory", end-sha256.Size)
		}
	}
	if _, err := open(t, whole); err != nil {
		t.Fatal("the whole copy does not:", err)
	}
}

func TestACopyWithAFlippedByteIsRefused(t *testing.T) {
	whole := aCopy(t)
	for at := range whole {
		for _, flip := range []byte{1, 0x80, 0xff} {
			flipped := bytes.Clone(whole)
			flipped[at] ^= flip
			if _, err := open(t, flipped); err == nil {
				t.Fatalf("byte %d of %d was flipped by %x, and nobody noticed", at, len(whole), flip)
			}
		}
	}
}

// The digest is of the records that came of it, so it also finds what was written or read wrongly.
func TestACopyOfOtherRecordsThanItSaysIsRefused(t *testing.T) {
	whole := aCopy(t)
	for _, c := range []struct{ from, to string }{
		{"social_networks", "social_netwerks"},
		{"curl", "carl"},
		{"alice@", "alicf@"},
		{string(hash1[:]), string(hash2[:])},
	} {
		if !bytes.Contains(whole, []byte(c.from)) {
			t.Fatalf("%q is not in the copy", c.from)
		}
		other := mended(bytes.Replace(whole, []byte(c.from), []byte(c.to), 1))
		if _, err := open(t, other); err == nil || !strings.Contains(err.Error(), "digest") {
			t.Errorf("%q for %q: got %v, want an error about the digest", c.to, c.from, err)
		}
	}
}

func TestWhatIsNoCopyIsRefusedAndTheErrorSaysWhy(t *testing.T) {
	whole := aCopy(t)
	path, other := inTemp(t), bytes.Clone(whole)
	other[len("ostcopy")] = '1'
	unsure := append(bytes.Clone(whole[:len(whole)-32]), make([]byte, 32)...)
	for _, c := range []struct {
		name string
		text []byte
		want string
	}{
		{"an empty file", nil, "it is empty"},
		{"another program's file", []byte("SQLite format 3\x00 and so on, for a while"), "no copy of a directory"},
		{"its first bytes", whole[:5], "no copy of a directory"},
		{"another version", mended(other), "it is of version '1', and this program reads version '2'"},
		{"half of it", whole[:len(whole)/2], "it is torn"},
		{"one byte less", whole[:len(whole)-1], "torn"},
		{"one byte more", append(bytes.Clone(whole), 0), "goes on behind"},
		{"a record more", mended(append(bytes.Clone(whole), 0)), "goes on behind"},
		{"another checksum", unsure, "its checksum does not hold"},
	} {
		if err := os.WriteFile(path, c.text, 0o600); err != nil {
			t.Fatal(err)
		}
		d, got, err := directory.OpenCopy(path)
		if d != nil || got != (directory.Copy{}) || !errors.Is(err, directory.ErrCopy) {
			t.Fatalf("%s: got %v, %+v, %v; want ErrCopy alone", c.name, d, got, err)
		}
		if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want one that names the file and says %q", c.name, err, c.want)
		}
	}
	dir := t.TempDir()
	if _, _, err := directory.OpenCopy(dir); !errors.Is(err, directory.ErrCopy) {
		t.Errorf("a folder: got %v, want ErrCopy", err)
	}
	_, _, err := directory.OpenCopy(filepath.Join(dir, "copy"))
	if !errors.Is(err, fs.ErrNotExist) || errors.Is(err, directory.ErrCopy) {
		t.Errorf("no file: got %v, want %v", err, fs.ErrNotExist)
	}
}

// Whatever stands in a file, opening it does not panic, and what it makes can be copied again. The checksum
// is mended, so that the fuzzer gets behind it.
func FuzzOpenCopy(f *testing.F) {
	f.Add(aCopy(f))
	f.Add([]byte("ostcopy2"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := open(t, text); err != nil {
			text = mended(text)
		}
		d, err := open(t, text)
		if err != nil || d.Revision() == 0 {
			return
		}
		var again bytes.Buffer
		if _, err := d.CopyTo(&again, about); err != nil {
			t.Fatal(err)
		}
		copied, err := open(t, again.Bytes())
		if err != nil {
			t.Fatal("the copy of what a copy made is refused:", err)
		}
		if got, want := copied.State(), d.State(); got != want {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
}
