package api

import (
	"context"
	"time"

	"ostiary"
)

// Nodes are the servers and edges that decide, as the operator sees them.
type Nodes interface {
	All() []ostiary.Node
	// Forget takes a node that is gone off the record. One that is still there is a Conflict.
	Forget(ctx context.Context, id string) error
}

func nodes(c *call) ([]ostiary.Node, error) {
	if c.opt.Nodes == nil {
		return nil, errNoFunction
	}
	return c.opt.Nodes.All(), nil
}

func forgetNode(c *call, _ struct{}) (out ostiary.Node, err error) {
	if c.opt.Nodes == nil {
		return out, errNoFunction
	}
	for _, n := range c.opt.Nodes.All() {
		if n.ID == c.args[0] {
			return n, c.opt.Nodes.Forget(c.r.Context(), n.ID)
		}
	}
	return out, because(ostiary.ErrNotFound, "There is no node with this id.")
}

func encodeNode(c *call, n ostiary.Node) object {
	var via any
	if n.Via != "" {
		via = n.Via
	}
	return object{
		"id": n.ID, "name": n.Name, "version": n.Version, "via": via, "revision": n.Applied,
		"lease_seconds": int64(n.Lease / time.Second), "serves_stale": n.Stale, "stopped": n.Stopped,
		"_seen_on": epoch(n.SeenOn), "_quiet_seconds": int64(n.Quiet / time.Second),
	}
}
