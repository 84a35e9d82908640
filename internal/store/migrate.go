package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"
)

//go:embed migrations
var migrations embed.FS

func sqliteMigrations(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true),
		goose.WithTableName("migrations"), goose.WithLogger(goose.NopLogger()))
}

// newFile makes a new database under another name first: one that was not finished is never taken
// for a database.
func newFile(ctx context.Context, file string) error {
	fresh := file + ".new"
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.Remove(fresh + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	f, err := os.OpenFile(fresh, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := fill(ctx, fresh); err != nil {
		return err
	}
	if err := syncFile(fresh); err != nil {
		return err
	}
	if err := setLogAside(file); err != nil {
		return err
	}
	if err := os.Rename(fresh, file); err != nil {
		return err
	}
	return syncDir(filepath.Dir(file))
}

func fill(ctx context.Context, path string) (err error) {
	e, err := openSQLite(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	return e.begun(ctx)
}

// begun makes a file with nothing in it an empty database of ours.
func (e *sqlite) begun(ctx context.Context) error {
	if _, err := e.writing.ExecContext(ctx, fmt.Sprintf(`PRAGMA application_id = %d`, applicationID)); err != nil {
		return err
	}
	return e.upgrade(ctx)
}

// schema gives the version of a database's schema, and the one that this program wants.
func (e *sqlite) schema(ctx context.Context) (have, want int64, err error) {
	m, err := sqliteMigrations(e.writing)
	if err != nil {
		return 0, 0, err
	}
	have, want, err = m.GetVersions(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("reading the schema of %s: %w", e.path, err)
	}
	if have > want {
		return 0, 0, fmt.Errorf("%w: %s has schema %d, this program knows %d; "+
			"start the newer version again, or restore a backup", ErrNewer, e.path, have, want)
	}
	return have, want, nil
}

// migrate brings an older schema up to date, after a copy was put aside.
func (e *sqlite) migrate(ctx context.Context, log *slog.Logger) error {
	have, want, err := e.schema(ctx)
	if err != nil || have == want {
		return err
	}
	aside := fmt.Sprintf("%s.before-%d", e.path, want)
	if exists(aside) {
		aside = freeName(aside)
	}
	if err := e.copyTo(ctx, aside); err != nil {
		return fmt.Errorf("putting a copy of the database aside: %w", err)
	}
	log.Info("the database is brought up to date", "schema", have, "to", want, "copy", aside)
	return e.upgrade(ctx)
}

func (e *sqlite) upgrade(ctx context.Context) error {
	m, err := sqliteMigrations(e.writing)
	if err != nil {
		return err
	}
	if _, err := m.Up(ctx); err != nil {
		return fmt.Errorf("bringing the schema of %s up to date: %w", e.path, err)
	}
	return nil
}
