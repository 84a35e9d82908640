package web_test

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/authority"
)

// A stream is what an open page hears.
type stream struct {
	*testing.T
	res    *http.Response
	events chan event
	stop   context.CancelFunc
}

// An event of the stream; a comment is one whose kind is empty.
type event struct{ kind, id, data string }

// listen opens a stream from a revision on.
func (p *person) listen(path string, headers ...string) *stream {
	p.w.Helper()
	return p.listenAt(p.w.URL, path, headers...)
}

// listenAt does the same at another address of the server, which is told the usual name.
func (p *person) listenAt(url, path string, headers ...string) *stream {
	p.w.Helper()
	if !p.in {
		p.signIn()
	}
	ctx, stop := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+path, nil)
	p.w.ok(err)
	r.Host = strings.TrimPrefix(p.w.URL, "http://")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := p.client.Do(r)
	p.w.ok(err)
	s := &stream{T: p.w.T, res: res, events: make(chan event, 1000), stop: stop}
	p.w.Cleanup(func() { stop(); res.Body.Close() })
	go s.read()
	return s
}

func (s *stream) read() {
	defer close(s.events)
	var e event
	lines := bufio.NewScanner(s.res.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "event":
			e.kind = value
		case "id":
			e.id = value
		case "data":
			e.data = value
		case "":
			if lines.Text() == "" && e != (event{}) {
				s.events <- e
				e = event{}
			}
		}
	}
}

// next is the next event that says something, within a time; ok is false when the stream ended.
func (s *stream) next(within time.Duration) (e event, ok bool) {
	s.Helper()
	late := time.After(within)
	for {
		select {
		case e, ok := <-s.events:
			if ok && e.kind == "" {
				continue // a comment
			}
			return e, ok
		case <-late:
			s.Fatalf("nothing came within %s", within)
		}
	}
}

// hears fails unless the next event is of this kind, and gives it.
func (s *stream) hears(kind, data string) event {
	s.Helper()
	e, ok := s.next(2 * time.Second)
	if !ok || e.kind != kind || !strings.Contains(e.data, data) {
		s.Fatalf("the page hears %+v (open: %v), want %s with %s", e, ok, kind, data)
	}
	return e
}

// hearsNothing fails if an event comes within half a second.
func (s *stream) hearsNothing() {
	s.Helper()
	late := time.After(500 * time.Millisecond)
	for {
		select {
		case e, ok := <-s.events:
			if !ok || e.kind != "" {
				s.Fatalf("the page hears %+v (open: %v), want nothing", e, ok)
			}
		case <-late:
			return
		}
	}
}

// ends fails unless the stream says that it is over, and is.
func (s *stream) ends() {
	s.Helper()
	s.hears("end", "")
	if e, ok := s.next(2 * time.Second); ok {
		s.Fatalf("after its end the page hears %+v", e)
	}
}

func (w *world) revision() string {
	w.Helper()
	var head ostiary.Head
	w.ok(w.store.View(ctx, func(r ostiary.Reader) (err error) {
		head, err = r.Head()
		return err
	}))
	return strconv.FormatUint(head.Revision, 10)
}

func (w *world) pendingToken(p *person) (ostiary.ID, ostiary.SecretText) {
	w.Helper()
	return w.newToken(p, authority.NewToken{Privilege: ostiary.ReadOnly, Default: ostiary.Pending})
}

func TestNewApplicationIsHeardOnAnOpenPageWithinASecond(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, secret := w.pendingToken(w.bob)
	page := w.bob.listen("/live?after=" + w.revision())
	if got := page.res.Header; got.Get("Content-Type") != "text/event-stream" ||
		got.Get("Cache-Control") != "no-store" || got.Get("X-Accel-Buffering") != "no" {
		t.Errorf("headers %v", got)
	}
	page.hearsNothing()
	began := time.Now()
	w.demand(secret, "grafana-sync", ostiary.ReadOnly, ostiary.PendingApp)
	e := page.hears("news", `"kinds":["app.new"]`)
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %s", took)
	}
	if e.id != w.revision() || !strings.Contains(e.data, `"revision":`+e.id) {
		t.Errorf("the event is of revision %q, %s; want %s", e.id, e.data, w.revision())
	}
	page.hearsNothing()
}

func TestWhatHappenedBetweenDrawingAndOpeningIsHeard(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, secret := w.pendingToken(w.bob)
	drawn := w.revision()
	w.demand(secret, "grafana-sync", ostiary.ReadOnly, ostiary.PendingApp)
	w.bob.listen("/live?after="+drawn).hears("news", "app.new")
	w.bob.listen("/live?after="+w.revision(), "Last-Event-ID", drawn).hears("news", "app.new")
	w.bob.listen("/live?after=999999").hears("news", "many") // a page of records that were put back since
	if p := w.bob.open("/live?after=soon"); p.status != 400 {
		t.Errorf("a stream from no revision is %d, want 400", p.status)
	}
}

func TestPageHearsOnlyWhatItsPersonMaySee(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, secret := w.newToken(w.alice, authority.NewToken{Privilege: ostiary.ReadOnly, Default: ostiary.Pending})
	after := "/live?account=" + w.account.String() + "&after=" + w.revision()
	alice, bob := w.alice.listen(after), w.bob.listen(after)
	w.demand(secret, "secret-project", ostiary.ReadOnly, ostiary.PendingApp)
	alice.hears("news", "app.new")
	bob.hearsNothing()
}

func TestStreamEndsWithTheSession(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(w *world){
		"signed out":       func(w *world) { w.bob.post("/logout") },
		"disabled":         func(w *world) { w.operate(func(c authority.Caller) error { return w.disable(c, w.bob) }) },
		"password reset":   func(w *world) { w.operate(func(c authority.Caller) error { return w.reset(c, w.bob) }) },
		"unused for long":  func(w *world) { w.clock.pass(13 * time.Hour) },
		"no longer member": func(w *world) { w.leave(w.bob) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if name == "unused for long" {
				w.web.Beat(300 * time.Millisecond) // nothing but the time tells it
			}
			page := w.bob.listen("/live?after=" + w.revision())
			page.hearsNothing()
			end(w)
			page.ends()
		})
	}
}

func TestWhoMayHearNothingTakesNoPlaceOfAStream(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bob.open("/tokens")
	w.leave(w.bob)
	w.web.Close() // no stream is taken in any more
	for who, p := range map[string]*person{"nobody": w.stranger(), "who is on no account": w.bob} {
		page := p.listen("/live?after=1")
		if page.res.StatusCode != http.StatusOK {
			t.Fatalf("%s is answered with %d, want a stream that ends", who, page.res.StatusCode)
		}
		page.ends()
	}
}

func (w *world) operate(do func(authority.Caller) error) {
	w.Helper()
	c := operator
	c.Account = w.account
	w.ok(do(c))
}

func (w *world) leave(p *person) {
	w.Helper()
	leave, err := w.authority.Leave(ctx, w.alice.on(w.account), p.id)
	w.ok(err)
	_, _, err = w.authority.RemoveMember(ctx, w.alice.on(w.account), p.id, nil, leave.Confirm)
	w.ok(err)
}

func (w *world) disable(c authority.Caller, p *person) error {
	_, _, err := w.authority.DisableUser(ctx, c, p.id, true)
	return err
}

func (w *world) reset(c authority.Caller, p *person) error {
	_, _, err := w.authority.ResetPassword(ctx, c, p.id, passwordHash())
	return err
}

// An open page asks for itself anew by itself. That keeps nobody signed in.
func TestOpenPageIsNoUseOfTheSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bob.signIn()
	for range 3 {
		w.clock.pass(5 * time.Hour)
		r, err := http.NewRequest(http.MethodGet, w.URL+"/tokens", nil)
		w.ok(err)
		r.Header.Set("Ostiary-Look", "1")
		w.bob.send(r)
		w.bob.listen("/live?after=" + w.revision()).stop()
	}
	w.bob.open("/tokens").is("Sign in", 200)
}

func TestBusyLogRedrawsFourTimesASecondAtMost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	page := w.alice.listen("/live?account=" + w.account.String() + "&after=" + w.revision())
	began, heard, last := time.Now(), 0, ""
	for time.Since(began) < 1500*time.Millisecond {
		w.pendingToken(w.alice)
	}
	end := w.revision()
	for last != end {
		last = page.hears("news", "").id
		heard++
	}
	if most := 4*2 + 1; heard > most {
		t.Errorf("in %s the page heard %d events, want at most %d", time.Since(began), heard, most)
	}
}

func TestStreamOutlivesTheTimesThatAServerGivesRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.web.Beat(200 * time.Millisecond)
	server := httptest.NewUnstartedServer(w.web)
	server.Config.ReadTimeout, server.Config.WriteTimeout = 300*time.Millisecond, 300*time.Millisecond
	server.Start()
	t.Cleanup(server.Close)
	_, secret := w.pendingToken(w.bob)
	page := w.bob.listenAt(server.URL, "/live?after="+w.revision())
	time.Sleep(time.Second)
	if n := len(page.events); n < 3 {
		t.Errorf("%d comments came in a second, want one each 200ms", n)
	}
	w.demand(secret, "late", ostiary.ReadOnly, ostiary.PendingApp)
	page.hears("news", "app.new")
	page.stop()
}

func TestNinthStreamOfASessionTakesThePlaceOfTheFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var all []*stream
	for range 9 {
		all = append(all, w.bob.listen("/live?after="+w.revision()))
	}
	all[0].hears("replaced", "")
	all[1].hearsNothing()
	if n := w.web.Streams(); n != 8 {
		t.Errorf("%d streams are open, want 8", n)
	}
	all[2].stop()
	w.eventually("a page that was closed leaves", func() bool { return w.web.Streams() == 7 })
}

func TestPersonAtManyBrowsersHasFortyStreams(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	carol := w.carol.listen("/live?after=" + w.revision())
	var all []*stream
	for range 5 {
		browser := w.bob.again()
		for range 8 {
			all = append(all, browser.listen("/live?after="+w.revision()))
		}
	}
	all[0].hearsNothing()
	w.bob.listen("/live?after=" + w.revision())
	all[0].hears("replaced", "")
	all[1].hearsNothing()
	carol.hearsNothing()
	if n := w.web.Streams(); n != 41 {
		t.Errorf("%d streams are open, want 40 of Bob and one of Carol", n)
	}
}

func TestClosedServerEndsItsStreamsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	page := w.bob.listen("/live?after=" + w.revision())
	page.hearsNothing()
	w.web.Close()
	w.web.Close()
	if e, ok := page.next(time.Second); ok {
		t.Errorf("at the end the page hears %+v, want that it ends", e)
	}
	if p := w.bob.open("/live?after=1"); p.status != 503 || p.header.Get("Retry-After") == "" {
		t.Errorf("a new stream on a node that ends is %d, want 503", p.status)
	}
}

// eventually waits for something that happens in the background.
func (w *world) eventually(what string, is func() bool) {
	w.Helper()
	for range 200 {
		if is() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.Errorf("not so within two seconds: %s", what)
}
