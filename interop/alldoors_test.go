package interop_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"ostiary/client"
)

// openDoors opens every door to one authority. The API is behind those that pass requests on.
func openDoors(t *testing.T, a *authority, front string, behind *upstream, api string) []*door {
	t.Helper()
	doors := []*door{
		{name: "/auth", ask: asProxiesAsk("tcp", a.listen)},
		{name: "fast", ask: asProxiesAsk("unix", a.socket)},
		{name: "envoy", ask: asEnvoyAsks(a.listen)},
		{name: "grpc", ask: asEnvoyAsksByGRPC(t, "unix:"+a.socket)},
		{name: "api", ask: plainly(a.listen, nil)},
		{name: "go", ask: plainly(goHandler(t, "unix:"+a.socket, behind), behind), api: behind},
		{name: "proxy", ask: plainly(front, behind), api: behind},
		{name: "proxy", ask: notPlain(plainly(front, behind)), api: behind},
	}
	for name, p := range proxies {
		base := p.start(t, a, api)
		name, _, _ = strings.Cut(name, ",") // what nginx does by TCP, it does by socket
		doors = append(doors, &door{
			name: name, ask: plainly(strings.TrimPrefix(base, "http://"), behind), api: behind,
		})
	}
	return doors
}

// plainly sends a request as it stands.
func plainly(address string, api *upstream) func(*testing.T, *request) outcome {
	return func(t *testing.T, r *request) outcome {
		res, body := exchange(t, "tcp", address, r.lines...)
		id := http.Header{}
		if api != nil {
			id = api.last()
		}
		o := outcomeOf(res, body, id)
		if api == nil && o.status == http.StatusOK {
			o.says = r.want // the native API does not say with which role
		}
		return o
	}
}

// notPlain sends a request with a header that takes it out of our proxy's loop, and goes no further.
func notPlain(ask func(*testing.T, *request) outcome) func(*testing.T, *request) outcome {
	return func(t *testing.T, r *request) outcome {
		aside := *r
		aside.lines = append(slices.Clone(r.lines), "Proxy-Connection: x")
		return ask(t, &aside)
	}
}

// asProxiesAsk asks about a request in the headers of a question, as nginx does. What the caller says
// there itself is removed.
func asProxiesAsk(network, address string) func(*testing.T, *request) outcome {
	return func(t *testing.T, r *request) outcome {
		lines := []string{"GET /auth", "X-Original-Method: " + r.method(), "X-Original-URI: " + r.target()}
		res, body := exchange(t, network, address, append(lines, passedOnToDoors(r)...)...)
		return outcomeOf(res, body, res.Header)
	}
}

// asEnvoyAsks asks with the request's own method, below /auth/envoy.
func asEnvoyAsks(address string) func(*testing.T, *request) outcome {
	return func(t *testing.T, r *request) outcome {
		if r.method() == http.MethodConnect {
			return outcome{status: 405, says: "405"} // Envoy asks about CONNECT only where it is told to
		}
		lines := []string{r.method() + " /auth/envoy" + r.target()}
		res, body := exchange(t, "tcp", address, append(lines, passedOnToDoors(r)...)...)
		return outcomeOf(res, body, res.Header)
	}
}

// passedOnToDoors are the caller's headers that a proxy shows to a door.
func passedOnToDoors(r *request) (lines []string) {
	for _, line := range r.lines[1:] {
		switch name, _, _ := strings.Cut(strings.ToLower(line), ":"); name {
		case "connection", "x-original-method", "x-original-uri", "x-forwarded-method", "x-forwarded-uri":
		default:
			lines = append(lines, line)
		}
	}
	return lines
}

// asEnvoyAsksByGRPC starts the program that answers Envoy's gRPC, and asks it with raw headers.
func asEnvoyAsksByGRPC(t *testing.T, url string) func(*testing.T, *request) outcome {
	t.Helper()
	program := filepath.Join(t.TempDir(), "extauthz")
	build := exec.Command("go", "build", "-C", "../extauthz", "-buildvcs=false", "-o", program, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building extauthz: %v\n%s", err, out)
	}
	cmd := exec.Command(program, "--listen", freeAddress(t), "--auth", url)
	logs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Signal(syscall.SIGTERM); cmd.Wait() })
	waitFor(t, cmd.Args[2])
	go func() {
		for lines := bufio.NewScanner(logs); lines.Scan(); {
		}
	}()
	conn, err := grpc.NewClient(cmd.Args[2], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	envoy := auth.NewAuthorizationClient(conn)
	return func(t *testing.T, r *request) outcome {
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
		defer stop()
		res, err := envoy.Check(ctx, envoyQuestion(r))
		if err != nil {
			t.Fatalf("%s: %v", r.name, err)
		}
		h := http.Header{}
		if no := res.GetDeniedResponse(); no != nil {
			answer := &http.Response{StatusCode: int(no.Status.Code), Header: headersOf(h, no.Headers)}
			return outcomeOf(answer, no.Body, h)
		}
		answer := &http.Response{StatusCode: http.StatusOK, Header: headersOf(h, res.GetOkResponse().Headers)}
		return outcomeOf(answer, "", h)
	}
}

func envoyQuestion(r *request) *auth.CheckRequest {
	sent := &core.HeaderMap{}
	for _, line := range r.lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		sent.Headers = append(sent.Headers, &core.HeaderValue{Key: strings.ToLower(name), RawValue: []byte(value)})
	}
	from := &core.SocketAddress{Address: "127.0.0.1", PortSpecifier: &core.SocketAddress_PortValue{PortValue: 4711}}
	return &auth.CheckRequest{Attributes: &auth.AttributeContext{
		Source: &auth.AttributeContext_Peer{Address: &core.Address{Address: &core.Address_SocketAddress{SocketAddress: from}}},
		Request: &auth.AttributeContext_Request{Http: &auth.AttributeContext_HttpRequest{
			Method: r.method(), Path: r.target(), HeaderMap: sent,
		}},
	}}
}

func headersOf(h http.Header, options []*core.HeaderValueOption) http.Header {
	for _, o := range options {
		h.Add(o.Header.Key, o.Header.Value+string(o.Header.RawValue))
	}
	return h
}

// goHandler is a Go program that asks a door for itself. What its handler learns is written where an
// API behind a proxy would read it.
func goHandler(t *testing.T, url string, api *upstream) (address string) {
	t.Helper()
	c, err := client.New(client.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	server := httptest.NewServer(c.Protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, ok := client.IdentityFrom(r.Context())
		if !ok {
			t.Error("a handler was reached without an identity")
		}
		user := id.User
		if user == "" {
			user = "-"
		}
		r = r.Clone(r.Context())
		maps.Copy(r.Header, http.Header{
			"X-Ostiary-Account": {id.Account}, "X-Ostiary-Account-Id": {id.AccountID.String()}, "X-Ostiary-User": {user},
			"X-Ostiary-Role": {id.Role.String()}, "X-Ostiary-Token-Id": {id.TokenID.String()},
			"X-Ostiary-App": {id.App}, "X-Ostiary-Revision": {fmt.Sprint(id.Revision)},
		})
		api.ServeHTTP(w, r)
	})))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// goProxy is a Go program that asks a door for itself, and passes on to an API what is let through.
func goProxy(t *testing.T, door, api string) (address string) {
	t.Helper()
	c, err := client.New(client.Options{URL: door})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	pass := &httputil.ReverseProxy{ErrorLog: log.New(io.Discard, "", 0), Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: api})
		id, _ := client.IdentityFrom(r.In.Context())
		r.Out.Header.Set("X-Ostiary-User", id.User)
	}}
	server := httptest.NewServer(c.Protect(pass))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}
