package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
)

// A folder is where the records of SQLite are. Whoever has it holds its lock.
type folder struct {
	path string // of the database
	log  *slog.Logger
}

// known: records that cannot be read are no reason not to restore.
func (f *folder) known(ctx context.Context) (known, error) {
	if !exists(f.path) {
		return known{}, nil
	}
	old, err := f.read(ctx)
	if err != nil {
		f.log.Warn("the old database cannot be read; what it retired is known from the mark alone", "error", err)
		return known{}, nil
	}
	return old, nil
}

func (f *folder) read(ctx context.Context) (old known, err error) {
	if err := checkFile(f.path); err != nil {
		return old, err
	}
	e, err := openSQLite(ctx, f.path)
	if err != nil {
		return old, err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	c, err := newConn(ctx, e.writing)
	if err != nil {
		return old, err
	}
	defer c.close()
	return knownBy(ctx, c, func(table string) (have bool, err error) {
		err = c.one(`
			SELECT COUNT(name) > 0
			FROM sqlite_master
			WHERE type = 'table' AND name = $1`, []any{table}, &have)
		return have, err
	})
}

// knownBy reads it from records of this schema, or of an older one that lacks some tables.
func knownBy(ctx context.Context, c *conn, has func(table string) (bool, error)) (old known, err error) {
	epochs, err := has("epochs")
	if err != nil {
		return old, err
	}
	edges, err := has("edges")
	if err != nil {
		return old, err
	}
	if old.epoch = 1; epochs {
		if old.epoch, err = readEpoch(c); err != nil {
			return old, err
		}
	}
	if edges {
		if old.revoked, err = revokedEdges(c); err != nil {
			return old, err
		}
	}
	if old.head, err = readHead(c); err != nil {
		return old, err
	}
	old.retired, err = (&reader{ctx: ctx, conn: c}).retiredSecrets()
	return old, err
}

// put renames the file. The old database keeps a second name.
func (f *folder) put(_ context.Context, file string, _ known) (aside string, err error) {
	if err := syncFile(file); err != nil {
		return "", err
	}
	if aside, err = f.setAside(); err != nil {
		return "", fmt.Errorf("moving the old database aside: %w", err)
	}
	if err := os.Rename(file, f.path); err != nil {
		return "", fmt.Errorf("putting the backup in place: %w", err)
	}
	return aside, syncDir(filepath.Dir(f.path))
}

func (f *folder) setAside() (aside string, err error) {
	if !exists(f.path) {
		return "", setLogAside(f.path)
	}
	aside = freeName(f.path + ".before-restore")
	// A log that lies beside the old database would be taken for the new one's.
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := os.Rename(f.path+suffix, aside+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return aside, os.Link(f.path, aside)
}

func (f *folder) close() error { return nil }
