package api

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"ostiary"
	"ostiary/internal/answer"
	"ostiary/internal/authority"
)

// A call is one request on its way.
type call struct {
	*door
	w     http.ResponseWriter
	r     *http.Request
	began time.Time
	wrote bool

	question ostiary.Question
	decision ostiary.Decision // zero at the operator's door
	caller   authority.Caller
	event    answer.Event

	route    *route
	args     []string // the words in braces of the route's path
	body     *fields
	text     []byte // the body as it was sent
	repeated bool   // the same call was made before, under its Idempotency-Key
	revision uint64 // of the change that was made; zero: none
	receipt  ostiary.Receipt
	more     bool // a list has a further page
}

// A handler carries a call out, and gives what is to be written as JSON.
type handler func(*call) (any, error)

func newCall(d *door, w http.ResponseWriter, r *http.Request) *call {
	c := &call{door: d, w: w, r: r, began: time.Now()}
	c.event.Door = "api"
	if d.operator != "" {
		c.event.Door = "socket"
	}
	return c
}

// run is the whole way of a request, in the order of contract 3.2. A page of another site is refused
// before anything else, so that what its visitor's browser sends along counts for nothing and puts
// nothing on record.
func (c *call) run() (any, error) {
	c.ask()
	if c.crossSite() {
		return nil, &unserved{reason: ostiary.CrossSite}
	}
	path := c.r.URL.EscapedPath()
	found, args, allow := c.find(c.r.Method, path)
	c.route, c.args = found, args

	if err := c.admit(allow); err != nil {
		return nil, err
	}
	switch {
	case allow == "":
		return nil, &unserved{reason: ostiary.NoRoute}
	case c.r.Method == http.MethodOptions:
		c.w.Header().Set("Allow", allow)
		return object{}, nil
	case c.route == nil:
		return nil, &unserved{reason: ostiary.WrongMethod, allow: allow}
	}
	if err := c.readHeaders(); err != nil {
		return nil, err
	}
	c.readBody()
	return c.route.do(c)
}

// ask takes out of the request what the decision and the logs need. Secrets that clients put where
// they do not belong are concealed first.
func (c *call) ask() {
	q := &c.question
	q.At = c.began
	q.Credential = c.read.Read(c.r.Header)
	q.From = c.trusted.Caller(c.r.RemoteAddr, c.r.Header)
	q.Method = c.noted(c.r.Method)
	q.Path = c.noted(c.r.URL.EscapedPath())
	q.Agent = c.noted(c.r.UserAgent())
}

// maxNoted is how much of a path or an agent is written down, in bytes.
const maxNoted = 500

// noted is what may be written down of a text that a request sent. It is cut after secrets are gone
// from it, so that no part of one stays at the end.
func (c *call) noted(text string) string {
	text = c.read.Conceal(text[:min(len(text), 2*maxNoted)], c.question.Token)
	return text[:min(len(text), maxNoted)]
}

// admit finds out who calls: the operator, or the token that the request shows.
func (c *call) admit(allow string) error {
	q := &c.question
	c.caller = authority.Caller{From: q.From, Agent: q.Agent}
	if c.operator != "" {
		c.caller.Operator = c.operator
		return c.chooseAccount()
	}
	if allow != "" {
		need, err := c.need()
		if err != nil {
			return err
		}
		q.Need = need
	}
	q.AtLeast = minRevision(c.r.Header)
	c.decision = c.authority.Check(c.r.Context(), q)
	d := &c.decision
	c.event.Account, c.event.Token, c.event.App, c.event.Revision = d.Account, d.Token, d.App, d.Revision
	if !d.OK() {
		return &decided{d}
	}
	c.caller.Token, c.caller.Account = d.Token, d.Account
	return nil
}

// need is the role for the request (contract 3.3); none for a method that the path does not serve.
func (c *call) need() (ostiary.Role, error) {
	if c.route == nil && c.r.Method != http.MethodOptions {
		return ostiary.NoRole, nil
	}
	if c.route != nil && c.route.need != ostiary.NoRole {
		return c.route.need, nil
	}
	return ostiary.Need(nil, c.r.Method, "")
}

const accountHeader = "X-Circonus-Account-Id"

// chooseAccount finds the account that the operator names: by id, cid or short name.
func (c *call) chooseAccount() error {
	values := c.r.Header[accountHeader]
	if len(values) == 0 || len(values) == 1 && values[0] == "" {
		return nil
	}
	id, err := ostiary.ParseID(strings.TrimPrefix(values[0], "/account/"))
	if err != nil {
		id, err = c.authority.FindAccount(c.r.Context(), c.caller, values[0])
	} else {
		_, err = c.authority.Account(c.r.Context(), c.caller, id)
	}
	if ostiary.IsHidden(err) || len(values) > 1 {
		return because(ostiary.ErrNotFound, "There is no account as X-Circonus-Account-ID names it.")
	}
	c.caller.Account = id
	return err
}

const minRevisionHeader = "X-Ostiary-Min-Revision"

// minRevision is the oldest revision that may answer. readHeaders refuses what cannot be read.
func minRevision(h http.Header) uint64 {
	n, err := strconv.ParseUint(h.Get(minRevisionHeader), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// readHeaders refuses headers of ours that cannot be read.
func (c *call) readHeaders() error {
	values := c.r.Header[minRevisionHeader]
	if len(values) == 0 {
		return nil
	}
	if _, err := strconv.ParseUint(values[0], 10, 64); err != nil || len(values) > 1 {
		return ostiary.RefuseField("X-Ostiary-Min-Revision", "This is one decimal number.")
	}
	return nil
}

// id reads one of the path's ids. What is no id names nothing, and is hidden like it.
func (c *call) id(n int) (ostiary.ID, error) {
	id, err := ostiary.ParseID(c.args[n])
	if err != nil {
		return 0, ostiary.ErrNotFound
	}
	return id, nil
}
