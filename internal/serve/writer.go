package serve

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// room is how many bytes of lines wait for a slow reader before further ones are dropped.
const room = 1 << 20

// A Writer takes whole lines without ever waiting, and writes them out in the background. Lines for
// which there is no room are dropped and counted; the next line that gets through says how many.
type Writer struct {
	out    io.Writer
	prefix []byte // of secrets

	mu      sync.Mutex
	waiting []byte
	dropped uint64 // since the last line that said so
	lost    uint64 // in all
	closed  bool

	wake    chan struct{} // holds one element while there is something to write
	stopped chan struct{}
}

// NewWriter begins to write to out. Whatever begins like a secret, with this prefix, is cut from the
// lines: the last line of defence behind those who must not log one.
func NewWriter(out io.Writer, secretPrefix string) *Writer {
	w := &Writer{
		out: out, prefix: []byte(secretPrefix),
		wake: make(chan struct{}, 1), stopped: make(chan struct{}),
	}
	go w.run()
	return w
}

// Write takes one line.
func (w *Writer) Write(line []byte) (int, error) {
	n := len(line)
	line = conceal(line, w.prefix)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || len(w.waiting)+len(line) > room {
		w.dropped++
		w.lost++
		return n, nil
	}
	w.waiting = append(w.waiting, line...)
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return n, nil
}

// Dropped is how many lines were lost.
func (w *Writer) Dropped() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lost
}

// Close writes what waits. It gives up when ctx ends, since a reader may never come back.
func (w *Writer) Close(ctx context.Context) error {
	w.mu.Lock()
	first := !w.closed
	w.closed = true
	w.mu.Unlock()
	if first {
		close(w.wake)
	}
	select {
	case <-w.stopped:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *Writer) run() {
	defer close(w.stopped)
	var lines []byte
	for range w.wake {
		lines = w.flush(lines)
	}
	w.flush(lines)
}

// flush writes what waits, and gives the buffer for the next time.
func (w *Writer) flush(empty []byte) []byte {
	w.mu.Lock()
	lines, dropped := w.waiting, w.dropped
	w.waiting, w.dropped = empty[:0], 0
	w.mu.Unlock()
	if dropped > 0 {
		const line = `{"time":%q,"level":"WARN","msg":"log lines were lost: nobody reads them","count":%d}`
		lines = fmt.Appendf(lines, line+"\n", time.Now().UTC().Format(time.RFC3339), dropped)
	}
	if len(lines) > 0 {
		w.out.Write(lines)
	}
	return lines
}

// enough is how many letters and digits after the prefix are taken for a secret.
const enough = 12

// conceal replaces what follows the prefix of a secret. The line itself is not changed.
func conceal(line, prefix []byte) []byte {
	if len(prefix) == 0 || !bytes.Contains(line, prefix) {
		return line
	}
	clear := make([]byte, 0, len(line))
	for {
		before, rest, found := bytes.Cut(line, prefix)
		clear = append(clear, before...)
		if !found {
			return clear
		}
		clear = append(clear, prefix...)
		n := 0
		for n < len(rest) && (isAlnum(rest[n]) || n >= enough && rest[n] == '_') {
			n++ // with _, so that a second secret behind the first goes too
		}
		if n >= enough {
			clear = append(clear, "…"...)
			rest = rest[n:]
		}
		line = rest
	}
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}
