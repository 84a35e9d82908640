package usage

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"unicode/utf8"
)

// A record is where uses are written: a file of this node's own, or tables that several nodes share. The
// statements are the same for both.
type record interface {
	// read runs fn on what is written. Several may read at once.
	read(ctx context.Context, fn func(conn) error) error

	// write runs fn in a transaction, again if it has to give way to somebody else's. After errInDoubt
	// nobody knows whether it was committed; after any other error it was not.
	write(ctx context.Context, fn func(conn) error) error

	String() string // for people: it shows no password
	close() error
}

// A conn runs statements.
type conn interface {
	exec(text string, args ...any) (rows int64, err error)
	each(text string, scan func(*sql.Rows) error, args ...any) error
}

// A size is how much is written at once. Whoever asks for use waits for one transaction at most, so it is
// short.
type size struct {
	pairs int // of a transaction: each is a row of use and a row of its hour
	rows  int // of a statement
}

var errInDoubt = errors.New("nobody knows whether the last counts were written")

// all hands each of the rows to scan.
func all(rows *sql.Rows, err error, scan func(*sql.Rows) error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// harmless replaces what is no text: PostgreSQL takes neither NUL nor invalid UTF-8, and a page would show
// neither.
func harmless(s string) string {
	const instead = "\uFFFD"
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, instead)
	}
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", instead)
	}
	return s
}
