package feed

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
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
	Apply(c ostiary.Change, emails map[ostiary.ID]string) error
	// Fill replaces everything by a copy, and never by an older one.
	Fill(r io.Reader) error
}

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
	failed  atomic.Pointer[error]
	changed chan struct{} // something was applied that the server is to be told
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
		set: set, sink: sink, lease: lease, waiting: map[uint64]chan met{}, said: map[string]int64{},
		changed: make(chan struct{}, 1),
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
		up.send(kindHello, hello{Version: version, Node: c.set.Node, Head: c.sink.Head()})
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

// read takes what the server sends.
func (c *Client) read(in io.Reader, up *upward, silent *time.Timer) error {
	var buffer []byte
	next := func() (byte, []byte, error) {
		kind, payload, err := readFrame(in, &buffer)
		silent.Reset(heardWithin)
		return kind, payload, err
	}
	kind, payload, err := next()
	if err != nil {
		return err
	}
	hi, err := readJSON[welcome](payload)
	if err != nil || kind != kindWelcome || hi.Version != version {
		return errors.Join(errors.New("the server does not speak this version of the feed"), err)
	}
	if hi.Whole {
		if err := c.fill(next); err != nil {
			return err
		}
	}
	c.open(up)
	defer c.open(nil)
	c.note(nil)
	for {
		kind, payload, err := next()
		if err != nil {
			return err
		}
		if err := c.heard(kind, payload); err != nil {
			return err
		}
	}
}

// fill reads a whole copy.
func (c *Client) fill(next func() (byte, []byte, error)) error {
	pr, pw := io.Pipe()
	filled := make(chan error, 1)
	go func() {
		err := c.sink.Fill(pr)
		pr.CloseWithError(errors.Join(errors.New("the copy is of no use"), err))
		filled <- err
	}()
	for {
		kind, payload, err := next()
		if err == nil && kind != kindCopy {
			err = fmt.Errorf("%q comes in the middle of a copy", kind)
		}
		if err == nil && len(payload) == 0 {
			pw.Close()
			return <-filled
		}
		if err == nil {
			_, err = pw.Write(payload)
		}
		if err != nil {
			pw.CloseWithError(err)
			return errors.Join(err, <-filled)
		}
	}
}

func (c *Client) heard(kind byte, payload []byte) error {
	switch kind {
	case kindChange:
		l, err := readJSON[change](payload)
		if err != nil {
			return err
		}
		err = c.sink.Apply(ostiary.Change{
			Revision: l.Revision, Account: l.Account, Chain: l.Chain, Facts: l.Facts,
		}, l.Emails)
		c.wake()
		return err
	case kindAge:
		a, err := readJSON[age](payload)
		if err != nil {
			return err
		}
		if at := c.sink.Head().Revision; at < a.Head {
			return fmt.Errorf("the server says that it has sent revision %d, and %d is the last that came", a.Head, at)
		}
		if a.Stamp != 0 {
			c.lease.Renew(time.Duration(a.Stamp) - a.Age)
		}
		c.heardOf(a.Said)
		return nil
	case kindMet:
		m, err := readJSON[met](payload)
		if err != nil {
			return err
		}
		c.mu.Lock()
		done := c.waiting[m.Number]
		delete(c.waiting, m.Number)
		c.mu.Unlock()
		if done != nil {
			done <- m
		}
		return nil
	}
	return fmt.Errorf("the server says %q, which means nothing here", kind)
}

// heardOf notes what the other nodes know of this one and those behind it.
func (c *Client) heardOf(said map[string]int64) {
	c.mu.Lock()
	for id, stamp := range said {
		c.said[id] = stamp
	}
	c.mu.Unlock()
	if stamp := said[c.set.Node.ID]; stamp != 0 {
		c.lease.Spoke(time.Duration(stamp))
	}
}

func (c *Client) wake() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

func (c *Client) open(up *upward) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stream = up
	if up == nil {
		for number, done := range c.waiting {
			done <- met{Number: number, Failed: true}
		}
		clear(c.waiting)
	}
}

// speak says what was applied: at each change, and twice a second.
func (c *Client) speak(ctx context.Context, up *upward, end context.CancelCauseFunc) {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		err := up.send(kindPing, ping{Stamp: int64(c.lease.Now()), Applied: c.sink.Head().Revision})
		if err != nil {
			end(err)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-c.changed:
		}
	}
}

// ErrAway says that there is no stream to send something on.
var ErrAway = errors.New("no server is followed now")

// Meet has an application put on record, and gives the revision that has the record.
func (c *Client) Meet(ctx context.Context, t Contact) (uint64, error) {
	done := make(chan met, 1)
	c.mu.Lock()
	up := c.stream
	if up != nil {
		c.number++
		t.Number = c.number
		c.waiting[t.Number] = done
	}
	c.mu.Unlock()
	if up == nil {
		return 0, ErrAway
	}
	if err := up.send(kindContact, t); err != nil {
		return 0, errors.Join(ErrAway, err)
	}
	select {
	case m := <-done:
		if m.Failed {
			return 0, errors.New("the server could not put it on record")
		}
		return m.Revision, nil
	case <-ctx.Done():
		c.mu.Lock()
		delete(c.waiting, t.Number)
		c.mu.Unlock()
		return 0, ctx.Err()
	}
}

// Use hands on who used what.
func (c *Client) Use(_ context.Context, rows []byte) error {
	var frame bytes.Buffer
	if err := writeFrame(&frame, kindUse, rows); err != nil {
		return err
	}
	return c.write(frame.Bytes())
}

// Vouch has a node that follows this one put on record.
func (c *Client) Vouch(n ostiary.Node, stamp int64) {
	text, err := json.Marshal(vouched{n, stamp})
	var frame bytes.Buffer
	if err == nil && writeFrame(&frame, kindVouch, text) == nil {
		c.write(frame.Bytes()) // while there is no stream nobody is told, and the node's lease runs out
	}
}

// Said is the last stamp of a node that follows this one which the other nodes know of.
func (c *Client) Said(id string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.said[id]
}

func (c *Client) write(frame []byte) error {
	c.mu.Lock()
	up := c.stream
	c.mu.Unlock()
	if up == nil {
		return ErrAway
	}
	return up.write(frame)
}
