package web

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"ostiary"
	"ostiary/internal/authority"
)

//go:embed templates
var templateFiles embed.FS

// A screen is a page to be drawn.
type screen struct {
	template string // "tokens": templates/tokens.html
	title    string
	nav      string // which entry of the navigation is lit: "/tokens"
	waiting  int    // applications that wait, for the title
	live     bool   // the page is kept current while it is open
	revision uint64 // up to which it shows what happened; for live
	bare     bool   // without navigation: nobody is signed in
	status   int    // zero: 200
	data     any
}

// A frame is what every template is given: the page around, and Data, which is the page's own.
type frame struct {
	clock
	Title    string
	Nav      string
	Waiting  int
	Live     bool
	Bare     bool
	Me       ostiary.User
	Seats    []authority.Seat
	Seat     authority.Seat
	Done     []said // what was done just now
	Revision uint64 // up to which the page shows what happened; for live
	Path     string
	Data     any
	static   static
}

// drawings are the templates, one for each page, all with the layout and the pieces.
type drawings map[string]*template.Template

func newDrawings(s static) (drawings, error) {
	base, err := template.New("layout.html").Funcs(functions()).ParseFS(templateFiles,
		"templates/layout.html", "templates/pieces/*.html")
	if err != nil {
		return nil, err
	}
	pages, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		return nil, err
	}
	all := drawings{}
	for _, page := range pages {
		name := strings.TrimSuffix(path.Base(page), ".html")
		if name == "layout" {
			continue
		}
		t, err := base.Clone()
		if err != nil {
			return nil, err
		}
		if all[name], err = t.ParseFS(templateFiles, page); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// write draws the whole page before any of it is sent: what fails half-way is a page of its own.
func (s screen) write(v *visit) error {
	f, err := v.frame(s)
	if err != nil {
		return err
	}
	var page bytes.Buffer
	if err := v.drawings[s.template].Execute(&page, f); err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.status = v.statusOr(s.statusOr(http.StatusOK))
	v.wrote = true
	v.w.WriteHeader(v.status)
	if _, err := v.w.Write(page.Bytes()); err != nil {
		v.event.Err = err // the reader has gone
	}
	return nil
}

func (s screen) statusOr(status int) int {
	if s.status != 0 {
		return s.status
	}
	return status
}

func (v *visit) frame(s screen) (*frame, error) {
	f := &frame{
		clock: clock{now: v.now, zone: v.zone}, Title: s.title, Nav: s.nav, Waiting: s.waiting,
		Revision: s.revision, Bare: s.bare, Me: v.user, Seats: v.seats, Seat: v.seat, Path: v.r.URL.Path,
		Data: s.data, static: v.static,
		// What is wrong with a form stands in this answer alone, and must not be drawn over.
		Live: s.live && s.status < http.StatusBadRequest,
	}
	if s.bare {
		return f, nil
	}
	var err error
	f.Done, err = v.justDone()
	return f, err
}

// justDone are the entries that the address names after a change: "done=812" or "done=812-815". They are read
// from the log, so that an address that somebody else made up says nothing untrue.
func (v *visit) justDone() ([]said, error) {
	if v.r.Method != http.MethodGet || v.seat.Account.ID == 0 {
		return nil, nil
	}
	first, last, ok := revisions(v.r.URL.Query().Get("done"))
	if !ok {
		return nil, nil
	}
	page, err := v.authority.LogPage(v.r.Context(), v.caller, ostiary.LogFilter{
		After: first - 1, Before: last + 1, Limit: maxDone, Oldest: true,
	})
	if errors.Is(err, context.Canceled) {
		return nil, err
	}
	if err != nil {
		return nil, nil // the page itself says what is wrong
	}
	done := v.tell(page)
	if len(done) > 0 {
		v.reach(&done[len(done)-1])
	}
	return done, nil
}

// reach says on which nodes a change is in force: one that a receipt was made for, which is the last of
// those that were made at once.
func (v *visit) reach(s *said) {
	receipt, known := v.authority.Receipt(s.Revision)
	where := receipt.Where()
	if !known || where == "" {
		return
	}
	verb := "In force "
	if s.What == "token.retire" || s.What == "app.denied" {
		verb = "Refused "
	}
	s.Reach = append(s.Reach, verb+where+".")
	s.Reach = append(s.Reach, receipt.Words("15:04:05", v.zone)...)
}

// maxDone is how many entries a page tells after a change.
const maxDone = 20

// MyName is how the person at the browser is called.
func (f *frame) MyName() string { return nameOf(f.Me) }

// nameOf is how a person is called: by first and last name, else by e-mail.
func nameOf(u ostiary.User) string {
	if name := strings.TrimSpace(u.FirstName + " " + u.LastName); name != "" {
		return name
	}
	return u.Email
}

// Static is the address of a file beside the pages.
func (f *frame) Static(name string) string { return f.static.named[name] }

// Link is the address of a page on the account that this page is about.
func (f *frame) Link(path string) string { return withAccount(path, f.Seats, f.Seat) }

func (v *visit) link(path string) string { return withAccount(path, v.seats, v.seat) }

// withAccount names the account where the person has more than one.
func withAccount(path string, seats []authority.Seat, seat authority.Seat) string {
	if len(seats) < 2 {
		return path
	}
	if strings.Contains(path, "?") {
		return path + "&account=" + seat.Account.ID.String()
	}
	return path + "?account=" + seat.Account.ID.String()
}

// functions are what templates can call besides the frame's methods.
func functions() template.FuncMap {
	return template.FuncMap{
		"piece":   func(f *frame, item any) piece { return piece{f, item} },
		"card":    cardOf,
		"title":   titleOf,
		"name":    nameOf,
		"plural":  plural,
		"number":  number,
		"times":   times,
		"spark":   spark,
		"initial": initial,
		"inuse":   inUse,
	}
}

// A piece is a part of a page: the frame around it, and what it is about.
type piece struct {
	F *frame
	I any
}
