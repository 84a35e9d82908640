package serve

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// hasty is a server that gives its callers little time.
func hasty(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{
		ReadHeaderTimeout: 100 * time.Millisecond, ReadTimeout: 200 * time.Millisecond, WriteTimeout: 200 * time.Millisecond,
		IdleTimeout: 100 * time.Millisecond,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			if r.URL.Path == "/endless" {
				for {
					if _, err := w.Write(make([]byte, 1<<16)); err != nil {
						return
					}
				}
			}
		}),
	}
	kept := keepDeadlines(l)
	go s.Serve(kept)
	t.Cleanup(func() { s.Close() })
	return l.Addr().String()
}

// A caller who sends too little, or reads too little, must not hold a connection for long.
func TestSlowCallersAreCutOff(t *testing.T) {
	t.Parallel()
	address := hasty(t)
	for name, text := range map[string]string{
		"nothing":                "",
		"half a header":          "GET / HTTP/1.1\r\nHost: x\r\nX-",
		"half a body":            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345",
		"idle":                   "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"an answer nobody reads": "GET /endless HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			io.WriteString(c, text)
			if strings.Contains(text, "endless") {
				time.Sleep(2500 * time.Millisecond)
			}
			c.SetReadDeadline(time.Now().Add(3 * time.Second))
			if _, err := io.Copy(io.Discard, c); err != nil && strings.Contains(err.Error(), "timeout") {
				t.Error("after three seconds the connection is still open")
			}
		})
	}
}

// Where an answer is passed on for as long as it takes, each part of it must be read in time.
func TestCallerWhoDoesNotReadOnIsCutOff(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	kept := keepDeadlines(l)
	kept.slowest = 300 * time.Millisecond
	wrote := make(chan error, 1)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				wrote <- err
				return
			}
		}
	})}
	go s.Serve(kept)
	t.Cleanup(func() { s.Close() })
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	select {
	case <-wrote:
	case <-time.After(5 * time.Second):
		t.Error("after five seconds the answer is still being written")
	}
}

func TestConnectionIsUsedAgainAndAgain(t *testing.T) {
	t.Parallel()
	c, err := net.Dial("tcp", hasty(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	in := bufio.NewReader(c)
	for range 2000 {
		io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
		res, err := http.ReadResponse(in, nil)
		if err != nil || res.StatusCode != 200 {
			t.Fatal(res, err)
		}
		res.Body.Close()
	}
}
