package follow

import (
	"context"
	"sync"
	"time"

	"ostiary"
)

// Local is the registry where one node writes the log: it knows that node, and those that follow it.
type Local struct {
	mu    sync.Mutex
	nodes map[string]ostiary.Node
}

// NewLocal makes an empty registry.
func NewLocal() *Local { return &Local{nodes: map[string]ostiary.Node{}} }

// PutNodes notes what nodes have applied.
func (l *Local) PutNodes(_ context.Context, nodes ...ostiary.Node) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range nodes {
		if n.Holds.Head.Revision == 0 {
			n.Holds = l.nodes[n.ID].Holds
		}
		n.Beat, n.SeenOn = l.nodes[n.ID].Beat+1, time.Now()
		l.nodes[n.ID] = n
	}
	return nil
}

// Gather does nothing: there is one place.
func (l *Local) Gather() {}

// KeepNodes notes that nodes are there. What this registry knows goes with the only node that needs it.
func (l *Local) KeepNodes(ctx context.Context, nodes ...ostiary.Node) (ostiary.Head, error) {
	l.mu.Lock()
	for i, n := range nodes {
		if old, found := l.nodes[n.ID]; found {
			nodes[i].Applied = old.Applied
		}
	}
	l.mu.Unlock()
	return ostiary.Head{}, l.PutNodes(ctx, nodes...)
}

// Nodes gives every node.
func (l *Local) Nodes(context.Context, ostiary.Head) ([]ostiary.Node, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]ostiary.Node, 0, len(l.nodes))
	for _, n := range l.nodes {
		n.Quiet = time.Since(n.SeenOn)
		all = append(all, n)
	}
	return all, nil
}

// DropNode forgets a node.
func (l *Local) DropNode(_ context.Context, id string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.nodes, id)
	return nil
}
