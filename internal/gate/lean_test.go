package gate_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ostiary"
)

// kept is a request with a credential, after which the connection stays open.
func kept(request string, lines ...string) string {
	return strings.Replace(through(request, lines...), "Connection: close\r\n", "", 1)
}

// dial opens a connection to the proxy, and gives what reads its answers.
func (f *front) dial(t testing.TB) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn, bufio.NewReader(conn)
}

// answered reads one answer: its status and its body.
func answered(t testing.TB, r *bufio.Reader) (int, string) {
	t.Helper()
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestPlainRequestsAloneAreAnsweredInTheLoop(t *testing.T) {
	f := openProxy(t, nil)
	close := "Connection: close"
	for name, tt := range map[string]struct {
		text   string
		status int
		plain  bool
	}{
		"GET":               {through("GET /a?b=c;d#e"[:10]), 200, true},
		"DELETE":            {through("DELETE /a"), 200, true},
		"OPTIONS":           {through("OPTIONS /a"), 200, true},
		"refused":           {strings.Replace(through("GET /a"), "ostiary_", "ostiary-", 1), 401, true},
		"names of ours":     {through("GET /a", "X-Ostiary-User: root", "x-ostiary-else: 1"), 200, true},
		"other spellings":   {through("GET /a", "X_Ostiary_Role: Admin"), 200, false},
		"dots":              {through("GET /a", "X.Ostiary.Role: Admin"), 200, false},
		"forwarded else":    {through("GET /a", "X-Forwarded-Prefix: /a"), 200, false},
		"another path":      {through("GET /a", "X-Original-URL: /b"), 200, true},
		"keep-alive":        {kept("GET /a", "Connection: Keep-Alive") + through("GET /a"), 200, true},
		"POST":              {through("POST /a", "Content-Length: 0"), 200, false},
		"a body":            {through("GET /a", "Content-Length: 1") + "x", 200, false},
		"chunks":            {through("GET /a", "Transfer-Encoding: chunked") + "0\r\n\r\n", 200, false},
		"Expect":            {through("GET /a", "Expect: 100-continue"), 200, false},
		"TE":                {through("GET /a", "TE: trailers"), 200, false},
		"Upgrade":           {through("GET /a", "Upgrade: x"), 400, false},
		"Connection's name": {kept("GET /a", "Connection: close, X-A", "X-A: 1"), 200, false},
		"Connection twice":  {through("GET /a", close), 200, false},
		"HTTP/1.0":          {strings.Replace(through("GET /a"), "HTTP/1.1", "HTTP/1.0", 1), 200, false},
		"no host":           {strings.Replace(through("GET /a"), "Host:", "X-Host:", 1), 400, false},
		"two hosts":         {through("GET /a", "Host: b"), 400, false},
		"small letters":     {through("get /a"), 405, false},
		"absolute-form":     {through("GET http://a/"), 400, false},
		"two slashes":       {through("GET //a"), 200, false},
		"a fragment":        {through("GET /a#b"), 400, false},
		"a bad escape":      {through("GET /a%2"), 400, false},
		"bare line feeds":   {strings.ReplaceAll(through("GET /a"), "\r\n", "\n"), 200, false},
		"a folded line":     {through("GET /a", "X-A: b\r\n c"), 200, false},
		"a control":         {through("GET /a", "X-A: b\x01"), 400, false},
		"a long head":       {through("GET /a", "X-A: "+strings.Repeat("x", 5000)), 200, false},
		"an empty line":     {"\r\n" + through("GET /a"), 400, false},
		"half a head":       {"GET / HTTP/1.1\r\nHost", 400, false},
	} {
		before := f.proxy.InLoop()
		conn, r := f.dial(t)
		io.WriteString(conn, tt.text)
		if name == "half a head" {
			conn.(*net.TCPConn).CloseWrite()
		}
		status, body := answered(t, r)
		io.Copy(io.Discard, r) // whatever it sent besides counts, too
		if plain := f.proxy.InLoop() > before; status != tt.status || plain != tt.plain {
			t.Errorf("%s: %d %s, in the loop: %v, want %d and %v", name, status, body, plain, tt.status, tt.plain)
		}
		conn.Close()
	}
}

func TestConnectionIsHandedOverInItsMiddle(t *testing.T) {
	f := openProxy(t, nil)
	conn, r := f.dial(t)
	for _, text := range []string{kept("GET /1"), kept("POST /2", "Content-Length: 5") + "hello", kept("GET /3")} {
		io.WriteString(conn, text)
		if status, body := answered(t, r); status != 200 || body != "the API" {
			t.Errorf("%.10s: %d %s", text, status, body)
		}
	}
	// Once more, with everything sent at once.
	io.WriteString(conn, kept("GET /4"))
	answered(t, r)
	conn2, r2 := f.dial(t)
	io.WriteString(conn2, kept("GET /5")+kept("GET /6", "X-Auth-Token: x")+kept("POST /7", "Content-Length: 2")+"hi"+kept("GET /8"))
	for range 4 {
		if status, body := answered(t, r2); status != 200 || body != "the API" {
			t.Errorf("%d %s", status, body)
		}
	}
	var got []string
	for _, one := range f.api.taken() {
		got = append(got, one.method+" "+one.uri+" "+one.body+" "+one.header.Get("X-Ostiary-User"))
	}
	want := []string{"GET /1 ", "POST /2 hello", "GET /3 ", "GET /4 ", "GET /5 ", "GET /6 ", "POST /7 hi", "GET /8 "}
	for i := range want {
		want[i] += " alice@example.com"
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the API got (-want +got):\n%s", diff)
	}
	if n := f.proxy.InLoop(); n != 3 {
		t.Errorf("%d requests were answered in the loop, want 3", n)
	}
}

func TestHeadMayComeInAnyPieces(t *testing.T) {
	f := openProxy(t, nil)
	for _, size := range []int{1, 2, 3, 7, 50} {
		conn, r := f.dial(t)
		text := kept("GET /a") + kept("GET /b") + kept("POST /c", "Content-Length: 3") + "abc"
		for len(text) > 0 {
			n := min(size, len(text))
			io.WriteString(conn, text[:n])
			text = text[n:]
			time.Sleep(50 * time.Microsecond)
		}
		for range 3 {
			if status, _ := answered(t, r); status != 200 {
				t.Errorf("in pieces of %d: %d", size, status)
			}
		}
		conn.Close()
	}
	if n := f.proxy.InLoop(); n != 10 {
		t.Errorf("%d requests were answered in the loop, want 10", n)
	}
}

func TestPipelinedRequestsAreAnsweredInOrderEachForItself(t *testing.T) {
	f := openProxy(t, nil, ostiary.Rule{Path: "/admin/**", Role: ostiary.Admin})
	conn, r := f.dial(t)
	var all strings.Builder
	for i := range 30 {
		token := []string{adminToken, unknownToken, normalToken}[i%3]
		fmt.Fprintf(&all, "GET /admin/%d HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n", i, strings.Join(pair(token, "app"), "\r\n"))
	}
	io.WriteString(conn, all.String())
	for i := range 30 {
		if status, _ := answered(t, r); status != []int{200, 401, 403}[i%3] {
			t.Errorf("answer %d: %d", i, status)
		}
	}
	for i, got := range f.api.taken() {
		if want := fmt.Sprint("/admin/", 3*i); got.uri != want {
			t.Errorf("the API got %s, want %s", got.uri, want)
		}
	}
	if n := f.proxy.InLoop(); n != 30 {
		t.Errorf("%d requests were answered in the loop, want 30", n)
	}
}

func TestPanicInTheLoopIs503(t *testing.T) {
	f := openProxy(t, nil)
	f.decide = func(q *ostiary.Question) ostiary.Decision { panic("lost " + q.Token.Reveal()) }
	for range 3 {
		r := ask(t, f.addr, "GET /x", pair(adminToken, "app")...)
		if r.StatusCode != 503 || r.code() != "Unavailable" || strings.Contains(r.text, "lost") {
			t.Errorf("got %d %s", r.StatusCode, r.text)
		}
	}
	f.log.mu.Lock()
	f.log.broken = true // that panics too
	f.log.mu.Unlock()
	if r := ask(t, f.addr, "GET /x", pair(adminToken, "app")...); r.StatusCode != 503 {
		t.Errorf("got %d %s", r.StatusCode, r.text)
	}
	if got := f.api.taken(); len(got) != 0 || f.proxy.InLoop() != 4 {
		t.Errorf("the API got %v; %d were answered in the loop", got, f.proxy.InLoop())
	}
}

func TestThousandConnectionsAtOnceLeaveNothingBehind(t *testing.T) {
	f := openProxy(t, nil)
	routines := runtime.NumGoroutine()
	var all sync.WaitGroup
	for range 1000 {
		conn, err := net.Dial("tcp", f.addr)
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(30 * time.Second))
		all.Go(func() {
			defer conn.Close()
			r := bufio.NewReader(conn)
			for range 3 {
				io.WriteString(conn, kept("GET /x"))
				if res, err := http.ReadResponse(r, nil); err != nil || res.StatusCode != 200 {
					t.Errorf("%v %v", res, err)
					return
				} else if body, err := io.ReadAll(res.Body); string(body) != "the API" {
					t.Errorf("%q %v", body, err)
				}
			}
		})
	}
	all.Wait()
	soon(t, "all connections are gone", func() bool { return f.proxy.Callers() == 0 })
	f.api.CloseClientConnections()
	soon(t, "nobody is left", func() bool { return runtime.NumGoroutine() <= routines+10 })
	if n := f.proxy.InLoop(); n != 3000 || len(f.api.taken()) != 3000 {
		t.Errorf("%d were answered in the loop, want 3000", n)
	}
}

// soon waits until something is so.
func soon(t testing.TB, what string, is func() bool) {
	t.Helper()
	for range 500 {
		if is() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("not in time: %s", what)
}

func TestShutdownClosesIdleConnectionsAndWaitsForTheLoop(t *testing.T) {
	release := make(chan bool)
	f := openProxy(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-release
		}
		io.WriteString(w, "whole")
	})
	idle, idleReader := f.dial(t)
	io.WriteString(idle, kept("GET /x"))
	answered(t, idleReader)
	busy, busyReader := f.dial(t)
	io.WriteString(busy, kept("GET /slow"))
	soon(t, "the slow one is asked", func() bool { return f.proxy.InLoop() == 2 })
	ended := make(chan error, 1)
	go func() {
		ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
		defer stop()
		ended <- f.proxy.Shutdown(ctx)
	}()
	if _, err := idleReader.ReadByte(); err != io.EOF {
		t.Errorf("the idle connection: %v, want its end", err)
	}
	select {
	case err := <-ended:
		close(release)
		t.Fatalf("it does not wait: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	close(release)
	if status, body := answered(t, busyReader); status != 200 || body != "whole" {
		t.Errorf("the slow one gets %d %q", status, body)
	}
	if _, err := busyReader.ReadByte(); err != io.EOF {
		t.Errorf("after its answer: %v, want the end", err)
	}
	if err := <-ended; err != nil || f.proxy.Callers() != 0 {
		t.Errorf("%v, and %d connections are left", err, f.proxy.Callers())
	}
}

// What can be read in two ways is read by net/http, as ever, and what follows is decided about for itself.
func TestHostileHeadsDoNotTakeOthersThroughTheLoop(t *testing.T) {
	f := openProxy(t, nil)
	for name, text := range hostileHeads(lines("GET /auth HTTP/1.1")) {
		f.mu.Lock()
		f.asked = nil
		f.mu.Unlock()
		before := f.proxy.InLoop()
		conn, r := f.dial(t)
		io.WriteString(conn, text+"GET /hidden HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		answers, _ := io.ReadAll(r)
		got := f.api.taken()
		f.mu.Lock()
		asked := len(f.asked)
		f.mu.Unlock()
		if len(got) > asked || len(got) > 0 && got[len(got)-1].uri == "/hidden" {
			t.Errorf("%s: the API got %d requests of %d that were decided about; the answers are %q", name, len(got), asked, answers)
		}
		if n := f.proxy.InLoop() - before; n != 0 {
			t.Errorf("%s: %d requests were answered in the loop", name, n)
		}
		conn.Close()
	}
}
