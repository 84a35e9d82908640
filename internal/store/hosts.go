package store

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Hosts are the addresses that a URL leads to. Without them, every new connection would wait for a
// machine that is gone, once more, because it stands first in the URL.
type hosts struct {
	dialer *net.Dialer

	mu    sync.Mutex
	tried map[string]time.Time // when an address was last tried, without success since
	good  string               // where the last connection led; empty once that fails
	only  time.Time            // when it was last known that no other address will do
}

// passedOver is how long an address is not tried again while another one is good.
const passedOver = 10 * time.Second

// elsewhere marks the context of a connection that may lead anywhere but to one address.
type elsewhere struct{}

// underWay is how long an attempt may yet succeed. When all connections are opened anew, several are made at once.
const underWay = pingWithin / 2

var errPassedOver = errors.New("it took no connection a moment ago, and another server does")

func (h *hosts) dial(ctx context.Context, network, address string) (net.Conn, error) {
	left, away := ctx.Value(elsewhere{}).(string)
	if address == left || !away && !h.try(address) {
		return nil, errPassedOver
	}
	c, err := h.dialer.DialContext(ctx, network, address)
	if err != nil && !errors.Is(ctx.Err(), context.Canceled) {
		h.failed(address)
	}
	return c, err
}

// failed is told of an address that takes no connection.
func (h *hosts) failed(address string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if address == h.good {
		h.good = ""
	}
}

func (h *hosts) try(address string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	last, failed := h.tried[address]
	if address == h.good && failed {
		if time.Since(last) < underWay {
			return true
		}
		h.good = ""
	}
	tooSoon := failed && time.Since(last) < passedOver || time.Since(h.only) < passedOver
	if h.good != "" && address != h.good && tooSoon {
		return false
	}
	h.tried[address] = time.Now()
	return true
}

// leads says whether no other address is known to be the only one that will do.
func (h *hosts) leads(address string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.good == "" || address == h.good || time.Since(h.only) >= passedOver
}

// connected is told of a server that answers and takes changes.
func (h *hosts) connected(_ context.Context, c *pgconn.PgConn) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.good = c.Conn().RemoteAddr().String()
	delete(h.tried, h.good)
	return nil
}

// prefer has new connections lead to one address for some time, as long as it takes them.
func (h *hosts) prefer(address string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.good, h.only = address, time.Now()
	delete(h.tried, address)
}
