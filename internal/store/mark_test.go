package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ostiary"
)

func TestVersionsCompare(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		version string
		want    bool
	}{
		{"3.51.3", true},
		{"3.51.4", true},
		{"3.52.0", true},
		{"3.53", true},
		{"4.0.0", true},
		{"10.1.1", true},
		{"3.51.10", true},
		{"3.51.2", false},
		{"3.51", false},
		{"3.9.9", false},
		{"2.99.99", false},
		{"", false},
		{"x.y.z", false},
	} {
		if got := atLeast(c.version, minVersion); got != c.want {
			t.Errorf("%q is at least %s: %v, want %v", c.version, minVersion, got, c.want)
		}
	}
}

func TestAMarkReadsBack(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "mark")
	m, err := openMark(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	if _, err := readMark(path); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("a new mark: got %v, want that there is none", err)
	}
	for n := range uint64(5) {
		want := ostiary.Head{Revision: n, Chain: ostiary.Hash{byte(n)}}
		if err := m.write(want); err != nil {
			t.Fatal(err)
		}
		got, err := readMark(path)
		if err != nil || got.Head != want || got.seq != n+1 || got.epoch != 1 {
			t.Fatalf("got %+v %v, want %v of epoch 1", got, err, want)
		}
	}
}

// A change whose mark could not be written is made, but not acknowledged, and none follows it
// until the mark can be written.
func TestNoChangeIsAcknowledgedWithoutItsMark(t *testing.T) {
	t.Parallel()
	db, err := Create(t.Context(), t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	swap := func(f *os.File) (old *os.File) {
		db.turn <- struct{}{}
		defer func() { <-db.turn }()
		old, db.mark.file = db.mark.file, f
		return old
	}
	broken, err := os.Open(os.DevNull) // for reading only
	if err != nil {
		t.Fatal(err)
	}
	change := func() error {
		return db.Update(context.Background(), func(w ostiary.Writer) error {
			_, err := w.Append(1, time.Now(), ostiary.Story{What: "test"}, nil)
			return err
		})
	}
	whole := swap(broken)
	if err := change(); !errors.As(err, new(*ostiary.UncertainError)) {
		t.Fatalf("got %v, want that it is not certain", err)
	}
	if err := change(); !errors.Is(err, ostiary.ErrReadOnly) || errors.As(err, new(*ostiary.UncertainError)) {
		t.Fatalf("got %v, want %v", err, ostiary.ErrReadOnly)
	}
	if err := db.Degraded(); !errors.Is(err, ostiary.ErrReadOnly) {
		t.Fatalf("degraded by %v, want %v", err, ostiary.ErrReadOnly)
	}
	swap(whole)
	for end := time.Now().Add(time.Second); db.Degraded() != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("still %v", db.Degraded())
		}
	}
	if err := change(); err != nil {
		t.Fatal(err)
	}
	if got, err := readMark(markPath(db.dir, Options{})); err != nil || got.Revision != 2 {
		t.Fatalf("the mark is at %d, %v, want 2", got.Revision, err)
	}
}

// A program that knows of no epoch reads and writes the first bytes of a slot, and leaves the rest.
func TestAMarkHoldsItsEpochBesideOlderPrograms(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "mark")
	m, err := openMark(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	says := func(what string, want uint64) {
		t.Helper()
		if got, err := readMark(path); err != nil || got.epoch != want || got.seq != m.seq {
			t.Errorf("%s: got %+v, %v, want epoch %d of write %d", what, got, err, want, m.seq)
		}
	}
	older := func() {
		t.Helper()
		was, err := os.ReadFile(path)
		if err == nil {
			err = m.write(ostiary.Head{Revision: 9})
		}
		if err == nil {
			at := int(m.seq%2)*slotSize + slotUsed
			_, err = m.file.WriteAt(was[at:at+epochUsed], int64(at))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	older()
	says("a mark of before", 1)
	m.epoch = 3
	if err := m.write(ostiary.Head{Revision: 10}); err != nil {
		t.Fatal(err)
	}
	says("written with an epoch", 3)
	older()
	older()
	says("written by an older program since", 3)
	if _, err := m.file.WriteAt([]byte{0xff}, int64(m.seq%2)*slotSize+slotUsed+2); err != nil {
		t.Fatal(err)
	}
	if got, err := readMark(path); err != nil || got.epoch > 3 || got.seq != m.seq {
		t.Errorf("with one epoch spoilt: got %+v, %v", got, err)
	}
}
