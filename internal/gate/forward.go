package gate

import (
	"net/http"
	"sync"
	"time"

	"ostiary"
)

// Forward answers proxies that ask whether a request may go on: nginx auth_request, Traefik and
// Caddy at /auth, Envoy at /auth/envoy. It says 200, 401, 403, 429 or 503, and nothing else.
type Forward struct {
	*Gate
	jobs sync.Pool
}

// NewForward makes the door.
func NewForward(g *Gate) *Forward {
	return &Forward{Gate: g, jobs: sync.Pool{New: func() any { return new(job) }}}
}

func (f *Forward) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	j := f.jobs.Get().(*job)
	j.door, j.q.At = "auth", time.Now()
	defer f.done(w, j)

	j.method, j.target, j.header = r.Method, r.RequestURI, r.Header
	j.peer, j.trusted = f.Trusted.Peer(r.RemoteAddr)
	f.judge(r.Context(), j, f.question)
	j.wrote = true
	if j.e.Answer.Status != http.StatusOK {
		f.Answers.WriteForProxy(w, j.e.Answer, j.tag)
		return
	}
	j.identity.onto(w.Header())
	w.WriteHeader(http.StatusOK)
}

// done ends a request: a panic on its way becomes 503, and the job is free again.
func (f *Forward) done(w http.ResponseWriter, j *job) {
	if trouble := recover(); trouble != nil {
		if j.wrote {
			panic(http.ErrAbortHandler)
		}
		f.panicked(j, trouble)
		f.Answers.WriteForProxy(w, f.Answers.Route(ostiary.Unavailable, ""), j.tag)
		return
	}
	*j = job{}
	f.jobs.Put(j)
}
