// Package web is the pages: people manage tokens, applications and their team in a browser. They are
// drawn on the server; the script only saves clicks and reloads. Every route stands in one list
// (routes.go), every request goes one way (visit.go), and no page decides anything: what may be done is
// drawn from what package authority offers, and asked again when it is done.
package web

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"ostiary"
	"ostiary/internal/answer"
	"ostiary/internal/authority"
	"ostiary/internal/credential"
)

// A Login says who the person at the browser is.
type Login interface {
	SignIn(ctx context.Context, email, password, known string, from netip.Addr, agent string) (SignedIn, error)
	Begin(ctx context.Context, user ostiary.ID, was string, from netip.Addr, agent string) (SignedIn, error)
	Session(ctx context.Context, cookie ostiary.SecretText) (ostiary.Session, error)
	Look(ctx context.Context, cookie ostiary.SecretText) (ostiary.Session, error) // is not taken for use
	SignOut(ctx context.Context, cookie ostiary.SecretText) error
	Confirm(ctx context.Context, s ostiary.Session, password string, from netip.Addr) (was string, err error)
	Sessions
}

// Sessions are a person's browsers.
type Sessions interface {
	Sessions(ctx context.Context, s ostiary.Session) ([]ostiary.Session, error)
	EndOne(ctx context.Context, s ostiary.Session, id ostiary.ID) error
	EndOthers(ctx context.Context, s ostiary.Session) error
	Ended() <-chan struct{} // closed when a session of this process may have ended
}

// SignedIn is a session that has just begun.
type SignedIn struct {
	Session ostiary.Session
	Cookie  ostiary.SecretText // which the browser is to bring from now on
	Known   string             // by which it is known once it comes back to sign in
}

// A Recorder writes down what was answered, and gives the tag of its line: that of the event where
// it has one. It must not keep the event.
type Recorder interface {
	Record(e *answer.Event) (tag string)
}

// Options say where things are.
type Options struct {
	PublicURL string // of the pages, without a slash at the end
	APIURL    string // of the API, for what people paste
	Install   []Install
	Hash      func(password string) (hash string, err error)
	Now       func() time.Time // for tests and made-up records
}

// Web serves the pages.
type Web struct {
	authority *authority.Authority
	login     Login
	read      *credential.Reader
	trusted   credential.Trusted
	answers   *answer.Table
	log       Recorder
	opt       Options
	guard     guard
	mux       *http.ServeMux
	handlers  map[string]route // by pattern
	firsts    map[string]bool  // with which the addresses of the pages begin
	drawings  drawings
	static    static
	streams   *streams
}

// New makes the pages.
func New(a *authority.Authority, l Login, read *credential.Reader, trusted credential.Trusted,
	t *answer.Table, rec Recorder, o Options,
) (*Web, error) {
	o.PublicURL = strings.TrimRight(o.PublicURL, "/")
	o.APIURL = strings.TrimRight(o.APIURL, "/")
	if o.Now == nil {
		o.Now = time.Now
	}
	web := &Web{
		authority: a, login: l, read: read, trusted: trusted, answers: t, log: rec, opt: o,
		guard: newGuard(o.PublicURL), mux: http.NewServeMux(), handlers: map[string]route{}, firsts: map[string]bool{},
		streams: newStreams(),
	}
	var err error
	if web.static, err = newStatic(); err != nil {
		return nil, fmt.Errorf("the pages' files: %w", err)
	}
	if web.drawings, err = newDrawings(web.static); err != nil {
		return nil, fmt.Errorf("the pages' templates: %w", err)
	}
	for _, r := range routes() {
		web.handlers[r.pattern] = r
		_, path, _ := strings.Cut(r.pattern, " ")
		web.firsts[first(path)] = true
		web.mux.Handle(r.pattern, http.HandlerFunc(nothing)) // the mux only finds the pattern
	}
	return web, nil
}

// Owns says whether a request is for a page. The address / is a page for browsers alone: a program
// that asks there is told that it shows no token.
func (web *Web) Owns(r *http.Request) bool {
	path := r.URL.Path
	if path == "/" {
		return r.Header.Get("Authorization") == "" && strings.Contains(r.Header.Get("Accept"), "text/html")
	}
	return web.firsts[first(path)]
}

// first is what stands between the first and the second slash.
func first(path string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return name
}
