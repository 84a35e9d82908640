package client_test

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ostiary"
	"ostiary/client"
	"ostiary/ostiarytest"
)

func contextFor(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithTimeout(t.Context(), d)
}

// serveAnswer is something at the door's address that answers as it likes.
func serveAnswer(t *testing.T, h http.HandlerFunc) (door string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL + "/auth"
}

// serveBytes is something that reads a request and writes bytes.
func serveBytes(t *testing.T, text string) (door string) {
	t.Helper()
	return listen(t, func(c net.Conn) {
		c.Read(make([]byte, 64<<10))
		c.Write([]byte(text))
		c.Close()
	})
}

// frozen takes connections, and never answers.
func frozen(t *testing.T) (door string) {
	t.Helper()
	return listen(t, func(net.Conn) {})
}

func listen(t *testing.T, serve func(net.Conn)) (door string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var taken []net.Conn
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, c := range taken {
			c.Close()
		}
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			taken = append(taken, c)
			mu.Unlock()
			go serve(c)
		}
	}()
	return "http://" + l.Addr().String() + "/auth"
}

// identity is a 200 as the door gives it, with one header changed, or taken off where it is empty.
func identity(name string, values ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		for n, v := range map[string]string{
			"X-Ostiary-Account": "social_networks", "X-Ostiary-Account-Id": "1", "X-Ostiary-User": "bob@example.com",
			"X-Ostiary-Role": "Normal", "X-Ostiary-Token-Id": "2", "X-Ostiary-App": "x", "X-Ostiary-Revision": "7",
		} {
			h[n] = []string{v}
		}
		h[name] = values
		w.WriteHeader(200)
	}
}

func refuse(status int, code, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if code != "" {
			w.Header().Set("X-Ostiary-Code", code)
		}
		w.WriteHeader(status)
		w.Write([]byte(body))
	}
}

// otherwise is the door's 200 under another status.
func otherwise(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		whole := httptest.NewRecorder()
		identity("")(whole, r)
		maps.Copy(w.Header(), whole.Header())
		w.WriteHeader(status)
	}
}

func redirect(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/auth" {
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
		return
	}
	identity("")(w, r)
}

// This shows that the cases below are refused for the one thing that is wrong with them.
func TestWholeAnswersAreTaken(t *testing.T) {
	t.Parallel()
	a := ask(t, serveAnswer(t, identity(""))).Check(t.Context(), client.Request{Method: "GET", URI: "/"})
	if !a.OK() || a.User != "bob@example.com" || a.Role != ostiary.Normal {
		t.Errorf("a whole 200: %+v", a)
	}
	a = ask(t, serveAnswer(t, identity("X-Ostiary-User", "zo%C3%AB%2C1%25@example.com"))).Check(t.Context(),
		client.Request{Method: "GET", URI: "/"})
	if a.User != "zoë,1%@example.com" {
		t.Errorf("the user is %q (%v)", a.User, a.Err)
	}
	a = ask(t, serveAnswer(t, refuse(403, "Some.Code", `{"code":"Some.Code","status":403}`))).Check(t.Context(),
		client.Request{Method: "GET", URI: "/"})
	if a.Status != 403 || a.Code != "Some.Code" || a.Err != nil {
		t.Errorf("a whole 403: %+v", a)
	}
}

func TestNothingIsLetThroughByWhatIsNoDoor(t *testing.T) {
	t.Parallel()
	const secret = "ostiary_0000000000000000000000000000000000000000000000000"
	closed := listen(t, func(c net.Conn) { c.Close() })
	nobody := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return "http://" + l.Addr().String() + "/auth"
	}()
	doors := map[string]string{
		"a header too much":  serveBytes(t, "HTTP/1.1 200 OK\r\n"+strings.Repeat("A: a\r\n", 30<<10)+"\r\n"),
		"nobody listens":     nobody,
		"closes at once":     closed,
		"never answers":      frozen(t),
		"garbage":            serveBytes(t, "HELLO "+secret+"\r\n\r\n"),
		"garbage after HTTP": serveBytes(t, "HTTP/1.1 200 OK\r\n"+secret+"\r\n\r\n"),
		"half of a header":   serveBytes(t, "HTTP/1.1 200 OK\r\nX-Ostiary-Acc"),
		"half of a body": serveBytes(t,
			"HTTP/1.1 401 No\r\nX-Ostiary-Code: A\r\nContent-Length: 99\r\n\r\n{\"code\":\"A\""),
		"a header without end": serveBytes(t, "HTTP/1.1 200 OK\r\nA: "+strings.Repeat("a", 200<<10)),
		"a bad chunk":          serveBytes(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n"),
		"an upgrade": serveBytes(t,
			"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"),
		"a redirect to a 200":   serveAnswer(t, redirect),
		"a 302 and an identity": serveAnswer(t, otherwise(302)),
		"a 204 and an identity": serveAnswer(t, otherwise(204)),
		"a 503 and an identity": serveAnswer(t, otherwise(503)),
		"200 and nothing else":  serveAnswer(t, refuse(200, "", "")),
		"204":                   serveAnswer(t, refuse(204, "", "")),
		"404":                   serveAnswer(t, refuse(404, "NotFound", `{"code":"NotFound","status":404}`)),
		"500":                   serveAnswer(t, refuse(500, "A", `{"code":"A","status":500}`)),
		"401 without a code":    serveAnswer(t, refuse(401, "", `{"code":"A","status":401}`)),
		"401 without JSON":      serveAnswer(t, refuse(401, "A", secret)),
		"403 of another code":   serveAnswer(t, refuse(403, "A", `{"code":"B","status":403}`)),
		"403 of another status": serveAnswer(t, refuse(403, "A", `{"code":"A","status":401}`)),
		"a huge body": serveAnswer(t, refuse(401, "A",
			`{"code":"A","status":401,"x":"`+strings.Repeat("a", 1<<20)+`"}`)),
		"a huge 200": serveAnswer(t, func(w http.ResponseWriter, r *http.Request) {
			identity("")(w, r)
			w.Write(make([]byte, 1<<20))
		}),
		"a number of words": serveAnswer(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "soon")
			refuse(503, "A", `{"code":"A","status":503}`)(w, r)
		}),
	}
	for name, values := range map[string][]string{
		"X-Ostiary-Account": {"%zz"}, "X-Ostiary-Account-Id": {"0"}, "X-Ostiary-User": {"%C3"},
		"X-Ostiary-Role":     {"Owner"},
		"X-Ostiary-Token-Id": {"-1"}, "X-Ostiary-App": {"a,b"}, "X-Ostiary-Revision": {"x"},
	} {
		doors["200 without "+name] = serveAnswer(t, identity(name))
		doors["200 with an empty "+name] = serveAnswer(t, identity(name, ""))
		doors["200 with two "+name] = serveAnswer(t, identity(name, "1", "1"))
		doors["200 with a wrong "+name] = serveAnswer(t, identity(name, values...))
	}
	doors["200 with two X-Ostiary-Assertion"] = serveAnswer(t, identity("X-Ostiary-Assertion", "a.b.c", "d.e.f"))
	doors["200 with an empty X-Ostiary-Assertion"] = serveAnswer(t, identity("X-Ostiary-Assertion", ""))
	for name, door := range doors {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			holdsBack(t, door, secret)
		})
	}
}

// holdsBack asks such a door, by Check and through Protect.
func holdsBack(t *testing.T, door, secret string) {
	t.Helper()
	c, err := client.New(client.Options{URL: door, Timeout: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	began := time.Now()
	a := c.Check(t.Context(), client.Request{
		Method: "GET", URI: "/", Header: http.Header{"X-Auth-Token": {secret}, "X-App-Name": {"x"}},
	})
	if a.OK() || a.Status != 503 || a.Code != "Unavailable" || a.RetryAfter != 1 || a.Err == nil {
		t.Errorf("%+v, want a 503 with the reason why", a)
	}
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("it took %s", took)
	}
	if strings.Contains(fmt.Sprintf("%v %+v %s", a.Err, a.Err, a.Body), secret) {
		t.Errorf("the secret is in it: %v %s", a.Err, a.Body)
	}
	behind, address := protected(t, door)
	got := raw(t, address, "GET / HTTP/1.1", "X-Auth-Token: "+secret, "X-App-Name: x")
	if !strings.HasPrefix(got, "HTTP/1.1 503 ") || !strings.Contains(got, "\r\nRetry-After: 1\r\n") ||
		!strings.Contains(got, `"code":"Unavailable","message":"temporarily unavailable","explanation":`) ||
		!strings.Contains(got, `"reference":"","server":"`) || !strings.Contains(got, `","status":503,"tag":"`) {
		t.Errorf("the caller gets\n%s", got)
	}
	if n := behind.reached.Load(); n != 0 {
		t.Errorf("%d requests reached the API", n)
	}
}

func TestDoorThatComesBackIsAskedAgain(t *testing.T) {
	t.Parallel()
	s := ostiarytest.Start(t)
	behind, address := protected(t, s.AuthURL)
	secret := "X-Auth-Token: " + s.Alice.Token.Secret.Reveal()
	send := func() string {
		return raw(t, address, "GET / HTTP/1.1", secret, "X-App-Name: x")[:12]
	}
	for round := range 3 {
		if got := send(); got != "HTTP/1.1 200" {
			t.Fatalf("round %d: %s", round, got)
		}
		before := behind.reached.Load()
		s.Stop()
		if got := send(); got != "HTTP/1.1 503" || behind.reached.Load() != before {
			t.Errorf("round %d, without the authority: %s, and %d requests reached the API",
				round, got, behind.reached.Load()-before)
		}
		s.Restart()
	}
	if got := send(); got != "HTTP/1.1 200" {
		t.Errorf("at the end: %s", got)
	}
}

func TestNothingIsLetThroughOnceATokenIsRetired(t *testing.T) {
	t.Parallel()
	s := ostiarytest.Start(t)
	c, err := client.New(client.Options{URL: s.AuthURL, Timeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	token := s.NewToken(s.Bob, ostiary.Normal, ostiary.Allow)
	header := shown(token, "x")
	const workers, each = 50, 20
	var retired atomic.Bool
	var before, after, late, other atomic.Int64
	enough := make(chan struct{})
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for left := each; left > 0; {
				dead := retired.Load()
				if dead {
					left--
				}
				a := c.Check(t.Context(), client.Request{Method: "GET", URI: "/", Header: header})
				switch {
				case a.OK() && dead:
					late.Add(1)
				case a.OK():
					if before.Add(1) == workers {
						close(enough)
					}
				case a.Status == 401:
					after.Add(1)
				default:
					other.Add(1)
					t.Errorf("%d %s %v", a.Status, a.Code, a.Err)
					return
				}
			}
		})
	}
	select {
	case <-enough:
	case <-time.After(20 * time.Second):
		t.Error("the token is not let through often enough before it is retired")
	}
	s.Retire(token)
	retired.Store(true)
	all.Wait()
	if late.Load() != 0 || after.Load() < workers*each {
		t.Errorf("%d were let through before, %d refused, %d let through after it was retired",
			before.Load(), after.Load(), late.Load())
	}
}
