package feed

import (
	"fmt"
	"time"
)

// anewEvery is the least time between two copies that are asked for because memory differs.
const anewEvery = time.Minute

// anew says whether everything is asked for.
func (c *Client) anew() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.whole
}

// filled notes that memory holds what the server sent, as a whole.
func (c *Client) filled() {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.differs, c.set.Node.ID)
	c.whole = false
}

// heardDiffers takes which nodes the server finds to differ. An error ends the stream: the next one begins with
// everything.
func (c *Client) heardDiffers(all map[string]differs) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.differs = all
	mine, wrong := all[c.set.Node.ID]
	if !wrong || !mine.Anew || time.Since(c.asked) < anewEvery {
		return nil
	}
	c.whole, c.asked = true, time.Now()
	return fmt.Errorf("this memory held something else than the server at revision %d: everything is asked for", mine.At)
}

// Differ is that the server has found this memory to differ from its own; nil while it has not.
func (c *Client) Differ() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if mine, wrong := c.differs[c.set.Node.ID]; wrong {
		return fmt.Errorf("memory differs from that of %s at revision %d", c.set.Server, mine.At)
	}
	return nil
}

// Differs says what the server found of a node behind this one. It is sent everything once this one is right.
func (c *Client) Differs(id string) (at uint64, anew bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, wrong := c.differs[c.set.Node.ID]
	d := c.differs[id]
	return d.At, d.Anew && !wrong
}

// hasRead notes that the server knows that this node stops.
func (c *Client) hasRead() {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.known:
	default:
		close(c.known)
	}
}
