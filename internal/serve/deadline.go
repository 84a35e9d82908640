package serve

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// net/http sets four deadlines a request, and each costs the system a timer: a twentieth of a
// request's time. Here a deadline is a number, and once a second whoever is past one is cut off.

// deadlines is a listener whose connections keep their deadlines that way.
type deadlines struct {
	net.Listener
	slowest time.Duration // that a write may take; zero: as long as the server says
	mu      sync.Mutex
	conns   map[*deadlineConn]struct{}
	done    chan struct{}
	once    sync.Once
}

func keepDeadlines(l net.Listener) *deadlines {
	d := &deadlines{Listener: l, conns: map[*deadlineConn]struct{}{}, done: make(chan struct{})}
	go d.run()
	return d
}

func (d *deadlines) Accept() (net.Conn, error) {
	c, err := d.Listener.Accept()
	if err != nil {
		return nil, err
	}
	dc := &deadlineConn{Conn: c, of: d}
	d.mu.Lock()
	d.conns[dc] = struct{}{}
	d.mu.Unlock()
	return dc, nil
}

// run goes on after the listener is closed, until the last connection is.
func (d *deadlines) run() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for range tick.C {
		for _, c := range d.overdue(time.Now().UnixNano()) {
			c.Close()
		}
		select {
		case <-d.done:
			d.mu.Lock()
			left := len(d.conns)
			d.mu.Unlock()
			if left == 0 {
				return
			}
		default:
		}
	}
}

func (d *deadlines) overdue(now int64) (late []*deadlineConn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for c := range d.conns {
		if c.read.isPast(now) || c.write.isPast(now) {
			late = append(late, c)
		}
	}
	return late
}

func (d *deadlines) Close() error {
	d.once.Do(func() { close(d.done) })
	return d.Listener.Close()
}

// A deadlineConn is cut off once it is past one of its deadlines.
type deadlineConn struct {
	net.Conn
	of          *deadlines
	read, write deadline
}

// slowestReader is how long a caller may take to read the next part of an answer that is passed on.
const slowestReader = time.Minute

func (c *deadlineConn) Write(b []byte) (int, error) {
	if c.of.slowest == 0 {
		return c.Conn.Write(b)
	}
	c.write.at.Store(time.Now().Add(c.of.slowest).UnixNano())
	defer c.write.at.Store(0)
	return c.Conn.Write(b)
}

func (c *deadlineConn) SetReadDeadline(t time.Time) error {
	return c.read.set(t, c.Conn.SetReadDeadline)
}

func (c *deadlineConn) SetWriteDeadline(t time.Time) error {
	return c.write.set(t, c.Conn.SetWriteDeadline)
}

func (c *deadlineConn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// CloseWrite lets net/http end an answer without cutting it off.
func (c *deadlineConn) CloseWrite() error {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		return tcp.CloseWrite()
	}
	return nil
}

func (c *deadlineConn) Close() error {
	c.of.mu.Lock()
	delete(c.of.conns, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

type deadline struct {
	at   atomic.Int64 // nanoseconds since 1970; zero: none
	hard atomic.Bool  // the connection itself has one
}

func (d *deadline) isPast(now int64) bool {
	at := d.at.Load()
	return at != 0 && at < now
}

// set keeps a time to come. One long ago is how net/http wakes a reader, and goes through at once.
func (d *deadline) set(t time.Time, hard func(time.Time) error) error {
	if !t.IsZero() && t.Unix() < 1_000_000_000 {
		d.at.Store(0)
		d.hard.Store(true)
		return hard(t)
	}
	if t.IsZero() {
		d.at.Store(0)
	} else {
		d.at.Store(t.UnixNano())
	}
	if d.hard.Swap(false) {
		return hard(time.Time{})
	}
	return nil
}
