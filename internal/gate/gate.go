// Package gate holds the front ends for traffic: they take the credential and the question out of a
// request, ask the authority, and say what it answered.
package gate

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
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

// A Gate is what all front ends share. They differ in how a request comes to them, and in how an
// answer leaves.
type Gate struct {
	Check   Checker
	Read    *credential.Reader
	Trusted credential.Trusted
	Rules   []ostiary.Rule // which role requests to the API behind the door need
	Answers *answer.Table
	Log     Recorder
	Sign    Signer // nil: identities are not signed
}

// A job is one request at a front end. Jobs are used again, so that a request allocates little.
type job struct {
	asked
	q        ostiary.Question
	e        answer.Event
	tag      string
	door     string   // "auth" or "proxy", for the log
	identity identity // where the request is let through
	wrote    bool
}

// An asked is a request as it came to a front end.
type asked struct {
	method, target string // of the request line, as sent
	header         http.Header
	peer           netip.Addr // not valid where it has no address of the network
	trusted        bool       // the peer is believed about what it asks, and about where it comes from
}

// judge decides about the request of a job with the question that find finds, and tells the log. What
// is to be said lies in the job then: the answer and its tag, and the identity where the answer is 200.
func (g *Gate) judge(ctx context.Context, j *job, find func(j *job) error) {
	j.q.From = g.Trusted.Behind(j.peer, j.trusted, j.header)
	j.q.Credential = g.Read.Read(j.header)
	if err := find(j); err != nil {
		g.refuse(j, g.Answers.Error(err), err)
		return
	}
	d := g.Check.Check(ctx, &j.q)
	j.e.Account, j.e.Token, j.e.App, j.e.Revision = d.Account, d.Token, d.App, d.Revision
	if !d.OK() {
		g.refuse(j, g.Answers.Decision(&d), nil)
		return
	}
	from, err := j.identity.prove(&d, j.q.From)
	if err == nil && g.Sign != nil {
		err = j.identity.sign(g.Sign, &d, j.q.At)
	}
	if err != nil {
		g.refuse(j, g.Answers.Error(err), err)
		return
	}
	j.e.Answer.Status, j.e.Answer.Reason, j.e.Answer.Revision = http.StatusOK, ostiary.OK, d.Revision
	g.record(j, from)
}

// refuse gives any answer but a 200. A status that a proxy would take for something else becomes 503.
func (g *Gate) refuse(j *job, a answer.Answer, err error) {
	switch a.Status {
	case 401, 403, 429, 503:
	default:
		err = errors.Join(err, errors.New("the door has no answer for the reason: "+a.Reason.String()))
		a = g.Answers.Route(ostiary.Unavailable, "")
	}
	j.e.Answer, j.e.Err = a, err
	if j.q.Shown == ostiary.ShownToken {
		j.e.Hint = j.q.Token.Hint()
	}
	from := ""
	if j.q.From.IsValid() {
		from = j.q.From.String()
	}
	g.record(j, from)
}

// record fills in what the request log is told, and tells it.
func (g *Gate) record(j *job, from string) {
	e := &j.e
	e.Door, e.Method, e.Path, e.Agent, e.From = j.door, j.q.Method, j.q.Path, j.q.Agent, from
	if ostiary.CheckAppName(j.q.App) == ostiary.OK {
		e.AppName = j.q.App
	}
	e.Took = time.Since(j.q.At)
	j.tag = g.Log.Record(e)
}

// panicked makes of a panic the answer 503, and tells the log, which may itself be what panics.
func (g *Gate) panicked(j *job, trouble any) {
	j.tag = ""
	defer func() { recover() }()
	j.e.Answer = g.Answers.Route(ostiary.Unavailable, "")
	j.e.Err = answer.Panicked(trouble)
	g.record(j, "")
}
