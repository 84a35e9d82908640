package api

import (
	"context"
	"time"

	"ostiary"
)

// Nodes are the servers and edges that decide, as the operator sees them.
type Nodes interface {
	All() []ostiary.Node
	// Forget takes a node that is gone off the record. One that may still decide is a Conflict, unless it is forced.
	Forget(ctx context.Context, id string, forced bool) error
}

func nodes(c *call) ([]ostiary.Node, error) {
	if c.opt.Nodes == nil {
		return nil, errNoFunction
	}
	return c.opt.Nodes.All(), nil
}

// decodeForce says whether a node is to be forgotten that may still decide.
func decodeForce(c *call) bool { return or(take(c.body, "force", truth), false) }

func forgetNode(c *call, forced bool) (out ostiary.Node, err error) {
	if c.opt.Nodes == nil {
		return out, errNoFunction
	}
	for _, n := range c.opt.Nodes.All() {
		if n.ID == c.args[0] {
			return n, c.opt.Nodes.Forget(c.r.Context(), n.ID, forced)
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
