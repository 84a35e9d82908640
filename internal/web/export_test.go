package web

import (
	"errors"
	"html/template"
	"time"
)

// Patterns are the routes.
func Patterns() (out []string) {
	for _, r := range routes() {
		out = append(out, r.pattern)
	}
	return out
}

// Beat makes the comments of streams come sooner.
func (web *Web) Beat(every time.Duration) { web.streams.beat = every }

// Streams are how many pages are kept current.
func (web *Web) Streams() int {
	web.streams.mu.Lock()
	defer web.streams.mu.Unlock()
	return web.streams.count
}

var errBroken = errors.New("broken for a test")

// BreakTemplates makes the page of the tokens fail half-way.
func (web *Web) BreakTemplates() {
	web.drawings["tokens"] = broken()
}

// BreakHandlers makes the page of the tokens panic.
func (web *Web) BreakHandlers() {
	web.handlers["GET /tokens"] = route{do: func(*visit) (reply, error) { panic("inner secret") }}
}

// BreakErrors makes the page of an error fail, too.
func (web *Web) BreakErrors() {
	web.BreakTemplates()
	web.drawings["error"] = broken()
}

func broken() *template.Template {
	fail := func() (string, error) { return "", errBroken }
	return template.Must(template.New("").Funcs(template.FuncMap{"fail": fail}).Parse("<h1>half a page</h1>{{fail}}"))
}
