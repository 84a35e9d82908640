package store

import (
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// A fault is what an error of the database means. The zero fault means nothing in particular.
type fault int

const (
	unknown  fault = iota
	caller         // a record would break a constraint: a name given twice, an owner who is not there
	conflict       // the transaction did nothing, and may well succeed when it is made again
	refused        // the database takes no changes for now
	damaged        // the file is no good
	ioFailed       // reading or writing failed
	unsynced       // something written may never reach the disk
	lost           // the connection is gone, or its server may not write
)

// refuses says that the database takes no changes for now, for whatever reason.
func (f fault) refuses() bool { return f >= refused }

func faultOf(err error) fault {
	if e := (*driver.Error)(nil); errors.As(err, &e) {
		return sqliteFault(e.Code())
	}
	state := (*pgconn.PgError)(nil)
	if errors.As(err, &state) && strings.HasPrefix(state.Code, "53") {
		return refused // a server that is full takes no new connection, and keeps those that it has
	}
	if errors.As(err, new(*lostError)) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, sqldriver.ErrBadConn) {
		return lost
	}
	if state != nil {
		return postgresFault(state.Code)
	}
	return unknown
}

func sqliteFault(code int) fault {
	switch code {
	case lib.SQLITE_IOERR_FSYNC, lib.SQLITE_IOERR_DIR_FSYNC, lib.SQLITE_IOERR_WRITE, lib.SQLITE_IOERR_TRUNCATE:
		return unsynced
	}
	switch code & 0xff {
	case lib.SQLITE_CONSTRAINT:
		return caller
	case lib.SQLITE_IOERR:
		return ioFailed
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		return damaged
	case lib.SQLITE_FULL, lib.SQLITE_READONLY, lib.SQLITE_BUSY, lib.SQLITE_LOCKED, lib.SQLITE_CANTOPEN,
		lib.SQLITE_PERM, lib.SQLITE_NOMEM:
		return refused
	}
	return unknown
}

// postgresFault reads an SQLSTATE, whose first two characters are its class.
func postgresFault(state string) fault {
	switch state {
	case "40001", "40P01": // somebody else's transaction came between; a deadlock
		return conflict
	case "25006", "57P01", "57P02", "57P03", "57P04", "57P05", "25P03", // read-only, shut down, dropped, timed out
		"0A000": // a statement was prepared on tables that have changed since
		return lost
	case "25P02": // after an error that was told already
		return unknown
	}
	switch {
	case strings.HasPrefix(state, "22"), strings.HasPrefix(state, "23"):
		return caller
	case strings.HasPrefix(state, "08"):
		return lost
	}
	return refused
}
