package gate_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/gate"
)

// hasty is a listener whose connections have a hundredth of the time that they are given.
type hasty struct{ net.Listener }

func (l hasty) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return hastyConn{c}, err
}

type hastyConn struct{ net.Conn }

func (c hastyConn) SetReadDeadline(at time.Time) error {
	if left := time.Until(at); left > 0 {
		at = time.Now().Add(left / 100)
	}
	return c.Conn.SetReadDeadline(at)
}

// A head has ten seconds, and a connection three minutes until the next; an answer takes as long as it does.
func TestSlowCallersAreCutOffInTheLoop(t *testing.T) {
	f := openProxy(t, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(300 * time.Millisecond)
		io.WriteString(w, "late")
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go f.proxy.Serve(hasty{l})
	f.addr = l.Addr().String()
	for name, tt := range map[string]struct {
		before, after string
		at            time.Duration
	}{
		"nothing":       {"", "", 100 * time.Millisecond},
		"half a head":   {"", "GET /x HTTP/1.1\r\nHost", 100 * time.Millisecond},
		"no next":       {kept("GET /x"), "", 1800 * time.Millisecond},
		"half the next": {kept("GET /x"), "GET /", 100 * time.Millisecond},
	} {
		conn, r := f.dial(t)
		if io.WriteString(conn, tt.before); tt.before != "" {
			if status, body := answered(t, r); status != 200 || body != "late" {
				t.Errorf("%s: %d %s", name, status, body)
			}
		}
		begun := time.Now()
		io.WriteString(conn, tt.after)
		_, err := r.ReadByte()
		if took := time.Since(begun); err != io.EOF || took < tt.at*8/10 || took > tt.at+time.Second {
			t.Errorf("%s: %v after %v, want the end after %v", name, err, took, tt.at)
		}
	}
}

// The ten seconds of a head go on where it turns out to be odd, and are over with it.
func TestOddHeadHasNoMoreTimeThanAnother(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes ten seconds")
	}
	t.Parallel()
	f := openProxy(t, nil)
	other, otherReader := f.dial(t)
	io.WriteString(other, kept("POST /x", "Content-Length: 0"))
	answered(t, otherReader)

	conn, r := f.dial(t)
	begun := time.Now()
	io.WriteString(conn, "GET /x HTTP/1.1\r\nX-A: ")
	time.Sleep(6 * time.Second)
	io.WriteString(conn, "1\n")
	r.ReadByte()
	if took := time.Since(begun); took < 9*time.Second || took > 13*time.Second {
		t.Errorf("cut off after %v, want ten seconds", took)
	}
	io.WriteString(other, kept("GET /x"))
	if status, body := answered(t, otherReader); status != 200 || body != "the API" {
		t.Errorf("%d %s", status, body)
	}
}

// Whoever has asked nothing yet does not keep the proxy from stopping.
func TestShutdownDoesNotWaitForNewConnections(t *testing.T) {
	f := openProxy(t, nil)
	conn, r := f.dial(t)
	soon(t, "the connection is there", func() bool { return f.proxy.Callers() == 1 })
	ended := make(chan error, 1)
	go func() { ended <- shutdown(f.proxy) }()
	time.Sleep(100 * time.Millisecond)
	io.WriteString(conn, kept("GET /x")) // it was on its way
	if status, body := answered(t, r); status != 200 || body != "the API" {
		t.Errorf("%d %s", status, body)
	}
	if _, err := r.ReadByte(); err != io.EOF {
		t.Errorf("%v, want the end", err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}

	f = openProxy(t, nil)
	conn, r = f.dial(t)
	soon(t, "the connection is there", func() bool { return f.proxy.Callers() == 1 })
	go func() { ended <- shutdown(f.proxy) }()
	time.Sleep(100 * time.Millisecond)
	io.WriteString(conn, kept("POST /x", "Content-Length: 2")+"hi") // so was this, and it is net/http's
	if status, body := answered(t, r); status != 200 || body != "the API" {
		t.Errorf("%d %s", status, body)
	}
	if _, err := r.ReadByte(); err != io.EOF {
		t.Errorf("%v, want the end", err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}

	f = openProxy(t, nil)
	_, r = f.dial(t)
	soon(t, "the connection is there", func() bool { return f.proxy.Callers() == 1 })
	begun := time.Now()
	if err := shutdown(f.proxy); err != nil || time.Since(begun) > 3*time.Second {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
	if _, err := r.ReadByte(); err != io.EOF {
		t.Errorf("%v, want the end", err)
	}
}

func shutdown(p *gate.Proxy) error {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	return p.Shutdown(ctx)
}

// begins is an API that begins an answer with a length and goes on for as long as somebody listens.
func begins(gone chan bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "begun")
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(gone)
	}
}

func TestAPILearnsThatItsCallerHasGoneInTheMiddle(t *testing.T) {
	gone := make(chan bool)
	f := openProxy(t, begins(gone))
	conn, r := f.dial(t)
	io.WriteString(conn, kept("GET /x"))
	if _, err := r.ReadString('n'); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	select {
	case <-gone:
	case <-time.After(2 * time.Second):
		t.Error("the API works on for nobody")
	}
	soon(t, "the connection is gone", func() bool { return f.proxy.Callers() == 0 })
}

func TestShutdownEndsEventsThatHaveALength(t *testing.T) {
	gone := make(chan bool)
	f := openProxy(t, begins(gone))
	conn, r := f.dial(t)
	io.WriteString(conn, kept("GET /x"))
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if err := shutdown(f.proxy); err != nil || time.Since(begun) > 3*time.Second {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
	if _, err := io.ReadAll(res.Body); err == nil {
		t.Error("the events end as if they were whole")
	}
}

func TestCloseBreaksOffWhateverIsThere(t *testing.T) {
	f := openProxy(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	for _, text := range []string{"", "GET /x HTTP/1.1\r\nHo", kept("GET /x")} {
		_, r := f.dial(t)
		conn, r2 := f.dial(t)
		io.WriteString(conn, text)
		defer func() {
			for _, r := range []io.ByteReader{r, r2} {
				if b, err := r.ReadByte(); err == nil {
					t.Errorf("after %q: got %q", text, b)
				}
			}
		}()
	}
	soon(t, "all are there", func() bool { return f.proxy.Callers() == 6 && f.proxy.InLoop() == 1 })
	f.proxy.Close()
	soon(t, "all are gone", func() bool { return f.proxy.Callers() == 0 })
}

// A request that was decided about when Close came is not passed on after it.
func TestNothingIsAskedOfTheAPIAfterClose(t *testing.T) {
	for _, more := range []string{"X-A: 1", aside} {
		f := openProxy(t, nil)
		asked, goOn := make(chan bool), make(chan bool)
		f.decide = func(q *ostiary.Question) ostiary.Decision {
			close(asked)
			<-goOn
			d := ostiary.Decision{Reason: ostiary.OK, Role: ostiary.Admin, Account: 42, Token: 1, AppName: "app"}
			d.Email, d.AccountName = "alice@example.com", "a"
			return d
		}
		conn, r := f.dial(t)
		io.WriteString(conn, kept("GET /x", more))
		<-asked
		f.proxy.Close()
		close(goOn)
		if b, err := r.ReadByte(); err == nil {
			t.Errorf("%s: got %q", more, b)
		}
		time.Sleep(100 * time.Millisecond)
		if got := f.api.taken(); len(got) > 0 {
			t.Errorf("%s: the API got %v", more, got)
		}
	}
}
