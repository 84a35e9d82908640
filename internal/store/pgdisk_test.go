package store_test

import (
	"testing"
	"time"

	"ostiary/internal/store/pgtest"
)

// Its probe needs no room, and tells nothing about changes, which do.
func TestADatabaseWithoutRoomIsKnownToTakeNoChanges(t *testing.T) {
	t.Parallel()
	c, disk, _ := pgtest.StartOnDisks(t, "128m", "64m", "max_wal_size = 16MB", "min_wal_size = 2MB")
	db := createOn(t, c.URL(c.Database(t)))
	addTokens(t, db, 1)
	disk.Fill(t)
	failed := 0
	soon(t, "changes are refused", func() bool {
		if failed++; tryChange(db) == nil {
			failed = 0
		}
		return failed > 20
	})
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if db.Degraded() == nil {
			t.Fatal("changes are said to be possible, and the disk is full")
		}
	}
	wantRefused(t, tryChange(db))
	if !canRead(db) {
		t.Error("reading fails")
	}
	disk.Free(t)
	soon(t, "changes can be made again", func() bool { return db.Degraded() == nil })
	change(t, db, count)
	holds(t, db)
}
