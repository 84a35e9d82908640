package gate_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ostiary"
)

// aside is a header that net/http must see, and that goes no further.
const aside = "Proxy-Connection: x"

// What reaches the API does not depend on the way that a request takes.
func TestLoopPassesOnWhatNetHTTPWould(t *testing.T) {
	f := openProxy(t, nil)
	for name, lines := range map[string][]string{
		"nothing":        nil,
		"imitations":     {"X-Ostiary-User: root", "x-ostiary-role: Admin", "X-Ostiary-Min-Revision: 7", "X-OstiaryX: kept", "X-Original-URL: /b"},
		"two carriers":   {basic("app", adminToken), "X-Auth-Token: " + adminToken, "X-App-Name: app"},
		"somebody's":     {"Authorization: Bearer eyJhbGciOi.x.y", "X-Auth-Token: session", "X-App-Name: theirs"},
		"a lone name":    {"X-App-Name: app"},
		"forwarded":      {"X-Forwarded-For: 192.0.2.1,192.0.2.2", "X-Forwarded-For: 192.0.2.3", "X-Forwarded-Host: h", "X-Forwarded-Proto: https", "Forwarded: for=1"},
		"forwarded, two": {"X-Forwarded-Host: h", "X-Forwarded-Host: i", "X-Forwarded-Proto: https", "X-Forwarded-Proto: http"},
		"others":         {"User-Agent: me", "Accept-Encoding: br", "Accept: a", "Accept: b", "Cookie:a=b ", "X-Empty:", "X-Caf: \xc3\xa9", "Sec-WebSocket-Key: x"},
		"the account":    {"X-Circonus-Account-ID: 42"},
		"spellings":      {"cOOKIE: a", "x-FORWARDED-for: 192.0.2.1"},
	} {
		before := f.proxy.InLoop()
		for _, way := range [][]string{lines, append([]string{aside}, lines...)} {
			if got := f.send(t, through("GET /a?b;c=%zz", way...)); !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") {
				t.Errorf("%s: %q", name, got)
			}
		}
		got := f.api.taken()
		if len(got) != 2 || f.proxy.InLoop() != before+1 {
			t.Errorf("%s: the API got %d requests, and the loop answered %d", name, len(got), f.proxy.InLoop()-before)
			continue
		}
		if diff := cmp.Diff(got[1], got[0], cmp.AllowUnexported(received{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-by net/http +by the loop):\n%s", name, diff)
		}
	}
}

func TestLoopBelievesTrustedPeersAlone(t *testing.T) {
	a := &api{}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	f := frontTrusting(t, a.URL, "10.0.0.0/8")
	f.send(t, through("GET /x", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Host: h", "X-Forwarded-Proto: https"))
	h := a.taken()[0].header
	got := [3]string{h.Get("X-Forwarded-For"), h.Get("X-Forwarded-Host"), h.Get("X-Forwarded-Proto")}
	if want := [3]string{"127.0.0.1", "api.example.com", "http"}; got != want || f.proxy.InLoop() != 1 {
		t.Errorf("the API is told %q, want %q", got, want)
	}
	if from := f.last(t).From.String(); from != "127.0.0.1" {
		t.Errorf("asked for a caller at %s", from)
	}
}

// soundAndSpoiled are answers of an API.
func soundAndSpoiled() map[string]string {
	const date = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/x\r\n"
	return map[string]string{
		"a length":         "HTTP/1.1 200 OK\r\n" + date + "Content-Length: 2\r\nX-A: a\r\nX-A:b \r\n\r\n{}",
		"nothing":          "HTTP/1.1 200 OK\r\n" + date + "Content-Length: 0\r\n\r\n",
		"204":              "HTTP/1.1 204 No Content\r\n" + date + "X-A: b\r\n\r\n",
		"304":              "HTTP/1.1 304 Not Modified\r\n" + date[:37] + "Etag: x\r\n\r\n",
		"404":              "HTTP/1.1 404 Not Found\r\n" + date + "Content-Length: 1\r\n\r\n-",
		"chunks":           "HTTP/1.1 200 OK\r\n" + date + "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n",
		"no chunk":         "HTTP/1.1 200 OK\r\n" + date + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"trailers":         "HTTP/1.1 200 OK\r\n" + date + "Transfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n2\r\nab\r\n0\r\nX-T: 1\r\n\r\n",
		"keep-alive":       "HTTP/1.1 200 OK\r\n" + date + "Connection: keep-alive\r\nKeep-Alive: timeout=5\r\nContent-Length: 1\r\n\r\na",
		"close":            "HTTP/1.1 200 OK\r\n" + date + "Connection: close\r\nContent-Length: 1\r\n\r\na",
		"a named header":   "HTTP/1.1 200 OK\r\n" + date + "Connection: X-A\r\nX-A: 1\r\nContent-Length: 1\r\n\r\na",
		"a named length":   "HTTP/1.1 200 OK\r\n" + date + "Connection: Content-Length\r\nContent-Length: 1\r\n\r\na",
		"two lengths":      "HTTP/1.1 200 OK\r\n" + date + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
		"lengths differ":   "HTTP/1.1 200 OK\r\n" + date + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
		"length, chunks":   "HTTP/1.1 200 OK\r\n" + date + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
		"a bad length":     "HTTP/1.1 200 OK\r\n" + date + "Content-Length: +1\r\n\r\na",
		"bare line feeds":  "HTTP/1.1 200 OK\nContent-Type: text/x\nDate: x\nContent-Length: 1\n\na",
		"a folded line":    "HTTP/1.1 200 OK\r\n" + date + "X-A: a\r\n b\r\nContent-Length: 1\r\n\r\na",
		"a space in names": "HTTP/1.1 200 OK\r\n" + date + "X-A : a\r\nContent-Length: 1\r\n\r\na",
		"a hint":           "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 200 OK\r\n" + date + "Content-Length: 1\r\n\r\na",
		"HTTP/1.0":         "HTTP/1.0 200 OK\r\n" + date + "Content-Length: 1\r\n\r\na",
		"no protocol":      "HTTP/2 200 OK\r\n" + date + "Content-Length: 1\r\n\r\na",
		"a lone 101":       "HTTP/1.1 101 Switching Protocols\r\n" + date + "\r\n",
		"no status":        "HTTP/1.1 20 OK\r\n" + date + "Content-Length: 1\r\n\r\na",
		"names of ours":    "HTTP/1.1 200 OK\r\n" + date + "X-Ostiary-User: a\r\nx-ostiary-revision: 1\r\nContent-Length: 1\r\n\r\na",
		"ours, spelt else": "HTTP/1.1 200 OK\r\n" + date + "X_Ostiary.Revision: 1\r\nContent-Length: 1\r\n\r\na",
		"for caches":       "HTTP/1.1 200 OK\r\n" + date + "Cache-Control: public, max-age=5\r\nContent-Length: 1\r\n\r\na",
		"cookies":          "HTTP/1.1 200 OK\r\n" + date + "Set-Cookie: a\r\nset-cookie: b\r\nContent-Length: 1\r\n\r\na",
		"leading zeros":    "HTTP/1.1 200 OK\r\n" + date + "Content-Length: 001\r\n\r\na",
		"a long length":    "HTTP/1.1 200 OK\r\n" + date + "Content-Length: 99999999999999999999\r\n\r\na",
		"NUL":              "HTTP/1.1 200 OK\r\n" + date + "X-A: a\x00b\r\nContent-Length: 1\r\n\r\na",
		"a name of no one": "HTTP/1.1 200 OK\r\n" + date + "X A: a\r\n: b\r\nContent-Length: 1\r\n\r\na",
		"no reason":        "HTTP/1.1 404\r\n" + date + "Content-Length: 1\r\n\r\na",
		"no status, 0":     "HTTP/1.1 000 OK\r\n" + date + "Content-Length: 1\r\n\r\na",
		"no class":         "HTTP/1.1 999 OK\r\n" + date + "Content-Length: 1\r\n\r\na",
		"204 with a body":  "HTTP/1.1 204 No Content\r\n" + date + "Content-Length: 1\r\n\r\na",
		"304 with a body":  "HTTP/1.1 304 Not Modified\r\n" + date[:37] + "Content-Length: 1\r\n\r\na",
		"204 in chunks":    "HTTP/1.1 204 No Content\r\n" + date + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
		"coded, chunks":    "HTTP/1.1 200 OK\r\n" + date + "Transfer-Encoding: gzip, chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
		"odd trailers":     "HTTP/1.1 200 OK\r\n" + date + "Transfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n0\r\nContent-Length: 1\r\nX-T: 1\r\n\r\n",
		"more than asked":  "HTTP/1.1 200 OK\r\n" + date + "Content-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray",
	}
}

// What the API answers comes to the caller alike on both ways, and the connections stay usable.
func TestLoopAnswersAsNetHTTPWould(t *testing.T) {
	for name, answer := range soundAndSpoiled() {
		s := play(t, answer, answer, answer, answer)
		f := frontOf(t, "http://"+s.Addr().String())
		var got [2]string
		for n, more := range []string{"X-A: 1", aside} {
			conn, r := f.dial(t)
			for _, method := range []string{"GET", "GET"} {
				io.WriteString(conn, kept(method+" /x", more))
				got[n] += describe(t, r, method)
				time.Sleep(time.Millisecond)
			}
		}
		if got[0] != got[1] {
			t.Errorf("%s: by the loop\n%s\nand by net/http\n%s", name, got[0], got[1])
		}
		if n := f.proxy.InLoop(); n != 2 {
			t.Errorf("%s: %d requests were answered in the loop, want 2", name, n)
		}
	}
}

// describe reads an answer, and says everything of it but what tells our own answers apart.
func describe(t *testing.T, r *bufio.Reader, method string) string {
	for {
		res, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			t.Errorf("no answer: %v", err)
			return ""
		}
		if res.StatusCode < 200 {
			continue
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Error(err)
		}
		if res.StatusCode == http.StatusBadGateway {
			return "502\n"
		}
		delete(res.Header, "Content-Length") // net/http measures what came in chunks
		var b strings.Builder
		res.Header.Write(&b)
		b.WriteString("--\n")
		res.Trailer.Write(&b)
		return fmt.Sprintln(res.StatusCode) + b.String() + string(body) + "\n"
	}
}

// What the API has sent is with the caller before the API sends more.
func TestAnswersAreNotHeldBack(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	next := make(chan string)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
					return
				}
				for part := range next {
					if part == "" {
						return
					}
					io.WriteString(conn, part)
				}
			}()
		}
	}()
	f := frontOf(t, "http://"+l.Addr().String())
	for name, parts := range map[string][]string{
		"a length":     {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", "ab", "cd"},
		"chunks":       {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "2\r\nab\r\n", "2\r\ncd\r\n", "0\r\n\r\n"},
		"half a chunk": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\na", "bab\r\n", "2\r\ncd\r\n", "0\r\n\r\n"},
		"events":       {"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", "ab", "cd"},
	} {
		conn, r := f.dial(t)
		io.WriteString(conn, kept("GET /x"))
		next <- parts[0]
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, part := range parts[1:] {
			next <- part
			want := "ab"
			if strings.Contains(part, "cd") {
				want = "cd"
			} else if !strings.Contains(part, "ab") {
				continue
			}
			var got [2]byte
			if name == "half a chunk" && want == "ab" {
				io.ReadFull(res.Body, got[:])
			}
			if _, err := io.ReadFull(res.Body, got[:]); err != nil || string(got[:]) != want {
				t.Errorf("%s: after %q got %q %v", name, part, got, err)
			}
		}
		next <- ""
		if rest, err := io.ReadAll(res.Body); err != nil || len(rest) > 0 {
			t.Errorf("%s: at the end %q %v", name, rest, err)
		}
		conn.Close()
	}
	if n := f.proxy.InLoop(); n != 4 {
		t.Errorf("%d requests were answered in the loop, want 4", n)
	}
}

// A caller who does not read is cut off with its stream.
func TestStreamThatNobodyReadsEndsWhenItsDecisionTurns(t *testing.T) {
	gone := make(chan bool)
	f := openProxy(t, func(w http.ResponseWriter, r *http.Request) {
		defer close(gone)
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	})
	conn, _ := f.dial(t)
	io.WriteString(conn, kept("GET /x"))
	time.Sleep(300 * time.Millisecond)
	f.mu.Lock()
	f.apps["app"] = ostiary.Denied
	f.mu.Unlock()
	select {
	case <-gone:
	case <-time.After(2 * time.Second):
		t.Error("the API goes on")
	}
	soon(t, "the connection is gone", func() bool { return f.proxy.Callers() == 0 })
}
