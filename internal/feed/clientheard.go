package feed

import (
	"errors"
	"fmt"
	"io"
	"time"

	"ostiary"
)

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
		why := Missed
		switch {
		case hi.OtherLog:
			why = OtherLog
		case c.anew():
			why = Wrong
		}
		if err := c.fill(next, why, silent); err != nil {
			return err
		}
		c.filled()
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
func (c *Client) fill(next func() (byte, []byte, error), why Fill, silent *time.Timer) error {
	pr, pw := io.Pipe()
	filled := make(chan error, 1)
	go func() {
		err := c.sink.Fill(pr, why)
		pr.CloseWithError(errors.Join(errors.New("the copy is of no use"), err))
		filled <- err
	}()
	for {
		kind, payload, err := next()
		if err == nil && kind == kindStill {
			continue
		}
		if err == nil && kind != kindCopy {
			err = fmt.Errorf("%q comes in the middle of a copy", kind)
		}
		if err == nil && len(payload) == 0 {
			pw.Close()
			silent.Stop() // what the server says meanwhile is read later
			defer silent.Reset(heardWithin)
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
		if at, sent := c.sink.Head(), (ostiary.Head{Revision: a.Head, Chain: a.Chain}); at != sent {
			return fmt.Errorf("the server says that it has sent revision %d, and %d is the last that came, or it is of another log",
				a.Head, at.Revision)
		}
		if a.Stamp != 0 {
			if !c.mine(a.Stamp) || a.Age < 0 {
				return fmt.Errorf("the server answers stamp %d with an age of %v; no such ping was sent", a.Stamp, a.Age)
			}
			c.lease.Renew(time.Duration(a.Stamp) - a.Age)
		}
		c.heardOf(a.Said)
		if stopped := c.stopped.Load(); stopped != 0 && a.Stamp >= stopped {
			c.hasRead()
		}
		return c.heardDiffers(a.Differs)
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
	if stamp := said[c.set.Node.ID]; c.mine(stamp) {
		c.lease.Spoke(time.Duration(stamp))
	}
}

// mine says whether a stamp can be of a ping of this process. The server may still know one of an earlier life, by
// another clock: after another boot, or on another machine.
func (c *Client) mine(stamp int64) bool { return stamp >= int64(c.began) && stamp <= c.pinged.Load() }
