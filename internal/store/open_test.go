package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/store"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func refused(t *testing.T, dir string, o store.Options, want error, words ...string) {
	t.Helper()
	db, err := store.Open(t.Context(), dir, o)
	if err == nil {
		db.Close()
	}
	if err == nil || want != nil && !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Fatalf("the message %q does not say %q", err, w)
		}
	}
}

func reopen(t *testing.T, dir string, o store.Options) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// change makes one entry, and gives its revision.
func change(t testing.TB, s ostiary.Store, fn func(ostiary.Writer) error) (revision uint64) {
	t.Helper()
	ok(t, s.Update(context.Background(), func(w ostiary.Writer) error {
		if err := fn(w); err != nil {
			return err
		}
		var err error
		revision, err = w.Append(1, time.Now(), ostiary.Story{What: "test"}, nil)
		return err
	}))
	return revision
}

func addUser(w ostiary.Writer) error {
	id, err := w.NewID("user")
	if err != nil {
		return err
	}
	return w.PutUser(ostiary.User{ID: id, Email: fmt.Sprintf("u%d@example.com", id)})
}

// addTokens puts an account and its account tokens 1 to n.
func addTokens(t *testing.T, s ostiary.Store, n int) {
	t.Helper()
	change(t, s, func(w ostiary.Writer) error {
		if err := w.PutAccount(ostiary.Account{ID: 1, ShortName: "one"}); err != nil {
			return err
		}
		for i := range n {
			id := ostiary.ID(i + 1)
			err := errors.Join(
				w.PutToken(ostiary.Token{Account: 1, ID: id, Kind: ostiary.AccountToken, Privilege: ostiary.Normal}),
				w.PutSecret(ostiary.Secret{Account: 1, ID: id, Token: id, Hash: ostiary.Hash{byte(id)}}))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func retire(t *testing.T, s ostiary.Store, id ostiary.ID) {
	t.Helper()
	change(t, s, func(w ostiary.Writer) error {
		token, err := w.Token(1, id)
		if err != nil {
			return err
		}
		token.RetiredOn, token.RetiredBy = noon, "/user/1"
		return w.PutToken(token)
	})
}

func token(t *testing.T, s ostiary.Store, id ostiary.ID) (out ostiary.Token) {
	t.Helper()
	ok(t, s.View(context.Background(), func(r ostiary.Reader) (err error) {
		out, err = r.Token(1, id)
		return err
	}))
	return out
}

func head(t testing.TB, s ostiary.Store) (h ostiary.Head) {
	t.Helper()
	ok(t, s.View(context.Background(), func(r ostiary.Reader) (err error) {
		h, err = r.Head()
		return err
	}))
	return h
}

// statement runs one on a database that no server has open.
func statement(t *testing.T, dir, text string, args ...any) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "ostiary.db"))
	ok(t, err)
	_, err = db.Exec(text, args...)
	ok(t, errors.Join(err, db.Close()))
}

func TestAMissingDatabaseIsNeverMade(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	refused(t, dir, store.Options{}, store.ErrMissing, "ostiary init")
	refused(t, filepath.Join(dir, "not", "there"), store.Options{}, store.ErrMissing)
	left, err := os.ReadDir(dir)
	ok(t, err)
	if len(left) > 0 {
		t.Fatalf("a refusal left %v behind", left)
	}
}

func TestAnEmptyDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	create(t, dir).Close()
	ok(t, os.Truncate(filepath.Join(dir, "ostiary.db"), 0))
	refused(t, dir, store.Options{}, store.ErrMissing, "is empty")
}

func TestWhatIsNoDatabaseOfOursIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ok(t, os.WriteFile(filepath.Join(dir, "ostiary.db"), []byte(strings.Repeat("something else ", 1000)), 0o600))
	refused(t, dir, store.Options{}, nil, "is not a database")
	ok(t, os.Remove(filepath.Join(dir, "ostiary.db")))
	statement(t, dir, `CREATE TABLE t (id INTEGER)`)
	refused(t, dir, store.Options{}, nil, "another program")
}

func TestADamagedDatabaseIsRefusedWithWhatToDo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	create(t, dir).Close()
	file := filepath.Join(dir, "ostiary.db")
	text, err := os.ReadFile(file)
	ok(t, err)
	for i := 100; i < 4096; i++ {
		text[i] ^= 0x55
	}
	ok(t, os.WriteFile(file, text, 0o600))
	refused(t, dir, store.Options{}, nil, "restore a backup")
}

func TestADatabaseIsNotMadeOverAnother(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	create(t, dir).Close()
	_, err := store.Create(t.Context(), dir, store.Options{})
	if !errors.Is(err, store.ErrExists) {
		t.Fatalf("got %v, want %v", err, store.ErrExists)
	}
	reopen(t, dir, store.Options{}).Close() // the refusal let go of the folder
}

func TestADatabaseThatWasNotFinishedIsMadeAnew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ok(t, os.WriteFile(filepath.Join(dir, "ostiary.db.new"), []byte("half"), 0o600))
	addTokens(t, create(t, dir), 1)
}

func TestADatabaseInUseIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := create(t, dir)
	refused(t, dir, store.Options{}, store.ErrInUse, fmt.Sprint(os.Getpid()))
	if _, err := store.Create(t.Context(), dir, store.Options{}); !errors.Is(err, store.ErrInUse) {
		t.Fatalf("got %v, want %v", err, store.ErrInUse)
	}
	ok(t, db.Close())
	reopen(t, dir, store.Options{})
}

func TestANewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	create(t, dir).Close()
	statement(t, dir, `INSERT INTO migrations (version_id, is_applied) VALUES (99, 1)`)
	refused(t, dir, store.Options{}, store.ErrNewer, "99")
}

func TestAnOlderSchemaIsCopiedAsideAndBroughtUpToDate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	statement(t, dir, fmt.Sprintf(`PRAGMA application_id = %d; CREATE TABLE old (id INTEGER)`, 0x4f737479))
	addTokens(t, reopen(t, dir, store.Options{}), 1)
	if info, err := os.Stat(filepath.Join(dir, "ostiary.db.before-5")); err != nil || info.Mode() != 0o600 {
		t.Fatalf("the copy of the old schema: %v, %v", info, err)
	}
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	db := create(t, dir)
	addTokens(t, db, 1)
	ok(t, db.Backup(t.Context(), filepath.Join(dir, "backup")))
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Fatalf("the folder: %v, %v", info.Mode(), err)
	}
	files, err := os.ReadDir(dir)
	ok(t, err)
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f.Name(), info.Mode(), err)
		}
	}
	if len(files) < 7 {
		t.Fatalf("only %v were looked at", files)
	}
}

func TestCallsAfterCloseAreRefused(t *testing.T) {
	t.Parallel()
	db := create(t, t.TempDir())
	ok(t, db.Close())
	ok(t, db.Close())
	if err := db.Update(t.Context(), addUser); !errors.Is(err, ostiary.ErrReadOnly) {
		t.Errorf("update: got %v, want %v", err, ostiary.ErrReadOnly)
	}
	if err := db.View(t.Context(), func(ostiary.Reader) error { return nil }); err == nil {
		t.Error("a closed store can be read")
	}
}
