package gate_test

import (
	"bufio"
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"

	"ostiary/internal/credential"
	"ostiary/internal/gate"
)

// neverOn are the headers that no plain request has, or that are said anew.
var neverOn = []string{
	"Connection", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto",
	"Content-Length", "Transfer-Encoding", "Trailer", "Te", "Expect", "Upgrade",
}

// Whatever the loop takes for a plain request, net/http reads as the same one, without a body.
func FuzzPlainHead(f *testing.F) {
	base := through("GET /a?b=c")
	for _, text := range []string{
		base, through("DELETE /%2e/x?%zz", "X-A: b", "x-a:c ", "Cookie: \t", "Forwarded: for=1"),
		through("HEAD /", "X_Ostiary_User: root", "X-Ostiary-Min-Revision: 7", "X-Auth-Token: x", "Pragma: no-cache"),
		strings.Replace(base, "Connection: close", "Connection: keep-alive", 1), through("GET /%z"), through("GET /a b"),
		strings.Replace(base, "api.example.com", "[::1%25x]:80", 1), strings.ReplaceAll(base, "\r\n", "\n"),
		strings.Replace(base, "\r\n", "\r\n\r\n", 1), strings.Replace(base, "Host:", "Host :", 1), base + "x", "\r\n" + base,
		through("POST /"), through("GET /", "Content-Length: 0"), through("GET /", "Transfer-Encoding: chunked"),
		through("GET /", "X-A: a\r\n b"), through("GET /", "X-A: a\rb"), through("GET /", "X-\x80: b"), through("GET /", "X-A: \x80"),
	} {
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
			isOurs := strings.HasPrefix(strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(name)), "x-ostiary-")
			if isOurs || slices.Contains(neverOn, name) {
				values = nil
			}
			if name != "Cache-Control" && !slices.Equal(h.Lines[name], values) { // net/http makes one of Pragma
				t.Errorf("%q: %s goes on as %q, want %q", b, name, h.Lines[name], values)
			}
		}
		for name := range h.Lines {
			if r.Header[name] == nil {
				t.Errorf("%q: %s goes on, and net/http does not know it", b, name)
			}
		}
	})
}
