package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"ostiary"
)

const (
	commit   = `COMMIT`
	rollback = `ROLLBACK`
)

// A conn is one connection with the statements that were prepared on it. One goroutine uses it at a time.
type conn struct {
	sql      *sql.Conn
	stmts    map[string]*sql.Stmt
	seen     func(error)     // told about every error of the database; may be nil
	begin    string          // begins a transaction
	base     context.Context // of the transaction that is open: its deadline is the caller's
	patience time.Duration   // how long a statement may stay without an answer; zero: as long as it takes
	age      uint64          // how many connections were lost before this one was opened
	conflict bool            // the open transaction met somebody else's
}

func newConn(ctx context.Context, pool *sql.DB) (*conn, error) {
	c, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &conn{sql: c, stmts: map[string]*sql.Stmt{}, base: context.Background()}, nil
}

// A limit ends a statement of a server that has fallen silent.
type limit struct {
	context.Context
	timer *time.Timer
	end   context.CancelFunc
}

// limit begins one. Without patience there is none: SQLite's driver would start a goroutine for each.
func (c *conn) limit() limit {
	if c.patience == 0 {
		return limit{Context: context.Background(), end: func() {}}
	}
	ctx, cancel := context.WithCancelCause(c.base)
	timer := time.AfterFunc(c.patience, func() { cancel(errSilent) })
	return limit{ctx, timer, func() {
		timer.Stop()
		cancel(nil)
	}}
}

// wait lets statements take longer, until it is told that they are done.
func (c *conn) wait(d time.Duration) (done func()) {
	was := c.patience
	if was > 0 {
		c.patience = d
	}
	return func() { c.patience = was }
}

var errSilent = errors.New("the database does not answer")

// goOn says that the server has answered something.
func (l limit) goOn(patience time.Duration) {
	if l.timer != nil {
		l.timer.Reset(patience)
	}
}

// stmt prepares a statement once.
func (c *conn) stmt(l limit, text string) (*sql.Stmt, error) {
	if s := c.stmts[text]; s != nil {
		return s, nil
	}
	s, err := c.sql.PrepareContext(l, text)
	if err != nil {
		return nil, c.failed(l, err)
	}
	c.stmts[text] = s
	return s, nil
}

func (c *conn) exec(text string, args ...any) (int, error) {
	l := c.limit()
	defer l.end()
	s, err := c.stmt(l, text)
	if err != nil {
		return 0, err
	}
	result, err := s.ExecContext(l, args...)
	if err != nil {
		return 0, c.failed(l, err)
	}
	n, err := result.RowsAffected()
	return int(n), err
}

// one reads one row. No row is ostiary.ErrNotFound.
func (c *conn) one(text string, args []any, into ...any) error {
	_, err := find(c, func(row scanner) (struct{}, error) { return struct{}{}, row.Scan(into...) }, text, args...)
	return err
}

// each calls fn for every row.
func (c *conn) each(fn func(*sql.Rows) error, text string, args ...any) error {
	l := c.limit()
	defer l.end()
	s, err := c.stmt(l, text)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(l, args...)
	if err != nil {
		return c.failed(l, err)
	}
	return c.drain(l, rows, fn)
}

// eachOnce is each for a statement that is not worth keeping.
func (c *conn) eachOnce(fn func(*sql.Rows) error, text string, args ...any) error {
	l := c.limit()
	defer l.end()
	rows, err := c.sql.QueryContext(l, text, args...)
	if err != nil {
		return c.failed(l, err)
	}
	return c.drain(l, rows, fn)
}

func (c *conn) drain(l limit, rows *sql.Rows, fn func(*sql.Rows) error) error {
	defer rows.Close()
	for n := 1; rows.Next(); n++ {
		if err := fn(rows); err != nil {
			return err
		}
		if n%1024 == 0 {
			l.goOn(c.patience)
		}
	}
	if err := rows.Err(); err != nil {
		return c.failed(l, err)
	}
	return nil
}

// failed says that the database failed. One that did not answer in the caller's time may be well.
func (c *conn) failed(l limit, err error) error {
	if c.base.Err() != nil {
		return fmt.Errorf("the database did not answer in time: %w", errors.Join(c.base.Err(), &lostError{err}))
	}
	if errors.Is(context.Cause(l), errSilent) {
		err = &lostError{fmt.Errorf("%w within %s", errSilent, c.patience)}
	}
	c.conflict = c.conflict || faultOf(err) == conflict
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

// find reads one record. No row is ostiary.ErrNotFound.
func find[T any](c *conn, scan func(scanner) (T, error), text string, args ...any) (one T, err error) {
	l := c.limit()
	defer l.end()
	s, err := c.stmt(l, text)
	if err != nil {
		return one, err
	}
	one, err = scan(s.QueryRowContext(l, args...))
	if errors.Is(err, sql.ErrNoRows) {
		return one, ostiary.ErrNotFound
	}
	if err != nil {
		return one, c.failed(l, err)
	}
	return one, nil
}

type scanner interface{ Scan(into ...any) error }
