package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Backup writes a consistent copy while changes go on. The file must not exist yet. Wherever the records
// are, it is a database of SQLite: so it can be restored into either engine.
func (db *DB) Backup(ctx context.Context, file string) error {
	if err := db.engine.copyTo(ctx, file); err != nil {
		return fmt.Errorf("writing the backup: %w", err)
	}
	return nil
}

// writeNew makes a file that only its owner can read, has it filled, and returns once it is on the disk.
// After an error there is none.
func writeNew(file string, fill func() error) (err error) {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists already; choose another name", file)
	}
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			os.Remove(file)
		}
	}()
	if err := fill(); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(file))
}

// copyTo writes one snapshot.
func (e *sqlite) copyTo(ctx context.Context, file string) error {
	return writeNew(file, func() (err error) {
		c, err := sql.Open("sqlite", dsn(e.path))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, c.Close()) }()
		_, err = c.ExecContext(ctx, `VACUUM INTO $1`, file)
		return err
	})
}

// copyTo writes one snapshot, which no change waits for and which sees none.
func (e *postgres) copyTo(ctx context.Context, file string) error {
	return writeNew(file, func() (err error) {
		to, err := openBare(file)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, to.close()) }()
		if err := to.begun(ctx); err != nil {
			return err
		}
		from, err := e.connect(ctx, false)
		if err != nil {
			return err
		}
		defer from.close()
		from.base, from.patience = ctx, readingFor // rows come once all of them are in order
		for _, text := range []string{from.begin, `SET LOCAL statement_timeout = 0`} {
			if _, err := from.exec(text); err != nil {
				return err
			}
		}
		return to.copyOf(ctx, from)
	})
}

// copyOf copies a snapshot, and demands that the copy ends where the log does.
func (e *sqlite) copyOf(ctx context.Context, from *conn) error {
	if err := e.sameSchema(ctx, from); err != nil {
		return err
	}
	head, err := readHead(from)
	if err != nil {
		return err
	}
	got, err := e.take(ctx, from)
	if err != nil {
		return err
	}
	if got != head {
		return &brokenError{got.Revision, fmt.Sprintf("the copy ends there, and the log at %d", head.Revision)}
	}
	return nil
}

// sameSchema refuses records of a newer schema, which may hold what this program does not know.
func (e *sqlite) sameSchema(ctx context.Context, from *conn) error {
	_, want, err := e.schema(ctx)
	if err != nil {
		return err
	}
	var have int64
	err = from.one(`
		SELECT MAX(version_id)
		FROM `+migrationsTable+`
		WHERE is_applied`, nil, &have)
	if err != nil {
		return fmt.Errorf("reading the schema: %w", err)
	}
	if have > want {
		return fmt.Errorf("%w: it has schema %d, this program knows %d; make the backup with the newer version",
			ErrNewer, have, want)
	}
	return nil
}

// Compact rewrites the records without what was removed from them.
func (db *DB) Compact(ctx context.Context) error {
	if err := db.takeTurn(ctx); err != nil {
		return err
	}
	defer func() { <-db.turn }()
	if err := db.writable(); err != nil {
		return err
	}
	if err := db.needWriting(); err != nil {
		return err
	}
	return readOnly(db.engine.compact(ctx, db.writing))
}
