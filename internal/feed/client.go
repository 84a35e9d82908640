package feed

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ostiary"
)

// A Sink is the memory that follows.
type Sink interface {
	Head() ostiary.Head
	Holds() ostiary.Digests
	Apply(c ostiary.Change, emails map[ostiary.ID]string) error
	// Fill replaces everything by a copy, and never by an older one.
	Fill(r io.Reader, why Fill) error
}

// A Fill says why everything is sent.
type Fill uint8

const (
	Missed   Fill = iota // memory lacks more than the server has at hand
	OtherLog             // the server's log went another way
	Wrong                // memory held something else than the server at the same revision
)

// A Lease is renewed by what is heard.
type Lease interface {
	Now() time.Duration // on the follower's own clock
	Renew(asOf time.Duration)
	Spoke(at time.Duration)
}

// Settings of a Client.
type Settings struct {
	Server     string // its URL, without a slash at the end
	Credential ostiary.SecretText
	Node       ostiary.Node // who follows
	HTTP       *http.Client // nil: one of its own
	Log        *slog.Logger
}

// A Client follows a server.
type Client struct {
	set   Settings
	sink  Sink
	lease Lease

	mu      sync.Mutex
	stream  *upward // nil while there is none
	waiting map[uint64]chan met
	number  uint64
	said    map[string]int64 // by node: what the others know of it
	began   time.Duration    // this process, on the lease's clock
	pinged  atomic.Int64     // the last stamp that was sent
	failed  atomic.Pointer[error]
	changed chan struct{} // something was applied that the server is to be told

	differs  map[string]differs // of this node and those behind it, as the server says
	whole    bool               // everything is asked for
	asked    time.Time          // when that was last so because the server had found a difference
	stopping atomic.Bool
	stopped  atomic.Int64  // the stamp of the first ping that said so
	known    chan struct{} // closed once the server has read it
}

// pingEvery is how often a follower says what it has applied, at least.
const pingEvery = 500 * time.Millisecond

// A stream that says nothing for so long is given up, and another one is opened.
const heardWithin = 3 * time.Second

// NewClient makes it.
func NewClient(set Settings, sink Sink, lease Lease) *Client {
	if set.HTTP == nil {
		dial := &net.Dialer{Timeout: 3 * time.Second, KeepAlive: 5 * time.Second}
		set.HTTP = &http.Client{
			Transport:     &http.Transport{DialContext: dial.DialContext, TLSHandshakeTimeout: 5 * time.Second},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return &Client{
		set: set, sink: sink, lease: lease, began: lease.Now(), waiting: map[uint64]chan met{}, said: map[string]int64{},
		changed: make(chan struct{}, 1), known: make(chan struct{}),
	}
}

// Run follows until ctx ends. What goes wrong is tried again.
func (c *Client) Run(ctx context.Context) {
	wait := 50 * time.Millisecond
	for ctx.Err() == nil {
		begun := time.Now()
		err := c.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		c.note(err)
		if time.Since(begun) > 5*time.Second {
			wait = 50 * time.Millisecond
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, 2*time.Second)
	}
}

// Err is why there is no stream; nil while there is one.
func (c *Client) Err() error {
	if err := c.failed.Load(); err != nil {
		return *err
	}
	return nil
}

func (c *Client) note(err error) {
	if err == nil {
		if c.failed.Swap(nil) != nil {
			c.set.Log.Info("the server is followed again", "server", c.set.Server, "revision", c.sink.Head().Revision)
		}
		return
	}
	if old := c.failed.Swap(&err); old == nil || (*old).Error() != err.Error() {
		c.set.Log.Error("the server is not followed", "server", c.set.Server, "error", err)
	}
}

// An upward stream is what the follower says.
type upward struct {
	mu sync.Mutex
	w  *io.PipeWriter
}

func (u *upward) send(kind byte, v any) error {
	var b bytes.Buffer
	if err := writeJSON(&b, kind, v); err != nil {
		return err
	}
	return u.write(b.Bytes())
}

func (u *upward) write(frame []byte) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	_, err := u.w.Write(frame)
	return err
}

// follow opens one stream, and reads it until it breaks.
func (c *Client) follow(ctx context.Context) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	body, w := io.Pipe()
	up := &upward{w: w}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(c.set.Server, "/")+Path, body)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+c.set.Credential.Reveal())
	r.Header.Set("Content-Type", "application/octet-stream")
	var working sync.WaitGroup
	defer working.Wait()
	defer w.CloseWithError(errors.New("the stream has ended")) // nobody may read any more what is said
	defer end(nil)
	working.Go(func() { // the transport reads the body as it sends it
		up.send(kindHello, hello{Version: version, Node: c.set.Node, Head: c.sink.Head(), Anew: c.anew()})
	})
	silent := time.AfterFunc(2*heardWithin, func() { end(errors.New("the server does not answer")) })
	defer silent.Stop()
	res, err := c.set.HTTP.Do(r)
	if err != nil {
		return cause(ctx, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 300))
		return fmt.Errorf("the server answers %s: %s", res.Status, strings.TrimSpace(string(text)))
	}
	working.Go(func() { c.speak(ctx, up, end) })
	return cause(ctx, c.read(bufio.NewReaderSize(res.Body, 64<<10), up, silent))
}

func cause(ctx context.Context, err error) error {
	if why := context.Cause(ctx); why != nil {
		return why
	}
	return err
}
