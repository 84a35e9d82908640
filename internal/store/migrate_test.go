package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"

	"ostiary"
	"ostiary/internal/store"
)

// olderSchema makes a database of an older schema in a folder, with the rows of another database.
func olderSchema(t *testing.T, dir string, version int64, from string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, database))
	ok(t, err)
	defer func() { ok(t, db.Close()) }()
	db.SetMaxOpenConns(1)
	run := func(text string) {
		t.Helper()
		if _, err := db.Exec(text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	m, err := goose.NewProvider(goose.DialectSQLite3, db, os.DirFS("migrations/sqlite"),
		goose.WithDisableGlobalRegistry(true), goose.WithTableName("migrations"))
	ok(t, err)
	_, err = m.UpTo(t.Context(), version)
	ok(t, err)
	run(fmt.Sprintf(`PRAGMA application_id = %d`, 0x4f737479))
	run(`ATTACH '` + filepath.Join(from, database) + `' AS full`)
	for _, c := range []struct{ table, columns string }{
		{"accounts", "*"},
		{"users", "*"},
		{"passwords", "*"},
		{"members", "account_id, user_id, role, since"},
		{"invitations", "*"},
		{"links", "*"},
		{"tokens", "*"},
		{"secrets", "*"},
		{"apps", "*"},
		{"log", "*"},
	} {
		run(`INSERT INTO ` + c.table + ` SELECT ` + c.columns + ` FROM full.` + c.table)
	}
	run(`UPDATE counters SET last = (SELECT last FROM full.counters AS f WHERE f.kind = counters.kind)`)
}

// A reading is all that a database says.
type reading struct {
	Facts       []ostiary.Fact
	Changes     []ostiary.Change
	Members     []ostiary.Member
	Users       []ostiary.User
	Tokens      []ostiary.Token
	Apps        []ostiary.App
	Invitations []ostiary.Invitation
	Linked      ostiary.Invitation
	Password    string
	Head        ostiary.Head
}

func readAll(t *testing.T, s ostiary.Store, link ostiary.Hash) (all reading) {
	t.Helper()
	ok(t, s.View(t.Context(), func(r ostiary.Reader) error {
		var errs [9]error
		all.Members, errs[0] = r.Members(1)
		all.Users, errs[1] = r.Users()
		all.Tokens, errs[2] = r.Tokens(1)
		all.Apps, errs[3] = r.AppsOf(1)
		all.Invitations, errs[4] = r.Invitations(1)
		all.Linked, errs[5] = r.Link(link)
		all.Password, errs[6] = r.Password(1)
		all.Head, errs[7] = r.Head()
		errs[8] = r.Snapshot(func(f ostiary.Fact) error { all.Facts = append(all.Facts, f); return nil })
		return errors.Join(errs[:]...)
	}))
	ok(t, s.Changes(t.Context(), 0, func(c ostiary.Change) error { all.Changes = append(all.Changes, c); return nil }))
	return all
}

func TestADatabaseOfTheFirstSchemaReadsBackWhole(t *testing.T) {
	t.Parallel()
	full, old := t.TempDir(), t.TempDir()
	db := create(t, full)
	link := ostiary.Hash{5}
	addTokens(t, db, 3)
	change(t, db, func(w ostiary.Writer) error {
		return errors.Join(
			w.PutUser(ostiary.User{ID: 1, Email: "ann@example.com", FirstName: "Ann", CreatedOn: noon}),
			w.PutUser(ostiary.User{ID: 2, Email: "bob@example.com", Disabled: true}),
			w.PutPassword(1, "hash"),
			w.PutMember(ostiary.Member{Account: 1, User: 1, Role: ostiary.Admin, Since: noon}),
			w.PutMember(ostiary.Member{Account: 1, User: 2, Role: ostiary.ReadOnly, Since: noon}),
			w.PutApp(ostiary.App{Account: 1, Token: 2, ID: 1, Name: "monitor", State: ostiary.Allowed, DecidedBy: "/user/1"}),
			w.PutInvitation(ostiary.Invitation{Account: 1, ID: 1, Email: "cy@example.com", Role: ostiary.Normal, InvitedOn: noon}),
			w.PutLink(link, 1, 1))
	})
	retire(t, db, 3)
	want := readAll(t, db, link)
	ok(t, db.Close())
	olderSchema(t, old, 1, full)

	db = reopen(t, old, store.Options{})
	if d := cmp.Diff(want, readAll(t, db, link)); d != "" {
		t.Errorf("brought up to date, the database says something else (-want +got):\n%s", d)
	}
	holds(t, db)
	if len(want.Members) != 2 || len(want.Tokens) != 3 || len(want.Changes) != 3 {
		t.Fatalf("there is little to read: %+v", want)
	}
	// What came with the second schema works, on these records.
	session := ostiary.Session{ID: 1, Hash: ostiary.Hash{8}, User: 1, BeganOn: noon, SeenOn: noon}
	ok(t, db.Update(t.Context(), func(w ostiary.Writer) error {
		id, err := w.NewID("session")
		return errors.Join(err, w.PutSession(session), missingID(id))
	}))
	change(t, db, func(w ostiary.Writer) error {
		return w.PutMember(ostiary.Member{Account: 1, User: 2, Role: ostiary.Normal, Since: noon, InvitedBy: "/user/1"})
	})
	ok(t, db.View(t.Context(), func(r ostiary.Reader) error {
		s, err := r.Session(session.Hash)
		m, err2 := r.Member(1, 2)
		if s != session || m.InvitedBy != "/user/1" {
			t.Errorf("the session is %+v, the member %+v", s, m)
		}
		return errors.Join(err, err2)
	}))
	if info, err := os.Stat(filepath.Join(old, "ostiary.db.before-5")); err != nil || info.Size() == 0 {
		t.Errorf("the copy of the old schema: %v", err)
	}
}

func missingID(id ostiary.ID) error {
	if id == 1 {
		return nil
	}
	return fmt.Errorf("the first session has id %d", id)
}

// signedIn puts an account's user and a session, and says in what state the database is then.
func signedIn(t *testing.T, db *store.DB) (session ostiary.Session) {
	t.Helper()
	change(t, db, addUser)
	session = ostiary.Session{ID: 1, Hash: ostiary.Hash{8}, User: 1, BeganOn: time.Now(), SeenOn: time.Now()}
	ok(t, db.Update(t.Context(), func(w ostiary.Writer) error { return w.PutSession(session) }))
	return session
}

func hasSession(db *store.DB, s ostiary.Session) bool {
	return db.View(context.Background(), func(r ostiary.Reader) error { _, err := r.Session(s.Hash); return err }) == nil
}

func TestARestoreBringsNoSessionBack(t *testing.T) {
	t.Parallel()
	dir, elsewhere := t.TempDir(), t.TempDir()
	file := filepath.Join(t.TempDir(), "backup")
	db := create(t, dir)
	session := signedIn(t, db)
	ok(t, db.Backup(t.Context(), file))
	ok(t, db.Close())
	for what, to := range map[string]string{"in the old one's place": dir, "in an empty folder": elsewhere} {
		_, err := store.Restore(t.Context(), to, file, store.Options{}, by)
		ok(t, err)
		db := reopen(t, to, store.Options{})
		if hasSession(db, session) {
			t.Errorf("%s, a restored database has the sessions of its backup", what)
		}
		holds(t, db)
	}
}

func TestARollbackBringsNoSessionBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := create(t, dir)
	session := signedIn(t, db)
	ok(t, db.Close())
	putBack := keep(t, dir, database)
	db = reopen(t, dir, store.Options{})
	if !hasSession(db, session) {
		t.Error("a session ends with a restart")
	}
	change(t, db, addUser)
	ok(t, db.Close())
	putBack()
	db = reopen(t, dir, store.Options{AcceptRollback: true})
	if hasSession(db, session) {
		t.Error("a database that was put back in time has its sessions")
	}
}
