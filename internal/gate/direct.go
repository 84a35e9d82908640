package gate

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"sync"
	"syscall"
	"time"
)

// direct passes on requests without a body over plain HTTP/1.1 in the goroutine that asks. Go's
// Transport keeps two more goroutines a connection, and handing over between them costs more than
// anything that they do. Whatever else there is goes to rest, which is such a Transport.
type direct struct {
	address string
	dialer  net.Dialer
	wait    time.Duration // for an answer to begin
	rest    *http.Transport

	mu     sync.Mutex
	idle   []*apiConn // the one used last at the end
	closed bool
}

// Of the connections to the API.
const (
	maxIdleConns  = 4096
	maxAnswerHead = 256 << 10       // bytes
	idleConn      = 4 * time.Second // shorter than servers keep theirs, so that none is used while it closes
)

// An apiConn is a connection to the API, which carries one request at a time.
type apiConn struct {
	net.Conn
	r    *bufio.Reader
	w    *bufio.Writer
	head int64 // bytes of an answer's head that may still come
	used time.Time
	old  bool // it carried a request before
}

var (
	errLongHead = errors.New("the head of the API's answer is too long")
	errNoStatus = errors.New("the API's answer has no status")
)

func (c *apiConn) Read(into []byte) (int, error) {
	if c.head <= 0 {
		return 0, errLongHead
	}
	n, err := c.Conn.Read(into)
	c.head -= int64(n)
	return n, err
}

// RoundTrip sends a request and reads the head of its answer. Where a connection turns out to be closed
// before anything of an answer came, a request that may be repeated is sent once more, over a new one.
func (d *direct) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody || r.Header["Upgrade"] != nil || r.URL.Scheme != "http" {
		return d.rest.RoundTrip(r)
	}
	c, err := d.take(r.Context(), false)
	if err != nil {
		return nil, err
	}
	res, begun, err := d.over(c, r)
	var late net.Error
	slow := errors.As(err, &late) && late.Timeout()
	if err != nil && c.old && !begun && !slow && r.Context().Err() == nil && repeatable(r.Method) {
		if c, err = d.take(r.Context(), true); err != nil {
			return nil, err
		}
		res, _, err = d.over(c, r)
	}
	if err != nil {
		return nil, fmt.Errorf("asking the API: %w", err)
	}
	return res, nil
}

func repeatable(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "PUT", "DELETE":
		return true
	}
	return false
}

// over sends a request over a connection. begun says that something of an answer came.
func (d *direct) over(c *apiConn, r *http.Request) (res *http.Response, begun bool, err error) {
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	stop := context.AfterFunc(r.Context(), func() { c.Close() })
	c.SetDeadline(time.Now().Add(d.wait))
	c.head = maxAnswerHead
	if err := errors.Join(r.Write(c.w), c.w.Flush()); err != nil {
		return nil, false, err
	}
	if _, err := c.r.Peek(1); err != nil {
		return nil, false, err
	}
	if res, err = readAnswer(c, r, traced(r)); err != nil {
		return nil, true, err
	}
	c.head = 1<<63 - 1
	c.SetDeadline(time.Time{}) // a body takes as long as it does
	body := &apiBody{ReadCloser: res.Body, of: d, conn: c, stop: stop, last: res.Close}
	if res.Body == http.NoBody {
		body.release()
		return res, true, nil
	}
	res.Body = body
	return res, true, nil
}

// readAnswer reads the head of an answer, and tells of those that come before it.
func readAnswer(c *apiConn, r *http.Request, early func(*http.Response) error) (*http.Response, error) {
	for {
		res, err := http.ReadResponse(c.r, r)
		switch {
		case err != nil:
			return nil, err
		case res.StatusCode == http.StatusSwitchingProtocols:
			return nil, errors.New("the API switches to a protocol that nobody asked for")
		case res.StatusCode < 100:
			return nil, errNoStatus
		case res.StatusCode >= 200:
			return res, nil
		}
		if err := early(res); err != nil {
			return nil, err
		}
	}
}

// traced tells httputil.ReverseProxy of an answer that comes before the answer.
func traced(r *http.Request) func(*http.Response) error {
	return func(res *http.Response) error {
		if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && trace.Got1xxResponse != nil {
			return trace.Got1xxResponse(res.StatusCode, textproto.MIMEHeader(res.Header))
		}
		return nil
	}
}

// take gives a connection: one that was kept, unless a new one is wanted, or a new one.
func (d *direct) take(ctx context.Context, anew bool) (*apiConn, error) {
	if !anew {
		if c := d.kept(); c != nil {
			return c, nil
		}
	}
	return d.dial(ctx)
}

// kept gives the connection that was used last, if it is still good; nil where there is none.
func (d *direct) kept() *apiConn {
	for {
		d.mu.Lock()
		n := len(d.idle)
		if n == 0 {
			d.mu.Unlock()
			return nil
		}
		c := d.idle[n-1]
		d.idle[n-1] = nil
		d.idle = d.idle[:n-1]
		d.mu.Unlock()
		if time.Since(c.used) < idleConn && silent(c.Conn) {
			return c
		}
		c.Close()
	}
}

func (d *direct) dial(ctx context.Context) (*apiConn, error) {
	conn, err := d.dialer.DialContext(ctx, "tcp", d.address)
	if err != nil {
		return nil, fmt.Errorf("reaching the API: %w", err)
	}
	c := &apiConn{Conn: conn, w: bufio.NewWriterSize(conn, 4<<10)}
	c.r = bufio.NewReaderSize(c, 16<<10)
	return c, nil
}

// put keeps a connection for the next request.
func (d *direct) put(c *apiConn) {
	c.used, c.old = time.Now(), true
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || len(d.idle) >= maxIdleConns {
		c.Close()
		return
	}
	d.idle = append(d.idle, c)
}

// prune closes connections that nobody used for long.
func (d *direct) prune(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := 0
	for old < len(d.idle) && now.Sub(d.idle[old].used) >= idleConn {
		d.idle[old].Close()
		old++
	}
	d.idle = slices.Delete(d.idle, 0, old)
}

// close closes what nobody uses, and from now on whatever comes back.
func (d *direct) close() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.prune(time.Now().Add(idleConn))
	d.rest.CloseIdleConnections()
}

// silent says that nothing came on an idle connection: neither its end, nor what nobody asked for.
func silent(c net.Conn) bool {
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		return false
	}
	var came error
	err = raw.Read(func(fd uintptr) bool {
		var one [1]byte
		_, _, came = syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		return true
	})
	return err == nil && errors.Is(came, syscall.EAGAIN)
}

// An apiBody is the body of an answer. Read to its end, it gives its connection back.
type apiBody struct {
	io.ReadCloser
	of   *direct
	conn *apiConn
	stop func() bool
	last bool // the API closes the connection
	done bool
}

func (b *apiBody) Read(into []byte) (int, error) {
	n, err := b.ReadCloser.Read(into)
	if errors.Is(err, io.EOF) {
		b.release()
	}
	return n, err
}

func (b *apiBody) Close() error {
	if !b.done {
		b.done = true
		b.stop()
		b.conn.Close()
	}
	return nil
}

func (b *apiBody) release() {
	if b.done {
		return
	}
	b.done = true
	if !b.stop() || b.last || b.conn.r.Buffered() > 0 {
		b.conn.Close()
		return
	}
	b.of.put(b.conn)
}
