package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ostiary"
	"ostiary/internal/store"
	"ostiary/internal/store/pgtest"
)

// A restore was meant: a node whose mark is ahead of it goes on without a flag, says what is lost, and
// retires again what it knows. It ends nobody's session of the new epoch.
func TestANodeGoesOnFromARestore(t *testing.T) {
	t.Parallel()
	dir, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "elsewhere")
	file := filepath.Join(t.TempDir(), "backup")
	db := create(t, dir)
	addTokens(t, db, 4)
	ok(t, db.Backup(t.Context(), file))
	retire(t, db, 1)
	ok(t, db.Close())
	old := keep(t, dir, database)
	other := store.Options{Mark: elsewhere}
	db = reopen(t, dir, other)
	retire(t, db, 2)
	change(t, db, addUser)
	ok(t, db.Close())
	old()
	_, err := store.Restore(t.Context(), dir, file, store.Options{}, by)
	ok(t, err)
	db = reopen(t, dir, store.Options{})
	session := signedIn(t, db)
	if token(t, db, 1).RetiredOn.IsZero() || !token(t, db, 2).RetiredOn.IsZero() || db.Epoch() != 2 {
		t.Errorf("after the restore token 2 is retired, or 1 is not, or the epoch is %d", db.Epoch())
	}
	ok(t, db.Close())

	var log strings.Builder
	other.Log = textLog(&log)
	db = reopen(t, dir, other)
	for id := ostiary.ID(1); id <= 4; id++ {
		if got, want := !token(t, db, id).RetiredOn.IsZero(), id < 3; got != want {
			t.Errorf("token %d is retired: %v, want %v", id, got, want)
		}
	}
	if !hasSession(db, session) {
		t.Error("a node that goes on from a restore ends the sessions that have begun since")
	}
	holds(t, db)
	for _, word := range []string{"a backup was restored", "epoch=2", `lost="revisions 2 to 4"`} {
		if !strings.Contains(log.String(), word) {
			t.Errorf("the log does not say %s: %s", word, log.String())
		}
	}
	restored := keep(t, dir, database)
	change(t, db, addUser)
	ok(t, db.Close())
	log.Reset()
	ok(t, reopen(t, dir, other).Close())
	if strings.Contains(log.String(), "restored") {
		t.Errorf("the next start says it again: %s", log.String())
	}

	// In one epoch, and from a newer one to an older, all is as it was.
	restored()
	refused(t, dir, other, store.ErrBehind, "--accept-rollback")
	old()
	refused(t, dir, other, store.ErrBehind, "--accept-rollback")
}

func TestEveryRestoreBeginsAnEpochThatIsNewToAllThatIsKnown(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(t.TempDir(), "backup")
	db := create(t, dir)
	addTokens(t, db, 1)
	ok(t, db.Backup(t.Context(), file))
	ok(t, db.Close())
	restore := func(want uint64) {
		t.Helper()
		report, err := store.Restore(t.Context(), dir, file, store.Options{}, by)
		ok(t, err)
		if report.Epoch != want {
			t.Errorf("the epoch is %d, want %d", report.Epoch, want)
		}
	}
	restore(2)
	restore(3)
	ok(t, os.Remove(filepath.Join(dir, database))) // the mark still says 3
	restore(4)
	ok(t, os.Remove(filepath.Join(dir, mark))) // the records still say 4
	restore(5)
}

// A node that runs while somebody restores, at the revision where the backup ends, takes part in the new
// epoch; its mark must say so.
func TestARunningNodeMeetsTheNextEpoch(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	name := c.Database(t)
	o := store.Options{Database: store.ReadDSN(c.URL(name))}
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "backup")
	db := createOn(t, c.URL(name))
	addTokens(t, db, 2)
	ok(t, db.Backup(t.Context(), file))
	node := reopen(t, dir, o)
	_, err := store.Restore(t.Context(), t.TempDir(), file, o, by)
	ok(t, err)
	soon(t, "the node meets the restore", func() bool { return node.Epoch() == 2 })
	ok(t, node.Degraded())
	change(t, node, addUser)
	ok(t, node.Close())
	c.Exec(t, name, `DELETE FROM log WHERE revision = 3; UPDATE head SET revision = 2, chain = (SELECT chain FROM log WHERE revision = 2)`)
	refused(t, dir, o, store.ErrBehind, "--accept-rollback")
}

func TestARestoreKeepsTheCredentialsOfFollowersRevoked(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	for engine, o := range map[string]store.Options{
		"SQLite": {}, "PostgreSQL": {Database: store.ReadDSN(c.URL(c.Database(t)))},
	} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			dir, file := t.TempDir(), filepath.Join(t.TempDir(), "backup")
			db, err := store.Create(t.Context(), dir, o)
			ok(t, err)
			put := func(e ostiary.Edge) {
				t.Helper()
				change(t, db, func(w ostiary.Writer) error { return w.PutEdge(e) })
			}
			one, two := ostiary.Edge{ID: 1, Name: "one", Hash: ostiary.Hash{1}}, ostiary.Edge{ID: 2, Name: "two", Hash: ostiary.Hash{2}}
			put(one)
			put(two)
			ok(t, db.Backup(t.Context(), file))
			two.RevokedOn = noon
			put(two)
			ok(t, db.Close())
			_, err = store.Restore(t.Context(), dir, file, o, by)
			ok(t, err)
			db = reopen(t, dir, o)
			ok(t, db.View(t.Context(), func(r ostiary.Reader) error {
				all, err := r.Edges()
				if len(all) != 2 || !all[0].RevokedOn.IsZero() || all[1].RevokedOn.IsZero() {
					t.Errorf("the credentials are %+v, want the second one revoked", all)
				}
				return err
			}))
			holds(t, db)
		})
	}
}
