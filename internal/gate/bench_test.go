package gate_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"ostiary"
	"ostiary/internal/answer"
	"ostiary/internal/gate"
)

// letIn is an authority that costs nothing, and a log that keeps nothing.
type letIn struct{ d ostiary.Decision }

func (l *letIn) Check(context.Context, *ostiary.Question) ostiary.Decision { return l.d }
func (l *letIn) Record(*answer.Event) string                               { return "tag" }

var sound = ostiary.Decision{
	Reason: ostiary.OK, Role: ostiary.Normal, Account: 4200, AccountName: "social_networks", Token: 123456,
	Kind: ostiary.UserToken, User: 2, Email: "alice@example.com", App: 77, AppName: "collector", Revision: 98765,
}

func probe() *http.Request {
	r := httptest.NewRequest("GET", "/auth", nil)
	r.RemoteAddr = "127.0.0.1:4711"
	for _, line := range [][2]string{
		{"X-Circonus-Auth-Token", adminToken},
		{"X-Circonus-App-Name", "collector"},
		{"X-Original-Method", "GET"},
		{"X-Original-URI", "/metrics/1?since=5"},
		{"X-Forwarded-For", "192.0.2.1"},
		{"User-Agent", "collector/1.0"},
	} {
		r.Header.Set(line[0], line[1])
	}
	return r
}

// nowhere is a ResponseWriter that is used again.
type nowhere struct{ h http.Header }

func (n *nowhere) Header() http.Header         { return n.h }
func (n *nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (n *nowhere) WriteHeader(int)             {}

func TestDoorAllocatesTwiceToLetThrough(t *testing.T) {
	check := &letIn{sound}
	door := newDoor(t, check, check, "loopback", nil)
	r, w := probe(), &nowhere{http.Header{}}
	if n := testing.AllocsPerRun(1000, func() { door.ServeHTTP(w, r) }); n > 2 {
		t.Errorf("%v allocations a request", n)
	}
}

// read is the same request as probe, as the fast door's server has read it.
func read(t testing.TB) *fasthttp.RequestCtx {
	t.Helper()
	var text strings.Builder
	text.WriteString("GET /auth HTTP/1.1\r\nHost: door\r\n")
	for name, values := range probe().Header {
		fmt.Fprintf(&text, "%s: %s\r\n", name, values[0])
	}
	ctx := &fasthttp.RequestCtx{}
	ctx.Init(&fasthttp.Request{}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4711}, nil)
	if err := ctx.Request.Header.Read(bufio.NewReader(strings.NewReader(text.String() + "\r\n"))); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// They are the texts of the six headers, and the identity's numbers. Under the race detector a pool
// forgets now and then, which is one more.
func TestFastDoorAllocatesLittle(t *testing.T) {
	check := &letIn{sound}
	door, ctx := gate.NewFast(newGate(t, check, check, "loopback", nil), quiet()), read(t)
	if n := testing.AllocsPerRun(1000, func() { door.Handle(ctx); ctx.Response.Reset() }); n > 8 {
		t.Errorf("%v allocations a request", n)
	}
}

func BenchmarkFast(b *testing.B) {
	check := &letIn{sound}
	door, ctx := gate.NewFast(newGate(b, check, check, "loopback", nil), quiet()), read(b)
	b.ReportAllocs()
	for b.Loop() {
		door.Handle(ctx)
		ctx.Response.Reset()
	}
}

func BenchmarkForward(b *testing.B) {
	check := &letIn{sound}
	door := newDoor(b, check, check, "loopback", nil)
	r, w := probe(), &nowhere{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		door.ServeHTTP(w, r)
	}
}

func BenchmarkForwardSigned(b *testing.B) {
	check := &letIn{sound}
	g := newGate(b, check, check, "loopback", nil)
	g.Sign = stamp("a.b.c")
	door := gate.NewForward(g)
	r, w := probe(), &nowhere{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.h)
		door.ServeHTTP(w, r)
	}
}

func BenchmarkRefuse(b *testing.B) {
	check := &letIn{ostiary.Decision{Reason: ostiary.BadToken, Revision: 7}}
	door := newDoor(b, check, check, "loopback", nil)
	r, w := probe(), &nowhere{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		door.ServeHTTP(w, r)
	}
}
