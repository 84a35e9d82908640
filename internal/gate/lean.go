package gate

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"ostiary/internal/answer"
)

// lean answers plain requests without net/http: those whose head can be read in one way only, that have
// no body and ask for nothing but an answer. net/http costs more than all else that the proxy does. Any
// connection that brings something else goes to net/http, with what was read of it, and stays there.
type lean struct {
	p        *Proxy
	names    headNames
	pool     sync.Pool // of exchanges
	stopping atomic.Bool
	answered atomic.Int64 // for tests: the requests that were answered here

	mu     sync.Mutex
	open   []*handover
	conns  map[*caller]struct{}
	closed bool
}

const (
	leanHead = 4 << 10 // bytes of a head; a longer one goes to net/http
	headTime = 10 * time.Second
	idleTime = 3 * time.Minute
	fresh    = time.Second // a connection that is younger than that is not idle yet
)

func (l *lean) set(p *Proxy) {
	l.p, l.names, l.conns = p, newHeadNames(p.Read), map[*caller]struct{}{}
	l.pool.New = func() any { return newExchange(p) }
}

// accept takes connections until the listener is closed.
func (l *lean) accept(h *handover) {
	for {
		conn, err := h.Listener.Accept()
		if err != nil {
			if l.stopping.Load() {
				return // net/http is given the connections that are there, and then told
			}
			select {
			case h.errs <- err:
			case <-h.done:
			}
			var passes interface{ Temporary() bool }
			if !errors.As(err, &passes) || !passes.Temporary() {
				return
			}
			time.Sleep(50 * time.Millisecond) // as for want of file descriptors
			continue
		}
		if _, secure := conn.(*tls.Conn); secure || l.p.set.Upstream.Scheme != "http" {
			h.give(conn)
			continue
		}
		c := &caller{of: l, conn: conn, r: bufio.NewReaderSize(conn, leanHead), since: time.Now()}
		remote := conn.RemoteAddr().String()
		c.peer, c.trusted = l.p.Trusted.Peer(remote)
		c.address, _, _ = net.SplitHostPort(remote)
		if l.add(c) {
			go c.run(h)
		}
	}
}

func (l *lean) add(c *caller) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		c.conn.Close()
		return false
	}
	l.conns[c] = struct{}{}
	return true
}

// stop takes no more connections, and lets every one end after the request that it has begun.
func (l *lean) stop() {
	l.stopping.Store(true)
	l.mu.Lock()
	for _, h := range l.open {
		h.stop()
	}
	l.mu.Unlock()
	l.closeIdle()
}

func (l *lean) closeIdle() (left int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		isNew := c.state.Load() == unused && time.Since(c.since) < fresh
		if !isNew && (c.state.CompareAndSwap(idle, closed) || c.state.CompareAndSwap(unused, closed)) {
			c.conn.Close()
		}
	}
	return len(l.conns)
}

// wait waits for the last connection.
func (l *lean) wait(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for l.closeIdle() > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (l *lean) closeAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for c := range l.conns {
		c.conn.Close()
	}
}

// The states of a connection.
const (
	unused int32 = iota // it waits for its first request
	idle                // it waits for the next
	busy
	closed // by Shutdown
)

// A caller is a connection that brought plain requests alone so far.
type caller struct {
	of      *lean
	conn    net.Conn
	r       *bufio.Reader
	address string // of the peer, without the port
	peer    netip.Addr
	trusted bool
	since   time.Time
	by      time.Time // when the head must be there; zero: it has no time yet
	state   atomic.Int32
}

// run answers one request after the other.
func (c *caller) run(h *handover) {
	handed := false
	defer func() {
		if trouble := recover(); trouble != nil { // it must not end the program
			c.of.p.set.Log.Error("a connection of the proxy broke", "error", answer.Panicked(trouble))
		}
		c.of.mu.Lock()
		delete(c.of.conns, c)
		c.of.mu.Unlock()
		if !handed {
			c.conn.Close()
		}
	}()
	wait := headTime
	for {
		state := c.state.Load()
		if state != unused && c.of.stopping.Load() {
			return
		}
		if c.r.Buffered() == 0 {
			c.within(wait)
			if _, err := c.r.Peek(1); err != nil {
				return
			}
		}
		wait = idleTime
		if !c.state.CompareAndSwap(state, busy) {
			return
		}
		head, err := c.head(state == unused)
		if err != nil && !errors.Is(err, errNotPlain) {
			return
		}
		c.conn.SetReadDeadline(time.Time{})
		x := c.of.pool.Get().(*exchange)
		if err != nil || !x.read(head) {
			x.free()
			begun := newBegunConn(c.conn, c.taken(), c.by)
			if handed = h.give(begun); handed {
				<-begun.reached // the count of connections ends after net/http has begun to count this request
			}
			return
		}
		c.by = time.Time{}
		c.of.answered.Add(1)
		if !x.serve(c, len(head)) {
			return
		}
		c.state.Store(idle)
	}
}

// within bounds how long the next reads may take.
func (c *caller) within(t time.Duration) {
	c.by = time.Now().Add(t)
	c.conn.SetReadDeadline(c.by)
}

// errNotPlain says that net/http must look at a request.
var errNotPlain = errors.New("not a plain request")

// head waits for a whole head, and leaves it where it is.
func (c *caller) head(first bool) ([]byte, error) {
	for from := 0; ; {
		b, _ := c.r.Peek(c.r.Buffered())
		end, odd := endOfHead(b, from)
		if odd || end == 0 && len(b) == leanHead {
			return nil, errNotPlain
		}
		if end > 0 {
			return b[:end], nil
		}
		if from == 0 && !first { // the first has the time of its connection
			c.within(headTime)
		}
		from = len(b)
		if _, err := c.r.Peek(len(b) + 1); errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, err
		} else if err != nil {
			return nil, errNotPlain // it ends in the middle, and net/http says so
		}
	}
}

// taken is what was read of a connection and not answered.
func (c *caller) taken() []byte {
	b, _ := c.r.Peek(c.r.Buffered())
	return append([]byte(nil), b...)
}
