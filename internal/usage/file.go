package usage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
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
) STRICT, WITHOUT ROWID;`

// A file is use.db, on one connection. After an error it is opened anew by the next who uses it.
type file struct {
	path    string
	log     *slog.Logger
	pool    *sql.DB // nil while the file is not open
	conn    *sql.Conn
	checked bool

	putUse, putHour *sql.Stmt
	usesBy          map[string]*sql.Stmt // by column
}

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
			f.close()
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
	if f.putUse, err = f.conn.PrepareContext(ctx, putUse); err != nil {
		return err
	}
	if f.putHour, err = f.conn.PrepareContext(ctx, putHour); err != nil {
		return err
	}
	f.usesBy = map[string]*sql.Stmt{}
	for _, column := range []string{"token_id", "account_id"} {
		if f.usesBy[column], err = f.conn.PrepareContext(ctx, usesWhere(column)); err != nil {
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

// with runs fn on the open file.
func (f *file) with(ctx context.Context, fn func() error) error {
	if err := f.open(ctx); err != nil {
		return err
	}
	err := fn()
	if err != nil && ctx.Err() == nil {
		f.checked = f.checked && !damaged(err)
		f.close()
	}
	return err
}

// transaction runs fn in one. Statements get no context of their own: the driver would start a
// goroutine for each of them.
func (f *file) transaction(ctx context.Context, fn func() error) error {
	return f.with(ctx, func() error {
		if _, err := f.conn.ExecContext(context.Background(), `BEGIN IMMEDIATE`); err != nil {
			return err
		}
		err := fn()
		if err == nil {
			_, err = f.conn.ExecContext(context.Background(), `COMMIT`)
		}
		if err != nil {
			f.conn.ExecContext(context.Background(), `ROLLBACK`) // after a failed commit there may be none
		}
		return err
	})
}

// close ends the connection too, with whatever is open on it.
func (f *file) close() error {
	if f.pool == nil {
		return nil
	}
	for _, s := range []*sql.Stmt{f.putUse, f.putHour, f.usesBy["token_id"], f.usesBy["account_id"]} {
		if s != nil {
			s.Close()
		}
	}
	if f.conn != nil {
		f.conn.Close()
	}
	err := f.pool.Close()
	f.pool, f.conn, f.putUse, f.putHour, f.usesBy = nil, nil, nil, nil, nil
	return err
}
