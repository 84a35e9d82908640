package main

import (
	"path/filepath"
	"testing"

	"ostiary"
	"ostiary/internal/directory"
	"ostiary/internal/store"
	"ostiary/internal/store/pgtest"
	"ostiary/internal/store/storetest"
)

// From SQLite to PostgreSQL and back, every decision stays what it was: the directories have one digest.
func TestDirectoryIsTheSameInTheOtherEngine(t *testing.T) {
	c := pgtest.Shared(t)
	db, err := store.Create(t.Context(), t.TempDir(), store.Options{})
	if err == nil {
		err = storetest.Fill(t.Context(), db, 2000)
	}
	if err != nil {
		t.Fatal(err)
	}
	want := digestOf(t, db)
	if want == directory.New().State().Digest() {
		t.Fatal("there is nothing to compare")
	}
	for _, o := range []store.Options{{Database: store.ReadDSN(c.URL(c.Database(t)))}, {}} {
		file, dir := filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "data")
		if err := db.Backup(t.Context(), file); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Restore(t.Context(), dir, file, o, "operator:tester"); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if db, err = store.Open(t.Context(), dir, o); err != nil {
			t.Fatal(err)
		}
		if got := digestOf(t, db); got != want {
			t.Errorf("the directory's digest is %x, want %x, in epoch %d", got, want, db.Epoch())
		}
		if err := sameByReplay(t.Context(), db); err != nil {
			t.Error(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

func digestOf(t *testing.T, db *store.DB) ostiary.Hash {
	t.Helper()
	d := directory.New()
	if err := d.Load(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	return d.State().Digest()
}
