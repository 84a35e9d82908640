package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"ostiary"
	"ostiary/internal/store"
)

const by ostiary.By = "operator:tester"

func TestABackupWhileChangesGoOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := create(t, dir)
	addTokens(t, db, 3)
	stop := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if err := tryChange(db); err != nil {
					t.Error(err)
				}
			}
		}
	})
	var files []string
	for _, name := range []string{"a", "b", "c"} {
		file := filepath.Join(dir, name)
		ok(t, db.Backup(t.Context(), file))
		files = append(files, file)
	}
	close(stop)
	all.Wait()
	if err := db.Backup(t.Context(), files[0]); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("a backup over a file: got %v", err)
	}
	for _, file := range files {
		to := t.TempDir()
		report, err := store.Restore(t.Context(), to, file, store.Options{}, by)
		ok(t, err)
		copied := reopen(t, to, store.Options{})
		holds(t, copied)
		if at := head(t, copied).Revision; at != report.Backup+1 || at != report.Revision || report.Backup == 0 {
			t.Errorf("restored to %d: %+v", at, report)
		}
	}
}

func TestARestoreKeepsRetirements(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(t.TempDir(), "backup")
	db := create(t, dir)
	addTokens(t, db, 3)
	ok(t, db.Backup(t.Context(), file))
	retire(t, db, 1)
	change(t, db, addUser)
	_, err := store.Restore(t.Context(), dir, file, store.Options{}, by)
	if !errors.Is(err, store.ErrInUse) {
		t.Fatalf("a restore under a server: got %v, want %v", err, store.ErrInUse)
	}
	ok(t, db.Close())

	report, err := store.Restore(t.Context(), dir, file, store.Options{}, by)
	ok(t, err)
	want := store.RestoreReport{Backup: 1, Previous: 3, Revision: 3, Epoch: 2, Retired: 1, Aside: report.Aside}
	if report != want {
		t.Fatalf("got %+v, want %+v", report, want)
	}
	db = reopen(t, dir, store.Options{})
	if token(t, db, 1).RetiredOn.IsZero() || !token(t, db, 2).RetiredOn.IsZero() {
		t.Fatal("the wrong tokens are retired")
	}
	holds(t, db)
	var last ostiary.Change
	ok(t, db.Changes(t.Context(), 2, func(c ostiary.Change) error { last = c; return nil }))
	if s := last.Story; s.What != "restore" || s.By != by || s.Details["backup_revision"] != "1" || s.Details["previous_revision"] != "3" {
		t.Fatalf("the entry says %+v", s)
	}
	// What was moved aside is the whole old database.
	ok(t, db.Close())
	old := t.TempDir()
	ok(t, os.Rename(report.Aside, filepath.Join(old, database)))
	if at := head(t, reopen(t, old, store.Options{})).Revision; at != 3 {
		t.Fatalf("the old database is at %d, want 3", at)
	}
}

func TestARestoreInTheOldOnesPlaceKnowsItsRetirementsWithoutAMark(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(t.TempDir(), "backup")
	db := create(t, dir)
	addTokens(t, db, 1)
	ok(t, db.Backup(t.Context(), file))
	retire(t, db, 1)
	ok(t, db.Close())
	ok(t, os.Remove(filepath.Join(dir, mark)))
	ok(t, os.Remove(filepath.Join(dir, retiredList)))
	report, err := store.Restore(t.Context(), dir, file, store.Options{}, by)
	ok(t, err)
	if report.Retired != 1 {
		t.Fatalf("got %+v, want one token retired again", report)
	}
}

// The log of a database that was deleted while it was open stays where it was.
func TestTheLogOfADeletedDatabaseIsNotMixedIntoTheNextOne(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(dir, backup string) error{
		"restore": func(dir, backup string) error {
			_, err := store.Restore(t.Context(), dir, backup, store.Options{}, by)
			return err
		},
		"create": func(dir, _ string) error {
			ok(t, os.Remove(filepath.Join(dir, mark)))
			db, err := store.Create(t.Context(), dir, store.Options{})
			ok(t, err)
			return db.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(t.TempDir(), "backup")
			db := create(t, dir)
			addTokens(t, db, 1)
			ok(t, db.Backup(t.Context(), file))
			for range 5 {
				change(t, db, addUser)
			}
			ok(t, os.Remove(filepath.Join(dir, database)))
			ok(t, db.Close())

			ok(t, begin(dir, file))
			db = reopen(t, dir, store.Options{})
			holds(t, db)
			if name == "create" && head(t, db).Revision != 0 {
				t.Errorf("a new database begins at revision %d", head(t, db).Revision)
			}
		})
	}
}

func TestADamagedBackupIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := create(t, dir)
	addTokens(t, db, 1)
	for range 50 {
		change(t, db, addUser)
	}
	good := filepath.Join(t.TempDir(), "backup")
	ok(t, db.Backup(t.Context(), good))
	ok(t, db.Close())
	text, err := os.ReadFile(good)
	ok(t, err)
	bad := filepath.Join(t.TempDir(), "bad")
	for name, damage := range map[string]func() []byte{
		"missing":      func() []byte { os.Remove(bad); return nil },
		"empty":        func() []byte { return []byte{} },
		"cut short":    func() []byte { return text[:len(text)/2] },
		"no database":  func() []byte { return []byte("nothing of the kind") },
		"changed":      func() []byte { return []byte(strings.ReplaceAll(string(text), `"what":"test"`, `"what":"rest"`)) },
		"pages spoilt": func() []byte { return spoilt(text) },
	} {
		if text := damage(); text != nil {
			ok(t, os.WriteFile(bad, text, 0o600))
		}
		if report, err := store.Restore(t.Context(), dir, bad, store.Options{}, by); err == nil {
			t.Errorf("%s: restored, %+v", name, report)
		}
	}
	db = reopen(t, dir, store.Options{})
	holds(t, db)
	if at := head(t, db).Revision; at != 51 {
		t.Fatalf("the old database is at %d, want 51", at)
	}
}

func spoilt(text []byte) []byte {
	out := append([]byte(nil), text...)
	for i := 5 * 4096; i < 7*4096; i++ {
		out[i] ^= 0x55
	}
	return out
}
