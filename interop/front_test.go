package interop_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A front is a door with an API behind it.
type front struct {
	name, address string
	a             *authority
	api           *recorder
}

// A recorder is an API that counts what reaches it, and what reaches it without an identity.
type recorder struct {
	mu      sync.Mutex
	begun   int
	bare    []string // requests without an identity
	broken  int      // bodies that did not come whole
	handler http.HandlerFunc
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	r.begun++
	if req.Header.Get("X-Ostiary-User") == "" {
		r.bare = append(r.bare, req.Method+" "+req.RequestURI)
	}
	r.mu.Unlock()
	if r.handler != nil {
		r.handler(w, req)
		return
	}
	body, err := io.ReadAll(req.Body) // nginx does not read an answer before it has sent the whole request
	if err != nil {
		r.mu.Lock()
		r.broken++
		r.mu.Unlock()
	}
	w.Write(body)
}

func (r *recorder) counted() (begun, broken int, bare []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.begun, r.broken, r.bare
}

// forEachFront runs a test with each front, which has an authority and an API of its own.
func forEachFront(t *testing.T, handler http.HandlerFunc, test func(t *testing.T, f *front)) {
	t.Parallel()
	open := map[string]func(t *testing.T, a *authority, api string) string{
		"go": func(t *testing.T, a *authority, api string) string { return goProxy(t, "unix:"+a.socket, api) },
		"proxy": func(t *testing.T, a *authority, api string) string {
			return strings.TrimPrefix(a.flags[1], "http://")
		},
	}
	for name, p := range proxies {
		open[name] = func(t *testing.T, a *authority, api string) string {
			return strings.TrimPrefix(p.start(t, a, api), "http://")
		}
	}
	for name, open := range open {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := &recorder{handler: handler}
			behind := httptest.NewServer(api)
			t.Cleanup(behind.Close)
			a := serve(t, "--proxy-listen", freeAddress(t), "--upstream", behind.URL)
			test(t, &front{name, open(t, a, behind.Listener.Addr().String()), a, api})
		})
	}
}

// letIn are the lines of a request that is let through.
func (f *front) letIn(request string, more ...string) string {
	lines := append([]string{
		request + " HTTP/1.1", "Host: " + f.address,
		"X-Circonus-Auth-Token: " + f.a.secret("alice@example.com"), "X-Circonus-App-Name: app",
	}, more...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// Whatever framing tricks are played, every request that reaches the API was decided about for itself.
func TestEachRequestThatReachesTheAPIHasADecisionOfItsOwn(t *testing.T) {
	forEachFront(t, nil, func(t *testing.T, f *front) {
		hidden := "GET /hidden HTTP/1.1\r\nHost: " + f.address + "\r\n\r\n"
		tricks := map[string]string{
			"pipelined":           f.letIn("GET /x") + hidden,
			"length and chunks":   f.letIn("POST /x", "Content-Length: 6", "Transfer-Encoding: chunked") + "0\r\n\r\nG" + hidden,
			"chunks and length":   f.letIn("POST /x", "Transfer-Encoding: chunked", fmt.Sprint("Content-Length: ", len(hidden)+5)) + "0\r\n\r\n" + hidden,
			"two lengths":         f.letIn("POST /x", "Content-Length: 0", fmt.Sprint("Content-Length: ", len(hidden))) + hidden,
			"a long first length": f.letIn("POST /x", fmt.Sprint("Content-Length: ", len(hidden)), "Content-Length: 0") + hidden,
			"a list of lengths":   f.letIn("POST /x", "Content-Length: 0, 5") + hidden,
			"a signed length":     f.letIn("POST /x", "Content-Length: +0") + hidden,
			"a spelt framing":     f.letIn("POST /x", "Transfer_Encoding: chunked") + "0\r\n\r\n" + hidden,
			"a spaced framing":    f.letIn("POST /x", "Transfer-Encoding : chunked") + "0\r\n\r\n" + hidden,
			"a folded framing":    f.letIn("POST /x", "Transfer-Encoding:\r\n chunked") + "0\r\n\r\n" + hidden,
			"an unknown framing":  f.letIn("POST /x", "Transfer-Encoding: xchunked") + "0\r\n\r\n" + hidden,
			"bare line feeds":     strings.ReplaceAll(f.letIn("POST /x", "Content-Length: 0"), "\r\n", "\n") + hidden,
			"a bare line feed":    f.letIn("POST /x", "X-A: b\n\nGET /hidden HTTP/1.1", "Content-Length: 0") + hidden,
			"a chunk's extension": f.letIn("POST /x", "Transfer-Encoding: chunked") + "0;\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n" + hidden,
			"a chunk too long":    f.letIn("POST /x", "Transfer-Encoding: chunked") + "ffffffffffffffff1\r\n" + hidden,
			"a body of a GET":     f.letIn("GET /x", fmt.Sprint("Content-Length: ", len(hidden))) + hidden,
		}
		var all sync.WaitGroup
		for name, text := range tricks {
			all.Go(func() {
				conn, err := net.Dial("tcp", f.address)
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(time.Second))
				io.WriteString(conn, text)
				io.ReadAll(conn) // until the deadline, where the connection stays open
				if _, _, bare := f.api.counted(); len(bare) > 0 {
					t.Errorf("after %s: the API got %q without an identity", name, bare)
				}
			})
		}
		all.Wait()
		if begun, _, _ := f.api.counted(); begun == 0 {
			t.Error("nothing reached the API at all")
		}
	})
}

func TestTenMegabytesGoThroughEveryFrontBothWays(t *testing.T) {
	forEachFront(t, nil, func(t *testing.T, f *front) {
		body := bytes.Repeat([]byte("0123456789abcdef"), 10<<16)
		req, err := http.NewRequestWithContext(t.Context(), "PUT", "http://"+f.address+"/large", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Circonus-Auth-Token", f.a.secret("alice@example.com"))
		req.Header.Set("X-Circonus-App-Name", "app")
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if got, err := io.ReadAll(res.Body); err != nil || !bytes.Equal(got, body) {
			t.Errorf("%d bytes came back (%v)", len(got), err)
		}
	})
}

// A caller that goes away half way leaves no half request that the API takes for a whole one.
func TestCallerThatGoesAwayHalfWayLeavesNoWholeRequest(t *testing.T) {
	forEachFront(t, nil, func(t *testing.T, f *front) {
		for range 20 {
			conn, err := net.Dial("tcp", f.address)
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(conn, f.letIn("PUT /x", "Content-Length: 1000")+"some")
			conn.Close()
		}
		time.Sleep(300 * time.Millisecond)
		if begun, broken, _ := f.api.counted(); begun != broken {
			t.Errorf("the API got %d requests, %d of them broken off", begun, broken)
		}
	})
}

// Slow callers, a hundred of them, keep nobody else waiting.
func TestSlowCallersKeepNobodyWaiting(t *testing.T) {
	forEachFront(t, nil, func(t *testing.T, f *front) {
		for range 100 {
			conn, err := net.Dial("tcp", f.address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			io.WriteString(conn, "GET /slow HTTP/1.1\r\nHost: ")
		}
		for range 20 {
			begun := time.Now()
			res := send(t, "GET", "http://"+f.address+"/x", f.a.secret("alice@example.com"), "app")
			body(t, res)
			if took := time.Since(begun); res.StatusCode != 200 || took > 5*time.Second {
				t.Fatalf("%d after %s", res.StatusCode, took)
			}
		}
	})
}

// A thousand requests, while an application is denied and allowed and a role lowered and raised: no
// request that began after a change was answered is decided by what was before.
func TestEveryFrontFollowsChangesAtOnce(t *testing.T) {
	forEachFront(t, func(w http.ResponseWriter, _ *http.Request) {}, func(t *testing.T, f *front) {
		bob := f.a.secret("bob@example.com")
		f.a.decide("add", "app")
		// It counts up before and after each change: at 0, 4, 8 … the application is allowed, at 2, 6, 10 …
		// it is not, and in between nobody knows.
		var changes, asked, judged atomic.Int64
		var all sync.WaitGroup
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
		defer client.CloseIdleConnections()
		for range 16 {
			all.Go(func() {
				for asked.Add(1) <= 1000 {
					before := changes.Load()
					req, _ := http.NewRequestWithContext(t.Context(), "PUT", "http://"+f.address+"/x", nil)
					req.Header.Set("X-Circonus-Auth-Token", bob)
					req.Header.Set("X-Circonus-App-Name", "app")
					res, err := client.Do(req)
					if err != nil {
						t.Error(err)
						return
					}
					io.Copy(io.Discard, res.Body)
					res.Body.Close()
					if before != changes.Load() || before%2 != 0 {
						continue
					}
					judged.Add(1)
					if let := before%4 == 0; (res.StatusCode == 200) != let {
						t.Errorf("%d %s, and whether it is let through was %v", res.StatusCode,
							res.Header.Get("X-Ostiary-Code"), let)
					}
				}
			})
		}
		for asked.Load() < 1000 {
			for _, change := range []func(){
				func() { f.a.decide("deny", "app") }, func() { f.a.decide("allow", "app") },
				func() { f.a.run("user", "role", "bob@example.com", "Read-Only") },
				func() { f.a.run("user", "role", "bob@example.com", "Normal") },
			} {
				changes.Add(1)
				change()
				changes.Add(1)
				time.Sleep(20 * time.Millisecond)
			}
		}
		all.Wait()
		if begun, _, bare := f.api.counted(); begun == 0 || len(bare) > 0 {
			t.Errorf("the API got %d requests, %d without an identity", begun, len(bare))
		}
		if changes.Load() < 4 || judged.Load() < 100 {
			t.Errorf("%d changes were made, and %d requests lay between two of them", changes.Load()/2, judged.Load())
		}
	})
}
