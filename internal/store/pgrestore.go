package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/pressly/goose/v3"
)

// workshop is the schema in which records are made ready where nobody looks.
const workshop = "ostiary_restoring"

// put fills new tables in the workshop, and has them change places with the old ones, all in one transaction.
// The old ones are locked only for the exchange.
func (t *target) put(ctx context.Context, file string, old known) (aside string, err error) {
	e, err := openSQLite(ctx, file)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	if err := t.openWorkshop(ctx); err != nil {
		return "", fmt.Errorf("making the tables: %w", err)
	}
	defer func() {
		if err != nil {
			t.leaveWorkshop()
		}
	}()
	if _, err := t.conn.exec(`BEGIN`); err != nil {
		return "", err
	}
	if err := t.fill(ctx, e); err != nil {
		return "", fmt.Errorf("filling the tables: %w", err)
	}
	if aside, err = t.exchange(old); err != nil {
		return "", fmt.Errorf("putting the backup in place: %w", err)
	}
	if _, err := t.conn.exec(commit); err != nil {
		return "", fmt.Errorf("nobody can say whether the backup is in place: restore it again; %w", err)
	}
	return aside, nil
}

// openWorkshop makes empty tables. What a restore left there that did not end goes.
func (t *target) openWorkshop(ctx context.Context) error {
	var others int
	err := t.conn.one(`
		SELECT COUNT(oid)
		FROM pg_class
		WHERE relnamespace = to_regnamespace($1) AND relkind IN ('r', 'p', 'v', 'm', 'f')
			AND relname NOT IN (`+quoted(ourTables())+`)`, []any{workshop}, &others)
	if err != nil {
		return err
	}
	if others > 0 {
		return fmt.Errorf("the schema %s holds tables of another program; move them away", workshop)
	}
	for _, text := range []string{dropWorkshop, `CREATE SCHEMA ` + workshop} {
		if err := t.run(text); err != nil {
			return err
		}
	}
	config := t.config.Copy()
	config.RuntimeParams["search_path"] = workshop
	return withLocked(config, func(m *goose.Provider) error { _, err := m.Up(ctx); return err })
}

const dropWorkshop = `DROP SCHEMA IF EXISTS ` + workshop + ` CASCADE`

// leaveWorkshop leaves nothing there, where the server can still be told so. The next restore would do it.
func (t *target) leaveWorkshop() {
	t.conn.base = context.Background() // the caller may have gone away
	if _, err := t.conn.exec(rollback); err == nil {
		t.run(dropWorkshop)
	}
}

// run makes a statement that is not worth preparing.
func (t *target) run(text string) error {
	l := t.conn.limit()
	defer l.end()
	if _, err := t.conn.sql.ExecContext(l, text); err != nil {
		return t.conn.failed(l, err)
	}
	return nil
}

// fill copies every row, and demands that the log ends where that of the file does.
func (t *target) fill(ctx context.Context, from *sqlite) error {
	all, err := from.shapes(ctx)
	if err != nil {
		return err
	}
	if err := t.run(`SET LOCAL search_path TO ` + workshop); err != nil {
		return err
	}
	for _, s := range all {
		if err := t.run(`DELETE FROM ` + s.table); err != nil { // what new tables begin with
			return err
		}
		if err := t.copyRows(ctx, from, s); err != nil {
			return fmt.Errorf("%s: %w", s.table, err)
		}
		if err := t.run(`ANALYZE ` + s.table); err != nil {
			return err
		}
	}
	c, err := newConn(ctx, from.reading)
	if err != nil {
		return err
	}
	defer c.close()
	want, err := readHead(c)
	if err != nil {
		return err
	}
	got, err := readHead(t.conn)
	if err == nil && got != want {
		err = &brokenError{got.Revision, fmt.Sprintf("the copy ends there, and the backup at %d", want.Revision)}
	}
	if err != nil {
		return err
	}
	_, err = t.conn.exec(`
		UPDATE head
		SET revision = $1, chain = $2
		WHERE id = 1`, want.Revision, want.Chain[:])
	return err
}

// copyRows sends one table.
func (t *target) copyRows(ctx context.Context, from *sqlite, s shape) error {
	rows, err := from.reading.QueryContext(ctx, s.selects())
	if err != nil {
		return err
	}
	defer rows.Close()
	source := &rowsOf{rows: rows, row: make([]any, len(s.columns)), into: make([]any, len(s.columns))}
	for i := range source.row {
		source.into[i] = &source.row[i]
	}
	return t.conn.sql.Raw(func(dc any) error {
		c := dc.(pgConn)
		_, err := c.Conn.Conn().CopyFrom(ctx, pgx.Identifier{workshop, s.table}, s.columns, source)
		if err != nil {
			return c.told(err)
		}
		return nil
	})
}

// A rowsOf hands rows of SQLite to COPY.
type rowsOf struct {
	rows *sql.Rows
	row  []any
	into []any // pointers to its values
}

func (r *rowsOf) Next() bool { return r.rows.Next() }
func (r *rowsOf) Err() error { return r.rows.Err() }

func (r *rowsOf) Values() ([]any, error) {
	if err := r.rows.Scan(r.into...); err != nil {
		return nil, err
	}
	for i, v := range r.row {
		if text, isText := v.(string); isText {
			r.row[i] = hide(text)
		}
	}
	return r.row, nil
}

// exchange sets the old tables aside and puts the new ones in their place.
func (t *target) exchange(old known) (aside string, err error) {
	tables, err := t.tablesThere()
	if err != nil {
		return "", err
	}
	if len(tables) > 0 {
		if aside, err = t.setAside(tables, old); err != nil {
			return "", err
		}
	}
	for _, table := range ourTables() {
		if err := t.run(`ALTER TABLE ` + workshop + `.` + table + ` SET SCHEMA ` + t.home); err != nil {
			return "", err
		}
	}
	return aside, t.run(`DROP SCHEMA ` + workshop)
}

func (t *target) tablesThere() ([]string, error) {
	return list(t.conn, func(row scanner) (name string, err error) {
		err = row.Scan(&name)
		return name, err
	}, `
		SELECT relname
		FROM pg_class
		WHERE relnamespace = to_regnamespace($1) AND relkind = 'r' AND relname IN (`+quoted(ourTables())+`)
		ORDER BY relname <> 'head', relname`, t.home)
}

// setAside moves the old tables into a schema of their own. First it takes them from everybody else: a change
// that is under way ends, and nodes that have begun since are seen.
func (t *target) setAside(tables []string, old known) (aside string, err error) {
	for _, table := range tables {
		if err := t.run(`LOCK TABLE ` + t.home + `.` + table + ` IN ACCESS EXCLUSIVE MODE`); err != nil {
			return "", fmt.Errorf("somebody holds the table %s: %w", table, err)
		}
	}
	if err := t.checkNodes(); err != nil {
		return "", err
	}
	if err := t.unchanged(old); err != nil {
		return "", err
	}
	taken, err := t.schemaNames()
	if err != nil {
		return "", err
	}
	for n := 1; aside == "" || taken[aside]; n++ {
		aside = fmt.Sprintf("before_restore_%d", n)
	}
	if err := t.run(`CREATE SCHEMA ` + aside); err != nil {
		return "", err
	}
	for _, table := range tables {
		if err := t.run(`ALTER TABLE ` + t.home + `.` + table + ` SET SCHEMA ` + aside); err != nil {
			return "", err
		}
	}
	return "the schema " + aside, nil
}

// unchanged demands that the old records know no more than what was read of them.
func (t *target) unchanged(old known) error {
	if !t.ours {
		return nil
	}
	if err := t.run(`SET LOCAL search_path TO ` + t.home); err != nil {
		return err
	}
	head, err := readHead(t.conn)
	if err == nil && head != old.head {
		err = fmt.Errorf("%w: the old records were changed meanwhile; restore again", ErrAtWork)
	}
	return err
}

func (t *target) schemaNames() (taken map[string]bool, err error) {
	taken = map[string]bool{}
	err = t.conn.each(func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		taken[name] = true
		return err
	}, `
		SELECT nspname
		FROM pg_namespace
		WHERE nspname LIKE 'before_restore_%'`)
	return taken, err
}
