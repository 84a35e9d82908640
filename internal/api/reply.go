package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"ostiary"
	"ostiary/internal/answer"
)

// An object is one object of the API. It is written with its keys in order.
type object map[string]any

// decided is a request that was refused for its credential or its role.
type decided struct{ *ostiary.Decision }

func (d *decided) Error() string { return d.Reason.String() }

// unserved is a request that reached no route.
type unserved struct {
	reason ostiary.Reason
	allow  string // the methods that are served, with WrongMethod
}

func (u *unserved) Error() string { return u.reason.String() }

// explained is an error whose cause may be told, where the table alone would keep it back.
type explained struct {
	error
	say string
}

func (e *explained) Unwrap() error { return e.error }

// because tells the caller why. It is for what gives nothing away.
func because(err error, say string) error { return &explained{err, say} }

// answerTo is the one place where errors become answers.
func (c *call) answerTo(err error) answer.Answer {
	var d *decided
	var u *unserved
	var e *explained
	var a answer.Answer
	switch {
	case errors.As(err, &d):
		a = c.answers.Decision(d.Decision)
	case errors.As(err, &u):
		a = c.answers.Route(u.reason, u.allow)
	default:
		a = c.answers.Error(err)
	}
	if errors.As(err, &e) {
		a.Message = e.say
	}
	if a.Revision == 0 && a.Reason != ostiary.Unavailable {
		a.Revision = c.decision.Revision
	}
	a.Message, a.Field = c.conceal(a.Message), c.conceal(a.Field)
	return a
}

// conceal keeps secrets out of what repeats a request's own words.
func (c *call) conceal(text string) string { return c.read.Conceal(text, c.question.Token) }

// refuse answers a call that failed.
func (c *call) refuse(err error) {
	a := c.answerTo(err)
	tag := c.record(a, err)
	c.wrote = true
	publish(c.w.Header())
	if c.first() {
		c.answers.WriteV1(c.w, a, tag)
		return
	}
	c.answers.Write(c.w, a, tag)
}

// first says whether the request is one of the first API, whose clients read other keys.
func (c *call) first() bool {
	return strings.HasPrefix(strings.TrimPrefix(c.r.URL.EscapedPath(), "/v2"), "/api/json/")
}

// reply answers a call that was carried out.
func (c *call) reply(out any) {
	text, err := json.Marshal(out)
	if err != nil {
		c.refuse(fmt.Errorf("writing the answer: %w", err))
		return
	}
	a := answer.Answer{
		Status: http.StatusOK, Code: "OK", Reason: ostiary.OK,
		Revision: c.decision.Revision, Behind: c.decision.Behind,
	}
	// A change has a higher revision than its decision; one that was made before has not.
	a.Revision = max(a.Revision, c.revision)
	tag := c.record(a, nil)
	h := c.w.Header()
	publish(h)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(text)+1))
	if a.Revision != 0 {
		h.Set("X-Ostiary-Revision", strconv.FormatUint(a.Revision, 10))
	}
	if behind := answer.Behind(a.Behind); behind != "" {
		h.Set("X-Ostiary-Behind", behind)
	}
	if tag != "" {
		h.Set("X-Ostiary-Tag", tag)
	}
	if c.repeated {
		h.Set("X-Ostiary-Repeated", "true")
	}
	if c.more {
		h.Set("X-Circonus-More-Items", "true")
	}
	c.wrote = true
	c.w.Write(append(text, '\n'))
}

// record tells the request log what is about to be answered.
func (c *call) record(a answer.Answer, err error) (tag string) {
	q, e := &c.question, &c.event
	e.Answer, e.Method, e.Path, e.Agent, e.Tag = a, q.Method, q.Path, q.Agent, c.caller.Tag
	if a.Revision != 0 {
		e.Revision = a.Revision
	}
	if q.From.IsValid() {
		e.From = q.From.String()
	}
	if ostiary.CheckAppName(q.App) == ostiary.OK {
		e.AppName = q.App
	}
	if a.Status >= 500 {
		e.Err = err
	}
	if a.Status != http.StatusOK && q.Shown == ostiary.ShownToken {
		e.Hint = q.Token.Hint()
	}
	e.Took = time.Since(c.began)
	return c.log.Record(e)
}

// recovered makes a panic a 503: our own failure is never the caller's.
func (c *call) recovered() {
	trouble := recover()
	if trouble == nil {
		return
	}
	if c.wrote || trouble == http.ErrAbortHandler {
		panic(http.ErrAbortHandler)
	}
	defer func() {
		if recover() != nil { // the request log itself may be what panics
			panic(http.ErrAbortHandler)
		}
	}()
	clear(c.w.Header())
	c.refuse(answer.Panicked(trouble))
}
