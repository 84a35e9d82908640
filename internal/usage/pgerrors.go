package usage

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	undefinedTable = "42P01"
	serialization  = "40001"
	deadlock       = "40P01"
	lockTimeout    = "55P03"
	readOnly       = "25006"
	canceled       = "57014"
)

// stateOf is the SQLSTATE of the server's answer; empty: it gave none.
func stateOf(err error) string {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		return server.Code
	}
	return ""
}

// lost says whether an error means that the server is away, too slow, or no longer the one to write to.
func lost(err error) bool {
	var server *pgconn.PgError
	if !errors.As(err, &server) {
		return true
	}
	return server.SeverityUnlocalized != "ERROR" || server.Code == readOnly || server.Code == canceled
}

// again says whether a transaction that failed may succeed now: it gave way to another one, or its connection
// was an old one.
func again(err error) bool {
	switch stateOf(err) {
	case serialization, deadlock, lockTimeout:
		return true
	}
	return lost(err) && !errors.Is(err, errInDoubt) && !tooSlow(err) && stateOf(err) != canceled
}

// undone says whether a commit that failed surely did nothing: the server says so.
func undone(err error) bool {
	var server *pgconn.PgError
	answered := errors.As(err, &server) && server.SeverityUnlocalized == "ERROR"
	return answered || errors.Is(err, pgx.ErrTxCommitRollback)
}

func tooSlow(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout()
}

// told says what happened in words of ours. The driver's tell parts of the URL, and in one that was mistyped
// any part may be of the password.
func told(err error) error {
	if errors.Is(err, errInDoubt) {
		return fmt.Errorf("%w: %w", errInDoubt, cause(err))
	}
	return cause(err)
}

func cause(err error) error {
	var server *pgconn.PgError
	var errno syscall.Errno
	connecting := errors.As(err, new(*pgconn.ConnectError))
	switch {
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.As(err, &server) && connecting:
		return fmt.Errorf("the database refuses the connection (SQLSTATE %s)", server.Code)
	case server != nil:
		return fmt.Errorf("the database answers %s: %s (SQLSTATE %s)", server.Severity, server.Message, server.Code)
	case tooSlow(err):
		return errors.New("the database does not answer in time")
	case errors.As(err, &errno):
		return fmt.Errorf("the database cannot be reached: %w", errno)
	case connecting:
		return errors.New("the database cannot be reached")
	}
	return errors.New("the connection to the database was lost")
}
