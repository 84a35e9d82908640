package serve

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A running server says at each door which door it is.
type running struct {
	*Server
	listeners *Listeners
	data      string
	log       *memory
	state     atomic.Pointer[State]
	began     chan struct{} // the API has begun to answer /slow
	go_on     chan struct{} // and may end
}

func start(t *testing.T, change func(*Options)) *running {
	t.Helper()
	r := &running{data: shortDir(t), log: &memory{}, began: make(chan struct{}, 1), go_on: make(chan struct{})}
	r.state.Store(&State{})
	o := Options{
		Gate: says("gate"), API: r.api(),
		Operator: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			fmt.Fprintf(w, "operator %s", Operator(req.Context()))
		}),
		State: func() State { return *r.state.Load() }, Metrics: NewMetrics("test"),
		Log: NewLogger(r.log, slog.LevelInfo),
	}
	if change != nil {
		change(&o)
	}
	l, err := Listen(Addresses{Main: "127.0.0.1:0", Admin: "127.0.0.1:0", Data: r.data, TLS: o.TLSCert != ""})
	if err != nil {
		t.Fatal(err)
	}
	r.listeners = l
	if r.Server, err = New(l, o); err != nil {
		t.Fatal(err)
	}
	r.Start()
	t.Cleanup(func() {
		ctx, stop := context.WithTimeout(context.Background(), time.Second)
		defer stop()
		r.Shutdown(ctx)
	})
	return r
}

func (r *running) api() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch req.URL.Path {
		case "/slow":
			r.began <- struct{}{}
			<-r.go_on
		case "/panic":
			panic("with a secret")
		case "/abort":
			panic(http.ErrAbortHandler)
		}
		fmt.Fprintf(w, "api %s", req.RequestURI)
	})
}

func says(what string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, what) })
}

// shortDir is a temporary folder with a name that a socket's address has room for.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "serve-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// send sends a request line as it is, and gives status and body.
func send(t *testing.T, base, requestLine string, headers ...string) (int, string, http.Header) {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	host := "Host: 127.0.0.1\r\n"
	for _, h := range headers {
		if strings.HasPrefix(h, "Host:") {
			host = ""
		}
	}
	fmt.Fprintf(c, "%s HTTP/1.1\r\n%s%sConnection: close\r\n\r\n", requestLine, host, strings.Join(append(headers, ""), "\r\n"))
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("%s: %v", requestLine, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body), res.Header
}

func TestRequestsGoByTheirExactPathAndAreNeverRedirected(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	for path, want := range map[string]string{
		"/auth":               "gate",
		"/auth?need=Admin":    "gate",
		"/auth/":              "gate",
		"/auth/x":             "gate",
		"/auth/envoy//a/../b": "gate",
		"/%61uth":             "gate",
		"/authority":          "api /authority",
		"//auth":              "api //auth",
		"/x/../auth":          "api /x/../auth",
		"/healthz/":           "api /healthz/",
		"//healthz":           "api //healthz",
		"/v2/token/1?a=b":     "api /v2/token/1?a=b",
		"/metrics":            "api /metrics",
		"/debug/pprof/":       "api /debug/pprof/",
		"/healthz":            `{"status":"alive"}` + "\n",
	} {
		status, body, _ := send(t, r.listeners.URL(), "GET "+path)
		if status != 200 || body != want {
			t.Errorf("%s: got %d %q, want %q", path, status, body, want)
		}
	}
	if status, body, _ := send(t, r.listeners.URL(), "OPTIONS *"); body != "api *" {
		t.Errorf("OPTIONS *: got %d %q, want the API's answer", status, body)
	}
}

func TestReadyzNamesWhatIsDegraded(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	trouble := errors.New("the database at /srv/secret/place is gone")
	for _, c := range []struct {
		state   State
		query   string
		status  int
		degrade string
	}{
		{State{}, "", 200, `"degraded":[]`},
		{State{}, "?for=changes", 200, `"ready":true`},
		{State{Changes: trouble}, "", 200, `"degraded":["changes"]`},
		{State{Changes: trouble}, "?for=changes", 503, `"ready":false`},
		{State{Changes: trouble, Follow: trouble}, "?for=decisions", 200, `"degraded":["changes","follow"]`},
		{State{Decisions: trouble}, "", 503, `"degraded":["decisions"]`},
		{State{Compare: trouble}, "", 200, `"degraded":["compare"]`},
		{State{Stale: trouble}, "", 200, `"degraded":["stale"]`},
		{State{Decisions: trouble}, "?for=changes", 503, `"ready":false`},
		{State{}, "?for=everything", 400, "error"},
	} {
		r.state.Store(&c.state)
		status, body, h := send(t, r.listeners.URL(), "GET /readyz"+c.query)
		if status != c.status || !strings.Contains(body, c.degrade) {
			t.Errorf("%+v%s: got %d %s, want %d with %s", c.state, c.query, status, body, c.status, c.degrade)
		}
		if strings.Contains(body, "/srv") {
			t.Errorf("strangers are told where the records are: %s", body)
		}
		if (status == 503) != (h.Get("Retry-After") != "") {
			t.Errorf("status %d with Retry-After %q", status, h.Get("Retry-After"))
		}
	}
	r.state.Store(&State{Changes: trouble})
	if _, body, _ := send(t, r.listeners.AdminURL(), "GET /readyz"); !strings.Contains(body, trouble.Error()) {
		t.Errorf("the operator is not told why: %s", body)
	}
}

func TestHealthIsReadOnly(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	for _, path := range []string{"/healthz", "/readyz"} {
		if status, _, h := send(t, r.listeners.URL(), "POST "+path); status != 405 || h.Get("Allow") != "GET, HEAD" {
			t.Errorf("POST %s: %d", path, status)
		}
	}
}

func TestAdminListenerServesMetricsAndProfiles(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	for path, want := range map[string]string{
		"/metrics": "ostiary_decisions_total{door=\"auth\",reason=\"ok\"} 0", "/debug/pprof/": "goroutine",
		"/debug/pprof/cmdline": "", "/debug/pprof/goroutine?debug=1": "goroutine profile", "/healthz": "alive",
	} {
		if status, body, _ := send(t, r.listeners.AdminURL(), "GET "+path); status != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d without %q", path, status, want)
		}
	}
	for _, path := range []string{"/", "/auth", "/v2/token", "/debug/vars"} {
		if status, _, _ := send(t, r.listeners.AdminURL(), "GET "+path); status != 404 {
			t.Errorf("%s: %d", path, status)
		}
	}
	if status, _, _ := send(t, r.listeners.AdminURL(), "GET /debug/pprof/", "Host: evil.example.com"); status != 403 {
		t.Errorf("a page in a browser gets a profile: %d", status)
	}
}

func TestProfilesAreForLoopbackCallersOnly(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]bool{
		"127.0.0.1:5": true, "[::1]:5": true, "[::ffff:127.0.0.1]:5": true,
		"192.0.2.1:5": false, "[2001:db8::1]:5": false, "@": false, "": false,
	} {
		if isLoopback(addr) != want {
			t.Errorf("%q counts as loopback: %t", addr, !want)
		}
	}
	ip := outside(t)
	data := shortDir(t)
	l, err := Listen(Addresses{Main: "127.0.0.1:0", Admin: "0.0.0.0:0", Data: data})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(l, Options{
		Gate: says(""), API: says(""), Operator: says(""), State: func() State { return State{} },
		Metrics: NewMetrics("test"), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	defer s.Shutdown(t.Context())
	_, port, _ := net.SplitHostPort(l.admin.Addr().String())
	base := "http://" + net.JoinHostPort(ip, port)
	if status, _, _ := send(t, base, "GET /debug/pprof/"); status != 403 {
		t.Errorf("a caller from %s gets a profile: %d", ip, status)
	}
	if status, _, _ := send(t, base, "GET /metrics"); status != 200 {
		t.Errorf("a caller from %s gets no metrics: %d", ip, status)
	}
}

// outside is an address of this machine that is not loopback.
func outside(t *testing.T) string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if ip, ok := a.(*net.IPNet); ok && !ip.IP.IsLoopback() && ip.IP.To4() != nil {
			return ip.IP.String()
		}
	}
	t.Skip("this machine has no address but loopback")
	return ""
}

func TestPanicIs503AndItsValueStaysOutOfTheLog(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	for _, method := range []string{"GET", "POST"} {
		status, body, h := send(t, r.listeners.URL(), method+" /panic")
		if status != 503 || !strings.Contains(body, "Unavailable") || h.Get("Retry-After") == "" {
			t.Errorf("%s: got %d %s %v", method, status, body, h)
		}
	}
	text := r.log.all()
	if strings.Contains(text, "with a secret") || !strings.Contains(text, "serve_test.go") {
		t.Errorf("the log has the value, or no stack: %s", text)
	}
}

// A handler that breaks off has written nothing or half an answer. Neither may end as a 200.
func TestAnswerThatIsBrokenOffStaysSo(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	res, err := http.Get(r.listeners.URL() + "/abort")
	if err == nil {
		res.Body.Close()
		t.Errorf("got %s, want a connection that is closed", res.Status)
	}
}

func TestHeadersAreBounded(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	if status, _, _ := send(t, r.listeners.URL(), "GET /auth", "X: "+strings.Repeat("x", 32<<10)); status != 200 {
		t.Errorf("what nginx passes on at most is refused: %d", status)
	}
	if status, _, _ := send(t, r.listeners.URL(), "GET /auth", "X: "+strings.Repeat("x", 80<<10)); status != 431 {
		t.Errorf("80 KiB of headers: %d", status)
	}
}

func TestShutdownFinishesWhatBegan(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	type answer struct {
		status int
		body   string
	}
	got := make(chan answer, 1)
	go func() {
		status, body, _ := send(t, r.listeners.URL(), "GET /slow")
		got <- answer{status, body}
	}()
	<-r.began
	ended := make(chan error, 1)
	go func() { ended <- r.Shutdown(t.Context()) }()
	waitRefused(t, r.listeners.URL())
	select {
	case err := <-ended:
		t.Fatalf("it did not wait for the request: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	close(r.go_on)
	if a := <-got; a.status != 200 || a.body != "api /slow" {
		t.Errorf("the request in flight got %+v", a)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(r.data, SocketName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left behind: %v", err)
	}
}

func waitRefused(t *testing.T, url string) {
	t.Helper()
	for range 200 {
		c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			return
		}
		c.Close()
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("it still takes connections")
}

func TestShutdownBreaksOffWhatTakesTooLong(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	defer close(r.go_on)
	go http.Get(r.listeners.URL() + "/slow")
	<-r.began
	ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	began := time.Now()
	if err := r.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 3*time.Second {
		t.Errorf("it took %s and gave %v", time.Since(began), err)
	}
}

func TestTakenAddressSaysWhatToDo(t *testing.T) {
	t.Parallel()
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	taken := other.Addr().String()
	for setting, at := range map[string]Addresses{
		"--listen":       {Main: taken},
		"--admin-listen": {Main: "127.0.0.1:0", Admin: taken},
		"--auth-listen":  {Main: "127.0.0.1:0", Auth: taken},
		"--proxy-listen": {Main: "127.0.0.1:0", Proxy: taken},
	} {
		at.Data = shortDir(t)
		_, err := Listen(at)
		if !errors.Is(err, ErrTaken) || !strings.Contains(err.Error(), taken) || !strings.Contains(err.Error(), setting) {
			t.Errorf("%s: %v", setting, err)
		}
	}
}

func TestAddressForAllIsShownAsOneThatCanBeCalled(t *testing.T) {
	t.Parallel()
	l, err := Listen(Addresses{Main: "0.0.0.0:0", Data: shortDir(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if !strings.HasPrefix(l.URL(), "http://localhost:") || l.AdminURL() != "" {
		t.Errorf("%q, %q", l.URL(), l.AdminURL())
	}
}

func TestSystemdIsTold(t *testing.T) {
	path := filepath.Join(shortDir(t), "notify")
	l, err := net.ListenPacket("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.SetDeadline(time.Now().Add(5 * time.Second))
	t.Setenv("NOTIFY_SOCKET", path)
	r := start(t, nil)
	b := make([]byte, 100)
	for _, want := range []string{"READY=1", "STOPPING=1"} {
		n, _, err := l.ReadFrom(b)
		if err != nil || string(b[:n]) != want {
			t.Errorf("systemd was told %q, want %s: %v", b[:n], want, err)
		}
		r.Shutdown(t.Context())
	}
}
