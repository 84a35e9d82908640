package gate

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"ostiary"
)

// An exchange is one plain request and its answer.
type exchange struct {
	passing
	kept
	plainHead
	p      *Proxy
	caller *caller
	out    []byte        // a head that is written
	w      *bufio.Writer // to the caller
	ending context.CancelCauseFunc
	peeked chan struct{} // closed when nobody listens to the caller; nil: nobody did
	said   bool          // something was written to the caller

	// What a look at open requests may touch.
	mu     sync.Mutex
	api    *apiConn
	cancel context.CancelFunc // while the API is reached
	due    time.Time          // by when the API must begin its answer; zero: it has
	late   bool               // it did not
	ended  bool               // somebody ended the request
}

var (
	errEnded = errors.New("the request was ended")
	errLeft  = errors.New("the caller has gone")
)

func newExchange(p *Proxy) *exchange {
	x := &exchange{p: p, w: bufio.NewWriterSize(nil, 4<<10)}
	x.kept.header = make(http.Header, maxKnown)
	x.ending = x.end
	return x
}

// read takes a head apart. False says that it is not plain.
func (x *exchange) read(head []byte) bool { return x.plainHead.read(head, x.p.lean.names, &x.kept) }

// free makes the exchange ready for another request.
func (x *exchange) free() {
	x.passing = passing{}
	x.kept.forget()
	clear(x.lines) // they are parts of what the caller sent
	x.plainHead = plainHead{lines: x.lines[:0]}
	x.caller, x.out, x.said = nil, x.out[:0], false
	x.w.Reset(nil)
	x.api, x.cancel, x.due, x.late, x.ended, x.peeked = nil, nil, time.Time{}, false, false, nil
	x.p.lean.pool.Put(x)
}

// serve answers a request whose head is the next that the caller's connection gives. It says whether
// another may follow. A panic becomes 503 where nothing was answered.
func (x *exchange) serve(c *caller, head int) (again bool) {
	j := &x.passing
	j.door, j.q.At = "proxy", time.Now()
	x.caller = c
	x.w.Reset(c.conn)
	defer func() {
		if trouble := recover(); trouble != nil {
			again = false
			x.p.panicked(&j.job, trouble)
			if !x.said {
				j.e.Answer = x.p.Answers.Route(ostiary.Unavailable, "")
				x.refuse()
			}
		}
	}()

	j.method, j.target, j.header = x.plainHead.method, x.plainHead.target, x.kept.header
	j.peer, j.trusted = c.peer, c.trusted
	x.p.judge(context.Background(), &j.job, x.p.itself)
	if j.e.Answer.Status != http.StatusOK {
		c.r.Discard(head)
		again = x.refuse()
	} else {
		x.write() // before the head is discarded: its lines are parts of it
		c.r.Discard(head)
		again = x.through()
	}
	x.free()
	return again
}

// refuse gives an answer of our own. It says whether another request may follow.
func (x *exchange) refuse() (again bool) {
	x.said = true
	h := http.Header{}
	body := x.p.Answers.Render(h, x.e.Answer, x.tag)
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	h["Date"] = []string{time.Now().UTC().Format(http.TimeFormat)}
	again = x.mayGoOn()
	if !again {
		h["Connection"] = []string{"close"}
	}
	fmt.Fprintf(x.w, "HTTP/1.1 %03d %s\r\n", x.e.Answer.Status, http.StatusText(x.e.Answer.Status))
	h.Write(x.w)
	x.w.WriteString("\r\n")
	if x.plainHead.method != http.MethodHead {
		x.w.Write(body)
	}
	return x.w.Flush() == nil && again
}

// mayGoOn says whether the connection stays open after this request.
func (x *exchange) mayGoOn() bool { return !x.last && !x.p.lean.stopping.Load() }

// through passes the request on, and its answer back.
func (x *exchange) through() (again bool) {
	x.stream.looked = x
	x.p.open.begin(&x.stream, x.q, x.ending)
	defer x.listenNoMore()
	defer x.p.open.done(&x.stream)
	defer func() {
		if !again {
			x.drop()
		}
	}()

	for repeated := false; ; repeated = true {
		if err := x.reach(repeated); err != nil {
			return x.failed(err)
		}
		old := x.api.old && !repeated
		begun, err := x.ask()
		if err == nil {
			break
		}
		x.drop()
		if stopped := x.stopped(); stopped != nil {
			return x.failed(fmt.Errorf("asking the API: %w", stopped))
		}
		if begun || !old {
			return x.failed(fmt.Errorf("asking the API: %w", err))
		}
	}
	again, err := x.relay()
	if err == nil {
		return again
	}
	x.drop()
	if stopped := x.stopped(); stopped != nil {
		err = stopped
	}
	return x.failed(fmt.Errorf("asking the API: %w", err))
}

// reach gives the exchange a connection to the API: one that was kept, unless a new one is wanted.
func (x *exchange) reach(anew bool) error {
	var api *apiConn
	if !anew {
		api = x.p.api.kept()
	}
	if api == nil {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		x.mu.Lock()
		x.cancel = cancel
		if x.ended {
			cancel()
		}
		x.mu.Unlock()
		var err error
		if api, err = x.p.api.dial(ctx); err != nil {
			return err
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.cancel = nil
	if x.ended {
		api.Close()
		return errEnded
	}
	x.api, x.due = api, time.Now().Add(x.p.set.Wait)
	return nil
}

// ask sends the request, and waits for the first byte of an answer. begun says that it came.
func (x *exchange) ask() (begun bool, err error) {
	x.api.head = maxAnswerHead
	if _, err := x.api.Conn.Write(x.out); err != nil {
		return false, err
	}
	if _, err := x.api.r.Peek(1); err != nil {
		return false, err
	}
	return true, nil
}

// begins notes that the head of the answer is there. Its body takes as long as it does.
func (x *exchange) begins() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.due = time.Time{}
	x.api.head = 1<<63 - 1
}

// drop closes the connection to the API.
func (x *exchange) drop() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.api != nil {
		x.api.Close()
		x.api = nil
	}
	x.due = time.Time{}
}

// giveBack keeps the connection to the API for another request, if nothing is left on it.
func (x *exchange) giveBack() {
	x.mu.Lock()
	api, ended := x.api, x.ended || x.late
	x.api = nil
	x.mu.Unlock()
	if api == nil {
		return
	}
	if ended || api.r.Buffered() > 0 {
		api.Close()
		return
	}
	x.p.api.put(api)
}

// failed answers for an API that does not, or breaks off where it is too late for that.
func (x *exchange) failed(err error) (again bool) {
	if x.said || errors.Is(x.stopped(), errEnded) {
		return false
	}
	x.p.blame(&x.passing, err)
	return x.refuse()
}
