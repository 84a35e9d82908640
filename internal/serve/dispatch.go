package serve

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"
)

// A dispatcher hands requests on by their exact path. It cleans and redirects nothing: what is
// decided about is what was sent.
type dispatcher struct {
	gate, api http.Handler
	keys      http.Handler // nil: none
	feed      http.Handler // nil: none
	pages     Pages
	alive     http.HandlerFunc
	ready     http.HandlerFunc
	log       *slog.Logger
}

// slowest is how long a request to anything but the gate may take to send its body, and how long
// its answer may take to be read.
const slowest = 30 * time.Second

func (d *dispatcher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	if rest, ok := strings.CutPrefix(path, "/auth"); ok && (rest == "" || rest[0] == '/') {
		d.gate.ServeHTTP(w, r)
		return
	}
	defer recovered(w, d.log)
	switch {
	case path == "/healthz":
		d.alive(w, r)
	case path == "/readyz":
		d.ready(w, r)
	case path == "/.well-known/jwks.json" && d.keys != nil:
		d.keys.ServeHTTP(w, r)
	case path == "/feed" && d.feed != nil:
		d.feed.ServeHTTP(w, r)
	default:
		if d.pages != nil && d.pages.Owns(r) {
			d.pages.ServeHTTP(w, r)
			return
		}
		d.api.ServeHTTP(w, r)
	}
}

// recovered keeps a panic from the caller and the value of it from the log: it may hold anything. An
// answer that was broken off on purpose stays so: net/http would end it as a 200.
func recovered(w http.ResponseWriter, l *slog.Logger) {
	trouble := recover()
	if trouble == nil {
		return
	}
	if trouble == http.ErrAbortHandler {
		panic(trouble)
	}
	l.Error("a request panicked", "type", fmt.Sprintf("%T", trouble), "stack", string(debug.Stack()))
	w.Header().Set("Retry-After", "1")
	write(w, http.StatusServiceUnavailable, map[string]string{"code": "Unavailable"})
}

// admin serves what is for the operator.
func admin(m *Metrics, state func() State) http.Handler {
	metrics, explained := m.Handler(), ready(state, true)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/metrics":
			metrics.ServeHTTP(w, r)
		case r.URL.Path == "/healthz":
			alive(w, r)
		case r.URL.Path == "/readyz":
			explained(w, r)
		case strings.HasPrefix(r.URL.Path, "/debug/pprof/"):
			profile(w, r)
		default:
			http.NotFound(w, r)
		}
	})
}

// profile serves profiles to loopback callers. One that names another host is a page in a browser
// whose name was pointed at this machine.
func profile(w http.ResponseWriter, r *http.Request) {
	if !isLoopback(r.RemoteAddr) || !namesLoopback(r.Host) {
		http.Error(w, "profiles are given to loopback callers only", http.StatusForbidden)
		return
	}
	switch r.URL.Path {
	case "/debug/pprof/cmdline":
		pprof.Cmdline(w, r)
	case "/debug/pprof/profile":
		pprof.Profile(w, r)
	case "/debug/pprof/symbol":
		pprof.Symbol(w, r)
	case "/debug/pprof/trace":
		pprof.Trace(w, r)
	default:
		pprof.Index(w, r)
	}
}

func isLoopback(addr string) bool {
	a, err := netip.ParseAddrPort(addr)
	return err == nil && a.Addr().Unmap().IsLoopback()
}

func namesLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && a.Unmap().IsLoopback()
}
