package store_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ostiary"
	"ostiary/internal/store"
	"ostiary/internal/store/pgtest"
)

// everyRecord puts at least one row into every table, with the texts that the engines keep differently.
func everyRecord(t *testing.T, db *store.DB, link ostiary.Hash) {
	t.Helper()
	addTokens(t, db, 3)
	odd := "a\x00b \xff\xfe \x10 \x1000 é"
	change(t, db, func(w ostiary.Writer) error {
		return errors.Join(
			w.PutUser(ostiary.User{ID: 1, Email: "ann@example.com", FirstName: odd, CreatedOn: noon}),
			w.PutUser(ostiary.User{ID: 2, Email: "bob@example.com", Disabled: true}),
			w.PutPassword(1, "hash"),
			w.PutMember(ostiary.Member{Account: 1, User: 1, Role: ostiary.Admin, Since: noon}),
			w.PutMember(ostiary.Member{Account: 1, User: 2, Role: ostiary.ReadOnly, Since: noon, InvitedBy: "/user/1"}),
			w.PutApp(ostiary.App{Account: 1, Token: 2, ID: 1, Name: "monitor", State: ostiary.Allowed, DecidedBy: "/user/1"}),
			w.PutInvitation(ostiary.Invitation{Account: 1, ID: 1, Email: "cy@example.com", Role: ostiary.Normal, InvitedOn: noon}),
			w.PutLink(link, 1, 1),
			w.PutEdge(ostiary.Edge{ID: 1, Name: "edge", Hash: ostiary.Hash{9}, CreatedOn: noon}))
	})
	retire(t, db, 3)
	ok(t, db.Update(t.Context(), func(w ostiary.Writer) error {
		once := &ostiary.Once{Key: ostiary.Hash{1, 2}, Request: ostiary.Hash{3}}
		if err := count(w); err != nil {
			return err
		}
		_, err := w.Append(1, noon, ostiary.Story{What: "test", Agent: odd, Details: map[string]string{"odd": odd}}, once)
		return err
	}))
	ok(t, db.Update(t.Context(), func(w ostiary.Writer) error {
		if _, err := w.EraseStories(1, noon.AddDate(0, 0, 1)); err != nil {
			return err
		}
		_, err := w.Append(1, noon.AddDate(0, 0, 2), ostiary.Story{What: "erase"}, nil)
		return err
	}))
	change(t, db, count)
}

// restored puts a backup into an empty place, and opens it.
func restored(t *testing.T, file string, o store.Options) *store.DB {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	_, err := store.Restore(t.Context(), dir, file, o, by)
	ok(t, err)
	return reopen(t, dir, o)
}

// From SQLite to PostgreSQL and back, nothing is lost but the people at browsers.
func TestABackupOfOneEngineIsRestoredIntoTheOther(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	dir, link := t.TempDir(), ostiary.Hash{5}
	db := create(t, dir)
	everyRecord(t, db, link)
	want := readAll(t, db, link)
	erased := 0
	for _, c := range want.Changes {
		if c.Story == nil {
			erased++
		}
	}
	if len(want.Facts) < 10 || erased == 0 || len(want.Changes) < 6 {
		t.Fatalf("there is little to compare: %d facts, %d changes, %d erased", len(want.Facts), len(want.Changes), erased)
	}
	files := t.TempDir()
	backup := func(db *store.DB, name string) string {
		t.Helper()
		file := filepath.Join(files, name)
		ok(t, db.Backup(t.Context(), file))
		if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
			t.Errorf("the backup: %v, %v", info.Mode(), err)
		}
		if left, _ := filepath.Glob(file + "?*"); left != nil {
			t.Errorf("beside the backup lie %v", left)
		}
		return file
	}
	on := store.Options{Database: store.ReadDSN(c.URL(c.Database(t)))}
	inPostgreSQL := restored(t, backup(db, "1"), on)
	again := restored(t, backup(inPostgreSQL, "2"), store.Options{})
	for name, db := range map[string]*store.DB{"in PostgreSQL": inPostgreSQL, "back in SQLite": again} {
		got := readAll(t, db, link)
		restores := got.Changes[len(want.Changes):]
		for i, c := range restores {
			if s := c.Story; s == nil || s.What != "restore" || s.Details["epoch"] != fmt.Sprint(i+2) {
				t.Errorf("%s, the log ends with %+v", name, s)
			}
		}
		if epoch := uint64(len(restores) + 1); db.Epoch() != epoch {
			t.Errorf("%s, the epoch is %d, want %d", name, db.Epoch(), epoch)
		}
		got.Changes, got.Head = got.Changes[:len(want.Changes)], want.Head
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s, the records say something else (-want +got):\n%s", name, d)
		}
		holds(t, db)
		ok(t, db.View(t.Context(), func(r ostiary.Reader) error {
			_, once, err := r.Once(ostiary.Hash{1, 2}, noon)
			e, err2 := r.Edge(1)
			if once.Request != (ostiary.Hash{3}) || e.Name != "edge" {
				t.Errorf("%s, the idempotency key leads to %v, the edge is %+v", name, once, e)
			}
			return errors.Join(err, err2)
		}))
		change(t, db, func(w ostiary.Writer) error { // the counters go on
			id, err := w.NewID("user")
			if id == 0 {
				t.Errorf("%s, a new user has no id", name)
			}
			return err
		})
	}
}

// A table or a column that a migration adds must be in a backup, or be named as one that is not.
func TestABackupHoldsEveryTableAndColumn(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	name := c.Database(t)
	createOn(t, c.URL(name))
	carried, left := store.BackupTables()
	const columns = `
		SELECT column_name::TEXT FROM information_schema.columns
		WHERE table_schema = 'public' AND table_name = $1 ORDER BY ordinal_position`
	inSQLite := sqliteTables(t)
	for _, table := range carried {
		got := pgtest.Column[string](t, c, name, columns, table)
		if d := cmp.Diff(inSQLite[table], got); d != "" || len(got) == 0 {
			t.Errorf("the columns of %s (-SQLite +PostgreSQL):\n%s", table, d)
		}
		delete(inSQLite, table)
	}
	known := strings.Fields(strings.Join(append(carried, left...), " "))
	all := pgtest.Column[string](t, c, name, `SELECT tablename::TEXT FROM pg_tables WHERE schemaname = 'public'`)
	for table := range inSQLite {
		all = append(all, table)
	}
	for _, table := range all {
		if !strings.Contains(" "+strings.Join(known, " ")+" ", " "+table+" ") {
			t.Errorf("nobody has thought about whether a backup must hold the table %s", table)
		}
	}
	if len(all) < len(known) {
		t.Errorf("there are %d tables, and %d are named", len(all), len(known))
	}
}

// sqliteTables gives the columns of every table of a new database.
func sqliteTables(t *testing.T) map[string][]string {
	t.Helper()
	dir := t.TempDir()
	create(t, dir).Close()
	db, err := sql.Open("sqlite", filepath.Join(dir, database))
	ok(t, err)
	defer db.Close()
	rows, err := db.Query(`
		SELECT t.name, c.name
		FROM sqlite_master t
		JOIN pragma_table_info(t.name) c
		WHERE t.type = 'table'
		ORDER BY t.name, c.cid`)
	ok(t, err)
	defer rows.Close()
	all := map[string][]string{}
	for rows.Next() {
		var table, column string
		ok(t, rows.Scan(&table, &column))
		all[table] = append(all[table], column)
	}
	ok(t, rows.Err())
	return all
}

// execSQLite changes a file behind the program's back.
func execSQLite(t *testing.T, file, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	ok(t, err)
	_, err = db.Exec(statement)
	ok(t, errors.Join(err, db.Close()))
}
