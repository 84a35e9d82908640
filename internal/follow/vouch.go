package follow

import (
	"context"
	"time"

	"ostiary"
)

// A vouched node follows this one. What it says goes on to the registry.
type vouched struct {
	node        ostiary.Node
	stamp, said int64
	words       int  // of it that the others can know of
	heard       bool // since the registry was last told of all that were
}

// Vouch puts a node on record that follows this one. The stamp is its own, and comes back from Said. What the
// node says again it says at the next beat; one that is new has no lease before its second word is known.
func (n *Nodes) Vouch(node ostiary.Node, stamp int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	was, known := n.vouched[node.ID]
	if held, here := n.memory.HeldAt(node.Applied); here && held.Head.Chain != node.Chain {
		node.Applied = 0 // it is of another log
	}
	if node.Holds.Head.Revision == 0 {
		node.Holds = was.node.Holds
	}
	switch {
	case stamp < was.stamp: // its clock is another one now, and what was said by the old one means nothing to it
		was.said, was.words, known = 0, 0, false
	case was.said != 0 && time.Duration(stamp-was.said) > node.Lease: // its next word is a first one again
		was.words, known = 0, false
	}
	n.vouched[node.ID] = vouched{node, stamp, was.said, was.words, true}
	if !known || was.words == 1 {
		wake(n.newcomer)
	}
	if was.node != node {
		n.unsaid[node.ID] = true
		wake(n.vouchable)
	}
}

// wake tells somebody who waits for it, or will.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Said is the last stamp of such a node that the other nodes can know of.
func (n *Nodes) Said(id string) int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.vouched[id].said
}

// passOn tells the registry at once what the nodes have applied that follow this one, many at a time; and every
// Beat all that were heard, since what was told may be lost.
func (n *Nodes) passOn(ctx context.Context) {
	tick := time.NewTicker(Beat)
	defer tick.Stop()
	for {
		again := false
		select {
		case <-ctx.Done():
			return
		case <-n.vouchable:
		case <-tick.C:
			again = true
		}
		if nodes := n.toPassOn(again); len(nodes) > 0 {
			within, stop := context.WithTimeout(ctx, patience)
			puts(within, n.reg.PutNodes, nodes)
			stop()
		}
	}
}

func (n *Nodes) toPassOn(again bool) (nodes []ostiary.Node) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for id, v := range n.vouched {
		if n.unsaid[id] || again && v.heard {
			nodes = append(nodes, v.node)
			v.heard = v.heard && !again
			n.vouched[id] = v
		}
	}
	clear(n.unsaid)
	return nodes
}

// vow tells the registry of those that follow this node, so that it lasts: apart, so that none of them keeps this
// node from its word.
func (n *Nodes) vow(ctx context.Context, nodes []ostiary.Node, stamps map[string]int64) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer stop()
	kept := puts(ctx, func(ctx context.Context, some ...ostiary.Node) error {
		_, err := n.reg.KeepNodes(ctx, some...)
		return err
	}, nodes)
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, node := range kept {
		if v, known := n.vouched[node.ID]; known && stamps[node.ID] <= v.stamp {
			v.said = stamps[node.ID]
			v.words++
			n.vouched[node.ID] = v
		}
	}
}

// speakers are the nodes that follow this one and have said something since the registry was last told for good.
func (n *Nodes) speakers() (nodes []ostiary.Node, stamps map[string]int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	stamps = map[string]int64{}
	for id, v := range n.vouched {
		if v.stamp != v.said {
			nodes, stamps[id] = append(nodes, v.node), v.stamp
		}
	}
	return nodes, stamps
}
