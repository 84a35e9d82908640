package gate_test

import (
	"bufio"
	"bytes"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ostiary"
	"ostiary/internal/credential"
	"ostiary/internal/gate"
)

// heads are requests that are plain, and some that just are not.
func heads() []string {
	base := through("GET /a?b=c")
	return []string{
		base, through("DELETE /%2e/x?%zz", "X-A: b", "x-a:c ", "Cookie: \t", "Forwarded: for=1"),
		through("HEAD /", "X_Ostiary_User: root", "X-Ostiary-Min-Revision: 7", "X-Auth-Token: x", "Pragma: no-cache"),
		through("GET /", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: x", "X-Forwarded-Host: h", "X-Forwarded-Proto: https"),
		through("GET /", "X-Forwarded-Method: PUT", "X-Forwarded-Uri: /b", "X-Original-Method: PUT", "X-Original-URI: /b"),
		through("GET /", "X-Original-URL: /b", "X-Circonus-Account-ID: 42", "User-Agent: a", "X-Ostiary-Min-Revision: 7"),
		through("GET /", "X-Real-IP: 192.0.2.1"), through("GET /", "Authorization: Basic YTpi", "X-Ostiary-Min-Revision: x"),
		strings.Replace(base, "Connection: close", "Connection: keep-alive", 1), through("GET /%z"), through("GET /a b"),
		strings.Replace(base, "api.example.com", "[::1%25x]:80", 1), strings.ReplaceAll(base, "\r\n", "\n"),
		strings.Replace(base, "\r\n", "\r\n\r\n", 1), strings.Replace(base, "Host:", "Host :", 1), base + "x", "\r\n" + base,
		through("POST /"), through("GET /", "Content-Length: 0"), through("GET /", "Transfer-Encoding: chunked"),
		through("GET /", "X-A: a\r\n b"), through("GET /", "X-A: a\rb"), through("GET /", "X-\x80: b"), through("GET /", "X-A: \x80"),
	}
}

// Whatever the loop takes for a plain request, net/http reads as the same one, without a body.
func FuzzPlainHead(f *testing.F) {
	for _, text := range heads() {
		f.Add([]byte(text))
	}
	reader, err := credential.New(credential.Settings{Format: format})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, length, ok := gate.ReadPlain(reader, b)
		if !ok {
			return
		}
		rest := bytes.NewReader(b[:length])
		r, err := http.ReadRequest(bufio.NewReaderSize(rest, 16))
		if err != nil {
			t.Fatalf("%q is plain, and net/http says %v", b, err)
		}
		if r.Method != h.Method || r.RequestURI != h.Target || r.Host != h.Host || r.Close != h.Close ||
			!r.ProtoAtLeast(1, 1) || r.ContentLength != 0 || r.TransferEncoding != nil || r.Body != http.NoBody || r.Trailer != nil {
			t.Fatalf("%q: read as %+v, and by net/http as %+v", b, h, r)
		}
		for name, values := range r.Header {
			if known, ok := h.Known[name]; ok && !slices.Equal(known, values) {
				t.Errorf("%q: %s is %q, and for net/http %q", b, name, known, values)
			}
		}
	})
}

// What is decided about a plain request, and what the API gets of it, is what it would be by net/http.
func FuzzPlainHeadGoesOn(f *testing.F) {
	for _, text := range heads() {
		f.Add([]byte(text))
	}
	a := newAuthority()
	a.decide = func(q *ostiary.Question) ostiary.Decision {
		d := ostiary.Decision{Reason: ostiary.OK, Role: ostiary.Admin, Revision: 7, Account: 42, Token: 1, AppName: "app"}
		d.Email, d.AccountName = "alice@example.com", "a"
		return d
	}
	api, err := url.Parse("http://127.0.0.1:1")
	if err != nil {
		f.Fatal(err)
	}
	log := &requestLog{}
	p := gate.NewProxy(newGate(f, a, log, "loopback", nil), gate.ProxySettings{Upstream: api, Log: quiet()})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, peer := range []string{"127.0.0.1:9", "192.0.2.9:9", "[fe80::1%eth0]:9"} {
			a.asked, log.events = nil, nil
			loop, other, plain := p.GoesOn(b, peer)
			if !plain {
				return
			}
			for i := range a.asked {
				a.asked[i].At = time.Time{}
			}
			if n := len(a.asked); n != 0 && (n != 2 || !reflect.DeepEqual(a.asked[0], a.asked[1])) {
				t.Errorf("%q from %s: asked %+v", b, peer, a.asked)
			}
			got, want := readAgain(t, loop), readAgain(t, other)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%q from %s (-by net/http +by the loop):\n%s", b, peer, diff)
			}
		}
	})
}

// readAgain is a request as the API reads it. A User-Agent that is empty is as good as none.
func readAgain(t *testing.T, sent []byte) (all []string) {
	if len(sent) == 0 {
		return nil
	}
	rest := bufio.NewReader(bytes.NewReader(sent))
	r, err := http.ReadRequest(rest)
	if err != nil || rest.Buffered() > 0 {
		t.Errorf("the API gets %q: %v", sent, err)
		return nil
	}
	all = []string{r.Method, r.RequestURI, r.Host}
	for name, values := range r.Header {
		if name != "User-Agent" || values[0] != "" {
			all = append(all, name+": "+strings.Join(values, " | "))
		}
	}
	slices.Sort(all[3:])
	return all
}
