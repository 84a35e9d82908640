package follow

import (
	"context"
	"fmt"
	"time"

	"ostiary"
)

// Forget takes a node off the record that is gone for good. One that may still decide is a Conflict: no receipt
// would name it any more. Whether it may is seen by this node's own clock, from when it first saw the node's last
// beat. Forced, it is forgotten all the same, for an operator who knows that it is destroyed; but not while it is
// heard of, since it would come back by itself.
func (n *Nodes) Forget(ctx context.Context, id string, forced bool) error {
	s, silent, err := n.lookFor(ctx, id)
	if err != nil {
		return err
	}
	if s.node.Quiet < 5*Beat && !s.node.Stopped {
		return ostiary.Refuse(ostiary.Conflict, "The node is still there. Stop it first.")
	}
	if left := decidesFor(s.node, silent); left > 0 && !forced {
		return ostiary.Refuse(ostiary.Conflict, stillDecides(left))
	}
	if err := n.reg.DropNode(ctx, id); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.vouched, id)
	delete(n.unsaid, id)
	return nil
}

// lookFor reads the registry, and says how long a node has been silent.
func (n *Nodes) lookFor(ctx context.Context, id string) (s sighting, silent time.Duration, err error) {
	n.mu.Lock()
	n.reads++
	this := n.reads
	n.mu.Unlock()
	nodes, err := n.reg.Nodes(ctx, n.applied())
	if err != nil {
		return s, 0, &ostiary.Refusal{
			Reason: ostiary.Unavailable, Say: "The list of nodes cannot be read, so that nobody knows what the node does.",
			Cause: err,
		}
	}
	now := n.clock()
	s, found := n.sighted(nodes, now, this)[id]
	if !found {
		return s, 0, ostiary.ErrNotFound
	}
	return s, now - s.at, nil
}

// decidesFor is how long a node may still decide without what it lacks, or what it has let through may last;
// Forever where it goes on however old its memory is.
func decidesFor(n ostiary.Node, silent time.Duration) time.Duration {
	left := n.Lease - silent
	if n.Stale || left > Forever-unsure-n.Tail {
		return Forever
	}
	return max(0, left+n.Tail+unsure)
}

// stillDecides says why a node is not forgotten.
func stillDecides(left time.Duration) string {
	const force = "Force it only where its machine or its data folder is destroyed: otherwise it goes on letting in " +
		"what is retired, and no receipt says so."
	if left == Forever {
		return "The node may still decide: its lease is never over. " + force
	}
	seconds := int64((left + time.Second - 1) / time.Second)
	return fmt.Sprintf("The node may still decide, for %d seconds from now at most. ", seconds) + force
}
