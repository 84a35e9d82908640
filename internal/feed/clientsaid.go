package feed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"time"

	"ostiary"
)

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

// speak says what was applied: at each change, and twice a second; and what is held, once a second.
func (c *Client) speak(ctx context.Context, up *upward, end context.CancelCauseFunc) {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	var said time.Time
	for {
		at := c.sink.Head()
		p := ping{Stamp: int64(c.lease.Now()), Applied: at.Revision, Chain: at.Chain, Stopped: c.stopping.Load()}
		c.pinged.Store(p.Stamp)
		if time.Since(said) >= time.Second {
			holds := c.sink.Holds()
			p.Holds, said = &holds, time.Now()
		}
		if p.Stopped {
			c.stopped.CompareAndSwap(0, p.Stamp)
		}
		if err := up.send(kindPing, p); err != nil {
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

// Stop says that this node stops in good order, and returns once the server has read that, or ctx ends. Without
// a stream nobody can be told.
func (c *Client) Stop(ctx context.Context) {
	c.stopping.Store(true)
	c.mu.Lock()
	up := c.stream
	c.mu.Unlock()
	if up == nil {
		return
	}
	c.wake()
	select {
	case <-c.known:
	case <-ctx.Done():
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
