package usage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"sync"
	"time"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// The hours are by time first, so that a flush writes them side by side, and old ones go together.
const schema = `
CREATE TABLE IF NOT EXISTS uses (
  token_id INTEGER NOT NULL,
  app_id INTEGER NOT NULL,
  account_id INTEGER NOT NULL,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  count INTEGER NOT NULL,
  refused INTEGER NOT NULL,
  reason INTEGER NOT NULL,
  address BLOB NOT NULL,
  agent TEXT NOT NULL,
  method TEXT NOT NULL,
  path TEXT NOT NULL,
  app_name TEXT NOT NULL,
  PRIMARY KEY (token_id, app_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS uses_of_account ON uses (account_id);
CREATE TABLE IF NOT EXISTS hours (
  hour INTEGER NOT NULL,
  token_id INTEGER NOT NULL,
  app_id INTEGER NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (hour, token_id, app_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS use_writers (
  writer TEXT NOT NULL PRIMARY KEY,
  batch INTEGER NOT NULL,
  late INTEGER NOT NULL,
  at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;`

// fileSize makes a transaction last about a millisecond. More rows in one statement gain nothing here.
var fileSize = size{pairs: 25, rows: 1}

// A file is use.db, on one connection. After an error it is opened anew by the next who uses it.
type file struct {
	path string
	log  *slog.Logger

	mu       sync.Mutex // held by the one who uses the connection
	pool     *sql.DB    // nil while the file is not open
	conn     *sql.Conn
	checked  bool
	prepared map[string]*sql.Stmt // the statements that are used all the time, by their text
}

func (f *file) String() string { return f.path }

// open opens the file if it is not. One that holds something else than uses is moved aside.
func (f *file) open(ctx context.Context) error {
	if f.pool != nil {
		return nil
	}
	err := f.tryOpen(ctx)
	if !damaged(err) {
		return err
	}
	aside := f.path + ".damaged-" + time.Now().UTC().Format("20060102T150405.000Z")
	if err := os.Rename(f.path, aside); err != nil {
		return err
	}
	for _, end := range []string{"-wal", "-shm"} {
		if err := os.Remove(f.path + end); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	f.log.Warn("the file of uses is damaged: it was moved aside and begun anew", "aside", aside, "error", err)
	return f.tryOpen(ctx)
}

func (f *file) tryOpen(ctx context.Context) (err error) {
	// SQLite would let everybody read the file: addresses and paths stand in it.
	made, err := os.OpenFile(f.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := made.Close(); err != nil {
		return err
	}
	// NORMAL: a power cut may take the last seconds of counts, and does not damage the file.
	options := url.Values{"_pragma": {"busy_timeout(1000)", "journal_mode(WAL)", "synchronous(NORMAL)"}}
	name := url.URL{Scheme: "file", OmitHost: true, Path: f.path, RawQuery: options.Encode()}
	if f.pool, err = sql.Open("sqlite", name.String()); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("opening %s: %w", f.path, err)
			f.shut()
		}
	}()
	if f.conn, err = f.pool.Conn(ctx); err != nil {
		return err
	}
	if err = f.check(ctx); err != nil {
		return err
	}
	if _, err = f.conn.ExecContext(ctx, schema); err != nil {
		return err
	}
	f.prepared = map[string]*sql.Stmt{}
	for _, text := range often(fileSize.rows) {
		if f.prepared[text], err = f.conn.PrepareContext(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

var errDamaged = errors.New("the check of the file says")

// check reads all of a file, once, if it is small enough for that to take less than a second.
func (f *file) check(ctx context.Context) error {
	if info, err := os.Stat(f.path); f.checked || err == nil && info.Size() > 64<<20 {
		return nil
	}
	var says string
	if err := f.conn.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&says); err != nil {
		return err
	}
	if says != "ok" {
		return fmt.Errorf("%w: %s", errDamaged, says)
	}
	f.checked = true
	return nil
}

// damaged says whether an error means that the file's content is no good.
func damaged(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return errors.Is(err, errDamaged)
	}
	code := e.Code() & 0xFF
	return code == lib.SQLITE_CORRUPT || code == lib.SQLITE_NOTADB
}

// read runs fn on the open file.
func (f *file) read(ctx context.Context, fn func(conn) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.open(ctx); err != nil {
		return err
	}
	err := fn(fileConn{f, ctx})
	if err != nil && ctx.Err() == nil {
		f.checked = f.checked && !damaged(err)
		f.shut()
	}
	return err
}

func (f *file) write(ctx context.Context, fn func(conn) error) error {
	return f.read(ctx, func(c conn) error {
		if _, err := f.conn.ExecContext(context.Background(), `BEGIN IMMEDIATE`); err != nil {
			return err
		}
		err := fn(c)
		if err == nil {
			_, err = f.conn.ExecContext(context.Background(), `COMMIT`)
		}
		if err != nil {
			f.conn.ExecContext(context.Background(), `ROLLBACK`) // after a failed commit there may be none
		}
		return err
	})
}

// A fileConn is the file's connection. Prepared statements get no context: the driver would start a
// goroutine for each of them.
type fileConn struct {
	file *file
	ctx  context.Context
}

func (c fileConn) exec(text string, args ...any) (int64, error) {
	var result sql.Result
	var err error
	if s := c.file.prepared[text]; s != nil {
		result, err = s.Exec(args...)
	} else {
		result, err = c.file.conn.ExecContext(c.ctx, text, args...)
	}
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (c fileConn) each(text string, scan func(*sql.Rows) error, args ...any) error {
	if s := c.file.prepared[text]; s != nil {
		rows, err := s.Query(args...)
		return all(rows, err, scan)
	}
	rows, err := c.file.conn.QueryContext(c.ctx, text, args...)
	return all(rows, err, scan)
}

func (f *file) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.shut()
}

// shut ends the connection too, with whatever is open on it.
func (f *file) shut() error {
	if f.pool == nil {
		return nil
	}
	for _, s := range f.prepared {
		if s != nil {
			s.Close()
		}
	}
	if f.conn != nil {
		f.conn.Close()
	}
	err := f.pool.Close()
	f.pool, f.conn, f.prepared = nil, nil, nil
	return err
}
