package gate_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// sending is the head of a request with a body.
func sending(framing string, lines ...string) string {
	all := append([]string{"POST /x HTTP/1.1", "Host: a", framing}, lines...)
	return strings.Join(all, "\r\n") + "\r\n\r\n"
}

// talk opens a connection, and sends a text.
func talk(t *testing.T, addr, text string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(8 * time.Second))
	io.WriteString(conn, text)
	return conn, bufio.NewReader(conn)
}

// An API may answer while it still reads. Its caller gets the answer as it comes, and the API all of
// the body.
func TestAPIThatAnswersEarlyGetsTheWholeBody(t *testing.T) {
	got := make(chan string, 1)
	f := openProxy(t, func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		control.EnableFullDuplex()
		io.WriteString(w, "begun\n")
		control.Flush()
		body, err := io.ReadAll(r.Body)
		got <- fmt.Sprint(string(body), err)
		io.WriteString(w, "ended\n")
	})
	conn, r := talk(t, f.addr, sending("Transfer-Encoding: chunked", pair(adminToken, "app")...))
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatalf("no answer before the body: %v", err)
	}
	answer := bufio.NewReader(res.Body)
	if line, err := answer.ReadString('\n'); line != "begun\n" {
		t.Fatalf("got %q %v before the body", line, err)
	}
	want := ""
	for i := range 20 {
		part := fmt.Sprintf("%09d\n", i)
		fmt.Fprintf(conn, "a\r\n%s\r\n", part)
		want += part
		time.Sleep(5 * time.Millisecond)
	}
	io.WriteString(conn, "0\r\n\r\n")
	if body := <-got; body != want+"<nil>" {
		t.Errorf("the API got %q", body)
	}
	if line, err := answer.ReadString('\n'); line != "ended\n" {
		t.Errorf("got %q %v after the body", line, err)
	}
}

// Who is refused, or answered, before the body came, gets the answer, and holds nothing by not sending it.
func TestCallerWhoNeverSendsItsBodyIsAnsweredAndCutOff(t *testing.T) {
	f := openProxy(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close") // else Go's server waits for the body before it answers
		w.WriteHeader(http.StatusConflict)
	})
	for name, tt := range map[string]struct {
		lines  []string
		status int
	}{
		"without a token":         {nil, 401},
		"answered at once":        {pair(adminToken, "app"), 409},
		"with a word of its body": {pair(adminToken, "app"), 409},
	} {
		text := sending("Content-Length: 100", tt.lines...)
		if strings.Contains(name, "word") {
			text += "word"
		}
		_, r := talk(t, f.addr, text)
		res, err := http.ReadResponse(r, nil)
		if err != nil || res.StatusCode != tt.status {
			t.Errorf("%s: %v %v, want %d", name, res, err, tt.status)
			continue
		}
		io.Copy(io.Discard, res.Body)
		if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil && strings.Contains(err.Error(), "timeout") {
			t.Errorf("%s: the connection is still open after eight seconds: %q %v", name, rest, err)
		}
	}
}

// What comes late of a body is no request, also where its request was answered long before.
func TestLateBodyIsNoRequest(t *testing.T) {
	f := openProxy(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusConflict)
		}
	})
	hidden := through("GET /hidden")
	for _, token := range []string{adminToken, unknownToken} {
		conn, r := talk(t, f.addr, sending(fmt.Sprint("Content-Length: ", len(hidden)), pair(token, "app")...))
		if res, err := http.ReadResponse(r, nil); err != nil || res.StatusCode/100 != 4 {
			t.Fatalf("%v %v", res, err)
		}
		io.WriteString(conn, hidden)
		if rest, _ := io.ReadAll(r); strings.Contains(string(rest), "HTTP/1.1 200") {
			t.Errorf("the body was taken for a request: %q", rest)
		}
	}
}

// A connection whose body came whole goes on.
func TestConnectionIsKeptAfterABody(t *testing.T) {
	f := openProxy(t, nil)
	conn, r := talk(t, f.addr, "")
	for i := range 3 {
		io.WriteString(conn, sending("Content-Length: 5", pair(adminToken, "app")...)+"hello")
		res, err := http.ReadResponse(r, nil)
		if err != nil || res.StatusCode != 200 || res.Close {
			t.Fatalf("request %d: %v %v", i, res, err)
		}
		io.Copy(io.Discard, res.Body)
	}
}

// An API that takes its time with a body is no fault of the caller's.
func TestSlowAPICutsNoCallerOff(t *testing.T) {
	f := openProxy(t, func(w http.ResponseWriter, r *http.Request) {
		part := make([]byte, 1<<20)
		io.ReadFull(r.Body, part)
		time.Sleep(1200 * time.Millisecond) // longer than a caller may take
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "%d %v", n, err)
	})
	const rest = 20 << 20 // more than the connections hold
	res := f.do(t, "POST", "/x", io.LimitReader(zeros{}, 1<<20+rest))
	defer res.Body.Close()
	if got, err := io.ReadAll(res.Body); string(got) != fmt.Sprint(rest, " <nil>") {
		t.Errorf("got %q %v", got, err)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }
