package gate_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
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
		p.log.mu.Lock()
		p.log.events = nil
		p.log.mu.Unlock()
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

var neverTrailing = []string{
	"Connection", "Content-Length", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade",
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

// Callers leave in the middle, and the API breaks off, says more than was asked, or is slow. Whoever gets a
// whole answer gets its own.
func TestNobodyGetsTheAnswerToAnother(t *testing.T) {
	f := frontOf(t, "http://"+echo(t))
	var all sync.WaitGroup
	var whole atomic.Int64
	for n := range 16 {
		all.Go(func() {
			for i := range 100 {
				whole.Add(int64(f.asksAndLeaves(t, rand.New(rand.NewPCG(uint64(n), uint64(i))), fmt.Sprintf("%d-%d", n, i))))
			}
		})
	}
	all.Wait()
	soon(t, "all connections are gone", func() bool { return f.proxy.Callers() == 0 })
	if whole.Load() < 1000 {
		t.Errorf("%d answers came whole, want more", whole.Load())
	}
}

// asksAndLeaves sends some requests over one connection, leaves at some point, and says how many answers came.
func (f *front) asksAndLeaves(t *testing.T, random *rand.Rand, id string) (whole int) {
	conn, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	r := bufio.NewReader(conn)
	for i := range 5 {
		method, path := methods[random.IntN(len(methods))], fmt.Sprintf("/%s-%d/%d", id, i, random.IntN(8))
		var lines []string
		if random.IntN(10) == 0 {
			lines = append(lines, aside)
		}
		io.WriteString(conn, kept(method+" "+path, lines...))
		if random.IntN(5) == 0 {
			time.Sleep(time.Duration(random.IntN(300)) * time.Microsecond)
			return whole
		}
		res, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			return whole
		}
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != 200 {
			return whole
		}
		if got := res.Header.Get("X-Path"); got != path || method != "HEAD" && string(body) != path {
			t.Errorf("%s %s: got the answer %q %q", method, path, got, body)
		}
		whole++
	}
	return whole
}

// echo is an API that says which path it was asked for, in a way that the path's end chooses.
func echo(t *testing.T) (addr string) {
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
				for from := bufio.NewReader(c); ; {
					if r, err := http.ReadRequest(from); err != nil || !sayPath(c, r) {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

// sayPath says whether another request may follow.
func sayPath(c net.Conn, r *http.Request) (again bool) {
	const head = "HTTP/1.1 200 OK\r\nX-Path: "
	path := r.URL.Path
	length := fmt.Sprintf("%s%s\r\nContent-Length: %d\r\n\r\n", head, path, len(path))
	chunks := fmt.Sprintf("%s%s\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", head, path, len(path), path)
	switch {
	case r.Method == "HEAD":
		_, err := io.WriteString(c, length)
		return err == nil
	case strings.HasSuffix(path, "/0"): // it breaks off
		io.WriteString(c, length+path[:3])
		return false
	case strings.HasSuffix(path, "/1"): // more than was asked for
		_, err := io.WriteString(c, length+path+length+path)
		return err == nil
	case strings.HasSuffix(path, "/2"): // slowly
		io.WriteString(c, length+path[:3])
		time.Sleep(time.Millisecond)
		_, err := io.WriteString(c, path[3:])
		return err == nil
	case strings.HasSuffix(path, "/3"):
		_, err := io.WriteString(c, chunks)
		return err == nil
	case strings.HasSuffix(path, "/4"):
		_, err := io.WriteString(c, "HTTP/1.1 103 Early Hints\r\n\r\n"+chunks)
		return err == nil
	case strings.HasSuffix(path, "/5"): // to the end of the connection
		io.WriteString(c, head+path+"\r\n\r\n"+path)
		return false
	}
	_, err := io.WriteString(c, length+path)
	return err == nil
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
		for _, name := range neverTrailing {
			delete(res.Trailer, name) // net/http passes on some, the loop none
		}
		for name := range res.Header {
			delete(res.Trailer, name) // net/http sends a header once more, if it is announced as a trailer
		}
		res.Trailer.Write(&rest)
		delete(res.Header, "Date")
		delete(res.Header, "Trailer") // of HEAD: the order of names is any
		if method != "HEAD" {
			delete(res.Header, "Content-Length") // net/http measures what came in chunks
		}
		return outcome{res.StatusCode, res.Header, rest.String()}
	}
}
