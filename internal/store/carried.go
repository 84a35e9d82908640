package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"strings"

	"ostiary"
)

// carried are the tables that a backup holds, each after those that it refers to. Both engines have them
// under the same names, with the same columns in the same order: which these are, the file says.
var carried = [...]string{
	"accounts", "users", "passwords", "members", "invitations", "links", "tokens", "secrets", "apps", "edges",
	"log", "counters", "epochs",
}

// notCarried are the others: people sign in again, nodes say anew that they are there, and the rest says
// where the log ends or what the database is.
var notCarried = [...]string{"sessions", "nodes", "probe", "head", "schema_compat", migrationsTable}

// A shape is what a table has in a backup.
type shape struct {
	table   string
	columns []string
	key     []string // what rows are ordered by
}

// shapes reads them from a backup that this program made or has brought up to date.
func (e *sqlite) shapes(ctx context.Context) (all []shape, err error) {
	for _, table := range carried {
		s := shape{table: table}
		rows, err := e.writing.QueryContext(ctx, `
			SELECT name, pk
			FROM pragma_table_info($1)
			ORDER BY cid`, table)
		if err != nil {
			return nil, err
		}
		err = s.read(rows)
		if err == nil && len(s.columns) == 0 {
			err = fmt.Errorf("it has no table %s", table)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

func (s *shape) read(rows *sql.Rows) error {
	defer rows.Close()
	for rows.Next() {
		var name string
		var at int // in the key, from 1
		if err := rows.Scan(&name, &at); err != nil {
			return err
		}
		s.columns = append(s.columns, name)
		if at > 0 { // keys name their columns in the order of the table
			s.key = append(s.key, name)
		}
	}
	return rows.Err()
}

func (s shape) selects() string {
	return `
		SELECT ` + strings.Join(s.columns, ", ") + `
		FROM ` + s.table + `
		ORDER BY ` + strings.Join(s.key, ", ")
}

func (s shape) inserts() string {
	places := make([]string, len(s.columns))
	for i := range places {
		places[i] = fmt.Sprintf("$%d", i+1)
	}
	return `
		INSERT INTO ` + s.table + ` (` + strings.Join(s.columns, ", ") + `)
		VALUES (` + strings.Join(places, ", ") + `)`
}

// openBare opens a file that nobody else uses and that is thrown away after an error: nothing is undone in
// it, and it is synced once, by whoever made it.
func openBare(path string) (*sqlite, error) {
	pool, err := sql.Open("sqlite", dsn(path, "journal_mode(OFF)", "synchronous(OFF)", "cache_size(-65536)"))
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(1)
	return &sqlite{path: path, writing: pool, reading: pool}, nil
}

// take fills the file with what a snapshot of another engine holds, row by row, and gives where its log ends.
func (e *sqlite) take(ctx context.Context, from *conn) (head ostiary.Head, err error) {
	all, err := e.shapes(ctx)
	if err != nil {
		return head, err
	}
	tx, err := e.writing.BeginTx(ctx, nil)
	if err != nil {
		return head, err
	}
	defer tx.Rollback() // after a commit there is nothing to undo
	for _, s := range all {
		if err := s.carry(ctx, from, tx); err != nil {
			return head, fmt.Errorf("the table %s: %w", s.table, err)
		}
	}
	if err := tx.Commit(); err != nil {
		return head, err
	}
	c, err := newConn(ctx, e.writing)
	if err != nil {
		return head, err
	}
	defer c.close()
	return readHead(c)
}

func (s shape) carry(ctx context.Context, from *conn, tx *sql.Tx) error {
	if _, err := tx.Exec(`DELETE FROM ` + s.table); err != nil { // what a new file begins with
		return err
	}
	put, err := tx.Prepare(s.inserts())
	if err != nil {
		return err
	}
	defer put.Close()
	args := make([]any, len(s.columns))
	return from.raw(s.selects(), func(row []driver.Value) error {
		for i, v := range row {
			args[i] = v
		}
		// Without a context: the driver would start a goroutine for each row.
		if _, err := put.Exec(args...); err != nil {
			return err
		}
		return ctx.Err()
	})
}
