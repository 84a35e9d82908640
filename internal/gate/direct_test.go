package gate_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A script is an API that reads one request after the other, and writes what it was told to.
type script struct {
	net.Listener
	mu      sync.Mutex
	answers []string // "close" closes the connection instead
	conns   int
	got     []string // the request lines
}

func play(t *testing.T, answers ...string) *script {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &script{Listener: l, answers: answers}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns++
			s.mu.Unlock()
			go s.serve(c)
		}
	}()
	return s
}

func (s *script) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		io.Copy(io.Discard, req.Body)
		s.mu.Lock()
		s.got = append(s.got, req.Method+" "+req.RequestURI)
		answer := "close"
		if len(s.answers) > 0 {
			answer, s.answers = s.answers[0], s.answers[1:]
		}
		s.mu.Unlock()
		if answer == "close" {
			return
		}
		io.WriteString(c, answer)
	}
}

func (s *script) seen() (requests string, conns int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.got, ", "), s.conns
}

const sayOK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

func TestConnectionsToTheAPIAreUsedAgain(t *testing.T) {
	answers := []string{
		sayOK, "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-Sum: 1\r\n\r\n",
		"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", sayOK,
	}
	s := play(t, answers...)
	f := frontOf(t, "http://"+s.Addr().String())
	for i := range answers {
		ask(t, f.addr, fmt.Sprint("GET /", i), append(pair(adminToken, "app"), "Accept: x")...)
	}
	if got, conns := s.seen(); conns != 1 || got != "GET /0, GET /1, GET /2, GET /3, GET /4, GET /5" {
		t.Errorf("the API got %s over %d connections", got, conns)
	}
}

// A request that the API may have carried out is not sent twice.
func TestOnlyWhatMayBeRepeatedIsSentAgain(t *testing.T) {
	for _, tt := range []struct {
		request, reached string
		status           int
	}{
		{"GET /x", "GET /0, GET /x, GET /x", 200},
		{"DELETE /x", "GET /0, DELETE /x, DELETE /x", 200},
		{"POST /x", "GET /0, POST /x", 502},
		{"PATCH /x", "GET /0, PATCH /x", 502},
	} {
		s := play(t, sayOK, "close", sayOK)
		f := frontOf(t, "http://"+s.Addr().String())
		ask(t, f.addr, "GET /0", pair(adminToken, "app")...)
		r := ask(t, f.addr, tt.request, pair(adminToken, "app")...)
		if got, _ := s.seen(); got != tt.reached || r.StatusCode != tt.status {
			t.Errorf("%s: %d, and the API got %s, want %d and %s", tt.request, r.StatusCode, got, tt.status, tt.reached)
		}
	}
	s := play(t, "close", sayOK) // a new connection that is closed is no accident
	f := frontOf(t, "http://"+s.Addr().String())
	if r := ask(t, f.addr, "GET /x", pair(adminToken, "app")...); r.StatusCode != 502 {
		t.Errorf("got %d %s", r.StatusCode, r.text)
	}
}

// An API that is slow has not closed anything: it is asked once.
func TestSlowAPIIsAskedOnce(t *testing.T) {
	var slow atomic.Int32
	f := openProxy(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			slow.Add(1)
			<-r.Context().Done()
			return
		}
		time.Sleep(50 * time.Millisecond)
	})
	var all sync.WaitGroup
	for range 6 { // six connections that can be used again
		all.Go(func() { f.send(t, through("GET /quick")) })
	}
	all.Wait()
	r := ask(t, f.addr, "DELETE /slow", pair(adminToken, "app")...)
	if n := slow.Load(); n != 1 || r.StatusCode != 504 {
		t.Errorf("%d, and the API was asked %d times", r.StatusCode, n)
	}
}

// What an API says without being asked must not become the answer to the next request.
func TestAnswerThatNobodyAskedForIsThrownAway(t *testing.T) {
	stray := "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray"
	s := play(t, sayOK+stray, sayOK)
	f := frontOf(t, "http://"+s.Addr().String())
	for range 2 {
		if r := ask(t, f.addr, "GET /x", pair(adminToken, "app")...); r.text != "{}" {
			t.Errorf("got %q", r.text)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if _, conns := s.seen(); conns != 2 {
		t.Errorf("over %d connections, want 2", conns)
	}
}

func TestHeadsOfAnswersAreBounded(t *testing.T) {
	s := play(t, "HTTP/1.1 200 OK\r\nX-Long: "+strings.Repeat("x", 300<<10)+"\r\nContent-Length: 0\r\n\r\n")
	f := frontOf(t, "http://"+s.Addr().String())
	if r := ask(t, f.addr, "GET /x", pair(adminToken, "app")...); r.StatusCode != 502 {
		t.Errorf("got %d", r.StatusCode)
	}
	s = play(t, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
	f = frontOf(t, "http://"+s.Addr().String())
	if r := ask(t, f.addr, "GET /x", pair(adminToken, "app")...); r.StatusCode != 502 {
		t.Errorf("a protocol that nobody asked for: %d", r.StatusCode)
	}
}

func TestEarlyHintsAndHEADAreAnswered(t *testing.T) {
	s := play(t, "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"+sayOK, "HTTP/1.1 200 OK\r\nContent-Length: 70\r\n\r\n", sayOK)
	f := frontOf(t, "http://"+s.Addr().String())
	req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+f.addr+"/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	hints := ""
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(_ int, h textproto.MIMEHeader) error { hints = h.Get("Link"); return nil },
	}))
	req.Header.Set("X-Circonus-Auth-Token", adminToken)
	req.Header.Set("X-Circonus-App-Name", "app")
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if body, _ := io.ReadAll(res.Body); hints != "</a.css>" || string(body) != "{}" {
		t.Errorf("hints %q, body %q", hints, body)
	}
	res.Body.Close()
	if got := f.send(t, through("HEAD /x")); !strings.Contains(got, "Content-Length: 70\r\n") || !strings.HasSuffix(got, "\r\n\r\n") {
		t.Errorf("HEAD: %q", got)
	}
	if got := f.send(t, through("GET /x")); !strings.HasSuffix(got, "{}") {
		t.Errorf("after a HEAD: %q", got)
	}
	if _, conns := s.seen(); conns != 1 {
		t.Errorf("over %d connections, want 1", conns)
	}
}
