package store_test

import (
	"path/filepath"
	"testing"

	"ostiary"
	"ostiary/internal/store"
	"ostiary/internal/store/pgtest"
	"ostiary/internal/store/suite"
)

func TestPostgreSQLPassesTheSuite(t *testing.T) {
	t.Parallel()
	suite.Run(t, func(t *testing.T) ostiary.Store {
		c := pgtest.Shared(t)
		return createOn(t, c.URL(c.Database(t)))
	})
}

// createOn makes records in an empty database, with a folder of its own.
func createOn(t testing.TB, url string) *store.DB {
	t.Helper()
	db, err := store.Create(t.Context(), filepath.Join(t.TempDir(), "data"), store.Options{Database: store.ReadDSN(url)})
	ok(t, err)
	t.Cleanup(func() { ok(t, db.Close()) })
	return db
}

// join opens another node on the same database.
func join(t testing.TB, url string) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "data"), store.Options{Database: store.ReadDSN(url)})
	ok(t, err)
	t.Cleanup(func() { ok(t, db.Close()) })
	return db
}
