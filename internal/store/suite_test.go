package store_test

import (
	"path/filepath"
	"testing"

	"ostiary"
	"ostiary/internal/store"
	"ostiary/internal/store/suite"
)

func TestSQLitePassesTheSuite(t *testing.T) {
	t.Parallel()
	suite.Run(t, func(t *testing.T) ostiary.Store { return create(t, filepath.Join(t.TempDir(), "data")) })
}

// create makes a store that is closed when the test ends.
func create(t testing.TB, dir string) *store.DB {
	t.Helper()
	db, err := store.Create(t.Context(), dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}
