package serve

import (
	"context"
	"io"
	"log"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// NewLogger gives a logger of JSON lines with times in UTC. A message that comes more than twenty
// times a second is counted instead of written out.
func NewLogger(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(&calm{
		Handler: slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}),
		shared:  &counts{seen: map[string]int{}},
	})
}

const (
	perMessage  = 20  // times a second
	maxMessages = 200 // different ones; further ones are one
)

// calm keeps a message that repeats itself from filling the disk.
type calm struct {
	slog.Handler
	shared *counts
}

type counts struct {
	mu    sync.Mutex
	began time.Time
	seen  map[string]int
}

func (c *calm) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &calm{c.Handler.WithAttrs(attrs), c.shared}
}

func (c *calm) WithGroup(name string) slog.Handler {
	return &calm{c.Handler.WithGroup(name), c.shared}
}

func (c *calm) Handle(ctx context.Context, r slog.Record) error {
	over, kept := c.shared.count(r.Message)
	for message, n := range kept {
		now := time.Now().UTC().Truncate(time.Millisecond)
		more := slog.NewRecord(now, slog.LevelWarn, "a message was repeated", 0)
		more.AddAttrs(slog.String("message", message), slog.Int("more", n))
		c.Handler.Handle(ctx, more)
	}
	if over {
		return nil
	}
	r.Time = r.Time.UTC().Truncate(time.Millisecond)
	return c.Handler.Handle(ctx, r)
}

// count counts a message, and says whether it came too often. When a second is over it gives those
// that were kept back in it.
func (c *counts) count(message string) (over bool, kept map[string]int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.began) > time.Second {
		kept = map[string]int{}
		for m, n := range c.seen {
			if n > perMessage {
				kept[m] = n - perMessage
			}
		}
		clear(c.seen)
		c.began = now
	}
	if _, known := c.seen[message]; !known && len(c.seen) >= maxMessages {
		message = "others"
	}
	c.seen[message]++
	return c.seen[message] > perMessage, kept
}

// errorLog takes what net/http has to say about connections.
func errorLog(l *slog.Logger) *log.Logger { return log.New(&connections{l}, "", 0) }

type connections struct{ log *slog.Logger }

func (c *connections) Write(text []byte) (int, error) {
	c.log.Warn("trouble with a connection", "error", strings.TrimSpace(string(text)))
	return len(text), nil
}
