package web_test

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/authority"
)

func TestDownloadHoldsEveryEntryOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, _ := w.dashboards(ostiary.Normal, ostiary.Deny)
	const entries = 1234
	for i := range entries / 2 {
		for _, state := range []ostiary.AppState{ostiary.Allowed, ostiary.Denied} {
			_, _, err := w.authority.DecideName(ctx, w.bob.on(w.account), id, fmt.Sprint("app-", i), state)
			w.ok(err)
		}
	}
	table := w.alice.open("/audit.csv?kind=app&account=" + w.account.String())
	const want = `attachment; filename="audit-social_networks-2026-03-04.csv"`
	if got := table.header.Get("Content-Disposition"); got != want {
		t.Errorf("the file is sent as %s, want %s", got, want)
	}
	if !strings.HasPrefix(table.body, "revision,time,who,what,sentence,person,token,application,address,agent\r\n") {
		t.Errorf("the file begins with %.90q", table.body)
	}
	rows, err := csv.NewReader(strings.NewReader(table.body)).ReadAll()
	w.ok(err)
	lines := strings.Split(strings.TrimSpace(w.alice.open("/audit.jsonl?kind=app").body), "\n")
	if len(rows) != entries+1 || len(lines) != entries {
		t.Fatalf("the table has %d rows and the lines are %d, want %d", len(rows)-1, len(lines), entries)
	}
	for i, text := range lines {
		var line struct {
			Revision uint64 `json:"_revision"`
			At       int64  `json:"_at"`
			What     string
			AppName  string `json:"app_name"`
			Token    string
			Says     string
		}
		w.ok(json.Unmarshal([]byte(text), &line))
		row := rows[i+1]
		if row[0] != fmt.Sprint(line.Revision) || row[3] != line.What || row[4] != line.Says ||
			row[7] != line.AppName || line.Token != "/token/"+id.String() {
			t.Fatalf("entry %d is %q in the table and %s as a line", i, row, text)
		}
		at, err := time.Parse(time.RFC3339, row[1])
		if err != nil || at.Unix() != line.At || !strings.HasSuffix(row[1], "-05:00") {
			t.Fatalf("entry %d is of %s in the table, and of %d as a line", i, row[1], line.At)
		}
	}
	if got := rows[1][4]; got != "Bob denied app-616 the use of Dashboards." {
		t.Errorf("the newest entry says %q", got)
	}
}

func TestDownloadCannotBecomeAFormula(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, _ := w.newToken(w.bob, authority.NewToken{
		Privilege: ostiary.Normal, Description: `=HYPERLINK("http://evil.example.com";"Dashboards")`,
	})
	names := []string{
		"=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1:A9)", `="a""b"`, "a=1", `"=1"`, "'=1", "<script>alert(1)</script>",
		"x;=1+1;y", "x; +1", "x;;@SUM(1)",
	}
	for _, name := range names {
		_, _, err := w.authority.DecideName(ctx, w.bob.on(w.account), id, name, ostiary.Allowed)
		w.ok(err)
	}
	_, _, err := w.authority.SetUser(ctx, w.bob.on(w.account), w.bob.id, authority.UserPatch{FirstName: new("＝1+1")})
	w.ok(err)
	for _, description := range []string{"＝1", "\u00a0=1", "  @x", "−1", "plain"} {
		w.newToken(w.bob, authority.NewToken{Privilege: ostiary.Normal, Description: description})
	}
	table := w.alice.open("/audit.csv?account=" + w.account.String()).body
	rows, err := csv.NewReader(strings.NewReader(table)).ReadAll()
	w.ok(err)
	if len(rows) < 20 {
		t.Fatalf("the table has %d rows", len(rows))
	}
	for _, row := range rows {
		for _, cell := range strings.Split(strings.Join(row, ";"), ";") { // as where a semicolon begins a cell
			first := []rune(strings.TrimSpace(cell))
			if len(first) > 0 && strings.ContainsRune("=+-@＝＋－＠\t\r", first[0]) {
				t.Errorf("a spreadsheet takes %q for a formula", cell)
			}
		}
	}
	w.alice.open(w.audit()).says(names...)
}

// A leaver is a reader of an answer, of whom something becomes after the first part of it.
type leaver struct {
	*httptest.ResponseRecorder
	parts int
	then  func() error
}

func (l *leaver) Write(part []byte) (int, error) {
	l.parts++
	if l.parts > 1 {
		return len(part), nil
	}
	return len(part), l.then()
}

// asksFor is a person's request, without the network between.
func (p *person) asksFor(path string) *http.Request {
	if !p.in {
		p.signIn()
	}
	u, err := url.Parse(p.w.URL)
	p.w.ok(err)
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Host, r.RemoteAddr = u.Host, "127.0.0.1:1"
	for _, c := range p.client.Jar.Cookies(u) {
		r.AddCookie(c)
	}
	return r
}

func TestDownloadEndsWithItsReader(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(2000)
	r := w.bob.asksFor("/audit.csv")
	before := len(w.events.since(0))
	gone := errors.New("the reader has gone")
	l := &leaver{ResponseRecorder: httptest.NewRecorder(), then: func() error { return gone }}
	w.web.ServeHTTP(l, r)
	if l.parts > 2 {
		t.Errorf("%d parts were written for a reader who left after the first", l.parts)
	}
	if got := w.events.since(before); len(got) != 1 || !errors.Is(got[0].Err, gone) {
		t.Errorf("the log of requests is told %+v", got)
	}
}

func TestDownloadIsCutOffWhenItsReaderIsRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(2000)
	r := w.bob.asksFor("/audit.jsonl")
	before := len(w.events.since(0))
	l := &leaver{ResponseRecorder: httptest.NewRecorder(), then: func() error {
		_, _, err := w.authority.DisableUser(ctx, operator, w.bob.id, true)
		return err
	}}
	defer func() {
		if trouble := recover(); trouble != http.ErrAbortHandler {
			t.Errorf("the answer ended with %v, want it to be cut off", trouble)
		}
		if got := w.events.since(before); len(got) != 1 || got[0].Answer.Status < http.StatusBadRequest {
			t.Errorf("the log of requests is told %+v", got)
		}
	}()
	w.web.ServeHTTP(l, r)
}

// fill makes entries about a token of Bob's.
func (w *world) fill(n int) {
	w.Helper()
	id, _ := w.dashboards(ostiary.Normal, ostiary.Deny)
	w.ok(w.store.Update(ctx, func(tx ostiary.Writer) error {
		for i := range n {
			app := ostiary.App{Account: w.account, Token: id, ID: 1, Name: "grafana", DecidedOn: noon}
			story := ostiary.Story{What: "app.allowed", By: "/user/2", Token: id, User: w.bob.id, App: 1, AppName: "grafana"}
			if err := tx.PutApp(app); err != nil {
				return err
			}
			if _, err := tx.Append(w.account, noon.Add(time.Duration(i)*time.Second), story, nil); err != nil {
				return err
			}
		}
		return nil
	}))
}
