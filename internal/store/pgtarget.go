package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pressly/goose/v3"
	locks "github.com/pressly/goose/v3/lock"
)

// ErrAtWork says that nodes use the database.
var ErrAtWork = errors.New("nodes are at work on this database")

// A target is a database of PostgreSQL that a backup is put into. It has one connection, with the lock by
// which nodes change the schema: who loses it loses what it was doing.
type target struct {
	config *pgx.ConnConfig
	pool   *sql.DB
	conn   *conn
	home   string // the schema where the records are, quoted
	ours   bool   // there are records
}

// openTarget refuses a database that a backup must not be put into, before anything is touched.
func openTarget(ctx context.Context, at DSN) (*target, error) {
	config, _, err := configure(at)
	if err != nil {
		return nil, err
	}
	if err := examine(ctx, config, slog.New(slog.DiscardHandler)); err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	t := &target{config: config, pool: pool(config, nil, map[string]time.Duration{
		"lock_timeout": lockWithin, "statement_timeout": 0, "idle_in_transaction_session_timeout": statementFor,
	})}
	if t.conn, err = newConn(ctx, t.pool); err != nil {
		return nil, errors.Join(err, t.pool.Close())
	}
	// Nothing says how long rows take. A server that is gone is known by its connection.
	t.conn.base, t.conn.patience = ctx, readingFor
	if err = t.run(knowTheDead); err == nil {
		err = t.check(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, t.close())
	}
	return t, nil
}

// knowTheDead has the server notice within half a minute that this machine is gone, and let go of its locks.
const knowTheDead = `SELECT set_config('tcp_keepalives_idle', '10', FALSE),
	set_config('tcp_keepalives_interval', '5', FALSE), set_config('tcp_keepalives_count', '3', FALSE)`

func (t *target) check(ctx context.Context) error {
	var alone bool
	if err := t.conn.one(`SELECT pg_try_advisory_lock($1)`, []any{locks.DefaultLockID}, &alone); err != nil {
		return err
	}
	if !alone {
		return errors.New("another restore is under way in this database, or a node brings it up to date; " +
			"wait until that is done")
	}
	ours, others, err := tables(ctx, t.config)
	if err != nil {
		return fmt.Errorf("looking into the database: %w", err)
	}
	if !ours && others > 0 {
		return othersTables(others)
	}
	t.ours = ours
	if err := t.checkRights(); err != nil {
		return err
	}
	if !ours {
		return nil
	}
	if err := withLocked(t.config, func(m *goose.Provider) error { return notNewer(ctx, m) }); err != nil {
		return err
	}
	return t.checkNodes()
}

func (t *target) checkRights() error {
	var database, user string
	var schemas, tables bool
	err := t.conn.one(`
		SELECT quote_ident(current_schema()), current_database(), current_user,
			has_database_privilege(current_database(), 'CREATE'),
			has_schema_privilege(current_schema(), 'CREATE')`, nil, &t.home, &database, &user, &schemas, &tables)
	switch {
	case err != nil:
		return err
	case !schemas:
		return fmt.Errorf("the user %s may not make schemas in the database %s, where the old records would be "+
			"set aside; GRANT CREATE ON DATABASE %[2]s TO %[1]s", user, database)
	case !tables:
		return fmt.Errorf("the user %s may not make tables in the schema %s; "+
			"GRANT CREATE ON SCHEMA %[2]s TO %[1]s", user, t.home)
	}
	return t.conn.each(func(rows *sql.Rows) error {
		var name, owner string
		if err := rows.Scan(&name, &owner); err != nil {
			return err
		}
		return fmt.Errorf("the table %s belongs to %s; restore as that user: new tables would be %s's",
			name, owner, user)
	}, `
		SELECT tablename, tableowner
		FROM pg_tables
		WHERE schemaname = current_schema() AND tableowner <> current_user
			AND tablename IN (`+quoted(ourTables())+`)
		LIMIT 1`)
}

func notNewer(ctx context.Context, m *goose.Provider) error {
	have, want, err := m.GetVersions(ctx)
	if err == nil && have > want {
		err = fmt.Errorf("%w: the database has schema %d, this program knows %d; restore with the newer version",
			ErrNewer, have, want)
	}
	return err
}

// heardWithin is after how long a node that says nothing is no longer taken for one at work: some of its
// beats, by the database's own clock.
const heardWithin = 10 * time.Second

// checkNodes refuses while nodes are at work. One that cannot reach the database is not known here: its
// lease ends by itself.
func (t *target) checkNodes() error {
	have, err := t.has("nodes")
	if err != nil || !have {
		return err
	}
	names, err := list(t.conn, func(row scanner) (name string, err error) {
		err = row.Scan(&name)
		return name, err
	}, `
		SELECT name
		FROM `+t.home+`.nodes
		WHERE stopped = 0 AND seen_on > `+now+` - $1
		ORDER BY name`, heardWithin.Milliseconds())
	if err == nil && len(names) > 0 {
		err = fmt.Errorf("%w: %s; stop each, then restore (one that was killed is forgotten after %s)",
			ErrAtWork, strings.Join(names, ", "), heardWithin)
	}
	return err
}

// has says whether the records that are there have a table, which older ones may lack.
func (t *target) has(table string) (have bool, err error) {
	err = t.conn.one(`SELECT to_regclass($1) IS NOT NULL`, []any{t.home + "." + table}, &have)
	return have, err
}

// ourTables are all that a restore puts in place, or sets aside.
func ourTables() []string { return append(carried[:], notCarried[:]...) }

// quoted are names for an IN.
func quoted(names []string) string { return "'" + strings.Join(names, "', '") + "'" }

func (t *target) known(ctx context.Context) (old known, err error) {
	if !t.ours {
		return old, nil
	}
	if _, err := t.conn.exec(beginReading); err != nil {
		return old, err
	}
	if old, err = knownBy(ctx, t.conn, t.has); err != nil {
		return known{}, fmt.Errorf("reading the old records, whose retirements must not be lost: %w; "+
			"if they are past reading, restore into an empty database", err)
	}
	_, err = t.conn.exec(rollback)
	return old, err
}

func (t *target) close() error {
	t.conn.close()
	return t.pool.Close()
}
