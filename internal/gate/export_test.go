package gate

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"

	"github.com/valyala/fasthttp"

	"ostiary/internal/credential"
)

// Handle answers a request that was read already.
func (f *Fast) Handle(ctx *fasthttp.RequestCtx) { f.serve(ctx) }

// InLoop is how many requests were answered without net/http.
func (p *Proxy) InLoop() int { return int(p.lean.answered.Load()) }

// Callers is how many connections the loop has, and KeptForAPI how many to the API are kept.
func (p *Proxy) Callers() int {
	p.lean.mu.Lock()
	defer p.lean.mu.Unlock()
	return len(p.lean.conns)
}

func (p *Proxy) KeptForAPI() int {
	p.api.mu.Lock()
	defer p.api.mu.Unlock()
	return len(p.api.idle)
}

// A PlainHead is what was read of a plain request.
type PlainHead struct {
	Method, Target, Host string
	Known                http.Header
	Close                bool
}

// ReadPlain reads the head that bytes begin with, if it is whole and plain.
func ReadPlain(r *credential.Reader, b []byte) (h PlainHead, length int, ok bool) {
	end, isOdd := endOfHead(b, 0)
	if isOdd || end == 0 {
		return h, 0, false
	}
	var p plainHead
	k := kept{header: http.Header{}}
	if !p.read(b[:end], newHeadNames(r), &k) {
		return h, 0, false
	}
	h = PlainHead{p.method, p.target, string(p.host), k.header, p.last}
	return h, end, true
}

// GoesOn gives what the API would get of a head that is plain, by the loop and by net/http. Both decide;
// where one lets nothing through, it gives nothing.
func (p *Proxy) GoesOn(head []byte, peer string) (loop, other []byte, plain bool) {
	x := newExchange(p)
	end, isOdd := endOfHead(head, 0)
	if isOdd || end == 0 || !x.read(head[:end]) {
		return nil, nil, false
	}
	address, _, _ := net.SplitHostPort(peer)
	x.caller = &caller{address: address}
	j := &x.passing.job
	j.peer, j.trusted = p.Trusted.Peer(peer)
	j.method, j.target, j.header = x.plainHead.method, x.plainHead.target, x.kept.header
	if p.judge(context.Background(), j, p.itself); j.e.Answer.Status == http.StatusOK {
		x.write()
		loop = x.out
	}

	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head[:end])))
	if err != nil {
		return loop, nil, true
	}
	r.RemoteAddr = peer
	var sent bytes.Buffer
	defer func(was http.RoundTripper) { p.pass.Transport = was }(p.pass.Transport)
	p.pass.Transport = sender{&sent}
	p.ServeHTTP(httptest.NewRecorder(), r)
	return loop, sent.Bytes(), true
}

// A sender writes a request down instead of sending it.
type sender struct{ to *bytes.Buffer }

func (s sender) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 204, Header: http.Header{}, Body: http.NoBody, Request: r}, r.Write(s.to)
}
