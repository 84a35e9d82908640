package fleet

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A wire leads from one node to the database. It breaks at a commit, if a test says so, and takes no more
// connections then; those that there are stay.
type wire struct {
	net.Listener
	to      string
	broken  atomic.Bool
	next    atomic.Bool // at the next commit
	passing atomic.Bool // which the server gets to hear
}

func (f *fleet) newWire() *wire {
	f.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { l.Close() })
	w := &wire{Listener: l, to: fmt.Sprintf("127.0.0.1:%d", f.pg.Port)}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go w.join(client)
		}
	}()
	return w
}

func (w *wire) join(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", w.to)
	if err != nil || w.broken.Load() {
		return
	}
	defer server.Close()
	go func() {
		io.Copy(client, server)
		client.Close()
	}()
	for buf := make([]byte, 64<<10); ; {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		breaks := bytes.Contains(buf[:n], []byte("COMMIT\x00")) && w.next.CompareAndSwap(true, false)
		if breaks {
			w.broken.Store(true)
			client.Close()
		}
		if !breaks || w.passing.Load() {
			server.Write(buf[:n])
		}
		if breaks {
			time.Sleep(100 * time.Millisecond) // the server reads before it sees the end
			return
		}
	}
}

// A change whose outcome is unknown counts as done on the node that made it, as far as it takes away. Once the log
// tells whether it was made, that node decides as the others do.
func TestARefusalInDoubtEndsOnceTheLogTells(t *testing.T) {
	long(t)
	t.Parallel()
	f := newFleet(t, []string{"b"}, "--confirm-within", "300ms")
	w := f.newWire()
	a := f.prepare("a", "--listen", "127.0.0.1:0", "--confirm-within", "300ms")
	a.env = append(a.env, "OSTIARY_DATABASE="+strings.Replace(f.url(), w.to, w.Addr().String(), 1))
	f.launch(a)
	b := f.nodes[0]
	s := f.storm(0, 0, 0)
	for _, made := range []bool{false, true} {
		token := s.apart(b)
		want := func(n *node, want int, when string) {
			t.Helper()
			if status, _, err := n.ask(token.text, "app0"); status != want {
				t.Errorf("%s (made: %v), %s answers %d, %v; want %d", when, made, n.name, status, err, want)
			}
		}
		want(a, 200, "before")
		deny := map[string]any{"name": "app0", "state": "denied"}
		w.passing.Store(made)
		w.next.Store(true)
		status, text := a.operate("POST", "/v2"+token.cid+"/app", deny, nil)
		if status != 503 || !isDoubt(text) {
			t.Fatalf("a commit without an answer is answered %d %s", status, text)
		}
		want(a, 403, "in doubt")
		after := map[bool]int{false: 200, true: 403}[made]
		want(b, after, "in doubt")
		if status := s.describe(b, token); status != 200 {
			t.Fatalf("a change at the other node answers %d", status)
		}
		w.broken.Store(false)
		f.eventually("a follows", 10*time.Second, func() bool {
			status, _, _ := a.ask(token.text, "app0")
			return status == after
		})
		want(b, after, "after the next change")
		s.changesGoOn(token)
		want(a, after, "at the end")
	}
	s.verify()
}
