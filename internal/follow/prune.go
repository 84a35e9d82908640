package follow

import (
	"context"
	"slices"
	"strings"
	"time"

	"ostiary"
)

const (
	pruneEvery = 10 * time.Second
	// goneFor is how much longer than its lease and its tail a node has said nothing when it is taken off the record.
	goneFor = 10 * time.Second
)

// prune takes nodes off the record that are over: their lease has run out, and nobody comes back under their id.
// Others stay until somebody says that they are gone for good.
func (n *Nodes) prune(ctx context.Context) {
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			n.pruneNow(ctx)
		}
	}
}

func (n *Nodes) pruneNow(ctx context.Context) {
	over := n.over()
	if len(over) == 0 {
		return
	}
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	if err := n.reg.DropSilent(ctx, over...); err != nil && ctx.Err() == nil {
		n.log.Warn("nodes that are over could not be taken off the record", "nodes", len(over), "error", err)
	}
}

// over are the nodes to take off the record, as they were last seen.
func (n *Nodes) over() (over []ostiary.Node) {
	n.mu.Lock()
	defer n.mu.Unlock()
	latest := map[string]time.Duration{}
	for id, s := range n.seen {
		if folder, has := folderOf(id); has {
			latest[folder] = max(latest[folder], s.at)
		}
	}
	now := n.clock()
	for id, s := range n.seen {
		folder, has := folderOf(id)
		if !s.node.Passing() && (!has || s.at >= latest[folder]) {
			continue
		}
		if s.node.Stale || s.node.Via == "" || now-s.at <= s.node.Lease+s.node.Tail+unsure+goneFor {
			continue
		}
		over = append(over, s.node)
		delete(n.vouched, id)
		delete(n.unsaid, id)
	}
	return over
}

// folderOf is the part of an edge's id that stays when its folder moves to another place: see EdgeID.
func folderOf(id string) (folder string, has bool) {
	i := strings.LastIndexByte(id, '-')
	return id[:max(i, 0)], i > 0
}

// mostFailures is after how many failures in a row it is the registry that cannot be reached: one node among
// thousands that cannot be on record is found within fewer.
const mostFailures = 16

// puts says of several nodes what put does, many at a time, and gives those of which that could be said. One that
// cannot be on record costs itself only.
func puts(ctx context.Context, put func(context.Context, ...ostiary.Node) error, nodes []ostiary.Node) []ostiary.Node {
	failures := 0
	var some func([]ostiary.Node) []ostiary.Node
	some = func(nodes []ostiary.Node) []ostiary.Node {
		if len(nodes) == 0 || failures >= mostFailures || ctx.Err() != nil {
			return nil
		}
		if put(ctx, nodes...) == nil {
			failures = 0
			return nodes
		}
		if failures++; len(nodes) == 1 {
			return nil
		}
		half := len(nodes) / 2
		return slices.Concat(some(nodes[:half]), some(nodes[half:]))
	}
	return some(nodes)
}
