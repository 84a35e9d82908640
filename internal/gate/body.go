package gate

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// errCaller says that a caller does not send on: it is slow, or gone, or sends what is no body.
var errCaller = errors.New("the caller does not send on")

// errAnswered says that a body is not read any more, because its request is answered.
var errAnswered = errors.New("the request is answered already")

// A patient is a caller's body. Its next byte may take a while, but not for ever. The API may answer
// before it has read the body: whoever passes it on may then still be reading.
type patient struct {
	body    io.ReadCloser
	control *http.ResponseController
	idle    time.Duration
	strip   func(trailer http.Header)
	of      *http.Request // whose trailers come with the end of the body

	mu       sync.Mutex
	ended    bool // all of it came
	answered bool
}

func (b *patient) Read(into []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.answered {
		return 0, errAnswered
	}
	b.control.SetReadDeadline(time.Now().Add(b.idle))
	n, err := b.body.Read(into)
	b.control.SetReadDeadline(time.Time{}) // how long the API takes is not the caller's doing
	if err == nil {
		return n, nil
	}
	if !errors.Is(err, io.EOF) {
		return n, fmt.Errorf("%w: %w", errCaller, err)
	}
	b.strip(b.of.Trailer)
	b.ended = true
	return n, err
}

// Close leaves the body to finish.
func (b *patient) Close() error { return nil }

// hasEnded says whether all of the body came. While somebody waits for the rest it has not.
func (b *patient) hasEnded() bool {
	if !b.mu.TryLock() {
		return false
	}
	defer b.mu.Unlock()
	return b.ended
}

// finish is called when the request is answered, or broken off. Nobody reads the body after it but the
// server, which takes a little of what is left so that its caller gets to read the answer.
func (b *patient) finish() {
	if b.hasEnded() {
		return
	}
	b.control.Flush()
	b.control.SetReadDeadline(time.Unix(1, 0)) // whoever reads now is woken
	b.mu.Lock()
	b.answered = true
	b.mu.Unlock()
	b.control.SetReadDeadline(time.Now().Add(time.Second))
}

func hasBody(r *http.Request) bool { return r.Body != nil && r.Body != http.NoBody }

// expectBody bounds how long the first byte of a body may take, also of a request that is refused; then
// the refusal goes out before the body comes, and ends the connection. The API may answer before it has
// read the body.
func (p *Proxy) expectBody(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	control.SetReadDeadline(time.Now().Add(p.set.Idle))
	if r.ProtoMajor == 1 {
		control.EnableFullDuplex()
		w.Header().Set("Connection", "close")
	}
}

// A timely writer gives its caller over HTTP/2 a time in which to read on. Over HTTP/1.1 the connection
// itself does.
type timely struct {
	http.ResponseWriter
	control *http.ResponseController
	idle    time.Duration
}

func (t *timely) Unwrap() http.ResponseWriter { return t.ResponseWriter }

func (t *timely) Write(b []byte) (int, error) {
	t.control.SetWriteDeadline(time.Now().Add(t.idle))
	defer t.control.SetWriteDeadline(time.Time{})
	return t.ResponseWriter.Write(b)
}
