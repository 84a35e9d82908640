package gate

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// handover is the listener of net/http, which gets connections from the loop.
type handover struct {
	net.Listener
	conns chan net.Conn
	errs  chan error
	done  chan struct{}
	once  sync.Once
	stop  func() error // closes the listener
}

// begin makes of a listener the one for net/http, and takes its connections.
func (l *lean) begin(at net.Listener) *handover {
	h := &handover{Listener: at, conns: make(chan net.Conn), errs: make(chan error), done: make(chan struct{})}
	h.stop = sync.OnceValue(at.Close)
	l.mu.Lock()
	l.open = append(l.open, h)
	l.mu.Unlock()
	go l.accept(h)
	return h
}

func (h *handover) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case err := <-h.errs:
		return nil, err
	case <-h.done:
		return nil, net.ErrClosed
	}
}

// give hands a connection over, or closes it where net/http takes none any more.
func (h *handover) give(c net.Conn) bool {
	select {
	case h.conns <- c:
		return true
	case <-h.done:
		c.Close()
		return false
	}
}

func (h *handover) Close() error {
	h.once.Do(func() { close(h.done) })
	return h.stop()
}

// A begunConn gives first what was read of it already.
type begunConn struct {
	net.Conn
	begun []byte
	by    time.Time // when the head must be there, which net/http does not know; zero: that is over

	reached chan struct{} // closed once its request is being answered, or it is closed
	once    sync.Once
}

func newBegunConn(c net.Conn, begun []byte, by time.Time) *begunConn {
	return &begunConn{Conn: c, begun: begun, by: by, reached: make(chan struct{})}
}

func (c *begunConn) reach() { c.once.Do(func() { close(c.reached) }) }

// Close also ends the waiting for a request that never became one.
func (c *begunConn) Close() error {
	c.reach()
	return c.Conn.Close()
}

type begunKey struct{}

// knowBegun lets the handler find the connection.
func knowBegun(ctx context.Context, c net.Conn) context.Context {
	if begun, ok := c.(*begunConn); ok {
		return context.WithValue(ctx, begunKey{}, begun)
	}
	return ctx
}

// reached says that a request is being answered: from then on net/http waits for it when it shuts down. A request
// of which it knows only the connection it would drop.
func reached(r *http.Request) {
	if begun, ok := r.Context().Value(begunKey{}).(*begunConn); ok {
		begun.reach()
	}
}

func (c *begunConn) Read(into []byte) (int, error) {
	if len(c.begun) == 0 {
		return c.Conn.Read(into)
	}
	n := copy(into, c.begun)
	if c.begun = c.begun[n:]; len(c.begun) == 0 {
		c.begun = nil
	}
	return n, nil
}

// SetReadDeadline is called by net/http for the head first.
func (c *begunConn) SetReadDeadline(at time.Time) error {
	if !c.by.IsZero() { // the first time alone: later several may call it at once
		if at.After(c.by) {
			at = c.by
		}
		c.by = time.Time{}
	}
	return c.Conn.SetReadDeadline(at)
}

// CloseWrite lets net/http end an answer without cutting it off.
func (c *begunConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
