package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

const (
	fileName      = "ostiary.db"
	applicationID = 0x4f737479 // "Osty", in the file's header

	beginReading = `BEGIN`
	beginWriting = `BEGIN IMMEDIATE`
	commit       = `COMMIT`
	rollback     = `ROLLBACK`

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

// sameFiles says whether the files that are open still stand under their names. SQLite would go on
// writing into files that were deleted, and nothing of it would be there after a restart.
func (e *sqlite) sameFiles() error {
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

// checkpointIfLong writes the log back into the database when it has grown long. The change that
// was just made is safe in the log, whatever happens here; note keeps what fails.
func checkpointIfLong(c *conn) {
	var busy, frames, done int
	err := c.one(`PRAGMA wal_checkpoint(NOOP)`, nil, &busy, &frames, &done)
	if err == nil && frames-done >= longLog {
		c.one(`PRAGMA wal_checkpoint(PASSIVE)`, nil, &busy, &frames, &done)
	}
}

func code(err error) int {
	var e *driver.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return lib.SQLITE_OK
}

// refuses says that the database takes no changes for now.
func refuses(err error) bool {
	switch code(err) & 0xff {
	case lib.SQLITE_FULL, lib.SQLITE_READONLY, lib.SQLITE_BUSY, lib.SQLITE_LOCKED, lib.SQLITE_CANTOPEN,
		lib.SQLITE_PERM, lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB, lib.SQLITE_IOERR, lib.SQLITE_NOMEM:
		return true
	}
	return false
}

// damaged says that the file is no good.
func damaged(err error) bool {
	c := code(err) & 0xff
	return c == lib.SQLITE_CORRUPT || c == lib.SQLITE_NOTADB
}

// ioFailed says that reading or writing failed.
func ioFailed(err error) bool { return code(err)&0xff == lib.SQLITE_IOERR }

// syncFailed says that something written may never reach the disk.
func syncFailed(err error) bool {
	switch code(err) {
	case lib.SQLITE_IOERR_FSYNC, lib.SQLITE_IOERR_DIR_FSYNC, lib.SQLITE_IOERR_WRITE, lib.SQLITE_IOERR_TRUNCATE:
		return true
	}
	return false
}

// callersFault says that a record would break a constraint: a name given twice, an owner who is not there.
func callersFault(err error) bool { return code(err)&0xff == lib.SQLITE_CONSTRAINT }

// noTransaction says that a rollback found nothing to undo: SQLite had undone it already.
func noTransaction(err error) bool { return strings.Contains(err.Error(), "no transaction is active") }
