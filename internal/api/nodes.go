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
	// Compare holds what the other nodes say that they hold against what this one does. It takes some seconds at most.
	Compare(ctx context.Context) []ostiary.Compared
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
		"held_revision": revisionOrNull(n.Holds.Head.Revision), "digest": textOrNull(n.Holds.Text()), "_differs": n.Differs,
	}
}

func compareNodes(c *call) ([]ostiary.Compared, error) {
	if c.opt.Nodes == nil {
		return nil, errNoFunction
	}
	return c.opt.Nodes.Compare(c.r.Context()), nil
}

// encodeCompared shows digests where two nodes were compared.
func encodeCompared(_ *call, n ostiary.Compared) object {
	theirs, ours := n.Node.Holds.Text(), n.Ours.Text()
	if n.At == 0 {
		theirs, ours = "", ""
	}
	return object{
		"id": n.Node.ID, "name": n.Node.Name, "revision": revisionOrNull(n.At), "differs": n.Differs, "emails_only": n.Emails,
		"digest": textOrNull(theirs), "own_digest": textOrNull(ours), "why_not": textOrNull(n.Why),
	}
}

func revisionOrNull(revision uint64) any {
	if revision == 0 {
		return nil
	}
	return revision
}

func textOrNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}
