package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"ostiary"
)

// A conn is one connection with the statements that were prepared on it. One goroutine uses it at a time.
type conn struct {
	sql   *sql.Conn
	stmts map[string]*sql.Stmt
	seen  func(error) // told about every error of the database
}

func newConn(ctx context.Context, pool *sql.DB, seen func(error)) (*conn, error) {
	c, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &conn{sql: c, stmts: map[string]*sql.Stmt{}, seen: seen}, nil
}

// stmt prepares a statement once. Statements run without a context: the driver would start a
// goroutine for each.
func (c *conn) stmt(text string) (*sql.Stmt, error) {
	if s := c.stmts[text]; s != nil {
		return s, nil
	}
	s, err := c.sql.PrepareContext(context.Background(), text)
	if err != nil {
		return nil, c.failed(err)
	}
	c.stmts[text] = s
	return s, nil
}

func (c *conn) exec(text string, args ...any) (int, error) {
	s, err := c.stmt(text)
	if err != nil {
		return 0, err
	}
	result, err := s.Exec(args...)
	if err != nil {
		return 0, c.failed(err)
	}
	n, err := result.RowsAffected()
	return int(n), err
}

// one reads one row. No row is ostiary.ErrNotFound.
func (c *conn) one(text string, args []any, into ...any) error {
	s, err := c.stmt(text)
	if err != nil {
		return err
	}
	err = s.QueryRow(args...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return ostiary.ErrNotFound
	}
	if err != nil {
		return c.failed(err)
	}
	return nil
}

// each calls fn for every row.
func (c *conn) each(fn func(*sql.Rows) error, text string, args ...any) error {
	s, err := c.stmt(text)
	if err != nil {
		return err
	}
	rows, err := s.Query(args...)
	if err != nil {
		return c.failed(err)
	}
	return c.drain(rows, fn)
}

// eachOnce is each for a statement that is not worth keeping.
func (c *conn) eachOnce(fn func(*sql.Rows) error, text string, args ...any) error {
	rows, err := c.sql.QueryContext(context.Background(), text, args...)
	if err != nil {
		return c.failed(err)
	}
	return c.drain(rows, fn)
}

func (c *conn) drain(rows *sql.Rows, fn func(*sql.Rows) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return c.failed(err)
	}
	return nil
}

func (c *conn) failed(err error) error {
	if c.seen != nil {
		c.seen(err)
	}
	return fmt.Errorf("the database says: %w", err)
}

// close ends the connection, and with it a transaction that may still be open.
func (c *conn) close() {
	for _, s := range c.stmts {
		s.Close()
	}
	// The pool would keep the connection for others: this tells it not to.
	c.sql.Raw(func(any) error { return driver.ErrBadConn })
}

// list reads every row with a function that fills one record.
func list[T any](c *conn, scan func(scanner) (T, error), text string, args ...any) (out []T, err error) {
	err = c.each(func(rows *sql.Rows) error {
		one, err := scan(rows)
		out = append(out, one)
		return err
	}, text, args...)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// find reads one record.
func find[T any](c *conn, scan func(scanner) (T, error), text string, args ...any) (T, error) {
	s, err := c.stmt(text)
	if err != nil {
		var none T
		return none, err
	}
	one, err := scan(s.QueryRow(args...))
	if errors.Is(err, sql.ErrNoRows) {
		return one, ostiary.ErrNotFound
	}
	if err != nil {
		return one, c.failed(err)
	}
	return one, nil
}

type scanner interface{ Scan(into ...any) error }
