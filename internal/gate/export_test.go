package gate

import (
	"net/http"

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

// A PlainHead is what was read of a plain request, and what of it may go on.
type PlainHead struct {
	Method, Target, Host string
	Known, Lines         http.Header
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
	h = PlainHead{p.method, p.target, string(p.host), k.header, http.Header{}, p.last}
	for _, l := range p.lines {
		h.Lines.Add(string(l.name), string(l.value))
	}
	return h, end, true
}
