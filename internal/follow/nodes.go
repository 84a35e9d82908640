package follow

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"ostiary"
)

// Beat is how often a node says that it is there, at least.
const Beat = 2 * time.Second

// A Registry is where nodes say what they have applied.
type Registry interface {
	PutNode(ctx context.Context, n ostiary.Node) error
	Nodes(ctx context.Context) ([]ostiary.Node, error)
	DropNode(ctx context.Context, id string) error
}

// A Memory is what a node says the revision of.
type Memory interface {
	Revision() uint64
	Changed() <-chan struct{} // closed when the revision is another
}

// Nodes says what this node has applied, and knows what the others have.
type Nodes struct {
	reg    Registry
	me     ostiary.Node
	memory Memory
	log    *slog.Logger
	clock  func() time.Duration
	spoken func(at time.Duration)
	within time.Duration // how long a receipt is waited for

	mu      sync.Mutex
	seen    map[string]sighting
	reads   int           // of the registry, begun
	read    int           // the last of them that is done
	waiting int           // receipts that are waited for
	woken   chan struct{} // somebody begins to wait
	told    chan struct{} // closed when the registry was read, and made anew
	recent  []ostiary.Receipt
}

// A sighting is when, on this node's clock, another one was first known to have a beat. Clocks of other
// machines are not believed.
type sighting struct {
	node ostiary.Node
	at   time.Duration
}

// look is how often the registry is read while a receipt is waited for.
const look = 2 * time.Millisecond

// NewNodes makes it for a node with a follower, whose lease runs out also when this node cannot say that
// it is there: others count on it. within is how long a change waits for the other nodes.
func NewNodes(reg Registry, me ostiary.Node, f *Follower, memory Memory, within time.Duration, l *slog.Logger,
) *Nodes {
	f.lease.mustSpeak()
	return &Nodes{
		reg: reg, me: me, memory: memory, log: l, clock: f.lease.clock, spoken: f.lease.spoke, within: within,
		seen: map[string]sighting{}, woken: make(chan struct{}, 1), told: make(chan struct{}),
	}
}

// Join puts this node on record. It must come before memory is loaded: a change whose receipt does
// not know this node is then in what it loads.
func (n *Nodes) Join(ctx context.Context) error { return n.put(ctx, false) }

// Run says what this node has applied, and reads what the others have, until ctx ends. Then it says
// that this node has stopped.
func (n *Nodes) Run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { n.say(ctx) })
	n.watch(ctx)
	running.Wait()
	if err := n.put(context.WithoutCancel(ctx), true); err != nil {
		n.log.Warn("the other nodes take this one for one that still answers", "node", n.me.Name, "error", err)
	}
}

// say writes what has been applied whenever that changes, and every Beat.
func (n *Nodes) say(ctx context.Context) {
	tick := time.NewTicker(Beat)
	defer tick.Stop()
	for ctx.Err() == nil {
		changed := n.memory.Changed()
		if err := n.put(ctx, false); err != nil && ctx.Err() == nil {
			n.log.Debug("this node could not say what it has applied", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-tick.C:
		}
	}
}

func (n *Nodes) put(ctx context.Context, stopped bool) error {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	me := n.me
	me.Applied, me.Stopped = n.memory.Revision(), stopped
	before := n.clock()
	if err := n.reg.PutNode(ctx, me); err != nil {
		return err
	}
	n.spoken(before)
	return nil
}

// watch reads the registry: every Beat, and all the time while somebody waits for a receipt.
func (n *Nodes) watch(ctx context.Context) {
	for ctx.Err() == nil {
		n.sight(ctx)
		pause := look
		if n.idle() {
			pause = Beat
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		case <-n.woken:
		}
	}
}

func (n *Nodes) idle() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.waiting == 0
}

// sight reads the registry once. After an error, what was seen before stands.
func (n *Nodes) sight(ctx context.Context) {
	n.mu.Lock()
	n.reads++
	this := n.reads
	n.mu.Unlock()
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	nodes, err := n.reg.Nodes(ctx)
	if err != nil {
		return
	}
	at := n.clock() // after the query: no beat that it shows is newer
	n.mu.Lock()
	defer n.mu.Unlock()
	still := make(map[string]sighting, len(nodes))
	for _, node := range nodes {
		s := sighting{node, at}
		if was, ok := n.seen[node.ID]; ok && was.node.Beat == node.Beat {
			s.at = was.at
		}
		still[node.ID] = s
	}
	n.seen, n.read = still, this
	close(n.told)
	n.told = make(chan struct{})
}
