package client_test

import (
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ostiary/client"
	"ostiary/ostiarytest"
)

// ask makes a client of the door at a URL.
func ask(t *testing.T, url string) *client.Client {
	t.Helper()
	c, err := client.New(client.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// shown are the headers with which an application shows a token.
func shown(token ostiarytest.Token, app string) http.Header {
	r := &http.Request{Header: http.Header{}}
	token.Show(r, app)
	return r.Header
}

// An api is what is protected: it keeps what reached it.
type api struct {
	reached atomic.Int64
	mu      sync.Mutex
	last    *http.Request
	id      client.Identity
	known   bool
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.reached.Add(1)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last = r
	a.id, a.known = client.IdentityFrom(r.Context())
	w.Write([]byte("the API"))
}

// protected serves an API that a client of the door protects.
func protected(t *testing.T, door string) (*api, string) {
	t.Helper()
	c, err := client.New(client.Options{URL: door, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	a := &api{}
	s := httptest.NewUnstartedServer(c.Protect(a))
	s.Config.DisableGeneralOptionsHandler = true
	s.Start()
	t.Cleanup(s.Close)
	return a, strings.TrimPrefix(s.URL, "http://")
}

// raw sends bytes, and gives what comes back until the server closes.
func raw(t *testing.T, address string, lines ...string) string {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	lines = append(lines, "Connection: close", "", "")
	if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "Host:") }) {
		lines = slices.Insert(lines, 1, "Host: api.example.com")
	}
	if _, err := c.Write([]byte(strings.Join(lines, "\r\n"))); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	b := make([]byte, 4096)
	for {
		n, err := c.Read(b)
		all.Write(b[:n])
		if err != nil {
			return all.String()
		}
	}
}
