package gate_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Whatever the API answers, the caller gets the same by the loop and by net/http: a whole answer, ours for an
// API that gives none, or one that is visibly broken off.
func FuzzAnswer(f *testing.F) {
	for _, text := range soundAndSpoiled() {
		for method := range methods {
			f.Add(uint8(method), []byte(text))
		}
	}
	answer := &atomic.Pointer[[]byte]{}
	p := frontOf(f, "http://"+says(f, answer))
	f.Fuzz(func(t *testing.T, n uint8, b []byte) {
		p.mu.Lock()
		p.asked = nil
		p.mu.Unlock()
		answer.Store(&b)
		method := methods[int(n)%len(methods)]
		before := p.proxy.InLoop()
		loop, other := p.told(t, method), p.told(t, method, aside)
		if p.proxy.InLoop() != before+1 {
			t.Fatalf("%d requests were answered in the loop, want 1", p.proxy.InLoop()-before)
		}
		if _, typed := loop.header["Content-Type"]; !typed || loop.status == 304 {
			delete(loop.header, "Content-Type")
			delete(other.header, "Content-Type") // net/http guesses one, and a 304 gets none from it
		}
		if got, want := loop.text(), other.text(); got != want {
			t.Errorf("%s, and the API says %q: by the loop\n%s\nand by net/http\n%s", method, b, got, want)
		}
	})
}

var methods = []string{"GET", "HEAD", "OPTIONS", "DELETE"}

// says is an API that reads a request, says something, and closes the connection.
func says(t testing.TB, answer *atomic.Pointer[[]byte]) (addr string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					c.Write(*answer.Load())
				}
			}()
		}
	}()
	return l.Addr().String()
}

// An outcome is what a caller makes of what it gets.
type outcome struct {
	status int // zero: nothing whole came
	header http.Header
	rest   string // body and trailers
}

func (o outcome) text() string {
	if o.status == 0 {
		return "broken off"
	}
	if o.status == http.StatusBadGateway && o.header["X-Ostiary-Code"] != nil {
		return "502 of ours"
	}
	var b strings.Builder
	o.header.Write(&b)
	return http.StatusText(o.status) + "\n" + b.String() + o.rest
}

// told is what a caller gets over a connection of its own.
func (f *front) told(t *testing.T, method string, lines ...string) (o outcome) {
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(c, through(method+" /x", lines...))
	all, _ := io.ReadAll(c)
	r := bufio.NewReader(bytes.NewReader(all))
	for {
		res, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			return outcome{}
		}
		if res.StatusCode < 200 {
			continue
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			return outcome{}
		}
		if left, _ := io.ReadAll(r); len(left) > 0 {
			t.Errorf("after the answer comes %q", left)
		}
		var rest bytes.Buffer
		rest.Write(append(body, '\n'))
		res.Trailer.Write(&rest)
		delete(res.Header, "Date")
		delete(res.Header, "Trailer") // of HEAD: the order of names is any
		if method != "HEAD" {
			delete(res.Header, "Content-Length") // net/http measures what came in chunks
		}
		return outcome{res.StatusCode, res.Header, rest.String()}
	}
}
