package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	locks "github.com/pressly/goose/v3/lock"
)

// oldest is the first version of PostgreSQL that the tests have seen in use.
const oldest = 130000

// examine refuses a server that would not keep what it says that it keeps.
func examine(ctx context.Context, config *pgx.ConnConfig, log *slog.Logger) error {
	c, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return &lostError{err}
	}
	defer drop(c)
	var version int
	var encoding, commits, syncs, pages string
	err = c.QueryRow(ctx, `
		SELECT current_setting('server_version_num')::INTEGER, current_setting('server_encoding'),
			current_setting('synchronous_commit'), current_setting('fsync'), current_setting('full_page_writes')`).
		Scan(&version, &encoding, &commits, &syncs, &pages)
	switch {
	case err != nil:
		return err
	case version < oldest:
		return fmt.Errorf("the server is version %d.%d; 13 or a newer one is needed", version/10000, version%10000)
	case encoding != "UTF8":
		return fmt.Errorf("the database's encoding is %s; make one with ENCODING 'UTF8'", encoding)
	}
	if commits == "off" {
		config.RuntimeParams["synchronous_commit"] = "on"
	}
	if syncs != "on" || pages != "on" {
		log.Warn("the database loses acknowledged changes when its machine loses power; switch fsync and "+
			"full_page_writes on", "fsync", syncs, "full_page_writes", pages)
	}
	return nil
}

// createPostgres makes the tables in a database that has none.
func createPostgres(ctx context.Context, dir string, o Options) error {
	config, _, err := configure(o.Database)
	if err != nil {
		return err
	}
	if err := examine(ctx, config, slog.New(slog.DiscardHandler)); err != nil {
		return fmt.Errorf("opening the database: %w", err)
	}
	ours, others, err := tables(ctx, config)
	switch {
	case err != nil:
		return fmt.Errorf("looking into the database: %w", err)
	case ours:
		return fmt.Errorf("%w, and it holds records; to begin anew, name an empty one", ErrExists)
	case others > 0:
		return othersTables(others)
	}
	if err := refuseMark(markPath(dir, o)); err != nil {
		return err
	}
	return withMigrations(config, func(m *goose.Provider) error {
		if _, err := m.Up(ctx); err != nil {
			return fmt.Errorf("making the tables: %w", err)
		}
		return nil
	})
}

func othersTables(n int) error {
	return fmt.Errorf("the database holds %d tables of another program; make an empty one, and name that", n)
}

// tables says whether ours are there, and how many others.
func tables(ctx context.Context, config *pgx.ConnConfig) (ours bool, others int, err error) {
	c, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return false, 0, &lostError{err}
	}
	defer drop(c)
	err = c.QueryRow(ctx, `
		SELECT to_regclass('schema_compat') IS NOT NULL, COUNT(oid)
		FROM pg_class
		WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v', 'm') AND relname <> $1`,
		migrationsTable).Scan(&ours, &others)
	return ours, others, err
}

const migrationsTable = "migrations"

// withMigrations has one node at a time look after the tables.
func withMigrations(config *pgx.ConnConfig, do func(*goose.Provider) error) error {
	// Two that begin at once wait for each other, a minute at most.
	locker, err := locks.NewPostgresSessionLocker(locks.WithLockTimeout(1, 60), locks.WithUnlockTimeout(1, 5))
	if err != nil {
		return err
	}
	return withLocked(config, do, goose.WithSessionLocker(locker))
}

// withLocked is for whoever has the lock already.
func withLocked(config *pgx.ConnConfig, do func(*goose.Provider) error, more ...goose.ProviderOption) (err error) {
	files, err := fs.Sub(migrations, "migrations/postgres")
	if err != nil {
		return err
	}
	db := stdlib.OpenDB(*config)
	defer func() { err = errors.Join(err, db.Close()) }()
	m, err := goose.NewProvider(goose.DialectPostgres, db, files, append(more, goose.WithDisableGlobalRegistry(true),
		goose.WithTableName(migrationsTable), goose.WithLogger(goose.NopLogger()))...)
	if err != nil {
		return err
	}
	return do(m)
}

// migratePostgres brings an older schema up to date. A newer one is worked on as long as it says that this
// program can: new nodes and old ones run side by side.
func migratePostgres(ctx context.Context, config *pgx.ConnConfig, log *slog.Logger) error {
	ours, _, err := tables(ctx, config)
	if err != nil {
		return fmt.Errorf("looking into the database: %w", err)
	}
	if !ours {
		return fmt.Errorf("%w: it holds no records; run ostiary init --database to make them", ErrMissing)
	}
	return withMigrations(config, func(m *goose.Provider) error {
		have, want, err := m.GetVersions(ctx)
		if err != nil {
			return fmt.Errorf("reading the schema: %w", err)
		}
		switch {
		case have == want:
			return nil
		case have > want:
			return compatible(ctx, config, have, want, log)
		}
		log.Info("the database is brought up to date", "schema", have, "to", want)
		if _, err := m.Up(ctx); err != nil {
			return fmt.Errorf("bringing the schema up to date: %w", err)
		}
		return nil
	})
}

func compatible(ctx context.Context, config *pgx.ConnConfig, have, want int64, log *slog.Logger) error {
	c, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return &lostError{err}
	}
	defer drop(c)
	var least int64
	err = c.QueryRow(ctx, `
		SELECT min_program_schema
		FROM schema_compat
		WHERE id = 1`).Scan(&least)
	if err != nil {
		return fmt.Errorf("reading the schema: %w", err)
	}
	if want < least {
		return fmt.Errorf("%w: it has schema %d, for programs that know %d or more, and this one knows %d; "+
			"start the newer version", ErrNewer, have, least, want)
	}
	log.Info("a newer version has changed the schema, and this one can work on it", "schema", have, "known", want)
	return nil
}
