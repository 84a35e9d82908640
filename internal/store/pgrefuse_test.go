package store_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"ostiary"
	"ostiary/internal/store"
	"ostiary/internal/store/pgtest"
	"ostiary/internal/store/storetest"
)

// refusesBackup demands that a backup fails and leaves nothing.
func refusesBackup(t *testing.T, dir string, backup func(file string) error, words ...string) {
	t.Helper()
	file := filepath.Join(dir, "backup")
	err := backup(file)
	if err == nil {
		t.Fatal("the backup says that it was written")
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the message %q does not say %q", err, w)
		}
	}
	if left, _ := filepath.Glob(file + "*"); left != nil {
		t.Errorf("a backup that failed leaves %v", left)
	}
}

func lockTable(t *testing.T, c *pgtest.Cluster, name, statement string) (letGo func()) {
	t.Helper()
	db, err := sql.Open("pgx", c.SocketURL(name))
	ok(t, err)
	tx, err := db.Begin()
	ok(t, err)
	_, err = tx.Exec(statement)
	ok(t, err)
	return func() {
		tx.Rollback() // with a server that is gone there is nothing to undo
		db.Close()
	}
}

// inTheMiddle does something once a backup has written most tables, and waits for the rest.
func inTheMiddle(t *testing.T, c *pgtest.Cluster, name string, do func()) (done func()) {
	t.Helper()
	letGo := lockTable(t, c, name, `LOCK TABLE edges IN ACCESS EXCLUSIVE MODE`)
	var doing sync.WaitGroup
	doing.Go(func() {
		soon(t, "the backup waits", func() bool {
			return len(pgtest.Column[int](t, c, "postgres", `
				SELECT pid FROM pg_stat_activity
				WHERE datname = $1 AND wait_event_type = 'Lock' AND query LIKE '%FROM edges%'`, name)) > 0
		})
		do()
	})
	return func() {
		doing.Wait()
		letGo()
	}
}

func TestABackupThatFailsLeavesNoFile(t *testing.T) {
	t.Parallel()
	c := pgtest.Start(t)
	name := c.Database(t)
	db := createOn(t, c.URL(name))
	ok(t, storetest.Fill(t.Context(), db, 3000))
	now := func(file string) error { return db.Backup(t.Context(), file) }

	t.Run("on a full disk", func(t *testing.T) {
		dir := t.TempDir()
		if err := syscall.Mount("none", dir, "tmpfs", 0, "size=600k"); err != nil {
			t.Skipf("a disk of a certain size takes root and Linux: %v", err)
		}
		t.Cleanup(func() { syscall.Unmount(dir, 0) })
		refusesBackup(t, dir, now, "full")
		change(t, db, addUser)
		ok(t, syscall.Mount("none", dir, "tmpfs", syscall.MS_REMOUNT, "size=60m"))
		ok(t, now(filepath.Join(dir, "backup")))
	})
	t.Run("whose caller goes away", func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer inTheMiddle(t, c, name, stop)()
		refusesBackup(t, t.TempDir(), func(file string) error { return db.Backup(ctx, file) })
	})
	t.Run("over a file", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "backup")
		ok(t, os.WriteFile(file, []byte("somebody's"), 0o644))
		err := now(file)
		if text, _ := os.ReadFile(file); err == nil || string(text) != "somebody's" {
			t.Errorf("got %v, and the file holds %q", err, text)
		}
	})
	t.Run("of a newer schema", func(t *testing.T) {
		c.Exec(t, name, `INSERT INTO migrations (version_id, is_applied) VALUES (99, TRUE)`)
		refusesBackup(t, t.TempDir(), now, "make the backup with the newer version")
		c.Exec(t, name, `DELETE FROM migrations WHERE version_id = 99`)
	})
	t.Run("whose server dies", func(t *testing.T) {
		done := inTheMiddle(t, c, name, func() { c.Kill(t) })
		refusesBackup(t, t.TempDir(), now)
		done()
		c.Again(t)
		soon(t, "changes can be made again", func() bool { return db.Degraded() == nil })
		ok(t, now(filepath.Join(t.TempDir(), "backup")))
	})
}

// refusesRestore demands that a restore fails before anything is touched.
func (p *past) refusesRestore(t *testing.T, file string, on store.Options, words ...string) {
	t.Helper()
	_, err := store.Restore(t.Context(), filepath.Join(t.TempDir(), "data"), file, on, by)
	if err == nil {
		t.Fatal("it was restored")
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the message %q does not say %q", err, w)
		}
	}
	if schemas := p.schemas(t); len(schemas) > 0 {
		t.Errorf("it made the schemas %v", schemas)
	}
}

func TestWhatMustNotBeRestoredTouchesNothing(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	p := newPast(t, c, 10)
	text, err := os.ReadFile(p.backup)
	ok(t, err)
	bad := filepath.Join(t.TempDir(), "bad")
	for name, damaged := range map[string][]byte{
		"empty":        {},
		"cut short":    text[:len(text)/2],
		"no database":  []byte("nothing of the kind"),
		"tampered":     []byte(strings.ReplaceAll(string(text), `"what":"fill"`, `"what":"fall"`)),
		"pages spoilt": spoilt(text),
	} {
		t.Run(name, func(t *testing.T) {
			ok(t, os.WriteFile(bad, damaged, 0o600))
			p.refusesRestore(t, bad, p.on)
		})
	}
	t.Run("newer backup", func(t *testing.T) {
		ok(t, os.WriteFile(bad, text, 0o600))
		execSQLite(t, bad, `INSERT INTO migrations (version_id, is_applied) VALUES (99, 1)`)
		p.refusesRestore(t, bad, p.on, store.ErrNewer.Error(), "schema 99")
	})
	t.Run("newer records", func(t *testing.T) {
		c.Exec(t, p.name, `INSERT INTO migrations (version_id, is_applied) VALUES (99, TRUE)`)
		p.refusesRestore(t, p.backup, p.on, store.ErrNewer.Error(), "restore with the newer version")
		c.Exec(t, p.name, `DELETE FROM migrations WHERE version_id = 99`)
	})
	t.Run("another user", func(t *testing.T) {
		c.Exec(t, p.name, `CREATE ROLE stranger LOGIN PASSWORD '`+pgtest.Password+`'`)
		c.Exec(t, p.name, `GRANT ALL ON SCHEMA public TO stranger; GRANT SELECT ON ALL TABLES IN SCHEMA public TO stranger`)
		stranger := store.Options{Database: store.ReadDSN(strings.Replace(c.URL(p.name), "//"+pgtest.User, "//stranger", 1))}
		p.refusesRestore(t, p.backup, stranger, "stranger may not make schemas", "GRANT CREATE ON DATABASE "+p.name)
		c.Exec(t, p.name, `GRANT CREATE ON DATABASE `+p.name+` TO stranger`)
		p.refusesRestore(t, p.backup, stranger, "belongs to "+pgtest.User, "restore as that user")
	})
	if epoch := p.whole(t); epoch != 1 {
		t.Errorf("the epoch is %d", epoch)
	}
	t.Run("another program's tables", func(t *testing.T) {
		other := &past{cluster: c, name: c.Database(t), backup: p.backup}
		other.on = store.Options{Database: store.ReadDSN(c.URL(other.name))}
		c.Exec(t, other.name, `CREATE TABLE tokens (id BIGINT); INSERT INTO tokens VALUES (7)`)
		other.refusesRestore(t, p.backup, other.on, "tables of another program")
		if got := pgtest.Column[int64](t, c, other.name, `SELECT id FROM tokens`); len(got) != 1 || got[0] != 7 {
			t.Errorf("the other program's table holds %v", got)
		}
	})
	t.Run("another program's workshop", func(t *testing.T) {
		c.Exec(t, p.name, `CREATE SCHEMA ostiary_restoring; CREATE TABLE ostiary_restoring.theirs AS SELECT 7 AS id`)
		if _, err := p.restore(t); err == nil || !strings.Contains(err.Error(), "ostiary_restoring") {
			t.Errorf("got %v", err)
		}
		pgtest.Column[int32](t, c, p.name, `SELECT id FROM ostiary_restoring.theirs`)
		c.Exec(t, p.name, `DROP SCHEMA ostiary_restoring CASCADE`)
	})
	t.Run("other tables beside", func(t *testing.T) {
		c.Exec(t, p.name, `CREATE TABLE beside AS SELECT 7 AS id`)
		_, err := p.restore(t)
		ok(t, err)
		pgtest.Column[int32](t, c, p.name, `SELECT id FROM public.beside`)
		if epoch := p.whole(t); epoch != 2 {
			t.Errorf("the epoch is %d", epoch)
		}
	})
}

// What the old records know is read before the new ones are made, and must be all that there is when they go.
func TestRecordsThatChangeDuringARestoreStay(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	p := newPast(t, c, 10)
	letGo := lockTable(t, c, p.name, `LOCK TABLE head IN ACCESS SHARE MODE`)
	done := p.begin(t)
	c.Exec(t, p.name, `INSERT INTO log (revision, at, account_id, facts, fact_digest, story_digest, chain)
		SELECT revision + 1, at, account_id, facts, fact_digest, story_digest, sha256(chain)
		FROM log ORDER BY revision DESC LIMIT 1`)
	letGo()
	if err := <-done; !errors.Is(err, store.ErrAtWork) || !strings.Contains(err.Error(), "were changed meanwhile") {
		t.Errorf("got %v, want %v", err, store.ErrAtWork)
	}
	c.Exec(t, p.name, `DELETE FROM log WHERE revision = (SELECT MAX(revision) FROM log)`)
	if epoch := p.whole(t); epoch != 1 {
		t.Errorf("the epoch is %d", epoch)
	}
}

// What the old records retired, and what the folder's list knows, is retired again, in older schemas too.
func TestARestoreOverAnOlderSchemaOfPostgreSQL(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	p := newPast(t, c, 10)
	c.Exec(t, p.name, `DROP TABLE epochs; DELETE FROM migrations WHERE version_id = 4`)
	report, err := p.restore(t)
	ok(t, err)
	if report.Retired != 1 || report.Epoch != 2 || report.Aside != "the schema before_restore_1" {
		t.Errorf("got %+v", report)
	}
	if epoch := p.whole(t); epoch != 2 {
		t.Errorf("the epoch is %d", epoch)
	}
	db := join(t, c.URL(p.name))
	err = db.Update(t.Context(), func(w ostiary.Writer) error {
		id, err := w.NewID("token")
		if id != report.Token+1 || id != 11 {
			t.Errorf("a new token gets number %d; the backup's last one is %d", id, report.Token)
		}
		return errors.Join(err, errStop)
	})
	if !errors.Is(err, errStop) {
		t.Error(err)
	}
}

var errStop = errors.New("stop")
