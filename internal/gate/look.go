package gate

import (
	"bufio"
	"errors"
	"os"
	"time"
)

// end breaks the request off. It may be called while the request goes on, and only then.
func (x *exchange) end(error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.ended = true
	if x.api != nil {
		x.api.Close()
	}
	if x.cancel != nil {
		x.cancel()
	}
	x.caller.conn.Close()
}

// look cuts off an API that takes too long, and begins to listen whether the caller is still there:
// most requests are answered before anybody looks.
func (x *exchange) look(now time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.due.IsZero() && now.After(x.due) && x.api != nil {
		x.late = true
		x.api.Close()
	}
	if x.peeked == nil {
		x.peeked = make(chan struct{})
		go x.listen()
	}
}

// listen ends the request when its caller goes away. What else the caller sends stays where it is.
func (x *exchange) listen() {
	defer close(x.peeked)
	r := x.caller.r
	_, err := r.Peek(r.Buffered() + 1)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, bufio.ErrBufferFull) {
		x.end(errLeft)
	}
}

func (x *exchange) listenNoMore() {
	if x.peeked == nil {
		return
	}
	x.caller.conn.SetReadDeadline(time.Unix(1, 0))
	<-x.peeked
	x.caller.conn.SetReadDeadline(time.Time{})
}

// stopped says what kept the API from answering, where that was us.
func (x *exchange) stopped() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.ended:
		return errEnded
	case x.late:
		return os.ErrDeadlineExceeded
	}
	return nil
}
