package web

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"ostiary"
	"ostiary/internal/answer"
	"ostiary/internal/authority"
)

// A visit is one request of a person on its way.
type visit struct {
	*Web
	w       http.ResponseWriter
	r       *http.Request
	began   time.Time
	now     time.Time
	session ostiary.Session // of nobody: zero
	user    ostiary.User
	seats   []authority.Seat // the person's accounts
	seat    authority.Seat   // the one that the page is about; zero: none
	zone    *time.Location
	caller  authority.Caller
	event   answer.Event
	status  int            // that the page has; zero: 200
	reason  ostiary.Reason // why a form is drawn again, for the log
	wrote   bool
	noted   bool   // the log has the line of this visit
	tag     string // of that line
}

// A handler answers one visit, by writing what it gives: a screen, or a place to go to.
type handler func(*visit) (reply, error)

// A reply is what a visit is answered with.
type reply interface{ write(v *visit) error }

// maxForm is how many bytes a form may have.
const maxForm = 256 << 10

func (web *Web) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := &visit{Web: web, w: w, r: r, began: time.Now(), now: web.opt.Now(), zone: time.UTC}
	v.ask()
	defer v.recovered()
	out, err := v.run()
	if err == nil {
		err = out.write(v)
	}
	if err != nil {
		v.refuse(err)
		return
	}
	v.record(v.answered())
}

// run is the whole way of a request.
func (v *visit) run() (reply, error) {
	protect(v.w.Header())
	found, ok := v.find()
	if ok && found.file {
		return found.do(v)
	}
	if !v.guard.isOurs(v.r, v.caller.From) {
		return nil, errNotOurs
	}
	if !v.guard.canKeepCookies(v.r) {
		return nil, errPlain
	}
	if !ok {
		return nil, v.unserved()
	}
	if v.r.Method == http.MethodPost {
		if err := v.readForm(); err != nil {
			return nil, err
		}
	}
	if err := v.whoIsIt(); err != nil {
		return nil, err
	}
	if v.session.ID == 0 && !found.open {
		return v.toLogin(), nil
	}
	if err := v.chooseAccount(); err != nil && !found.open && !found.anywhere {
		return nil, err
	}
	if !found.open && !found.anywhere && v.seat.Account.ID == 0 {
		return to("/profile"), nil
	}
	return found.do(v)
}

// find looks the route up. The mux also fills in the ids of the path. A path that could be written shorter
// is not ours: nothing is guessed, and nobody is sent on.
func (v *visit) find() (route, bool) {
	if path.Clean(v.r.URL.Path) != v.r.URL.Path {
		return route{}, false
	}
	v.mux.ServeHTTP(discard{}, v.r) // it sets the pattern and the path's values, and its handlers do nothing
	found, ok := v.handlers[v.r.Pattern]
	return found, ok
}

func nothing(http.ResponseWriter, *http.Request) {}

// discard swallows what the mux writes where nothing is found.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

// unserved tells a path that is not there from a method that it does not have.
func (v *visit) unserved() error {
	var allow []string
	for _, methods := range [][]string{{http.MethodGet, http.MethodHead}, {http.MethodPost}} {
		other := v.r.Clone(v.r.Context())
		other.Method = methods[0]
		if _, pattern := v.mux.Handler(other); v.handlers[pattern].do != nil {
			allow = append(allow, methods...)
		}
	}
	if len(allow) == 0 || path.Clean(v.r.URL.Path) != v.r.URL.Path {
		return &ostiary.Refusal{Reason: ostiary.NoRoute}
	}
	v.w.Header().Set("Allow", strings.Join(allow, ", "))
	return &ostiary.Refusal{Reason: ostiary.WrongMethod}
}

// readForm reads what a page of ours sent. A page of another site is refused before anything else.
func (v *visit) readForm() error {
	if err := v.guard.comesFromUs(v.r); err != nil {
		return &ostiary.Refusal{
			Reason: ostiary.CrossSite, Cause: err,
			Say: "The form was not sent by a page of Ostiary. Open the page again, and repeat it there.",
		}
	}
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxForm)
	err := v.r.ParseForm()
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return ostiary.Refuse(ostiary.TooLarge, "The form is larger than a form of Ostiary can be.")
	}
	if err != nil {
		return ostiary.Refuse(ostiary.BadValue, "The form cannot be read.")
	}
	return nil
}

// field is a value of the form, or of the address where there is no form. Values of a form never come
// from the address.
func (v *visit) field(name string) string {
	if v.r.Method == http.MethodPost {
		return strings.TrimSpace(v.r.PostForm.Get(name))
	}
	return strings.TrimSpace(v.r.URL.Query().Get(name))
}

// pathID reads an id of the path. What is no id names nothing, and is hidden like it.
func (v *visit) pathID(name string) (ostiary.ID, error) {
	id, err := ostiary.ParseID(v.r.PathValue(name))
	if err != nil {
		return 0, ostiary.ErrNotFound
	}
	return id, nil
}

// toLogin asks who it is, and comes back to the page that was asked for.
func (v *visit) toLogin() reply {
	q, asked := url.Values{}, v.r.URL.RequestURI()
	if v.r.Method != http.MethodPost && v.r.URL.Path != "/" && !v.holdsSecret(asked) {
		q.Set("next", asked)
	}
	if len(q) == 0 {
		return to("/login")
	}
	return to("/login?" + q.Encode())
}

// to is a reply that goes on to another page of ours.
type to string

func (t to) write(v *visit) error {
	v.status = http.StatusSeeOther
	v.w.Header().Set("Location", string(t))
	v.w.WriteHeader(http.StatusSeeOther)
	return nil
}

func (v *visit) statusOr(status int) int {
	if v.status != 0 {
		return v.status
	}
	return status
}

// A file is what is sent as it is.
type file struct {
	kind string
	text []byte
	kept string // Cache-Control
}

func (f file) write(v *visit) error {
	h := v.w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", f.kept)
	v.wrote = true
	_, err := v.w.Write(f.text)
	if err != nil && !errors.Is(err, io.ErrClosedPipe) {
		v.event.Err = err
	}
	return nil
}
