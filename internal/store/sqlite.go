package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"

	_ "modernc.org/sqlite" // the driver

	"ostiary"
)

const (
	fileName      = "ostiary.db"
	applicationID = 0x4f737479 // "Osty", in the file's header

	// longLog is how many pages of 4 KiB the write-ahead log may hold before it is written back into
	// the database.
	longLog = 128
)

// A sqlite is one open SQLite database.
type sqlite struct {
	path    string
	writing *sql.DB
	reading *sql.DB
	keeper  *sql.Conn                     // keeps the write-ahead log open while other connections come and go
	files   atomic.Pointer[[]os.FileInfo] // the files as they were when they were opened

	unchecked int // facts written since the write-ahead log was looked at; by whoever changes records
}

var _ engine = (*sqlite)(nil)

// begin opens the database of a folder for a server: it is brought up to date, and held.
func (e *sqlite) begin(ctx context.Context, log *slog.Logger) error {
	if err := e.migrate(ctx, log); err != nil {
		return err
	}
	return e.hold(ctx)
}

// connect opens a connection. SQLite has one writer at a time: a transaction that will write says so
// when it begins.
func (e *sqlite) connect(ctx context.Context, changes bool) (c *conn, err error) {
	pool, begin := e.reading, `BEGIN`
	if changes {
		pool, begin = e.writing, `BEGIN IMMEDIATE`
	}
	if c, err = newConn(ctx, pool); err != nil {
		return nil, err
	}
	c.begin = begin
	return c, nil
}

// openSQLite opens a database that exists.
func openSQLite(ctx context.Context, path string) (*sqlite, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	e := &sqlite{path: path}
	// The program writes the log back itself: SQLite, doing so on its own, hides a failed sync.
	if e.writing, err = sql.Open("sqlite", dsn(path, "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
		"wal_autocheckpoint(0)", "cache_size(-65536)")); err != nil {
		return nil, err
	}
	if e.reading, err = sql.Open("sqlite", dsn(path, "query_only(1)", "cache_size(-8192)")); err != nil {
		return nil, err
	}
	e.writing.SetMaxOpenConns(1)
	e.reading.SetMaxOpenConns(readers + 2)
	e.reading.SetMaxIdleConns(readers)
	if err := e.checkVersion(ctx); err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

func dsn(path string, pragmas ...string) string {
	pragmas = append([]string{"busy_timeout(5000)", "trusted_schema(0)"}, pragmas...)
	query := url.Values{"mode": {"rw"}, "_pragma": pragmas}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}).String()
}

// minVersion is the first version of SQLite without the fault that corrupts a database when its
// write-ahead log begins anew.
const minVersion = "3.51.3"

func (e *sqlite) checkVersion(ctx context.Context) error {
	var version string
	if err := e.writing.QueryRowContext(ctx, `SELECT sqlite_version()`).Scan(&version); err != nil {
		return err
	}
	if !atLeast(version, minVersion) {
		return fmt.Errorf("the SQLite library is version %s; versions before %s can damage a database",
			version, minVersion)
	}
	return nil
}

// atLeast compares versions such as 3.51.3. What is no version is older than any.
func atLeast(version, least string) bool {
	have, need := strings.Split(version, "."), strings.Split(least, ".")
	for i := range need {
		var h string
		if i < len(have) {
			h = have[i]
		}
		n, _ := strconv.Atoi(need[i])
		m, err := strconv.Atoi(h)
		if err != nil && h != "" {
			return false
		}
		if m != n {
			return m > n
		}
	}
	return true
}

// checkWhole reads every page, and compares tables with their indexes.
func (e *sqlite) checkWhole(ctx context.Context) error {
	var found string
	if err := e.writing.QueryRowContext(ctx, `PRAGMA integrity_check(1)`).Scan(&found); err != nil {
		return err
	}
	if found != "ok" {
		return fmt.Errorf("it is damaged: %s", found)
	}
	return nil
}

// hold opens the files for good, and remembers which they are: the database, its write-ahead log
// and the index of that.
func (e *sqlite) hold(ctx context.Context) (err error) {
	if e.keeper, err = e.reading.Conn(ctx); err != nil {
		return err
	}
	var n int
	if err := e.keeper.QueryRowContext(ctx, `SELECT COUNT(id) FROM probe`).Scan(&n); err != nil {
		return err
	}
	var files []os.FileInfo
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(e.path + suffix)
		if err != nil {
			return err
		}
		files = append(files, info)
	}
	e.files.Store(&files)
	return nil
}

// close ends every connection. The last one writes the log back into the database and deletes it,
// unless another file stands under the database's name.
func (e *sqlite) close() error {
	err := e.writing.Close()
	if e.keeper != nil {
		err = errors.Join(err, e.keeper.Close())
	}
	return errors.Join(err, e.reading.Close())
}

// present says whether the files that are open still stand under their names. SQLite would go on
// writing into files that were deleted, and nothing of it would be there after a restart.
func (e *sqlite) present() error {
	for _, open := range *e.files.Load() {
		path := filepath.Join(filepath.Dir(e.path), open.Name())
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("%s is gone; stop the server, put the database back or restore a backup: %w", path, err)
		}
		if !os.SameFile(open, info) {
			return fmt.Errorf("%s was replaced by another file; "+
				"stop the server, put the right one back or restore a backup", path)
		}
	}
	return nil
}

// committed writes the log back into the database when it has grown long. The change that was just
// made is safe in the log, whatever happens here; the connection tells what fails. The log is looked
// at every few changes only: most write less than a dozen pages.
func (e *sqlite) committed(c *conn, _ ostiary.Head, facts int) {
	if e.unchecked += 1 + facts; e.unchecked < 32 {
		return
	}
	e.unchecked = 0
	var busy, frames, done int
	err := c.one(`PRAGMA wal_checkpoint(NOOP)`, nil, &busy, &frames, &done)
	if err == nil && frames-done >= longLog {
		c.one(`PRAGMA wal_checkpoint(PASSIVE)`, nil, &busy, &frames, &done)
	}
}

// made reads the end of the log: nobody else appends to it.
func (e *sqlite) made(db *DB, at ostiary.Head) (bool, error) {
	var head ostiary.Head
	err := db.view(context.Background(), func(r *reader) (err error) {
		head, err = r.Head()
		return err
	})
	return head == at, err
}

// compact rewrites the database without what was removed from it: SQLite leaves the text of erased
// stories where it stood, in space that is free.
func (e *sqlite) compact(ctx context.Context, c *conn) error {
	for _, text := range []string{`VACUUM`, `PRAGMA wal_checkpoint(TRUNCATE)`} {
		if _, err := c.sql.ExecContext(ctx, text); err != nil {
			return c.failed(c.limit(), err)
		}
	}
	return nil
}

func (e *sqlite) shared() bool                        { return false }
func (e *sqlite) alive() error                        { return nil }
func (e *sqlite) seal(*writer) error                  { return nil }
func (e *sqlite) hints(context.Context) <-chan uint64 { return nil }

// noTransaction says that a rollback found nothing to undo: SQLite had undone it already.
func noTransaction(err error) bool { return strings.Contains(err.Error(), "no transaction is active") }
