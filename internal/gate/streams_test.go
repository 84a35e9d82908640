package gate_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ostiary"
)

// events is an API that streams one event after the other.
func events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	for n := 0; r.Context().Err() == nil; n++ {
		fmt.Fprintf(w, "data: %d\n\n", n)
		http.NewResponseController(w).Flush()
		time.Sleep(20 * time.Millisecond)
	}
}

func TestStreamEndsWithinASecondWhenItsDecisionTurns(t *testing.T) {
	f := openProxy(t, events)
	res := f.do(t, "GET", "/events", nil)
	defer res.Body.Close()
	lines := bufio.NewReader(res.Body)
	for range 10 {
		if _, err := lines.ReadString('\n'); err != nil {
			t.Fatalf("the stream does not come as it is made: %v", err)
		}
	}
	f.mu.Lock()
	f.apps["app"] = ostiary.Denied
	f.mu.Unlock()
	denied := time.Now()
	if _, err := io.Copy(io.Discard, lines); err == nil {
		t.Error("the stream ends as if it were whole")
	}
	if took := time.Since(denied); took > time.Second {
		t.Errorf("it went on for %v", took)
	}
	soon(t, "the log is told why", func() bool { // after the caller is cut off
		e := f.log.last()
		return e.Answer.Code == "Forbidden.BadApp" && e.Door == "proxy"
	})
}

func TestShutdownEndsStreamsAndWaitsForTheRest(t *testing.T) {
	release := make(chan bool)
	f := openProxy(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/events" {
			events(w, r)
			return
		}
		<-release
		io.WriteString(w, "whole")
	})
	stream := f.do(t, "GET", "/events", nil)
	defer stream.Body.Close()
	whole := make(chan string)
	go func() {
		res := f.do(t, "GET", "/slow", nil)
		text, _ := io.ReadAll(res.Body)
		res.Body.Close()
		whole <- string(text)
	}()
	for range 100 { // until the second has begun
		f.mu.Lock()
		asked := len(f.asked)
		f.mu.Unlock()
		if asked >= 2 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	ended := make(chan error)
	go func() {
		ctx, stop := context.WithTimeout(context.Background(), 5*time.Second)
		defer stop()
		ended <- f.proxy.Shutdown(ctx)
	}()
	if _, err := io.Copy(io.Discard, stream.Body); err == nil {
		t.Error("the stream ends as if it were whole")
	}
	close(release)
	if got := <-whole; got != "whole" {
		t.Errorf("the other request gets %q", got)
	}
	if err := <-ended; err != nil {
		t.Errorf("it did not end: %v", err)
	}
}

func TestWebSocketIsPassedOnAndEndsWhenItsDecisionTurns(t *testing.T) {
	f := openProxy(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" || r.Header.Get("X-Ostiary-User") != "alice@example.com" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "websocket")
		w.WriteHeader(http.StatusSwitchingProtocols)
		conn, both, _ := http.NewResponseController(w).Hijack()
		defer conn.Close()
		io.Copy(conn, both)
	})
	conn, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	text := through("GET /ws", "Upgrade: websocket", "Sec-WebSocket-Key: x")
	io.WriteString(conn, strings.Replace(text, "Connection: close", "Connection: Upgrade", 1))
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("got %v %v", res, err)
	}
	for _, word := range []string{"hello\n", "again\n"} {
		io.WriteString(conn, word)
		if got, err := r.ReadString('\n'); got != word {
			t.Fatalf("got %q %v, want %q", got, err, word)
		}
	}
	f.mu.Lock()
	f.apps["app"] = ostiary.Denied
	f.mu.Unlock()
	denied := time.Now()
	if rest, err := io.ReadAll(r); time.Since(denied) > time.Second {
		t.Errorf("it went on for %v (%q, %v)", time.Since(denied), rest, err)
	}
}

// What goes wrong while open requests are decided about again ends those requests, and not the program.
func TestPanicOverAnOpenRequestEndsThatRequest(t *testing.T) {
	f := openProxy(t, events)
	res := f.do(t, "GET", "/events", nil)
	defer res.Body.Close()
	f.mu.Lock()
	f.decide = func(*ostiary.Question) ostiary.Decision { panic("lost") }
	f.mu.Unlock()
	if _, err := io.Copy(io.Discard, res.Body); err == nil {
		t.Error("the stream ends as if it were whole")
	}
}

// Over HTTP/2 many requests share a connection, and each must be read on.
func TestCallerOverHTTP2WhoDoesNotReadOnIsCutOff(t *testing.T) {
	ended := make(chan bool)
	f := openProxy(t, func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		for part := make([]byte, 64<<10); r.Context().Err() == nil; {
			if _, err := w.Write(part); err != nil {
				return
			}
		}
	})
	front := httptest.NewUnstartedServer(f.proxy)
	front.EnableHTTP2 = true
	front.StartTLS()
	t.Cleanup(front.Close)
	req, err := http.NewRequestWithContext(t.Context(), "GET", front.URL+"/endless", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Circonus-Auth-Token", adminToken)
	req.Header.Set("X-Circonus-App-Name", "app")
	res, err := front.Client().Do(req)
	if err != nil || res.ProtoMajor != 2 {
		t.Fatalf("%v %v", res, err)
	}
	defer res.Body.Close()
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("the API still writes, and nobody reads")
	}
}
