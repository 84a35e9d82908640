package usage

import (
	"context"
	"database/sql/driver"
	"errors"
	"net"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

var errElsewhere = errors.New("the records are on another server")

// openedAt is where a connection keeps the age that was told before it was opened.
const openedAt = "opened at"

// connector opens connections to the server that leads, and has the pool use none that is older than the last change.
func connector(config pgx.ConnConfig, lead Lead) driver.Connector {
	if lead == nil {
		return stdlib.GetConnector(config)
	}
	dial := config.DialFunc
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if !lead.Leads(address) {
			return nil, errElsewhere
		}
		return dial(ctx, network, address)
	}
	opening := func(_ context.Context, c *pgx.ConnConfig) error {
		age := lead.Age()
		c.AfterConnect = func(_ context.Context, made *pgconn.PgConn) error {
			made.CustomData()[openedAt] = age
			return nil
		}
		return nil
	}
	again := func(_ context.Context, c *pgx.Conn) error {
		if c.PgConn().CustomData()[openedAt] != lead.Age() {
			return driver.ErrBadConn
		}
		return nil
	}
	return stdlib.GetConnector(config, stdlib.OptionBeforeConnect(opening), stdlib.OptionResetSession(again))
}
