package store

import (
	"errors"
	"log/slog"

	"github.com/jackc/pgx/v5"
)

// A DSN says where a database of PostgreSQL is, and with which password. It never prints itself.
type DSN struct{ text string }

// ReadDSN wraps a URL, or the keywords and values of libpq. Empty: none.
func ReadDSN(text string) DSN { return DSN{text} }

const concealed = "[the database's URL]"

func (d DSN) String() string               { return concealed }
func (d DSN) GoString() string             { return concealed }
func (d DSN) LogValue() slog.Value         { return slog.StringValue(concealed) }
func (d DSN) MarshalText() ([]byte, error) { return []byte(concealed), nil }

func (d DSN) given() bool { return d.text != "" }

// parse reads it. What is wrong is not told: in a text that cannot be read nobody knows where the
// password is.
func (d DSN) parse() (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(d.text)
	if err != nil {
		return nil, errors.New("the database's URL cannot be read, or a file that it names; it looks like " +
			"postgres://USER:PASSWORD@HOST:5432/NAME, with special characters of the password written as %XX")
	}
	return config, nil
}
