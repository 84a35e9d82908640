package gate_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ostiary"
	"ostiary/internal/gate"
)

// An api is behind the proxy. It keeps what reached it.
type api struct {
	*httptest.Server
	mu     sync.Mutex
	got    []received
	handle http.HandlerFunc // what it does besides; may be nil
}

type received struct {
	method, uri, host, body string
	header, trailer         http.Header
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if a.handle != nil {
		a.handle(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.got = append(a.got, received{r.Method, r.RequestURI, r.Host, string(body), r.Header.Clone(), r.Trailer.Clone()})
	w.Write([]byte("the API"))
}

// taken gives what reached the API since the last time.
func (a *api) taken() []received {
	a.mu.Lock()
	defer a.mu.Unlock()
	got := a.got
	a.got = nil
	return got
}

// A front is the proxy on a real server, with an API behind it.
type front struct {
	*site
	proxy *gate.Proxy
	api   *api
	addr  string
}

func openProxy(t testing.TB, handle http.HandlerFunc, rules ...ostiary.Rule) *front {
	t.Helper()
	a := &api{handle: handle}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	f := frontOf(t, a.URL, rules...)
	f.api = a
	return f
}

func frontOf(t testing.TB, upstream string, rules ...ostiary.Rule) *front {
	t.Helper()
	return frontTrusting(t, upstream, "loopback", rules...)
}

func frontTrusting(t testing.TB, upstream, trusted string, rules ...ostiary.Rule) *front {
	t.Helper()
	f := &front{site: &site{authority: newAuthority(), log: &requestLog{}}}
	at, err := url.Parse(upstream)
	if err != nil {
		t.Fatal(err)
	}
	proxy := gate.NewProxy(newGate(t, f.authority, f.log, trusted, rules), gate.ProxySettings{
		Upstream: at, Wait: 500 * time.Millisecond, Idle: 500 * time.Millisecond, Log: quiet(),
		Still: func(q *ostiary.Question) ostiary.Decision { return f.Check(context.Background(), q) },
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() { proxy.Serve(l) })
	t.Cleanup(func() { proxy.Close(); serving.Wait() })
	f.proxy, f.addr = proxy, l.Addr().String()
	return f
}

func (f *front) send(t *testing.T, text string) string {
	t.Helper()
	return send(t, "tcp", f.addr, text)
}

// through is a request with a credential, which ends its connection.
func through(request string, lines ...string) string {
	all := append([]string{request + " HTTP/1.1", "Host: api.example.com", "Connection: close"}, pair(adminToken, "app")...)
	return strings.Join(append(all, lines...), "\r\n") + "\r\n\r\n"
}

func TestProxyPassesRequestsOnAsTheyWereSent(t *testing.T) {
	f := openProxy(t, nil)
	for _, request := range []string{
		"GET /", "GET /a?b=1;c=2&d", "GET /a?", "DELETE /x%2fy/%2E%2e/z", "GET //double//", "GET /a/./b/../c", "PATCH /a?x=%00&y=%zz",
		`GET /"quoted"<and>|{more}`, "GET /;a=b\\c", "PROPFIND /a?b?c", "GET /caf\xc3\xa9", "GET /a?q=http://x/", "POST /a+b%20c",
	} {
		got := f.send(t, through(request))
		all := f.api.taken()
		method, uri, _ := strings.Cut(request, " ")
		if !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") || !strings.HasSuffix(got, "the API") || len(all) != 1 {
			t.Errorf("%s: got %q, and the API got %d requests", request, got, len(all))
			continue
		}
		if all[0].method != method || all[0].uri != uri || all[0].host != "api.example.com" {
			t.Errorf("%s: the API got %s %s for %s", request, all[0].method, all[0].uri, all[0].host)
		}
		// What was decided about is what reached the API.
		path, _, _ := strings.Cut(uri, "?")
		if q := f.last(t); q.Method != method || q.Path != path {
			t.Errorf("%s: decided about %s %s", request, q.Method, q.Path)
		}
	}
}

func TestProxyPutsTheIdentityInPlaceOfTheCredential(t *testing.T) {
	f := openProxy(t, nil)
	f.send(t, through("POST /x", "X-Ostiary-User: root", "X_Ostiary_User: root", "X.Ostiary.User: root", "x-ostiary_role: Admin",
		"X-Ostiary-Else: 1", "Connection: X-Ostiary-User, X-Ostiary-Role, X-Mine", "X-Mine: 1", "X-App-Name: app", "X-Kept: 1",
		"Authorization: Bearer eyJhbGciOi.x.y", "X-Forwarded-For: 192.0.2.1", "Accept-Encoding: br", "Te: trailers",
		"Transfer-Encoding: chunked", "Trailer: X-Ostiary-User, X-Circonus-Auth-Token, X-Sum")+
		"5\r\nhello\r\n0\r\nX-Ostiary-User: root\r\nX_Ostiary_Role: Admin\r\nX-Circonus-Auth-Token: "+adminToken+"\r\nX-Sum: 7\r\n\r\n")
	all := f.api.taken()
	if len(all) != 1 {
		t.Fatalf("the API got %d requests", len(all))
	}
	want := http.Header{
		"Accept-Encoding": {"br"}, "Authorization": {"Bearer eyJhbGciOi.x.y"}, "X-Kept": {"1"}, "Te": {"trailers"},
		"X-Forwarded-For": {"192.0.2.1, 127.0.0.1"}, "X-Forwarded-Host": {"api.example.com"}, "X-Forwarded-Proto": {"http"},
		"X-Ostiary-Account": {"social_networks"}, "X-Ostiary-Account-Id": {"42"}, "X-Ostiary-App": {"app"},
		"X-Ostiary-Revision": {"7"}, "X-Ostiary-Role": {"Admin"}, "X-Ostiary-Token-Id": {"10"},
		"X-Ostiary-User": {"alice@example.com"},
	}
	if diff := cmp.Diff(want, all[0].header); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(http.Header{"X-Sum": {"7"}}, all[0].trailer); diff != "" || all[0].body != "hello" {
		t.Errorf("body %q, trailers (-want +got):\n%s", all[0].body, diff)
	}
}

func TestProxyRemovesTheTokenFromWhereverItWas(t *testing.T) {
	f := openProxy(t, nil)
	for name, lines := range map[string][]string{
		"pair": pair(adminToken, "app"), "Basic": {basic("app", adminToken)},
		"Bearer":     {"Authorization: Bearer " + adminToken, "X-App-Name: app"},
		"other pair": {"X-Auth-Token: " + adminToken, "X-App-Name: app"},
		"twice":      append(pair(adminToken, "app"), basic("app", adminToken)),
		"UUID":       pair(strings.ToUpper(uuidToken), "app"),
	} {
		f.send(t, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"+strings.Join(lines, "\r\n")+"\r\n\r\n")
		all := f.api.taken()
		if len(all) != 1 {
			t.Errorf("%s: the API got %d requests", name, len(all))
			continue
		}
		h := all[0].header
		for _, gone := range []string{"Authorization", "X-Auth-Token", "X-App-Name", "X-Circonus-Auth-Token", "X-Circonus-App-Name"} {
			if h[gone] != nil {
				t.Errorf("%s: the API got %s: %q", name, gone, h[gone])
			}
		}
	}
}

func TestProxyBelievesTrustedPeersAloneAboutWhereARequestComesFrom(t *testing.T) {
	a := &api{}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	at, _ := url.Parse(a.URL)
	auth, log := newAuthority(), &requestLog{}
	proxy := gate.NewProxy(newGate(t, auth, log, "10.0.0.0/8", nil), gate.ProxySettings{
		Upstream: at, Wait: time.Second, Idle: time.Second, Log: quiet(),
		Still: func(q *ostiary.Question) ostiary.Decision { return auth.Check(context.Background(), q) },
	})
	for peer, want := range map[string][3]string{
		"10.0.0.9:1":  {"192.0.2.1, 10.0.0.9", "public.example.com", "https"},
		"192.0.2.9:1": {"192.0.2.9", "api.example.com", "http"},
	} {
		r := httptest.NewRequest("GET", "/x", nil)
		r.Host, r.RemoteAddr = "api.example.com", peer
		for _, line := range append(pair(adminToken, "app"), "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Host: public.example.com",
			"X-Forwarded-Proto: https", "Forwarded: for=192.0.2.1") {
			name, value, _ := strings.Cut(line, ": ")
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		proxy.ServeHTTP(w, r)
		all := a.taken()
		if len(all) != 1 {
			t.Fatalf("from %s: %d, and the API got %d requests", peer, w.Code, len(all))
		}
		h := all[0].header
		got := [3]string{h.Get("X-Forwarded-For"), h.Get("X-Forwarded-Host"), h.Get("X-Forwarded-Proto")}
		if got != want || h["Forwarded"] != nil {
			t.Errorf("from %s the API is told %q, want %q", peer, got, want)
		}
	}
}

func TestRefusedRequestsDoNotReachTheAPI(t *testing.T) {
	f := openProxy(t, nil, ostiary.Rule{Path: "/admin/**", Role: ostiary.Admin})
	for name, tt := range map[string]struct {
		request string
		lines   []string
		status  int
		code    string
	}{
		"no token":            {"GET /", nil, 401, "Unauthorized.MissingToken"},
		"unknown token":       {"GET /", pair(unknownToken, "app"), 401, "Unauthorized.BadToken"},
		"waiting":             {"GET /", pair(pendingToken, "new"), 401, "Unauthorized.PendingApp"},
		"denied":              {"GET /", pair(adminToken, "banned"), 403, "Forbidden.BadApp"},
		"role too low":        {"POST /", pair(readOnlyToken, "app"), 403, "Forbidden.Privilege"},
		"a rule":              {"GET /admin/x", pair(normalToken, "app"), 403, "Forbidden.Privilege"},
		"a rule, encoded":     {"GET /%61dmin/x", pair(normalToken, "app"), 403, "Forbidden.Privilege"},
		"an unclear path":     {"GET /x/../admin/y", pair(adminToken, "app"), 403, "Forbidden.Path"},
		"CONNECT":             {"CONNECT api:1", pair(adminToken, "app"), 405, "MethodNotAllowed"},
		"TRACE":               {"TRACE /", pair(adminToken, "app"), 405, "MethodNotAllowed"},
		"in small letters":    {"get /", pair(adminToken, "app"), 405, "MethodNotAllowed"},
		"absolute-form":       {"GET http://other/", pair(adminToken, "app"), 400, "InvalidValue"},
		"asterisk":            {"OPTIONS *", pair(adminToken, "app"), 400, "InvalidValue"},
		"fragment":            {"GET /x#y", pair(adminToken, "app"), 400, "InvalidValue"},
		"fragment of a query": {"GET /x?a#y", pair(adminToken, "app"), 400, "InvalidValue"},
		"an unknown upgrade":  {"GET /", append(pair(adminToken, "app"), "Connection: Upgrade", "Upgrade: h2c"), 400, "InvalidValue"},
		"two upgrades":        {"GET /", append(pair(adminToken, "app"), "Upgrade: websocket", "Upgrade: x"), 400, "InvalidValue"},
		"a spoiled revision":  {"GET /", append(pair(adminToken, "app"), "X-Ostiary-Min-Revision: x"), 503, "Unavailable"},
	} {
		r := ask(t, f.addr, tt.request, tt.lines...)
		if r.StatusCode != tt.status || r.code() != tt.code || r.body["tag"] != r.Header.Get("X-Ostiary-Tag") {
			t.Errorf("%s: %d %s %s, want %d %s", name, r.StatusCode, r.code(), r.text, tt.status, tt.code)
		}
		if got := f.api.taken(); len(got) != 0 {
			t.Errorf("%s: the API got %v", name, got)
		}
	}
}

// Whatever framing tricks are played, every request that reaches the API was decided about for itself.
func TestNoRequestReachesTheAPIWithoutADecisionOfItsOwn(t *testing.T) {
	f := openProxy(t, nil)
	hidden := "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"
	post := func(lines ...string) string { return through("POST /x", append(lines, "Connection: keep-alive")...) }
	for name, text := range map[string]string{
		"pipelined":            strings.ReplaceAll(through("GET /x"), "close", "keep-alive") + hidden,
		"length and chunks":    post("Content-Length: 6", "Transfer-Encoding: chunked") + "0\r\n\r\nG" + hidden,
		"chunks and length":    post("Transfer-Encoding: chunked", fmt.Sprint("Content-Length: ", len(hidden)+5)) + "0\r\n\r\n" + hidden,
		"two lengths":          post("Content-Length: 0", fmt.Sprint("Content-Length: ", len(hidden))) + hidden,
		"a long first length":  post(fmt.Sprint("Content-Length: ", len(hidden)), "Content-Length: 0") + hidden,
		"a list of lengths":    post("Content-Length: 0, 5") + hidden,
		"a signed length":      post("Content-Length: +0") + hidden,
		"a spelt framing":      post("Transfer_Encoding: chunked") + "0\r\n\r\n" + hidden,
		"a spaced framing":     post("Transfer-Encoding : chunked") + "0\r\n\r\n" + hidden,
		"a folded framing":     post("Transfer-Encoding:\r\n chunked") + "0\r\n\r\n" + hidden,
		"an unknown framing":   post("Transfer-Encoding: chunked, identity") + "0\r\n\r\n" + hidden,
		"a framing twice":      post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked") + "0\r\n\r\n" + hidden,
		"bare line feeds":      strings.ReplaceAll(post("Content-Length: 0"), "\r\n", "\n") + hidden,
		"a bare line feed":     post("X-A: b\n\nGET /hidden HTTP/1.1", "Content-Length: 0") + hidden,
		"a chunk's extension":  post("Transfer-Encoding: chunked") + "0;\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n" + hidden,
		"a chunk too long":     post("Transfer-Encoding: chunked") + "ffffffffffffffff1\r\n" + hidden,
		"a chunk with no end":  post("Transfer-Encoding: chunked") + "1\r\nab\r\n0\r\n\r\n" + hidden,
		"a body of a GET":      through("GET /x", "Content-Length: "+fmt.Sprint(len(hidden)), "Connection: keep-alive") + hidden,
		"an upgrade with more": through("GET /x", "Connection: Upgrade", "Upgrade: websocket") + hidden,
	} {
		conn, err := net.Dial("tcp", f.addr)
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(300 * time.Millisecond))
		io.WriteString(conn, text)
		answers, _ := io.ReadAll(conn) // until the deadline, where the connection stays open
		conn.Close()
		for _, r := range f.api.taken() {
			if r.uri == "/hidden" {
				t.Errorf("%s: a request without a credential reached the API; the answers are %q", name, answers)
			}
		}
	}
}

func TestProxyCarriesTenMegabytesBothWays(t *testing.T) {
	var sum [32]byte
	f := openProxy(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		sum = sha256.Sum256(body)
		w.Write(body)
	})
	body := bytes.Repeat([]byte("0123456789abcdef"), 10<<16)
	for _, chunked := range []bool{false, true} {
		var from io.Reader = bytes.NewReader(body)
		if chunked {
			from = io.MultiReader(from)
		}
		res := f.do(t, "POST", "/x", from)
		got, err := io.ReadAll(res.Body)
		if err != nil || !bytes.Equal(got, body) || sum != sha256.Sum256(body) {
			t.Errorf("chunked %v: %d bytes came back (%v)", chunked, len(got), err)
		}
		res.Body.Close()
	}
}

// do sends a request with the credential of an admin by net/http's client.
func (f *front) do(t *testing.T, method, path string, body io.Reader) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+f.addr+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range pair(adminToken, "app") {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func TestAPIThatDoesNotAnswerIsToldApart(t *testing.T) {
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	f := frontOf(t, "http://"+gone.Addr().String())
	r := ask(t, f.addr, "GET /x", pair(adminToken, "app")...)
	if r.StatusCode != 502 || r.code() != "BadGateway" || r.body["tag"] != r.Header.Get("X-Ostiary-Tag") || f.log.last().Err == nil {
		t.Errorf("nothing listens: %d %s", r.StatusCode, r.text)
	}
	f = openProxy(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	if r = ask(t, f.addr, "GET /x", pair(adminToken, "app")...); r.StatusCode != 504 || r.code() != "GatewayTimeout" {
		t.Errorf("it does not answer: %d %s", r.StatusCode, r.text)
	}
	f = openProxy(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, _ := http.NewResponseController(w).Hijack()
		io.WriteString(conn, "garbage\r\n\r\n")
		conn.Close()
	})
	if r = ask(t, f.addr, "POST /x", append(pair(adminToken, "app"), "Content-Length: 0")...); r.StatusCode != 502 {
		t.Errorf("it answers garbage: %d %s", r.StatusCode, r.text)
	}
	f = openProxy(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		w.Write([]byte("half"))
	})
	got := f.send(t, through("GET /x"))
	if !strings.HasSuffix(got, "half") {
		t.Errorf("an answer that breaks off comes as %q", got)
	}
}

func TestCallerWhoDoesNotSendOnIsCutOff(t *testing.T) {
	ended := make(chan error, 1)
	f := openProxy(t, func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		ended <- err
	})
	conn, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(conn, through("POST /x", "Content-Length: 100")+"some")
	if rest, err := io.ReadAll(conn); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("the connection is still open: %q %v", rest, err)
	}
	if err := <-ended; err == nil {
		t.Error("the API takes the half for the whole")
	}
}

func TestAPILearnsThatItsCallerHasGone(t *testing.T) {
	begun, ended := make(chan bool), make(chan bool)
	f := openProxy(t, func(_ http.ResponseWriter, r *http.Request) {
		begun <- true
		<-r.Context().Done()
		close(ended)
	})
	conn, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(conn, through("GET /x"))
	<-begun
	conn.Close()
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("the API works on for nobody")
	}
}

func TestAnswersComeAsTheAPIMadeThem(t *testing.T) {
	f := openProxy(t, func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["Set-Cookie"] = []string{"a=1", "b=2"}
		h["X-Ostiary-Code"], h["X_Ostiary_User"] = []string{"Forbidden.BadApp"}, []string{"root"}
		h.Set("Trailer", "X-Sum")
		w.WriteHeader(http.StatusTeapot)
		io.WriteString(w, "tea")
		h.Set("X-Sum", "3")
	})
	res := f.do(t, "GET", "/x", nil)
	body, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if res.StatusCode != http.StatusTeapot || string(body) != "tea" || !slices.Equal(res.Header["Set-Cookie"], []string{"a=1", "b=2"}) ||
		res.Header.Get("X-Ostiary-Code") != "" || res.Header.Get("X-Ostiary-Revision") != "7" || res.Trailer.Get("X-Sum") != "3" {
		t.Errorf("got %s %v %q, trailers %v", res.Status, res.Header, body, res.Trailer)
	}
}

// An answer to a token is nobody else's: no shared cache may keep it.
func TestNoSharedCacheKeepsAnAnswer(t *testing.T) {
	says := ""
	f := openProxy(t, func(w http.ResponseWriter, r *http.Request) {
		if says != "" {
			w.Header().Set("Cache-Control", says)
		}
	})
	for from, want := range map[string]string{
		"": "no-store", "no-store": "no-store", "max-age=60": "max-age=60, private",
		"public, max-age=60, s-maxage=600": "max-age=60, private", "Private, max-age=5": "Private, max-age=5",
		"no-cache": "no-cache, private", "S-MaxAge=1": "private",
	} {
		says = from
		res := f.do(t, "GET", "/x", nil)
		res.Body.Close()
		if got := res.Header.Get("Cache-Control"); got != want {
			t.Errorf("%q is passed on as %q, want %q", from, got, want)
		}
	}
}

// What some servers read as another path, address or token than the one that was decided about goes.
func TestStrangerSaysNothingThatAServerCouldReadOtherwise(t *testing.T) {
	a := &api{}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	at, _ := url.Parse(a.URL)
	auth, log := newAuthority(), &requestLog{}
	proxy := gate.NewProxy(newGate(t, auth, log, "", nil), gate.ProxySettings{
		Upstream: at, Wait: time.Second, Idle: time.Second, Log: quiet(),
	})
	front := httptest.NewServer(proxy)
	t.Cleanup(front.Close)
	send(t, "tcp", front.Listener.Addr().String(), through("GET /x", "X-Forwarded-Port: 1", "X-Forwarded-Prefix: /y",
		"X-Forwarded-Uri: /y", "X_Forwarded_For: 192.0.2.1", "X.Forwarded.Host: y", "X-Real-IP: 192.0.2.1", "X-Original-URL: /y",
		"X-Rewrite-URL: /y", "X_Rewrite_URL: /y", "X_Circonus_Auth_Token: "+adminToken, "X-Circonus-Account-ID: 42", "X_Mine: 1"))
	got := a.taken()
	if len(got) != 1 {
		t.Fatalf("the API got %d requests", len(got))
	}
	for name, values := range got[0].header {
		switch name {
		case "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X_mine":
		default:
			if !strings.HasPrefix(name, "X-Ostiary-") {
				t.Errorf("the API got %s: %q", name, values)
			}
		}
	}
	if got[0].header.Get("X-Forwarded-For") != "127.0.0.1" || got[0].header["X_mine"] == nil {
		t.Errorf("the API got %v", got[0].header)
	}
}
