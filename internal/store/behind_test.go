package store_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ostiary"
	"ostiary/internal/store"
)

// keep copies some files of a folder, and gives what puts them back.
func keep(t *testing.T, dir string, names ...string) (putBack func()) {
	t.Helper()
	texts := map[string][]byte{}
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if !errors.Is(err, fs.ErrNotExist) {
			ok(t, err)
			texts[name] = text
		}
	}
	return func() {
		t.Helper()
		for _, name := range names {
			path := filepath.Join(dir, name)
			if text, kept := texts[name]; kept {
				ok(t, os.WriteFile(path, text, 0o600))
				continue
			}
			os.Remove(path)
		}
	}
}

const database, wal, mark, retiredList = "ostiary.db", "ostiary.db-wal", "mark", "mark.retired"

func TestADatabaseFromThePastIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := create(t, dir)
	addTokens(t, db, 3)
	ok(t, db.Close())
	putBack := keep(t, dir, database)
	db = reopen(t, dir, store.Options{})
	change(t, db, addUser)
	retire(t, db, 2)
	ok(t, db.Close())

	putBack()
	refused(t, dir, store.Options{}, store.ErrBehind, "revision 1,", " 3;", "--accept-rollback")
	refused(t, dir, store.Options{}, store.ErrBehind)
	ok(t, os.Remove(filepath.Join(dir, database)))
	_, err := store.Create(t.Context(), dir, store.Options{})
	if !errors.Is(err, store.ErrBehind) {
		t.Fatalf("a new database where one was lost: got %v, want %v", err, store.ErrBehind)
	}
}

func TestARollbackKeepsRetirements(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	elsewhere := store.Options{Mark: filepath.Join(t.TempDir(), "elsewhere")}
	db, err := store.Create(t.Context(), dir, elsewhere)
	ok(t, err)
	addTokens(t, db, 4)
	retire(t, db, 1)
	ok(t, db.Close())
	putBack := keep(t, dir, database)
	db = reopen(t, dir, elsewhere)
	retire(t, db, 2)
	retire(t, db, 3)
	ok(t, db.Close())
	putBack()
	accept := elsewhere
	accept.AcceptRollback = true
	db = reopen(t, dir, accept)
	for id := ostiary.ID(1); id <= 4; id++ {
		if got, want := !token(t, db, id).RetiredOn.IsZero(), id < 4; got != want {
			t.Errorf("token %d is retired: %v, want %v", id, got, want)
		}
	}
	if by := token(t, db, 2).RetiredBy; by != "operator:rollback" {
		t.Errorf("token 2 was retired by %q", by)
	}
	var told []ostiary.ID
	ok(t, db.Changes(t.Context(), 2, func(c ostiary.Change) error {
		if c.Account != 1 || c.Story.What != "token.retire" || c.Story.By != "operator:rollback" {
			t.Errorf("the entry is %+v %+v", c, c.Story)
		}
		told = append(told, c.Story.Token)
		return nil
	}))
	if !slices.Equal(told, []ostiary.ID{2, 3}) {
		t.Errorf("the log says that tokens %v were retired again, want 2 and 3, an entry each", told)
	}
	_, err = store.Verify(t.Context(), db)
	ok(t, err)
	ok(t, db.Close())
	reopen(t, dir, elsewhere) // accepted once, it is accepted
}

func TestWhatAnAcceptedDatabaseKnowsAsRetiredIsNotForgotten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := create(t, dir)
	addTokens(t, db, 1)
	ok(t, db.Close())
	live := keep(t, dir, database)
	db = reopen(t, dir, store.Options{})
	retire(t, db, 1)
	ok(t, db.Close())
	retiredThere := keep(t, dir, database)
	db = reopen(t, dir, store.Options{})
	change(t, db, addUser)
	ok(t, db.Close())

	retiredThere()
	ok(t, os.Remove(filepath.Join(dir, retiredList)))
	ok(t, reopen(t, dir, store.Options{AcceptRollback: true}).Close())
	live()
	db = reopen(t, dir, store.Options{AcceptRollback: true})
	if token(t, db, 1).RetiredOn.IsZero() {
		t.Fatal("a token that an accepted database knew as retired is live in the next one")
	}
}

func TestADatabaseThatWentAnotherWayIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := create(t, dir)
	addTokens(t, db, 1)
	ok(t, db.Close())
	putBack := keep(t, dir, database, mark)
	db = reopen(t, dir, store.Options{})
	change(t, db, addUser)
	ok(t, db.Close())
	seen := keep(t, dir, mark)
	putBack()
	db = reopen(t, dir, store.Options{})
	change(t, db, addUser)
	change(t, db, addUser)
	ok(t, db.Close())
	seen()
	refused(t, dir, store.Options{}, store.ErrBehind, "revision 3", "revision 2")
}

func TestTheMarkFollowsADatabaseThatIsAhead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := create(t, dir)
	addTokens(t, db, 3)
	retire(t, db, 1)
	ok(t, db.Close())
	// As after a crash between the commit and what follows it.
	putBack := keep(t, dir, mark, retiredList)
	old := keep(t, dir, database)
	db = reopen(t, dir, store.Options{})
	retire(t, db, 2)
	ok(t, db.Close())
	putBack()
	ok(t, reopen(t, dir, store.Options{}).Close())

	old()
	refused(t, dir, store.Options{}, store.ErrBehind)
	db = reopen(t, dir, store.Options{AcceptRollback: true})
	if token(t, db, 2).RetiredOn.IsZero() {
		t.Fatal("a retirement that the mark had missed was forgotten")
	}
}

func TestAMissingMarkIsMadeAnew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := create(t, dir)
	addTokens(t, db, 2)
	ok(t, db.Close())
	old := keep(t, dir, database)
	db = reopen(t, dir, store.Options{})
	retire(t, db, 1)
	ok(t, db.Close())
	ok(t, os.Remove(filepath.Join(dir, mark)))
	ok(t, os.Remove(filepath.Join(dir, retiredList)))
	var log strings.Builder
	db = reopen(t, dir, store.Options{Log: textLog(&log)})
	if !strings.Contains(log.String(), "mark was missing") {
		t.Errorf("the log says %q", log.String())
	}
	ok(t, db.Close())
	old()
	refused(t, dir, store.Options{}, store.ErrBehind)
	db = reopen(t, dir, store.Options{AcceptRollback: true})
	if token(t, db, 1).RetiredOn.IsZero() {
		t.Fatal("the list that was made anew lacks a retirement")
	}
}

func TestATornMarkStillHolds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := create(t, dir)
	addTokens(t, db, 1)
	ok(t, db.Close())
	old := keep(t, dir, database)
	db = reopen(t, dir, store.Options{})
	for range 6 {
		change(t, db, addUser)
	}
	ok(t, db.Close())
	whole := keep(t, dir, database, mark)
	path := filepath.Join(dir, mark)
	for _, slot := range []int64{0, 512} {
		whole()
		spoil(t, path, slot+20)
		old()
		refused(t, dir, store.Options{}, store.ErrBehind)
		whole()
		spoil(t, path, slot+20)
		ok(t, reopen(t, dir, store.Options{}).Close())
	}
	whole()
	spoil(t, path, 20)
	spoil(t, path, 512+20)
	refused(t, dir, store.Options{}, nil, "cannot be read", "move it away")
}

// spoil changes one byte of a file.
func spoil(t *testing.T, path string, at int64) {
	t.Helper()
	text, err := os.ReadFile(path)
	ok(t, err)
	text[at] ^= 0xff
	ok(t, os.WriteFile(path, text, 0o600))
}

func TestATornListOfRetirementsStillHolds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := create(t, dir)
	addTokens(t, db, 3)
	ok(t, db.Close())
	old := keep(t, dir, database)
	db = reopen(t, dir, store.Options{})
	retire(t, db, 1)
	retire(t, db, 2)
	ok(t, db.Close())
	path := filepath.Join(dir, retiredList)
	text, err := os.ReadFile(path)
	ok(t, err)
	ok(t, os.WriteFile(path, append(text, 1, 2, 3), 0o600))
	db = reopen(t, dir, store.Options{})
	retire(t, db, 3)
	ok(t, db.Close())
	old()
	db = reopen(t, dir, store.Options{AcceptRollback: true})
	for id := ostiary.ID(1); id <= 3; id++ {
		if token(t, db, id).RetiredOn.IsZero() {
			t.Errorf("token %d lives again", id)
		}
	}
}
