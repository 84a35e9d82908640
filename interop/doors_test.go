package interop_test

import (
	"bufio"
	"cmp"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"ostiary"
)

// A request of testdata/doors.txt, with what every door says of it.
type request struct {
	name   string
	lines  []string // as they are sent, the first without its protocol
	want   string
	except map[string]string // what a door says instead, by its name
}

func (r *request) method() string { method, _, _ := strings.Cut(r.lines[0], " "); return method }
func (r *request) target() string { _, target, _ := strings.Cut(r.lines[0], " "); return target }

// readDoors reads the table, with the secrets in their places.
func readDoors(t *testing.T, secrets map[string]string) (all []*request) {
	t.Helper()
	text, err := os.ReadFile("testdata/doors.txt")
	if err != nil {
		t.Fatal(err)
	}
	plain := regexp.MustCompile(`\$(\w+)`)
	basic := regexp.MustCompile(`\$basic\((\w+),(\w+)\)`)
	fill := func(line string) string {
		line = basic.ReplaceAllStringFunc(line, func(s string) string {
			m := basic.FindStringSubmatch(s)
			return base64.StdEncoding.EncodeToString([]byte(m[1] + ":" + secrets[m[2]]))
		})
		return plain.ReplaceAllStringFunc(line, func(s string) string {
			if secrets[s[1:]] == "" {
				t.Fatalf("doors.txt: there is no secret %s", s)
			}
			return secrets[s[1:]]
		})
	}
	var r *request
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		rest := strings.TrimPrefix(line[min(1, len(line)):], " ")
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '>':
			r.lines = append(r.lines, fill(rest))
		case line[0] == '=':
			r.want = rest
		case line[0] == '!':
			name, says, _ := strings.Cut(rest, ": ")
			r.except[name], _, _ = strings.Cut(says, ". ")
		default:
			r = &request{name: line, except: map[string]string{}}
			all = append(all, r)
		}
	}
	return all
}

// An outcome is what became of a request.
type outcome struct {
	says     string // a code, a role with which it was let through, or a status without a code
	status   int
	revision string
	text     string // the answer, for who reads a failure
}

// A door lets a request through or not. One in front of an API shows there what it lets through.
type door struct {
	name string
	ask  func(t *testing.T, r *request) outcome
	api  *upstream // nil: it is asked, and passes nothing on
}

// Every door says the same of the same request, at the same revision, and what reaches the API behind it
// is exactly what was decided about.
func TestEveryDoorDecidesAlike(t *testing.T) {
	rules := t.TempDir() + "/rules"
	if err := os.WriteFile(rules, []byte("* /admin/** Admin\nPOST /open/** Read-Only\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	behind := &upstream{}
	api := httptest.NewServer(behind)
	t.Cleanup(api.Close)
	front := freeAddress(t)
	a := serve(t, "--rules", rules, "--proxy-listen", front, "--upstream", api.URL)
	requests := readDoors(t, people(t, a))
	doors := openDoors(t, a, front, behind, api.Listener.Addr().String())

	for _, r := range requests { // until every application is on record, and nothing changes any more
		doors[0].ask(t, r)
	}
	for _, r := range requests {
		revision := ""
		for _, d := range doors {
			if d.name == "api" && r.target() != "/v2/account/current" {
				continue
			}
			behind.taken()
			got := d.ask(t, r)
			want := cmp.Or(r.except[d.name], r.want)
			if got.says != want && (want != "refused" || got.status < 400 && d.api == nil) {
				t.Errorf("%s, through %s: %d %s, want %s\n%s", r.name, d.name, got.status, got.says, want, got.text)
			}
			if revision == "" {
				revision = got.revision
			}
			if got.revision != "" && got.revision != revision {
				t.Errorf("%s, through %s: at revision %s, and elsewhere at %s", r.name, d.name, got.revision, revision)
			}
			if d.api != nil {
				reached(t, r, d, got)
			}
		}
	}
}

// reached looks at what the API got.
func reached(t *testing.T, r *request, d *door, got outcome) {
	t.Helper()
	method, uri, h := d.api.taken()
	// Caddy answers 200, and nothing else, where nobody is told what to do.
	if got.status != http.StatusOK || r.want == "refused" {
		if method != "" {
			t.Errorf("%s, through %s: refused with %d, and the API got %s %s", r.name, d.name, got.status, method, uri)
		}
		return
	}
	if method != r.method() || uri != r.target() {
		t.Errorf("%s, through %s: the API got %s %s", r.name, d.name, method, uri)
	}
	for name, values := range h {
		plain := strings.ToLower(strings.NewReplacer("_", "-", ".", "-").Replace(name))
		if strings.HasPrefix(plain, "x-ostiary-") && !identity[name] {
			t.Errorf("%s, through %s: the API got %s: %q", r.name, d.name, name, values)
		}
		if strings.Contains(strings.Join(values, " "), "ostiary_") {
			t.Errorf("%s, through %s: the API got the token, in %s", r.name, d.name, name)
		}
	}
	for name := range identity {
		if len(h[name]) != 1 || h.Get(name) == "" || h.Get(name) == "root" {
			t.Errorf("%s, through %s: the API got %s: %q", r.name, d.name, name, h[name])
		}
	}
	if h.Get("X-Ostiary-Role") != got.says {
		t.Errorf("%s, through %s: the API is told the role %s, decided was %s", r.name, d.name, h.Get("X-Ostiary-Role"), got.says)
	}
}

// exchange sends lines as they are over a connection of its own, and reads the answer.
func exchange(t *testing.T, network, address string, lines ...string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	host := address
	if network == "unix" {
		host = "door"
	}
	text := lines[0] + " HTTP/1.1\r\nHost: " + host + "\r\n" + strings.Join(lines[1:], "\r\n")
	if !strings.Contains(text, "\r\nConnection:") {
		text = strings.TrimRight(text, "\r\n") + "\r\nConnection: close"
	}
	if _, err := io.WriteString(conn, text+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(lines[0], " ")
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%q: no answer: %v", lines, err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return res, string(body)
}

// outcomeOf reads an answer, and the identity that it or what reached the API holds.
func outcomeOf(res *http.Response, body string, id http.Header) outcome {
	o := outcome{status: res.StatusCode, says: res.Header.Get("X-Ostiary-Code"), text: body}
	if o.revision = res.Header.Get("X-Ostiary-Revision"); o.status == http.StatusOK {
		o.says, o.revision = id.Get("X-Ostiary-Role"), cmp.Or(id.Get("X-Ostiary-Revision"), o.revision)
	}
	if o.says == "" {
		o.says = fmt.Sprint(o.status)
	}
	return o
}

// people makes a token in each situation, and gives the secrets by name.
func people(t *testing.T, a *authority) map[string]string {
	t.Helper()
	all := map[string]string{
		"alice": a.secret("alice@example.com"), "bob": a.secret("bob@example.com"),
		"unknown": ostiary.SecretFormat{Prefix: ostiary.DefaultSecretPrefix}.New().Reveal(),
	}
	type token = map[string]any
	for name, n := range map[string]token{
		"reader":    {"owner": "bob@example.com", "privilege": "Read Only"},
		"deny":      {"owner": "bob@example.com", "privilege": "Normal", "default_app_state": "Deny"},
		"orphan":    {"owner": "carol@example.com"},
		"account":   {"kind": "account", "privilege": "Admin"},
		"retired":   {"kind": "account"},
		"elsewhere": {"kind": "account", "networks": []string{"192.0.2.0/24"}},
		"expired":   {"kind": "account", "expires_on": time.Now().Unix() + 1},
	} {
		if n["default_app_state"] == nil {
			n["default_app_state"] = "Allow"
		}
		made := a.operate("POST", "/v2/token", n)
		all[name] = fmt.Sprint(made["_secret"])
		if name == "retired" {
			a.operate("DELETE", "/v2"+fmt.Sprint(made["_cid"]), nil)
		}
	}
	a.run("user", "disable", "carol@example.com")
	a.decide("add", "known")
	a.decide("add", "banned", "--state", "denied")
	time.Sleep(1100 * time.Millisecond) // until expired is
	return all
}
