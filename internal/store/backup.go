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

// Backup writes a consistent copy while changes go on. The file must not exist yet.
func (db *DB) Backup(ctx context.Context, file string) error {
	if err := db.engine.copyTo(ctx, file); err != nil {
		return fmt.Errorf("writing the backup: %w", err)
	}
	return nil
}

// copyTo writes one snapshot into a new file that only its owner can read.
func (e *sqlite) copyTo(ctx context.Context, file string) (err error) {
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
	c, err := sql.Open("sqlite", dsn(e.path))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if _, err := c.ExecContext(ctx, `VACUUM INTO $1`, file); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(file))
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
