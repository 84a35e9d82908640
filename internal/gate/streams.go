package gate

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"ostiary"
)

// lookAgain is how often open requests are decided about again. A stream whose decision turns ends
// within a second.
const lookAgain = 250 * time.Millisecond

// A stream is a request that was let through and goes on.
type stream struct {
	q       ostiary.Question
	end     context.CancelCauseFunc
	endless bool // it ends only when somebody ends it
	past    bool // it was ended
	looked  looker
	next    *stream
	before  *stream
}

// A looker is told of each look at its open request.
type looker interface{ look(now time.Time) }

// streams are the requests that were let through and go on.
type streams struct {
	decide func(q *ostiary.Question) ostiary.Decision
	turned func(q *ostiary.Question, d *ostiary.Decision) // the log is told

	mu       sync.Mutex
	first    *stream
	stopping bool
	closed   bool // whatever begins ends
}

var (
	errTurned   = errors.New("the request is not let through any more")
	errShutdown = errors.New("the server stops")
)

func (o *streams) begin(s *stream, q ostiary.Question, end context.CancelCauseFunc) {
	s.q, s.end = q, end
	o.mu.Lock()
	defer o.mu.Unlock()
	if s.next = o.first; s.next != nil {
		s.next.before = s
	}
	o.first = s
	if o.closed {
		end(errShutdown)
	}
}

func (o *streams) done(s *stream) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s.next != nil {
		s.next.before = s.before
	}
	if s.before != nil {
		s.before.next = s.next
	} else {
		o.first = s.next
	}
	s.next, s.before = nil, nil
}

// watch decides about the open requests again and again, until ctx ends; and does what else is to be done
// now and then.
func (o *streams) watch(ctx context.Context, also func(now time.Time)) {
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			o.look(now)
			also(now)
		case <-ctx.Done():
			return
		}
	}
}

// look ends the requests that are not let through any more. The log is told when new requests need not
// wait for it.
func (o *streams) look(now time.Time) {
	for _, t := range o.endTurned(now) {
		o.tell(&t)
	}
}

// A turn is a request whose decision turned.
type turn struct {
	q ostiary.Question
	d ostiary.Decision
}

func (o *streams) endTurned(now time.Time) (turns []turn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for s := o.first; s != nil; s = s.next {
		if s.looked != nil {
			s.looked.look(now)
		}
		s.q.At = now
		if d := o.again(&s.q); !d.OK() && !s.past {
			s.past = true
			s.end(errTurned)
			turns = append(turns, turn{s.q, d})
		}
	}
	return turns
}

// again decides. What cannot be decided ends the request, and not the program.
func (o *streams) again(q *ostiary.Question) (d ostiary.Decision) {
	defer func() {
		if recover() != nil {
			d = ostiary.Decision{Reason: ostiary.Unavailable}
		}
	}()
	return o.decide(q)
}

func (o *streams) tell(t *turn) {
	defer func() { recover() }() // a log that panics must not end the program
	o.turned(&t.q, &t.d)
}

// endStreams ends those that would keep a server from stopping, also those that begin from now on.
func (o *streams) endStreams() {
	o.mu.Lock()
	o.stopping = true
	o.mu.Unlock()
	o.endThose(func(s *stream) bool { return s.endless })
}

// endAll ends whatever there is, also what begins from now on.
func (o *streams) endAll() {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	o.endThose(func(*stream) bool { return true })
}

func (o *streams) endThose(which func(s *stream) bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for s := o.first; s != nil; s = s.next {
		if which(s) {
			s.end(errShutdown)
		}
	}
}

// begun notes an answer that has no end of its own.
func (o *streams) begun(s *stream, r *http.Response) {
	if r.StatusCode == http.StatusSwitchingProtocols ||
		strings.HasPrefix(r.Header.Get("Content-Type"), "text/event-stream") {
		o.mu.Lock()
		defer o.mu.Unlock()
		s.endless = true
		if o.stopping {
			s.end(errShutdown)
		}
	}
}
