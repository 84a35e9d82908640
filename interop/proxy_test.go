package interop_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// An upstream is the API behind the proxy. It keeps the last request that reached it.
type upstream struct {
	mu     sync.Mutex
	method string
	uri    string
	header http.Header
	body   []byte
}

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // what is cut short differs from what was sent
	u.mu.Lock()
	defer u.mu.Unlock()
	u.method, u.uri, u.header, u.body = r.Method, r.RequestURI, r.Header.Clone(), body
	w.Write([]byte("the API"))
}

// taken gives the last request, and forgets it.
func (u *upstream) taken() (method, uri string, h http.Header) {
	u.mu.Lock()
	defer u.mu.Unlock()
	method, uri, h = u.method, u.uri, u.header
	u.method, u.uri, u.header = "", "", nil
	return method, uri, h
}

// last are the headers of the last request.
func (u *upstream) last() http.Header {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.header
}

// A proxy is one of deploy/, run as it stands but for its addresses.
type proxy struct {
	program, config string
	beside          []string // files that it reads besides
	args            func(dir, config string) []string
	change          []string // what else is changed in its files
}

var proxies = map[string]proxy{
	"nginx": nginx("nginx/nginx.conf"),
	"nginx, by TCP": nginx("nginx/nginx.conf",
		"server unix:", "# server unix:", "# server 127.0.0.1:", "server 127.0.0.1:"),
	"caddy": {program: "caddy", config: "caddy/Caddyfile", args: func(_, config string) []string {
		return []string{"run", "--config", config, "--adapter", "caddyfile"}
	}},
	"haproxy": {
		program: "haproxy", config: "haproxy/haproxy.cfg", beside: []string{"haproxy/ostiary.lua"},
		args: func(_, config string) []string { return []string{"-db", "-f", config} },
	},
}

func nginx(config string, change ...string) proxy {
	return proxy{program: "nginx", config: config, change: change, args: func(dir, config string) []string {
		args := []string{"-p", dir, "-c", config}
		if os.Geteuid() == 0 {
			args = append(args, "-g", "user root;") // of the tests' own sockets and folders
		}
		return args
	}}
}

// start starts the proxy between an authority and an API.
func (p proxy) start(t *testing.T, a *authority, api string) (base string) {
	t.Helper()
	listen := freeAddress(t)
	p.run(t, t.TempDir(), "127.0.0.1:8080", listen, "127.0.0.1:9000", api,
		"127.0.0.1:8700", a.listen, "unix:/run/ostiary/auth.sock", "unix:"+a.socket)
	waitFor(t, listen)
	return "http://" + listen
}

// run runs the proxy in a folder, with its files changed in some places.
func (p proxy) run(t *testing.T, dir string, change ...string) {
	t.Helper()
	path, err := exec.LookPath(p.program)
	unpacked := os.Getenv("OSTIARY_TEST_PROXIES")
	if err != nil {
		path = filepath.Join(unpacked, p.program)
		if _, err := os.Stat(path); err != nil {
			missing(t, "%s is missing", p.program)
		}
	}
	for _, file := range append([]string{p.config}, p.beside...) {
		text, err := os.ReadFile(filepath.Join("../deploy", file))
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.NewReplacer(p.change...).Replace(string(text))
		changed = strings.NewReplacer(change...).Replace(changed)
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(path, p.args(dir, filepath.Join(dir, filepath.Base(p.config)))...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir,
		"LD_LIBRARY_PATH="+filepath.Join(unpacked, "lib"))
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		if t.Failed() {
			t.Logf("what %s said:\n%s", p.program, log.String())
		}
	})
}

// door is the address that the server listens at, without a scheme.
func (s *server) door() string {
	s.t.Helper()
	door, err := url.Parse(s.AuthURL)
	if err != nil {
		s.t.Fatal(err)
	}
	return door.Host
}

// forEachProxy runs a test with an authority, a proxy and an API of its own.
func forEachProxy(t *testing.T,
	test func(t *testing.T, name string, a *authority, api *upstream, base string), flags ...string,
) {
	t.Parallel()
	for name, p := range proxies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, api := serve(t, flags...), &upstream{}
			behind := httptest.NewServer(api)
			t.Cleanup(behind.Close)
			test(t, name, a, api, p.start(t, a, behind.Listener.Addr().String()))
		})
	}
}

func TestProxiesLetThroughWhatTheDoorLetsThrough(t *testing.T) {
	forEachProxy(t, func(t *testing.T, _ string, a *authority, api *upstream, base string) {
		story(t, a.server, api, base)
	})
}

// story is refused, approved, let through; and what a hostile caller tries.
func story(t *testing.T, s *server, api *upstream, base string) {
	t.Helper()
	bob := s.secret("bob@example.com")
	res := send(t, "GET", base+"/checks?a=1", bob, "script")
	text := body(t, res)
	if res.StatusCode != 401 || res.Header.Get("X-Circonus-Token-Approval-Url") == "" ||
		res.Header.Get("X-Ostiary-Code") != "Unauthorized.PendingApp" ||
		res.Header.Get("Www-Authenticate") == "" ||
		!strings.Contains(text, `"message":"invalid api application`) {
		t.Errorf("a waiting application gets %d %v %s", res.StatusCode, res.Header, text)
	}
	if method, _, _ := api.taken(); method != "" {
		t.Error("a refused request reached the API")
	}

	s.decide("allow", "script")
	hostile := []string{
		"X-Ostiary-User: root", "X_Ostiary_User: root", "X.Ostiary.User: root", "x-ostiary_role: Admin",
		"X-Ostiary-Else: 1",
		"X-Original-Method: GET", "X-Original-URI: /", "X-Forwarded-Method: GET", "X-Forwarded-Uri: /",
		"Connection: X-Ostiary-User, X-Ostiary-Role",
	}
	res = send(t, "DELETE", base+"/checks/%2e/7?a=%20b&need=Read-Only", bob, "script", hostile...)
	if text := body(t, res); res.StatusCode != 200 || text != "the API" {
		t.Fatalf("an allowed application gets %d %s", res.StatusCode, text)
	}
	// What was decided about is what was sent, and what the API gets: nothing was cleaned on the way.
	if asked := s.lastSeen("script").Request; asked != "DELETE /checks/%2e/7" {
		t.Errorf("the door was asked about %q", asked)
	}
	method, uri, h := api.taken()
	if method != "DELETE" || uri != "/checks/%2e/7?a=%20b&need=Read-Only" {
		t.Errorf("the API got %s %s", method, uri)
	}
	for key, values := range h {
		plain := strings.ToLower(strings.NewReplacer("_", "-", ".", "-").Replace(key))
		if strings.HasPrefix(plain, "x-ostiary-") && !identity[key] {
			t.Errorf("the API got the caller's own %s: %q", key, values)
		}
		if key == "Connection" && strings.Contains(strings.ToLower(values[0]), "ostiary") {
			t.Errorf("the API got Connection: %q, and could take our identity off", values)
		}
		if len(values) != 1 || strings.Contains(values[0], bob) {
			t.Errorf("the API got %s %d times, or with the token in it", key, len(values))
		}
	}
	want := map[string]string{
		"X-Ostiary-User": "bob@example.com", "X-Ostiary-Role": "Normal", "X-Ostiary-App": "script",
	}
	for key, value := range want {
		if h.Get(key) != value {
			t.Errorf("the API got %s: %q, want %q", key, h.Get(key), value)
		}
	}
	for key := range identity {
		if h.Get(key) == "" {
			t.Errorf("the API did not get %s", key)
		}
	}

	s.decide("deny", "script")
	res = send(t, "GET", base+"/checks", bob, "script")
	if text := body(t, res); res.StatusCode != 403 || res.Header.Get("X-Ostiary-Code") != "Forbidden.BadApp" {
		t.Errorf("a denied application gets %d %v %s", res.StatusCode, res.Header, text)
	}
}

func TestProxiesPassOnTheBodyAndWhereItComesFrom(t *testing.T) {
	forEachProxy(t, func(t *testing.T, _ string, a *authority, api *upstream, base string) {
		sent := bytes.Repeat([]byte("a body of some length, "), 100_000)
		req, err := http.NewRequest("POST", base+"/checks", bytes.NewReader(sent))
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("script", a.secret("alice@example.com"))
		req.Header.Set("Content-Type", "text/plain")
		req.Header.Set("X-Forwarded-For", "203.0.113.9") // a lie
		from := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
		client := &http.Client{Transport: &http.Transport{DialContext: from.DialContext}}
		defer client.CloseIdleConnections()
		res, err := client.Do(req)
		if err != nil {
			missing(t, "no request from 127.0.0.2: %v", err)
		}
		if text := body(t, res); res.StatusCode != 200 {
			t.Fatalf("got %d %s", res.StatusCode, text)
		}
		_, _, h := api.taken()
		if !bytes.Equal(api.body, sent) || h.Get("Content-Type") != "text/plain" {
			t.Errorf("the API got %d bytes of %s, want %d", len(api.body), h.Get("Content-Type"), len(sent))
		}
		way := strings.Join(h["X-Forwarded-For"], ", ")
		if !strings.HasSuffix(way, "127.0.0.2") || h.Get("Authorization") != "" {
			t.Errorf("the API got X-Forwarded-For: %q and Authorization: %q", way, h.Get("Authorization"))
		}
		if asked := a.lastSeen("script").From; asked != "127.0.0.2" {
			t.Errorf("the door was told that it comes from %q", asked)
		}
	}, "--trusted-peers", "127.0.0.1")
}

var identity = map[string]bool{
	"X-Ostiary-Account": true, "X-Ostiary-Account-Id": true, "X-Ostiary-User": true, "X-Ostiary-Role": true,
	"X-Ostiary-Token-Id": true, "X-Ostiary-App": true, "X-Ostiary-Revision": true,
}

// send sends a request with headers spelt exactly as given.
func send(t *testing.T, method, address, secret, app string, headers ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequest(method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if secret != "" {
		req.Header.Set("X-Circonus-Auth-Token", secret)
	}
	if app != "" {
		req.Header.Set("X-Circonus-App-Name", app)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header[name] = []string{value}
	}
	client := &http.Client{Timeout: 10 * time.Second}
	client.Transport = &http.Transport{} // no proxy of the environment
	defer client.CloseIdleConnections()
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return res
}
