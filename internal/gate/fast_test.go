package gate_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/gate"
)

// send writes bytes to a door as they are, and reads all that it answers.
func send(t *testing.T, network, addr, text string) string {
	t.Helper()
	conn, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	answers, err := io.ReadAll(conn)
	if err != nil {
		t.Fatalf("%q: %v after %q", text, err, answers)
	}
	return string(answers)
}

// lines is a request of lines as they are, with the credential of an admin.
func lines(request string, more ...string) string {
	all := append([]string{request, "Host: door"}, pair(adminToken, "app")...)
	return strings.Join(append(append(all, passing...), more...), "\r\n") + "\r\n\r\n"
}

// hostileHeads are sound questions, spoiled.
func hostileHeads(sound string) map[string]string {
	return map[string]string{
		"bare line feeds":               strings.ReplaceAll(sound, "\r\n", "\n"),
		"one bare line feed":            strings.Replace(sound, "app\r\n", "app\n", 1),
		"a bare carriage return":        strings.Replace(sound, "app\r\n", "app\rX-A: b\r\n", 1),
		"a folded line":                 strings.Replace(sound, "app\r\n", "app\r\n more\r\n", 1),
		"a folded first line":           strings.Replace(sound, "Host:", " Host:", 1),
		"a space before the colon":      strings.Replace(sound, "Name:", "Name :", 1),
		"a tab before the colon":        strings.Replace(sound, "Name:", "Name\t:", 1),
		"a name that is none":           strings.Replace(sound, "Host:", "H(o)st:", 1),
		"no name":                       strings.Replace(sound, "Host:", ":", 1),
		"no colon":                      strings.Replace(sound, "Host: door", "Host", 1),
		"NUL":                           strings.Replace(sound, "app", "a\x00p", 1),
		"a control character":           strings.Replace(sound, "app", "a\x01p", 1),
		"a control character elsewhere": strings.Replace(sound, "door", "do\x7for", 1),
		"two lengths":                   lines("POST /auth HTTP/1.1", "Content-Length: 0", "Content-Length: 3") + "abc",
		"a length that is none":         lines("POST /auth HTTP/1.1", "Content-Length: +0"),
		"both framings":                 lines("POST /auth HTTP/1.1", "Content-Length: 5", "Transfer-Encoding: chunked") + "0\r\n\r\n",
		"chunks":                        lines("POST /auth HTTP/1.1", "Transfer-Encoding: chunked") + "0\r\n\r\n",
		"a framing nobody knows":        lines("POST /auth HTTP/1.1", "Transfer-Encoding: x, chunked") + "0\r\n\r\n",
		"a framing in another spelling": lines("POST /auth HTTP/1.1", "Transfer-Encoding : chunked") + "0\r\n\r\n",
		"two spaces":                    strings.Replace(sound, "GET /auth", "GET  /auth", 1),
		"another protocol":              strings.Replace(sound, "HTTP/1.1", "HTTP/x.1", 1),
		"a length without a body":       lines("POST /auth HTTP/1.1", "Content-Length: 1") + "x",
	}
}

func TestFastDoorTakesNothingThatCanBeReadTwoWays(t *testing.T) {
	s := open(t, "loopback")
	sound := lines("GET /auth HTTP/1.1", "Connection: close")
	if got := send(t, "tcp", s.fast, sound); !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") {
		t.Fatalf("a sound question: %q", got)
	}
	for name, text := range hostileHeads(sound) {
		before := len(s.asked)
		// What follows on the connection must not be taken for a question of its own.
		got := send(t, "tcp", s.fast, text+sound)
		if !strings.HasPrefix(got, "HTTP/1.1 400 ") || strings.Count(got, "HTTP/1.1 ") != 1 || len(s.asked) != before {
			t.Errorf("%s: %q, want 400, one answer and nothing asked", name, got)
		}
	}
}

func TestFastDoorRefusesBodiesAndLongHeaders(t *testing.T) {
	s := open(t, "loopback")
	for name, text := range map[string]string{
		"a body":       lines("POST /auth HTTP/1.1", "Content-Length: 5") + "abcde",
		"long headers": lines("GET /auth HTTP/1.1", "X-Long: "+strings.Repeat("x", 20<<10)),
	} {
		conn, err := net.Dial("tcp", s.fast)
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(5 * time.Second))
		io.WriteString(conn, text)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || res.StatusCode < 400 || res.StatusCode >= 500 {
			t.Errorf("%s: %v %v", name, res, err)
		}
		conn.Close()
	}
	if len(s.asked) != 0 {
		t.Errorf("the authority was asked %d times", len(s.asked))
	}
}

// What is announced as a body must not be taken for a question, also where its sender waits first.
func TestBodyThatIsAnnouncedIsNoQuestion(t *testing.T) {
	s := open(t, "loopback")
	hidden := lines("GET /auth HTTP/1.1", "Connection: close")
	for _, framing := range []string{fmt.Sprint("Content-Length: ", len(hidden)), "Content-Length: 1", "Transfer-Encoding: chunked"} {
		got := send(t, "tcp", s.fast, lines("POST /auth HTTP/1.1", framing, "Expect: 100-continue")+hidden)
		if _, rest, _ := strings.Cut(got, "HTTP/1.1 100 Continue\r\n\r\n"); strings.Count(rest, "HTTP/1.1 ") != 1 ||
			!strings.HasPrefix(rest, "HTTP/1.1 4") || len(s.asked) != 0 {
			t.Errorf("%s: %q, and the authority was asked %d times", framing, got, len(s.asked))
		}
	}
}

// Each of several questions on one connection is answered for itself, in order.
func TestFastDoorAnswersEachOfManyQuestionsOnOneConnection(t *testing.T) {
	s := open(t, "loopback")
	var all strings.Builder
	for i := range 20 {
		token := []string{adminToken, unknownToken, pendingToken}[i%3]
		fmt.Fprintf(&all, "GET /auth HTTP/1.1\r\nHost: door\r\n%s\r\n\r\n",
			strings.Join(append(pair(token, "app"), passing...), "\r\n"))
	}
	all.WriteString(lines("GET /auth HTTP/1.1", "Connection: close"))
	r := bufio.NewReader(strings.NewReader(send(t, "tcp", s.fast, all.String())))
	for i := range 21 {
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		io.Copy(io.Discard, res.Body)
		want := []string{"", "Unauthorized.BadToken", "Unauthorized.PendingApp"}[i%3]
		if i == 20 {
			want = ""
		}
		if got := res.Header.Get("X-Ostiary-Code"); got != want || (res.StatusCode == 200) != (want == "") {
			t.Errorf("answer %d: %s %q, want %q", i, res.Status, got, want)
		}
	}
}

// Who may open the socket is believed; where the request comes from is what the proxy says.
func TestFastDoorBelievesWhoMayOpenItsSocket(t *testing.T) {
	s := &site{authority: newAuthority(), log: &requestLog{}}
	path := filepath.Join(t.TempDir(), "auth.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	serveFast(t, gate.NewFast(newGate(t, s.authority, s.log, "", nil), quiet()), l)
	got := send(t, "unix", path, lines("GET /auth HTTP/1.1", "X-Forwarded-For: 192.0.2.7", "Connection: close"))
	if !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") {
		t.Errorf("got %q", got)
	}
	if from := s.last(t).From.String(); from != "192.0.2.7" {
		t.Errorf("asked for a caller at %s", from)
	}
	got = send(t, "unix", path, lines("GET /auth HTTP/1.1", "Connection: close"))
	if !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") || s.last(t).From.IsValid() {
		t.Errorf("without an address: %q, from %s", got, s.last(t).From)
	}
}

func TestFastDoorOutlivesPanics(t *testing.T) {
	s := open(t, "loopback")
	s.decide = func(q *ostiary.Question) ostiary.Decision { panic(errors.New("lost " + q.Token.Reveal())) }
	for range 3 {
		got := send(t, "tcp", s.fast, lines("GET /auth HTTP/1.1"))
		if !strings.HasPrefix(got, "HTTP/1.1 503 ") || strings.Contains(got, "X-Ostiary-User") {
			t.Errorf("got %q", got)
		}
		if e := s.log.last(); e.Err == nil || strings.Contains(e.Err.Error(), "lost") {
			t.Errorf("the log was told %v", e.Err)
		}
	}
}
