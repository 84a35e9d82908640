// Package api is the native API (contract 4). Every route stands in one list (routes.go), every
// request goes one way (call.go), and errors become answers in one place (reply.go). The management
// socket serves the same API with the operator as actor.
package api

import (
	"context"
	"net/http"
	"strings"

	"ostiary/internal/answer"
	"ostiary/internal/authority"
	"ostiary/internal/credential"
)

// A Recorder writes down what was answered, and gives the tag of its line: that of the event where
// it has one. It must not keep the event.
type Recorder interface {
	Record(e *answer.Event) (tag string)
}

// Options say where things are, and do what only the program can do. Without a function its route
// answers 503.
type Options struct {
	PublicURL string // of the pages, without a slash at the end
	APIURL    string // of the API, for examples, without a slash at the end; empty: PublicURL
	Hash      func(password string) (hash string, err error)
	Status    func(ctx context.Context) Status
	Backup    func(ctx context.Context, file string) error
	Nodes     Nodes
}

// Status is how the server is doing, for the operator.
type Status struct {
	Version  string
	Revision uint64 // that memory stands at
	Accounts int    // in memory, as the following
	Tokens   int    // retired ones too
	Apps     int
	Degraded []string // what does not work, in words; empty: everything does
}

// An API answers requests.
type API struct {
	authority *authority.Authority
	read      *credential.Reader
	trusted   credential.Trusted
	answers   *answer.Table
	log       Recorder
	opt       Options
	routes    []route
	document  *document
	pages     map[string]http.Handler
}

// New makes the API.
func New(a *authority.Authority, read *credential.Reader, trusted credential.Trusted, t *answer.Table,
	rec Recorder, o Options,
) *API {
	o.PublicURL = strings.TrimRight(o.PublicURL, "/")
	o.APIURL = strings.TrimRight(o.APIURL, "/")
	if o.APIURL == "" {
		o.APIURL = o.PublicURL
	}
	api := &API{authority: a, read: read, trusted: trusted, answers: t, log: rec, opt: o, routes: routes()}
	api.document = newDocument(api.routes)
	api.pages = api.newPages()
	return api
}

// Public serves requests with tokens, the document at /openapi.json, and the pages about the API at
// /docs.
func (a *API) Public() http.Handler { return &door{API: a} }

// Operator serves the management socket: who can open it is the operator, here under this name of a
// system user, and needs no token. The account to work on comes from X-Circonus-Account-ID: an id,
// /account/ID, or a short name. It may be left out.
func (a *API) Operator(name string) http.Handler { return &door{API: a, operator: name} }

// A door is where requests come in.
type door struct {
	*API
	operator string // empty at the public door
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if page := d.pages[r.URL.EscapedPath()]; page != nil {
		page.ServeHTTP(w, r)
		return
	}
	c := newCall(d, w, r)
	defer c.recovered()
	out, err := c.run()
	if err != nil {
		c.refuse(err)
		return
	}
	c.reply(out)
}
