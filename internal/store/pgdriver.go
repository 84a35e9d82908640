package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// A lostError says that a connection is gone, or could not be made.
type lostError struct{ err error }

func (e *lostError) Error() string { return e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }

// Is: whoever opens the records can tell a database that is away from one that must not be used.
func (e *lostError) Is(target error) bool { return target == ErrAway }

// A pgConnector opens connections for database/sql on which texts read back as they were written.
type pgConnector struct {
	driver.Connector
	lost *atomic.Uint64 // grows: a pool hands out no connection that is older; may be nil
}

func (c pgConnector) Connect(ctx context.Context) (driver.Conn, error) {
	lost := c.lost
	if lost == nil {
		lost = new(atomic.Uint64)
	}
	age := lost.Load()
	made, err := c.Connector.Connect(context.WithValue(ctx, connecting{}, true))
	if err != nil {
		return nil, &lostError{err}
	}
	return pgConn{made.(*stdlib.Conn), age, lost}, nil
}

// connecting marks the context in which a connection is opened.
type connecting struct{}

var errNotCancelled = errors.New("what was sent is not cancelled")

// uncancelled has connections opened only to be used: pgx opens one more to cancel what it gives up. A commit
// that waits for its copy on another server is made and not seen, and cancelling would end the waiting alone.
func uncancelled(dial pgconn.DialFunc) pgconn.DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if ctx.Value(connecting{}) == nil {
			return nil, errNotCancelled
		}
		return dial(ctx, network, address)
	}
}

// A pgConn is pgx's connection. The statements that begin and end transactions are sent as they are, in
// one go; all others are prepared.
type pgConn struct {
	*stdlib.Conn
	age  uint64
	lost *atomic.Uint64
}

// ResetSession has a pool open another connection in the place of one that is too old.
func (c pgConn) ResetSession(ctx context.Context) error {
	if c.age != c.lost.Load() {
		return driver.ErrBadConn
	}
	return c.Conn.ResetSession(ctx)
}

func (c pgConn) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	if text == commit || text == rollback || strings.HasPrefix(text, "BEGIN") {
		return plainStmt{c, text}, nil
	}
	made, err := c.Conn.PrepareContext(ctx, text)
	if err != nil {
		return nil, c.told(err)
	}
	return pgStmt{made.(*stdlib.Stmt), c}, nil
}

// CheckNamedValue makes of an argument what database/sql makes of it for SQLite.
func (c pgConn) CheckNamedValue(v *driver.NamedValue) (err error) {
	if v.Value, err = driver.DefaultParameterConverter.ConvertValue(v.Value); err != nil {
		return err
	}
	if s, isText := v.Value.(string); isText {
		v.Value = hide(s)
	}
	return nil
}

func (c pgConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	return c.rows(c.Conn.QueryContext(ctx, text, args))
}

func (c pgConn) rows(made driver.Rows, err error) (driver.Rows, error) {
	if err != nil {
		return nil, c.told(err)
	}
	return pgRows{made.(*stdlib.Rows), c}, nil
}

// told tells an error that ended the connection from others.
func (c pgConn) told(err error) error {
	if errors.As(err, new(*pgconn.PgError)) || !c.Conn.Conn().IsClosed() {
		return err
	}
	return &lostError{err}
}

type pgStmt struct {
	*stdlib.Stmt
	conn pgConn
}

// Close leaves the statement to the end of its connection, which need not be asked for that.
func (s pgStmt) Close() error { return nil }

func (s pgStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	result, err := s.Stmt.ExecContext(ctx, args)
	if err != nil {
		return nil, s.conn.told(err)
	}
	return result, nil
}

func (s pgStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.conn.rows(s.Stmt.QueryContext(ctx, args))
}

// warned is where a connection keeps the last warning that came with an answer.
const warned = "warned"

var errGone = errors.New("the connection is gone")

var errUndone = errors.New("the transaction was undone by an error that was overlooked")

// A plainStmt begins or ends a transaction.
type plainStmt struct {
	conn pgConn
	text string
}

func (s plainStmt) Close() error  { return nil }
func (s plainStmt) NumInput() int { return 0 }

func (s plainStmt) Exec([]driver.Value) (driver.Result, error) { return nil, driver.ErrSkip }
func (s plainStmt) Query([]driver.Value) (driver.Rows, error)  { return nil, driver.ErrSkip }

// ExecContext also looks at what PostgreSQL takes for success: committing a transaction that had failed
// undoes it, and a commit that could not wait for its copies on other servers ends with a warning.
func (s plainStmt) ExecContext(ctx context.Context, _ []driver.NamedValue) (driver.Result, error) {
	server := s.conn.Conn.Conn().PgConn()
	if server.IsClosed() {
		return nil, &lostError{errGone}
	}
	if s.text == commit && server.TxStatus() == 'E' {
		return nil, errUndone
	}
	delete(server.CustomData(), warned)
	if err := server.Exec(ctx, s.text).Close(); err != nil {
		return nil, s.conn.told(err)
	}
	if said := server.CustomData()[warned]; s.text == commit && said != nil {
		return nil, &lostError{fmt.Errorf("the server warns: %v", said)}
	}
	return driver.RowsAffected(0), nil
}

// noteWarning keeps a warning for ExecContext.
func noteWarning(c *pgconn.PgConn, n *pgconn.Notice) {
	if n.SeverityUnlocalized == "WARNING" {
		c.CustomData()[warned] = n.Message
	}
}

type pgRows struct {
	*stdlib.Rows
	conn pgConn
}

func (r pgRows) Next(row []driver.Value) error {
	if err := r.Rows.Next(row); err != nil {
		if errors.Is(err, io.EOF) && !r.conn.Conn.Conn().IsClosed() {
			return io.EOF
		}
		return r.conn.told(err)
	}
	for i, v := range row {
		if s, isText := v.(string); isText && strings.IndexByte(s, escape) >= 0 {
			row[i] = show(s)
		}
	}
	return nil
}

// escape stands before the two hexadecimal digits of a byte that PostgreSQL does not take in a text: NUL,
// and what is no UTF-8. SQLite keeps both, and a text must be the same on both.
const escape = '\x10'

func hide(s string) string {
	if utf8.ValidString(s) && !strings.ContainsAny(s, "\x00\x10") {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == 0 || r == escape || r == utf8.RuneError && size == 1 {
			fmt.Fprintf(&out, "%c%02x", escape, s[i])
		} else {
			out.WriteString(s[i : i+size])
		}
		i += size
	}
	return out.String()
}

func show(s string) string {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(s, string(escape))
		out.WriteString(before)
		if !found {
			return out.String()
		}
		var b byte
		if n, _ := fmt.Sscanf(after, "%02x", &b); n != 1 || len(after) < 2 {
			out.WriteByte(escape) // not of ours
			s = after
			continue
		}
		out.WriteByte(b)
		s = after[2:]
	}
}
