package answer_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ostiary"
	"ostiary/internal/answer"
)

var update = flag.Bool("update", false, "write the golden pages anew")

var settings = answer.Settings{
	Server: "door.example.com", Realm: "Ostiary", PublicURL: "https://ostiary.example.com",
	Reference: "https://ostiary.example.com/docs#",
}

func decision(reason ostiary.Reason) *ostiary.Decision {
	return &ostiary.Decision{
		Reason: reason, Role: ostiary.ReadOnly, Need: ostiary.Admin, Revision: 7, App: 12, AppName: "collector",
	}
}

// sent is an answer as a client gets it through real HTTP.
type sent struct {
	*http.Response
	text string
	body map[string]any
}

func send(t *testing.T, write func(w http.ResponseWriter)) sent {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { write(w) }))
	defer server.Close()
	res, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	s := sent{Response: res, text: string(text)}
	if err := json.Unmarshal(text, &s.body); err != nil {
		t.Fatalf("the body is not JSON: %v\n%s", err, text)
	}
	return s
}

func keys(m map[string]any) []string {
	var names []string
	for k := range m {
		names = append(names, k)
	}
	slices.Sort(names)
	return names
}

var everyKey = []string{"code", "explanation", "message", "reference", "server", "status", "tag"}

// The page shows every answer: what a decision, a refused call and a route say for each reason.
func TestTableStandsOnItsPage(t *testing.T) {
	table := answer.New(settings)
	var page strings.Builder
	show := func(what string, a answer.Answer) {
		s := send(t, func(w http.ResponseWriter) { table.Write(w, a, "tag-1") })
		fmt.Fprintf(&page, "%s: %d %s\n", what, s.StatusCode, s.body["code"])
		for _, name := range slices.Sorted(headerNames(s.Header)) {
			fmt.Fprintf(&page, "    %s: %s\n", name, strings.Join(s.Header[name], " | "))
		}
		fmt.Fprintf(&page, "    %s\n", s.text)
	}
	for _, reason := range ostiary.Reasons() {
		show("decision, "+reason.String(), table.Decision(decision(reason)))
	}
	for _, reason := range ostiary.Reasons() {
		show("call, "+reason.String(), table.Error(&ostiary.Refusal{
			Reason: reason, Field: "privilege", Say: "What it says.", Detail: map[string]int{"confirm": 1},
			Cause: errors.New("our own trouble"),
		}))
	}
	show("route, wrong method", table.Route(ostiary.WrongMethod, "GET, PUT"))

	const path = "testdata/answers.txt"
	if *update {
		if err := os.WriteFile(path, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), page.String()); diff != "" {
		t.Errorf("the table is not the one on %s (-want +got); -update writes it anew:\n%s", path, diff)
	}
}

func headerNames(h http.Header) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for name := range h {
			if name != "Date" && name != "Content-Length" && !yield(name) {
				return
			}
		}
	}
}

func TestEveryRowIsWhole(t *testing.T) {
	table := answer.New(settings)
	for _, reason := range ostiary.Reasons() {
		a := table.Decision(decision(reason))
		if a.Reason != reason || a.Code == "" || a.Message == "" || a.Explanation == "" {
			t.Errorf("%s: a part is missing: %+v", reason, a)
		}
		// Of the API behind the proxy two statuses are its own.
		if ours := a.Status >= 500 && a.Status != 502 && a.Status != 504; ours != (a.Code == "Unavailable") {
			t.Errorf("%s: status %d with code %s: our own trouble alone is Unavailable", reason, a.Status, a.Code)
		}
		if waits := a.Status == 503 || a.Status == 429; waits != (a.RetryAfter > 0) {
			t.Errorf("%s: status %d with Retry-After %d", reason, a.Status, a.RetryAfter)
		}
		s := send(t, func(w http.ResponseWriter) { table.Write(w, a, "tag-1") })
		if diff := cmp.Diff(everyKey, keys(s.body)); diff != "" {
			t.Errorf("%s: keys (-want +got):\n%s", reason, diff)
		}
		challenge := s.Header.Get("WWW-Authenticate")
		if want := map[bool]string{true: `Basic realm="Ostiary"`}[a.Status == 401]; challenge != want {
			t.Errorf("%s: WWW-Authenticate %q, want %q", reason, challenge, want)
		}
		if s.Header.Get("X-Ostiary-Code") != a.Code || s.Header.Get("X-Ostiary-Tag") != "tag-1" {
			t.Errorf("%s: code and tag are not repeated in headers: %v", reason, s.Header)
		}
	}
}

func TestOwnTroubleIsUnavailableAndStaysSecret(t *testing.T) {
	table := answer.New(settings)
	for _, err := range []error{
		errors.New("disk full"), context.Canceled, context.DeadlineExceeded,
		fmt.Errorf("disk full: %w", ostiary.ErrReadOnly),
		&ostiary.UncertainError{Err: errors.New("disk full")},
		&ostiary.Refusal{Reason: ostiary.Unavailable, Say: "Changes have to wait.", Cause: errors.New("disk full")},
		fmt.Errorf("disk full: %w", ostiary.Refuse(ostiary.Undecided, "")),
	} {
		a := table.Error(err)
		if a.Status != 503 || a.Code != "Unavailable" || a.RetryAfter == 0 {
			t.Errorf("%v: got %+v, want 503 Unavailable with Retry-After", err, a)
		}
		s := send(t, func(w http.ResponseWriter) { table.Write(w, a, "tag-1") })
		if strings.Contains(s.text, "disk full") {
			t.Errorf("%v: the cause is shown: %s", err, s.text)
		}
	}
}

func TestErrorNeverLetsThrough(t *testing.T) {
	if a := answer.New(settings).Error(ostiary.Refuse(ostiary.OK, "fine")); a.Status != 503 {
		t.Errorf("an error that says OK: %+v", a)
	}
}

func TestBadTokensCannotBeToldApart(t *testing.T) {
	table := answer.New(settings)
	want := table.Error(ostiary.Refuse(ostiary.BadToken, ""))
	refusal := &ostiary.Refusal{Reason: ostiary.BadToken, Say: "It is retired.", Field: "token", Detail: 1}
	got := table.Error(refusal)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("a bad token with words of its own (+):\n%s", diff)
	}
}

func TestHiddenLooksLikeWhatDoesNotExist(t *testing.T) {
	table := answer.New(settings)
	want := table.Error(fmt.Errorf("load: %w", ostiary.ErrNotFound))
	refusal := &ostiary.Refusal{Reason: ostiary.Hidden, Say: "No such token.", Field: "token", Detail: 1}
	got := table.Error(refusal)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("hidden (+) differs from absent (-):\n%s", diff)
	}
}

func TestRefusalKeepsMessageThatClientsCompare(t *testing.T) {
	table := answer.New(settings)
	a := table.Error(ostiary.Refuse(ostiary.NoToken, "Something else."))
	if a.Message != "missing authentication token" {
		t.Errorf("message %q", a.Message)
	}
	a = table.Error(fmt.Errorf("set: %w", ostiary.RefuseField("privilege", "not a role")))
	if a.Message != "privilege: not a role" || a.Field != "privilege" || a.Status != 400 {
		t.Errorf("a wrong field is not named: %+v", a)
	}
}

func TestHostileTextStaysText(t *testing.T) {
	table := answer.New(answer.Settings{
		Realm: "a\"b\\c\r\nSet-Cookie: x", PublicURL: "https://h\r\nX: \u202e", Server: "s",
	})
	const hostile = "a\r\nSet-Cookie: x=y\u2028\u2029\u202e</script>\x00\xff\"'\\"
	a := table.Decision(&ostiary.Decision{Reason: ostiary.PendingApp, AppName: hostile, App: 3})
	a.Allow = hostile
	for name, write := range map[string]func(http.ResponseWriter){
		"v2": func(w http.ResponseWriter) { table.Write(w, a, hostile) },
		"v1": func(w http.ResponseWriter) { table.WriteV1(w, a, hostile) },
	} {
		s := send(t, write)
		for header, values := range s.Header {
			for _, v := range values {
				if strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r > '~' }) {
					t.Errorf("%s: header %s holds %q", name, header, v)
				}
			}
		}
		if s.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: a header was made up: %v", name, s.Header)
		}
		if got := s.Header.Get("WWW-Authenticate"); got != `Basic realm="a\"b\\cSet-Cookie: x"` {
			t.Errorf("%s: WWW-Authenticate %s", name, got)
		}
		if strings.ContainsAny(s.text, "\u2028\u2029<>\x00") || strings.Contains(s.text, "\xff") {
			t.Errorf("%s: not escaped: %q", name, s.text)
		}
		if !strings.HasPrefix(s.body["message"].(string), "invalid api application 'a\r\nSet-Cookie") {
			t.Errorf("%s: message %q", name, s.body["message"])
		}
	}
}

// A proxy that drops the body gives back a header instead, which holds every character of it.
func TestHeaderSaysWhatTheBodySays(t *testing.T) {
	t.Parallel()
	const hostile = "a\"b\\c\r\nSet-Cookie: x\x00\x7f zoë 🔑 \u2028</script>"
	table := answer.New(answer.Settings{Server: "zoë", PublicURL: "https://h"})
	a := table.Decision(&ostiary.Decision{Reason: ostiary.PendingApp, AppName: hostile, App: 3})
	s := send(t, func(w http.ResponseWriter) { table.WriteForProxy(w, a, "tag-1") })
	rendered := http.Header{}
	table.RenderForProxy(rendered, a, "tag-1")
	header := rendered.Get("X-Ostiary-Refusal")
	if sent := s.Header.Get("X-Ostiary-Refusal"); sent != header {
		t.Errorf("sent is %q, and set %q", sent, header)
	}
	unsafe := strings.ContainsFunc(header, func(r rune) bool { return r < ' ' || r > '~' })
	if unsafe || s.Header.Get("Set-Cookie") != "" {
		t.Errorf("the header is %q, want printable ASCII", header)
	}
	var again map[string]any
	if err := json.Unmarshal([]byte(header), &again); err != nil {
		t.Fatalf("the header is no JSON: %v\n%s", err, header)
	}
	if diff := cmp.Diff(s.body, again); diff != "" {
		t.Errorf("the header says something else (-body +header):\n%s", diff)
	}
	if want := "invalid api application '" + hostile + "'"; again["message"] != want {
		t.Errorf("message %q, want %q", again["message"], want)
	}
}

func TestFirstAPIAnswersWithSuccessAndError(t *testing.T) {
	table := answer.New(settings)
	s := send(t, func(w http.ResponseWriter) { table.WriteV1(w, table.Route(ostiary.NoToken, ""), "tag-1") })
	if s.body["success"] != false || s.body["error"] != "missing authentication token" {
		t.Errorf("body %s", s.text)
	}
	want := append([]string{"error", "success"}, everyKey...)
	slices.Sort(want)
	if diff := cmp.Diff(want, keys(s.body)); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

func TestDetailIsGivenAndNeverBreaksAnAnswer(t *testing.T) {
	table := answer.New(settings)
	refusal := &ostiary.Refusal{Reason: ostiary.Conflict, Say: "One would go.", Detail: []string{"/user/2"}}
	s := send(t, func(w http.ResponseWriter) { table.Write(w, table.Error(refusal), "tag-1") })
	if diff := cmp.Diff([]any{"/user/2"}, s.body["detail"]); diff != "" {
		t.Errorf("detail (-want +got):\n%s", diff)
	}
	refusal.Detail = func() {}
	s = send(t, func(w http.ResponseWriter) { table.Write(w, table.Error(refusal), "tag-1") })
	if s.StatusCode != 409 || s.body["detail"] != nil {
		t.Errorf("%d %s", s.StatusCode, s.text)
	}
}

func TestApprovalAddressNamesTheApplicationWhereItIsOnRecord(t *testing.T) {
	table := answer.New(settings)
	a := table.Decision(&ostiary.Decision{Reason: ostiary.PendingApp, AppName: "collector", App: 12})
	const want = "https://ostiary.example.com/tokens?app=12"
	if a.ApprovalURL != want || !strings.Contains(a.Explanation, want) {
		t.Errorf("%+v", a)
	}
	a = table.Decision(&ostiary.Decision{Reason: ostiary.PendingApp, AppName: "collector"})
	if a.ApprovalURL != "https://ostiary.example.com/tokens" {
		t.Errorf("approval address %q of an application that is not on record", a.ApprovalURL)
	}
}
