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
	// KeepNodes notes that nodes are there, and returns once that lasts: also where another server takes over
	// from the one that was told. Of nodes on record it leaves what they have applied.
	KeepNodes(ctx context.Context, nodes ...ostiary.Node) error
	// PutNodes notes what nodes have applied, and is quick: that may be known to one server alone, and be lost
	// with it.
	PutNodes(ctx context.Context, nodes ...ostiary.Node) error
	Nodes(ctx context.Context) ([]ostiary.Node, error)
	DropNode(ctx context.Context, id string) error
	// DropSilent forgets nodes that have said nothing since the beat that they are given with.
	DropSilent(ctx context.Context, nodes ...ostiary.Node) error
}

// A Memory is what a node says the revision of.
type Memory interface {
	Revision() uint64
	Changed() <-chan struct{} // closed when the revision is another
	Holds() ostiary.Digests
	HeldAt(revision uint64) (ostiary.Digests, bool) // one of the last; not found where that is not known
}

// Nodes says what this node has applied, and knows what the others have.
type Nodes struct {
	reg      Registry
	me       ostiary.Node
	memory   Memory
	log      *slog.Logger
	clock    func() time.Duration
	spoken   func(at time.Duration)
	narrowed <-chan struct{} // memory decides by another revision of the log, though it holds the same
	applied  func() uint64
	within   time.Duration // how long a receipt is waited for

	mu      sync.Mutex
	seen    map[string]sighting
	reads   int           // of the registry, begun
	read    int           // the last of them that is done
	waiting int           // receipts that are waited for
	woken   chan struct{} // somebody begins to wait
	told    chan struct{} // closed when the registry was read, and made anew
	recent  []ostiary.Receipt

	vouched   map[string]vouched // of the nodes that follow this one, by id
	unsaid    map[string]bool    // those of them that have said something since it was passed on
	vouchable chan struct{}
	newcomer  chan struct{} // holds one element after a node began to follow this one

	comparer comparer
}

// A vouched node follows this one. What it says goes on to the registry.
type vouched struct {
	node        ostiary.Node
	stamp, said int64
	heard       bool // since the registry was last told of all that were
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
		reg: reg, me: me, memory: memory, log: l, clock: f.lease.clock, spoken: f.lease.spoke, narrowed: f.narrowed, applied: f.Applied, within: within,
		seen: map[string]sighting{}, woken: make(chan struct{}, 1), told: make(chan struct{}),
		vouched: map[string]vouched{}, unsaid: map[string]bool{}, vouchable: make(chan struct{}, 1),
		newcomer: make(chan struct{}, 1),
	}
}

// Join puts this node on record. It must come before memory is loaded: a change whose receipt does
// not know this node is then in what it loads.
func (n *Nodes) Join(ctx context.Context) error {
	if err := n.speak(ctx, false); err != nil {
		return err
	}
	return n.reg.PutNodes(ctx, n.now(false)) // an earlier life may have applied more, of another log
}

// Run says what this node has applied, and reads what the others have, until ctx ends. Then it says
// that this node has stopped.
func (n *Nodes) Run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { n.confirm(ctx) })
	running.Go(func() { n.beat(ctx) })
	running.Go(func() { n.passOn(ctx) })
	running.Go(func() { n.prune(ctx) })
	if n.comparer.mend != nil {
		running.Go(func() { n.mendOnDoubt(ctx) })
	}
	n.watch(ctx)
	running.Wait()
	if err := n.speak(context.WithoutCancel(ctx), true); err != nil {
		n.log.Warn("the other nodes take this one for one that still answers", "node", n.me.Name, "error", err)
	}
}

// confirm writes what has been applied as soon as that is another revision, and every Beat, since the last time
// may have failed.
func (n *Nodes) confirm(ctx context.Context) {
	tick := time.NewTicker(Beat)
	defer tick.Stop()
	for ctx.Err() == nil {
		changed := n.memory.Changed()
		within, stop := context.WithTimeout(ctx, patience)
		n.reg.PutNodes(within, n.now(false))
		stop()
		select {
		case <-ctx.Done():
		case <-changed:
		case <-n.narrowed:
		case <-tick.C:
		}
	}
}

// beat says that this node is there, and those that follow it.
func (n *Nodes) beat(ctx context.Context) {
	tick := time.NewTicker(Beat)
	defer tick.Stop()
	for {
		if err := n.speak(ctx, false); err != nil && ctx.Err() == nil {
			n.log.Debug("this node could not say what it has applied", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-n.newcomer:
		}
	}
}

func (n *Nodes) now(stopped bool) ostiary.Node {
	me := n.me
	me.Applied, me.Stopped = n.applied(), stopped
	return me
}

// speak tells the registry of this node and of those that follow it, so that it lasts. Only that counts as
// having spoken: a server that was left alone, while another one took over, may still take what is put.
func (n *Nodes) speak(ctx context.Context, stopped bool) error {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	before := n.clock()
	nodes, stamps := n.speakers()
	me := n.now(stopped)
	me.Holds = n.memory.Holds()
	if err := n.reg.KeepNodes(ctx, me); err != nil {
		return err
	}
	n.spoken(before)
	kept := puts(ctx, n.reg.KeepNodes, nodes) // apart, so that none of them keeps this node from its word
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, node := range kept {
		if v, known := n.vouched[node.ID]; known && stamps[node.ID] <= v.stamp {
			v.said = stamps[node.ID]
			n.vouched[node.ID] = v
		}
	}
	return nil
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

// watch reads the registry: every Beat, and all the time while somebody waits for a receipt.
func (n *Nodes) watch(ctx context.Context) {
	for ctx.Err() == nil {
		n.sight(ctx)
		pause := look
		if n.idle() {
			pause = n.leisure()
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
	n.compare(this, nodes, n.sighted(nodes, at, this), at)
}

// sighted keeps when each node was first known to have its beat, and tells those that wait for that.
func (n *Nodes) sighted(nodes []ostiary.Node, at time.Duration, read int) map[string]sighting {
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
	n.seen, n.read = still, read
	close(n.told)
	n.told = make(chan struct{})
	return still
}

// Vouch puts a node on record that follows this one. The stamp is its own, and comes back from Said. What the
// node says again it says at the next beat; one that is new has no lease before the first.
func (n *Nodes) Vouch(node ostiary.Node, stamp int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	was, known := n.vouched[node.ID]
	if node.Holds.Head.Revision == 0 {
		node.Holds = was.node.Holds
	}
	if stamp < was.stamp { // its clock is another one now, and what was said by the old one means nothing to it
		was.said = 0
	}
	n.vouched[node.ID] = vouched{node, stamp, was.said, true}
	if !known {
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
