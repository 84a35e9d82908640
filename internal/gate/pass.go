package gate

import (
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

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
	if !trusted {
		for name := range r.Out.Header {
			if says := folded(name); strings.HasPrefix(says, "X-Forwarded-") || says == "X-Real-Ip" {
				delete(r.Out.Header, name)
			}
		}
		r.SetXForwarded()
		return
	}
	if lines := r.In.Header["X-Forwarded-For"]; len(lines) > 0 {
		r.Out.Header["X-Forwarded-For"] = slices.Clone(lines)
	}
	r.SetXForwarded()
	for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Proto"} {
		if lines := r.In.Header[name]; len(lines) == 1 {
			r.Out.Header[name] = slices.Clone(lines)
		}
	}
}

// strip removes what the API must not get, from headers and from trailers: the token, every header that
// begins with X-Ostiary-, what some servers read as another path than the one that was decided about,
// and in a spelling that some servers read as another what only has a meaning in its own.
func (p *Proxy) strip(h http.Header) {
	p.Read.Strip(h)
	for name := range h {
		says := folded(name)
		if strings.HasPrefix(says, ours) || says == "X-Original-Url" || says == "X-Rewrite-Url" ||
			says != name && p.means(says) {
			delete(h, name)
		}
	}
}

// means says whether a header's name has a meaning for us, or for who reads where a request comes from.
func (p *Proxy) means(name string) bool {
	return strings.HasPrefix(name, "X-Forwarded-") || name == "X-Real-Ip" || name == p.Read.AccountHeader() ||
		slices.Contains(p.Read.Headers(), name)
}

// ours is how headers begin that only we may send.
const ours = "X-Ostiary-"

// folded is a header's name as a lenient server may read it: with - for _ and for a dot.
func folded(name string) string {
	if !strings.ContainsAny(name, "_.") {
		return name
	}
	return http.CanonicalHeaderKey(strings.NewReplacer("_", "-", ".", "-").Replace(name))
}

// begun looks at the API's answer before it is passed on.
func (p *Proxy) begun(r *http.Response) error {
	if r.StatusCode < 100 {
		return errNoStatus
	}
	j := of(r.Request)
	p.open.begun(&j.stream, r)
	forItsCaller(r.Header, &j.job)
	j.lastOn(r.Header)
	return nil
}

// forItsCaller makes an API's answer one for its caller alone: no cache on the way may keep it for others.
// What only we may say is said by us.
func forItsCaller(h http.Header, j *job) {
	for name := range h {
		if strings.HasPrefix(folded(name), ours) {
			delete(h, name)
		}
	}
	h["X-Ostiary-Revision"] = []string{strconv.FormatUint(j.e.Revision, 10)}
	if old := j.identity[behind]; old != "" {
		h["X-Ostiary-Behind"] = []string{old}
	}
	h["Cache-Control"] = []string{forOneCaller(h["Cache-Control"])}
}

// lastOn makes an answer the last on its connection where the body of the request did not come whole:
// what comes of it later must not be taken for a request.
func (j *passing) lastOn(h http.Header) {
	if j.body != nil && !j.body.hasEnded() && j.body.of.ProtoMajor == 1 {
		h["Connection"] = []string{"close"}
	}
}

// forOneCaller is what an API says to caches, without what it allows shared ones.
func forOneCaller(lines []string) string {
	if len(lines) == 0 {
		return "no-store"
	}
	var keep []string
	private := false
	for part := range strings.SplitSeq(strings.Join(lines, ","), ",") {
		part = strings.TrimSpace(part)
		switch small := strings.ToLower(part); {
		case small == "" || small == "public" || strings.HasPrefix(small, "s-maxage"):
			continue
		case small == "private" || small == "no-store":
			private = true
		}
		keep = append(keep, part)
	}
	if !private {
		keep = append(keep, "private")
	}
	return strings.Join(keep, ", ")
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
