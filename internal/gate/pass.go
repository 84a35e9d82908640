package gate

import (
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"ostiary"
)

// rewrite makes the request that the API gets: what was sent, without the token and without anything
// that only we may say, and with the identity.
func (p *Proxy) rewrite(r *httputil.ProxyRequest) {
	j := of(r.In)
	r.Out.URL = target(p.set.Upstream, r.In)
	r.Out.Host = r.In.Host
	h := r.Out.Header
	p.strip(h)
	p.forwarded(r, j.trusted)
	for n, name := range identityNames {
		if j.identity[n] != "" {
			h[name] = []string{j.identity[n]}
		}
	}
	// Trailers come after the body. They are announced now, and looked through again by patient.
	p.strip(r.In.Trailer)
	r.Out.Trailer = r.In.Trailer
}

// target is the request's own, byte for byte, at the API.
func target(api *url.URL, r *http.Request) *url.URL {
	path, query, asked := strings.Cut(r.RequestURI, "?")
	u := &url.URL{Scheme: api.Scheme, Host: api.Host, Opaque: path, RawQuery: query, ForceQuery: asked && query == ""}
	if strings.HasPrefix(path, "//") { // Opaque would be taken for the name of a host
		u.Opaque, u.Path, u.RawPath = "", r.URL.Path, r.URL.RawPath
	}
	return u
}

// forwarded says where the request comes from. What a caller says about that itself is believed from
// trusted peers alone.
func (p *Proxy) forwarded(r *httputil.ProxyRequest, trusted bool) {
	if trusted {
		if lines := r.In.Header["X-Forwarded-For"]; len(lines) > 0 {
			r.Out.Header["X-Forwarded-For"] = slices.Clone(lines)
		}
	}
	r.SetXForwarded()
	if !trusted {
		return
	}
	for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Proto"} {
		if lines := r.In.Header[name]; len(lines) == 1 {
			r.Out.Header[name] = slices.Clone(lines)
		}
	}
}

// removeOurs removes every header that begins with X-Ostiary-, in any spelling that a server might
// read as that.
func removeOurs(h http.Header) {
	for name := range h {
		if isOurs(name) {
			delete(h, name)
		}
	}
}

func isOurs(name string) bool {
	const ours = "x-ostiary-"
	if len(name) < len(ours) {
		return false
	}
	for i := range len(ours) {
		c := name[i]
		switch {
		case c == '_' || c == '.':
			c = '-'
		case 'A' <= c && c <= 'Z':
			c |= 0x20
		}
		if c != ours[i] {
			return false
		}
	}
	return true
}

// errSlowCaller says that a caller does not send on.
var errSlowCaller = errors.New("the caller does not send on")

// patient is a body whose next byte may take a while, but not for ever.
type patient struct {
	io.ReadCloser
	control *http.ResponseController
	idle    time.Duration
	of      *http.Request
	strip   func(http.Header)
}

func (b *patient) Read(into []byte) (int, error) {
	b.control.SetReadDeadline(time.Now().Add(b.idle))
	n, err := b.ReadCloser.Read(into)
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, errSlowCaller
	}
	// The deadline must not end the answer, which may take longer.
	b.control.SetReadDeadline(time.Time{})
	b.strip(b.of.Trailer)
	return n, err
}

func (b *patient) Close() error {
	b.control.SetReadDeadline(time.Time{})
	return b.ReadCloser.Close()
}

// turned tells the log that a request was broken off, and why it would be refused now.
func (p *Proxy) turned(q *ostiary.Question, d *ostiary.Decision) {
	j := job{q: *q, door: "proxy"}
	j.e.Account, j.e.Token, j.e.App, j.e.Revision = d.Account, d.Token, d.App, d.Revision
	p.refuse(&j, p.Answers.Decision(d), errTurned)
}

// buffers are used again for the bodies that go through.
type buffers struct{ pool sync.Pool }

func newBuffers() *buffers {
	return &buffers{sync.Pool{New: func() any { return new([32 << 10]byte) }}}
}

func (b *buffers) Get() []byte     { return b.pool.Get().(*[32 << 10]byte)[:] }
func (b *buffers) Put(used []byte) { b.pool.Put((*[32 << 10]byte)(used)) }
