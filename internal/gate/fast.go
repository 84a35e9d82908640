package gate

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"ostiary"
)

// Fast is the door of Forward on a leaner HTTP server. Behind a proxy, HTTP is nine tenths of what a
// question costs. It takes no body, and refuses with 400 whatever two readers could read differently.
type Fast struct {
	*Gate
	names  known
	jobs   sync.Pool
	server fasthttp.Server
}

// What a proxy may take for one question.
const (
	fastHead = 16 << 10 // bytes of a request line and headers
	fastTime = 10 * time.Second
	fastIdle = 3 * time.Minute // longer than a proxy's, so that the proxy closes first
)

// NewFast makes the door. The log is told of connections that break.
func NewFast(g *Gate, log *slog.Logger) *Fast {
	f := &Fast{Gate: g, names: newKnown(g.Read)}
	f.jobs.New = func() any { return &fastJob{kept: kept{header: make(http.Header, len(f.names))}} }
	f.server = fasthttp.Server{
		Handler:            f.serve,
		ErrorHandler:       malformed,
		ReadBufferSize:     fastHead,
		ReadTimeout:        fastTime,
		WriteTimeout:       fastTime,
		IdleTimeout:        fastIdle,
		MaxRequestBodySize: 1, // none is read
		CloseOnShutdown:    true,

		NoDefaultServerHeader:         true,
		NoDefaultContentType:          true,
		DisablePreParseMultipartForm:  true,
		DisableHeaderNamesNormalizing: true,
		SecureErrorLogMessage:         true, // headers hold secrets
		Logger:                        quiet{log},
	}
	return f
}

// Serve answers at a listener until Shutdown.
func (f *Fast) Serve(l net.Listener) error { return f.server.Serve(l) }

// Shutdown stops taking questions, and ends with those that have begun, or with ctx.
func (f *Fast) Shutdown(ctx context.Context) error { return f.server.ShutdownWithContext(ctx) }

// Close breaks nothing off: what is left after Shutdown are connections that ask nothing.
func (f *Fast) Close() error { return nil }

// A fastJob is a job whose headers are read into a map that is used again.
type fastJob struct {
	job
	kept
}

func (f *Fast) serve(ctx *fasthttp.RequestCtx) {
	j := f.jobs.Get().(*fastJob)
	j.door, j.q.At = "auth", time.Now()
	defer f.done(ctx, j)

	if !f.names.read(ctx.Request.Header.RawHeaders(), &j.kept) {
		malformed(ctx, nil)
		return
	}
	j.method, j.target = usual(ctx.Request.Header.Method()), usual(ctx.Request.Header.RequestURI())
	j.job.header = j.kept.header
	j.peer, j.trusted = f.peer(ctx.RemoteAddr())
	f.judge(context.Background(), &j.job, f.question)
	j.wrote = true
	h := &ctx.Response.Header
	if j.e.Answer.Status == http.StatusOK {
		h.Add("Cache-Control", "no-store")
		for n, name := range identityNames {
			if j.identity[n] != "" {
				h.Add(name, j.identity[n])
			}
		}
		return
	}
	f.write(ctx, j)
}

// peer is who asks. Who can open a socket of ours is believed: its file says who may.
func (f *Fast) peer(addr net.Addr) (netip.Addr, bool) {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}, true
	}
	return f.Trusted.Believes(tcp.AddrPort().Addr())
}

// write sends the answer to a refused request.
func (f *Fast) write(ctx *fasthttp.RequestCtx, j *fastJob) {
	headers := http.Header{}
	body := f.Answers.RenderForProxy(headers, j.e.Answer, j.tag)
	ctx.Response.SetStatusCode(j.e.Answer.Status)
	for name, values := range headers {
		for _, value := range values {
			ctx.Response.Header.Add(name, value)
		}
	}
	ctx.Response.SetBody(body)
}

// done ends a request: a panic on its way becomes 503, and the job is free again.
func (f *Fast) done(ctx *fasthttp.RequestCtx, j *fastJob) {
	if trouble := recover(); trouble != nil {
		ctx.Response.Reset()
		ctx.SetConnectionClose()
		f.panicked(&j.job, trouble)
		j.e.Answer = f.Answers.Route(ostiary.Unavailable, "")
		f.write(ctx, j)
		return
	}
	j.job = job{}
	j.forget()
	f.jobs.Put(j)
}

// malformed answers what is no HTTP, or none that is read here, and ends the connection.
func malformed(ctx *fasthttp.RequestCtx, _ error) {
	ctx.Response.Reset()
	ctx.Response.SetStatusCode(http.StatusBadRequest)
	ctx.SetConnectionClose()
}

// usual gives what nearly every request says without a text of its own.
func usual(b []byte) string {
	switch string(b) {
	case door:
		return door
	case "GET":
		return "GET"
	case "POST":
		return "POST"
	}
	return string(b)
}

// quiet is the HTTP server's own log. Its messages may quote what a request sent, so that something
// was said is all that is told.
type quiet struct{ log *slog.Logger }

func (q quiet) Printf(format string, _ ...any) { q.log.Debug("the door's HTTP server", "said", format) }
