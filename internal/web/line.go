package web

import (
	"net/http"
	"strings"
	"time"

	"ostiary"
	"ostiary/internal/answer"
	"ostiary/internal/authority"
)

// ask notes what the log is told of the request. Secrets that people paste into addresses are concealed.
func (v *visit) ask() {
	from := v.trusted.Caller(v.r.RemoteAddr, v.r.Header)
	v.caller = authority.Caller{From: from, Agent: v.concealed(v.r.UserAgent()), Receipt: new(ostiary.Receipt)}
	v.event = answer.Event{
		Door: "page", Method: v.concealed(v.r.Method), Path: v.concealed(v.r.URL.EscapedPath()),
		Agent: v.caller.Agent,
	}
	if secret, ok := strings.CutPrefix(v.r.URL.Path, "/invite/"); ok && secret != "" {
		v.event.Path = "/invite/…"
	}
	if from.IsValid() {
		v.event.From = from.String()
	}
}

// maxNoted is how much of a path or an agent is written down, in bytes.
const maxNoted = 500

func (v *visit) concealed(text string) string {
	text = v.read.Conceal(text[:min(len(text), 2*maxNoted)], ostiary.SecretText{})
	return text[:min(len(text), maxNoted)]
}

// answered is what the log is told of a page that was drawn. A form that is drawn again was refused.
func (v *visit) answered() answer.Answer {
	a := answer.Answer{Status: v.statusOr(http.StatusOK), Reason: ostiary.OK}
	if a.Status < http.StatusBadRequest {
		return a
	}
	if a.Reason = v.reason; a.Reason == ostiary.Undecided {
		a.Reason = ostiary.BadValue
	}
	return a
}

// record writes the line of this visit, once.
func (v *visit) record(a answer.Answer) (tag string) {
	if !v.noted {
		v.event.Answer, v.event.Took = a, time.Since(v.began)
		v.noted, v.tag = true, v.log.Record(&v.event)
	}
	return v.tag
}

// recovered answers a panic like our own trouble. An answer that was begun is broken off.
func (v *visit) recovered() {
	trouble := recover()
	if trouble == nil {
		return
	}
	if trouble == http.ErrAbortHandler {
		panic(trouble)
	}
	if v.wrote {
		v.event.Err = answer.Panicked(trouble)
		v.record(v.answers.Error(v.event.Err))
		panic(http.ErrAbortHandler)
	}
	v.refuse(answer.Panicked(trouble))
}
