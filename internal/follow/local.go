package follow

import (
	"context"
	"errors"
	"sync"
	"time"

	"ostiary"
)

// Local is the registry where one node writes the log: it knows that node, and those that follow it.
type Local struct {
	mu    sync.Mutex
	nodes map[string]ostiary.Node

	file followers
}

// NewLocal makes an empty registry, which ends with the process.
func NewLocal() *Local { return &Local{nodes: map[string]ostiary.Node{}} }

// OpenLocal makes one that remembers in a file which nodes follow: after a restart they may decide for as long as
// they could before, and receipts name them as if each had been heard of at this moment.
func OpenLocal(path string) (*Local, error) {
	l := NewLocal()
	l.file.path = path
	nodes, err := l.file.open()
	if err != nil {
		return nil, err
	}
	return l, l.PutNodes(context.Background(), nodes...)
}

// PutNodes notes what nodes have applied.
func (l *Local) PutNodes(_ context.Context, nodes ...ostiary.Node) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range nodes {
		l.put(n)
	}
	return nil
}

func (l *Local) put(n ostiary.Node) {
	old := l.nodes[n.ID]
	if n.Holds.Head.Revision == 0 {
		n.Holds = old.Holds
	}
	n.Beat, n.SeenOn = old.Beat+1, time.Now()
	l.nodes[n.ID] = n
}

// Gather does nothing: there is one place.
func (l *Local) Gather() {}

// KeepNodes notes that nodes are there. Who follows is in the file before it returns. What they have applied, and
// this node itself, goes with the only node that needs it.
func (l *Local) KeepNodes(_ context.Context, nodes ...ostiary.Node) (ostiary.Head, error) {
	if err := l.file.keep(nodes, l.gone()); err != nil {
		return ostiary.Head{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range nodes {
		if old, found := l.nodes[n.ID]; found {
			n.Applied, n.Chain = old.Applied, old.Chain
		}
		l.put(n)
	}
	return ostiary.Head{}, nil
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

// gone says whether a node decides no more, since its lease is over. Time that this machine slept through does
// not count.
func (l *Local) gone() func(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	decides := map[string]bool{}
	for id, n := range l.nodes {
		decides[id] = decidesFor(n, time.Since(n.SeenOn)) > 0
	}
	return func(id string) bool { return !decides[id] } // nor does one that was taken off the record
}

// DropNode forgets a node.
func (l *Local) DropNode(_ context.Context, id string) error {
	if err := l.file.drop(id); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.nodes, id)
	return nil
}

// DropSilent forgets nodes that have said nothing since the beat that they are given with.
func (l *Local) DropSilent(_ context.Context, nodes ...ostiary.Node) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var err error
	for _, n := range nodes {
		if l.nodes[n.ID].Beat == n.Beat {
			delete(l.nodes, n.ID)
			err = errors.Join(err, l.file.drop(n.ID))
		}
	}
	return err
}
