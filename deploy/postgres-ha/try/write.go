package main

import (
	"fmt"
	"net/http"
	"time"

	"ostiary"
)

// A kind is what a change does.
type kind uint8

const (
	makeToken kind = iota
	allowApp
	retireToken
)

// A change is one that a client wants made, exactly once. What is in it belongs to it alone, so that the
// log shows whether it is there, and how often.
type change struct {
	kind  kind
	name  string     // a made token's description, an allowed application's name
	token ostiary.ID // known beforehand, but for a made token
	hash  ostiary.Hash

	sent, done time.Duration
	lost       int // times that no answer came
	refused    int // times that the answer was 503
	acked      bool
	repeated   bool   // the answer that came says that it had been made before
	revision   uint64 // by its receipt
	confirmed  []string
}

// unsure says that the client did not know at first what had become of it.
func (c *change) unsure() bool { return c.lost+c.refused > 0 }

// A holding is a token that a writer has made.
type holding struct {
	id     ostiary.ID
	secret string
}

// write makes a token, decides about applications of it, retires an older one, and so on. Each change is
// sent to the next node.
func (l *load) write(writer int) {
	var held []holding
	node := writer
	for n := 0; !l.stopped.Load(); n++ {
		name := fmt.Sprintf("change-%d-%d", writer, n)
		c := &change{kind: allowApp, name: name}
		var secret string
		switch {
		case len(held) == 0 || n%5 == 0:
			c.kind = makeToken
		case n%5 == 4 && len(held) > 3:
			c.kind, c.token, secret = retireToken, held[0].id, held[0].secret
			held = held[1:]
		default:
			c.token = held[len(held)-1].id
		}
		o := l.see(c, node)
		switch {
		case !c.acked:
		case c.kind == makeToken && o.Secret != "":
			held = append(held, holding{c.token, o.Secret})
		case c.kind == retireToken && secret != "":
			l.refusedOn(c.confirmed, secret)
		}
		node++
		time.Sleep(l.writeEvery)
	}
}

// refusedOn has a token shown to those nodes that have confirmed its retirement.
func (l *load) refusedOn(confirmed []string, secret string) {
	for i, n := range l.nodes {
		for _, name := range confirmed {
			if name == n.name {
				l.retired.add(i, secret)
				l.askOnce(i, expectation{secret, "asker", http.StatusUnauthorized})
			}
		}
	}
}

// see sends a change, and again to the next node with the same key where no answer came or 503 did.
func (l *load) see(c *change, node int) (o object) {
	method, path, body := c.request()
	l.mu.Lock()
	l.changes = append(l.changes, c)
	l.mu.Unlock()
	c.sent = l.now()
	for ; l.now() < c.sent+settleWithin; node++ {
		n := l.nodes[node%len(l.nodes)]
		status, o, text := n.change(l.admin, c.name, method, path, body)
		switch {
		case status == 0:
			c.lost++
		case status >= 500:
			c.refused++
		case status != http.StatusOK:
			l.tell("%s answered %d to a change: %s", n.name, status, text)
			return o
		default:
			l.acknowledge(c, o)
			return o
		}
		time.Sleep(200 * time.Millisecond)
	}
	return o
}

func (l *load) acknowledge(c *change, o object) {
	if c.kind == makeToken {
		c.token = o.id()
	}
	if o.Secret != "" { // it is shown once, and not where the change had been made before
		c.hash = ostiary.ReadSecret(o.Secret).Hash()
	}
	if o.Receipt != nil {
		c.revision, c.confirmed = o.Receipt.Revision, o.Receipt.Confirmed
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c.done, c.acked, c.repeated = l.now(), true, o.Repeated
	l.lastAck = c.done
}

// request is how a change is asked for.
func (c *change) request() (method, path string, body any) {
	switch c.kind {
	case makeToken:
		return "POST", "/v2/token", map[string]any{
			"privilege": "Normal", "default_app_state": "Allow", "description": c.name,
		}
	case retireToken:
		return "DELETE", fmt.Sprintf("/v2/token/%d", c.token), nil
	}
	return "POST", fmt.Sprintf("/v2/token/%d/app", c.token), map[string]any{"name": c.name, "state": "allowed"}
}

// acknowledged gives when a change was last acknowledged.
func (l *load) acknowledged() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lastAck
}
