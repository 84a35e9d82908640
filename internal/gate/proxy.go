package gate

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"

	"ostiary"
)

// A Proxy stands in front of an API. It decides about each request, and passes on what is let through
// as it was sent, with the identity in place of the credential.
type Proxy struct {
	*Gate
	set     ProxySettings
	api     *direct
	pass    *httputil.ReverseProxy
	server  *http.Server
	jobs    sync.Pool
	buffers *buffers
	open    streams
	lean    lean

	watch   sync.Once
	watched context.Context // ends with the proxy
	unwatch context.CancelFunc
}

// ProxySettings say where the API is, and how long anything may take.
type ProxySettings struct {
	Upstream *url.URL // scheme and host
	// Still decides again about a request that was let through and goes on. It counts nothing.
	Still func(q *ostiary.Question) ostiary.Decision
	Wait  time.Duration // how long the API may take to begin its answer
	Idle  time.Duration // how long the next byte of a caller's body may take
	Log   *slog.Logger
}

// NewProxy makes the proxy.
func NewProxy(g *Gate, s ProxySettings) *Proxy {
	p := &Proxy{Gate: g, set: s, jobs: sync.Pool{New: func() any { return new(passing) }}}
	p.api, p.buffers = newTransport(s.Upstream, s.Wait), newBuffers()
	p.open.decide, p.open.turned = s.Still, p.turned
	p.watched, p.unwatch = context.WithCancel(context.Background())
	quiet := slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug)
	p.pass = &httputil.ReverseProxy{
		Rewrite: p.rewrite, Transport: p.api, FlushInterval: -1,
		ModifyResponse: p.begun, ErrorHandler: p.failed, ErrorLog: quiet, BufferPool: p.buffers,
	}
	p.server = &http.Server{
		Handler: p, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 3 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: quiet, DisableGeneralOptionsHandler: true, ConnContext: knowBegun,
	}
	p.lean.set(p)
	return p
}

// newTransport keeps as many connections to the API as are in use at a time.
func newTransport(api *url.URL, wait time.Duration) *direct {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	rest := &http.Transport{
		DialContext: dialer.DialContext, TLSHandshakeTimeout: 5 * time.Second,
		MaxIdleConns: maxIdleConns, MaxIdleConnsPerHost: maxIdleConns, IdleConnTimeout: idleConn,
		ResponseHeaderTimeout: wait, ExpectContinueTimeout: time.Second,
		DisableCompression: true, MaxResponseHeaderBytes: maxAnswerHead,
		ReadBufferSize: 16 << 10, WriteBufferSize: 16 << 10,
	}
	port := api.Port()
	if port == "" {
		port = "80"
	}
	return &direct{address: net.JoinHostPort(api.Hostname(), port), dialer: dialer, wait: wait, rest: rest}
}

// Serve answers at a listener until Shutdown. Plain requests are answered in a loop of ours, and every
// connection that brings anything else goes on to net/http.
func (p *Proxy) Serve(l net.Listener) error {
	p.watch.Do(func() { go p.open.watch(p.watched, p.api.prune) })
	return p.server.Serve(p.lean.begin(l))
}

// Shutdown stops taking requests, ends streams, and waits for the requests that have begun.
func (p *Proxy) Shutdown(ctx context.Context) error {
	defer p.close()
	p.lean.stop()
	p.open.endStreams()
	p.server.SetKeepAlivesEnabled(false) // its idle connections end, and it still gets some from the loop
	return errors.Join(p.lean.wait(ctx), p.server.Shutdown(ctx))
}

// Close breaks off whatever is there.
func (p *Proxy) Close() error {
	defer p.close()
	p.lean.stop()
	p.open.endAll()
	err := p.server.Close()
	p.lean.closeAll()
	return err
}

func (p *Proxy) close() {
	p.unwatch()
	p.api.close()
}

// passing is a job with what is needed while its request is passed on.
type passing struct {
	job
	stream stream
	body   *patient // nil where the caller sends none
}

type passingKey struct{}

// of gives what is passed on with a request.
func of(r *http.Request) *passing { return r.Context().Value(passingKey{}).(*passing) }

func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	reached(r)
	j := p.jobs.Get().(*passing)
	j.door, j.q.At = "proxy", time.Now()
	defer p.done(w, j)

	if hasBody(r) {
		p.expectBody(w, r)
	}
	if err := proper(r); err != nil {
		p.refuseCall(w, j, err)
		return
	}
	j.method, j.target, j.header = r.Method, r.RequestURI, r.Header
	j.peer, j.trusted = p.Trusted.Peer(r.RemoteAddr)
	p.judge(r.Context(), &j.job, p.itself)
	j.wrote = true
	if j.e.Answer.Status != http.StatusOK {
		p.Answers.Write(w, j.e.Answer, j.tag)
		return
	}

	ctx, end := context.WithCancelCause(context.WithValue(r.Context(), passingKey{}, j))
	defer end(nil)
	p.open.begin(&j.stream, j.q, end)
	defer p.open.done(&j.stream)
	p.passOn(w, r.WithContext(ctx), j)
}

// passOn lets the API answer.
func (p *Proxy) passOn(w http.ResponseWriter, r *http.Request, j *passing) {
	w.Header().Del("Connection")
	control := http.NewResponseController(w)
	if r.ProtoMajor > 1 {
		w = &timely{w, control, p.set.Idle}
	}
	if hasBody(r) {
		control.SetReadDeadline(time.Time{})
		j.body = &patient{body: r.Body, control: control, idle: p.set.Idle, strip: p.strip, of: r}
		r.Body = j.body
		defer j.body.finish()
	}
	p.pass.ServeHTTP(w, r)
}

// itself is the question about a request that is here already: nobody has to be believed about it.
func (p *Proxy) itself(j *job) error {
	if err := p.aside(j, j.header); err != nil {
		return err
	}
	return p.askAbout(j, j.method, j.target, true)
}

// proper refuses what could not be passed on as it was decided about.
func proper(r *http.Request) error {
	if r.Method == http.MethodConnect || r.Method == http.MethodTrace || !ostiary.IsMethod(r.Method) {
		return ostiary.Refuse(ostiary.WrongMethod, "The method is not passed on.")
	}
	if !isPath(r.RequestURI) {
		return ostiary.RefuseField("request target", "It must begin with / and hold no space, control character or #.")
	}
	path, _, _ := strings.Cut(r.RequestURI, "?")
	if strings.HasPrefix(path, "//") && r.URL.EscapedPath() != path {
		return ostiary.RefuseField("request target", "It cannot be passed on as it was sent.")
	}
	if wanted := r.Header["Upgrade"]; len(wanted) > 1 || len(wanted) == 1 && !strings.EqualFold(wanted[0], "websocket") {
		return ostiary.RefuseField("Upgrade", "Only websocket is passed on.")
	}
	return nil
}

// refuseCall refuses a request that nothing was decided about.
func (p *Proxy) refuseCall(w http.ResponseWriter, j *passing, err error) {
	j.e.Answer = p.Answers.Error(err)
	if j.e.Answer.Reason == ostiary.WrongMethod {
		j.e.Answer.Allow = "GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE"
	}
	p.record(&j.job, "")
	j.wrote = true
	p.Answers.Write(w, j.e.Answer, j.tag)
}

// failed answers for an API that does not, or breaks off where nobody listens any more.
func (p *Proxy) failed(w http.ResponseWriter, r *http.Request, err error) {
	j := of(r)
	if r.Context().Err() != nil || errors.Is(err, errCaller) {
		panic(http.ErrAbortHandler)
	}
	p.blame(j, err)
	j.lastOn(w.Header())
	p.Answers.Write(w, j.e.Answer, j.tag)
}

// blame makes the answer for an API that does not give one, and tells the log.
func (p *Proxy) blame(j *passing, err error) {
	reason := ostiary.NoUpstream
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		reason = ostiary.SlowUpstream
	}
	j.e.Answer = p.Answers.Route(reason, "")
	j.e.Err = errors.New(p.Read.Conceal(err.Error(), j.q.Token))
	p.record(&j.job, "")
}

// done ends a request: a panic on its way becomes 503 where nothing was answered.
func (p *Proxy) done(w http.ResponseWriter, j *passing) {
	if trouble := recover(); trouble != nil {
		if j.wrote {
			panic(http.ErrAbortHandler)
		}
		p.panicked(&j.job, trouble)
		p.Answers.Write(w, p.Answers.Route(ostiary.Unavailable, ""), j.tag)
		return
	}
	*j = passing{}
	p.jobs.Put(j)
}
