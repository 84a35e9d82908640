package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ostiary"
	"ostiary/internal/store"
	"ostiary/internal/store/storetest"
)

// TestRecentEntriesAreThoseOfTheDatabase compares what a follower is given from memory with what
// another process reads.
func TestRecentEntriesAreThoseOfTheDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := create(t, dir)
	fill(t, db)
	for i := range 200 {
		decide(t, db, i)
	}
	warm := changesAfter(t, db, 170)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := store.Open(context.Background(), dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if diff := cmp.Diff(changesAfter(t, again, 170), warm); diff != "" {
		t.Errorf("memory gives other entries than the database (-database +memory):\n%s", diff)
	}
	if all := changesAfter(t, again, 0); len(all) < 200 {
		t.Errorf("%d entries from the beginning", len(all))
	}
}

func TestErasedStoriesAreNotHeldInMemory(t *testing.T) {
	t.Parallel()
	db := create(t, t.TempDir())
	fill(t, db)
	for i := range 3 {
		decide(t, db, i)
	}
	err := db.Update(context.Background(), func(w ostiary.Writer) error {
		accounts, err := w.Accounts()
		if err != nil {
			return err
		}
		if _, err := w.EraseStories(accounts[0].ID, time.Now().Add(time.Hour)); err != nil {
			return err
		}
		_, err = w.Append(accounts[0].ID, time.Now(), ostiary.Story{What: "story.erase"}, nil)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changesAfter(t, db, 0) {
		if c.Story != nil && c.Story.What != "story.erase" {
			t.Errorf("revision %d still tells %s", c.Revision, c.Story.What)
		}
	}
}

func fill(t *testing.T, db *store.DB) {
	t.Helper()
	if err := storetest.Fill(t.Context(), db, 1000); err != nil {
		t.Fatal(err)
	}
}

func changesAfter(t *testing.T, db ostiary.Store, after uint64) (all []ostiary.Change) {
	t.Helper()
	err := db.Changes(context.Background(), after, func(c ostiary.Change) error { all = append(all, c); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return all
}
