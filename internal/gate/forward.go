// Package gate holds the front ends for traffic: they take the credential and the question out of a
// request, ask the authority, and say what it answered.
package gate

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"ostiary"
	"ostiary/internal/answer"
	"ostiary/internal/credential"
)

// A Checker decides about a request. It must not keep the question.
type Checker interface {
	Check(ctx context.Context, q *ostiary.Question) ostiary.Decision
}

// A Recorder writes down what was answered, and gives the tag of its line. It must not keep the event.
type Recorder interface {
	Record(e *answer.Event) (tag string)
}

// Forward answers proxies that ask whether a request may go on: nginx auth_request, Traefik and
// Caddy at /auth, Envoy at /auth/envoy. It says 200, 401, 403, 429 or 503, and nothing else.
type Forward struct {
	check   Checker
	read    *credential.Reader
	trusted credential.Trusted
	rules   []ostiary.Rule
	answers *answer.Table
	log     Recorder
	jobs    sync.Pool
}

// NewForward makes the door. The rules say which role requests to the API behind it need.
func NewForward(c Checker, read *credential.Reader, trusted credential.Trusted, rules []ostiary.Rule,
	t *answer.Table, rec Recorder,
) *Forward {
	return &Forward{
		check: c, read: read, trusted: trusted, rules: rules, answers: t, log: rec,
		jobs: sync.Pool{New: func() any { return new(job) }},
	}
}

// A job is one request at the door. Jobs are used again, so that a request allocates little.
type job struct {
	q     ostiary.Question
	e     answer.Event
	wrote bool
}

func (f *Forward) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	j := f.jobs.Get().(*job)
	j.q.At = time.Now()
	defer f.done(w, j)

	peer, trusted := f.trusted.Peer(r.RemoteAddr)
	j.q.From = f.trusted.Behind(peer, trusted, r.Header)
	j.q.Credential = f.read.Read(r.Header)
	if err := f.ask(j, r, trusted); err != nil {
		f.refuse(w, j, f.answers.Error(err), err)
		return
	}
	d := f.check.Check(r.Context(), &j.q)
	f.tell(w, j, &d)
}

// tell says what was decided.
func (f *Forward) tell(w http.ResponseWriter, j *job, d *ostiary.Decision) {
	j.e.Account, j.e.Token, j.e.App, j.e.Revision = d.Account, d.Token, d.App, d.Revision
	if !d.OK() {
		f.refuse(w, j, f.answers.Decision(d), nil)
		return
	}
	from, err := identify(w.Header(), d, j.q.From)
	if err != nil {
		f.refuse(w, j, f.answers.Error(err), err)
		return
	}
	j.e.Answer.Status, j.e.Answer.Reason, j.e.Answer.Revision = http.StatusOK, ostiary.OK, d.Revision
	f.record(j, from)
	j.wrote = true
	w.WriteHeader(http.StatusOK)
}

// refuse gives any answer but a 200. A status that a proxy would take for something else becomes 503.
func (f *Forward) refuse(w http.ResponseWriter, j *job, a answer.Answer, err error) {
	switch a.Status {
	case 401, 403, 429, 503:
	default:
		err = errors.Join(err, errors.New("the door has no answer for the reason: "+a.Reason.String()))
		a = f.answers.Route(ostiary.Unavailable, "")
	}
	j.e.Answer, j.e.Err = a, err
	if j.q.Shown == ostiary.ShownToken {
		j.e.Hint = j.q.Token.Hint()
	}
	from := ""
	if j.q.From.IsValid() {
		from = j.q.From.String()
	}
	tag := f.record(j, from)
	j.wrote = true
	f.answers.Write(w, a, tag)
}

// record fills in what the request log is told, and tells it.
func (f *Forward) record(j *job, from string) (tag string) {
	e := &j.e
	e.Door, e.Method, e.Path, e.Agent, e.From = "auth", j.q.Method, j.q.Path, j.q.Agent, from
	if ostiary.CheckAppName(j.q.App) == ostiary.OK {
		e.AppName = j.q.App
	}
	e.Took = time.Since(j.q.At)
	return f.log.Record(e)
}
