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
	// from the one that was told. Of nodes on record it leaves what they have applied. It gives where the log ends
	// on that server; revision zero: nobody but this process writes the log.
	KeepNodes(ctx context.Context, nodes ...ostiary.Node) (ostiary.Head, error)
	// Gather has everything else asked where KeepNodes lasts: a server that was left alone goes on answering.
	Gather()
	// PutNodes notes what nodes have applied, and is quick: that may be known to one server alone, and be lost
	// with it. Where the log there has another chain at that revision, they have applied nothing of it.
	PutNodes(ctx context.Context, nodes ...ostiary.Node) error
	// Nodes gives every node on a server whose log has a revision that this node knows; elsewhere, an error.
	Nodes(ctx context.Context, knows ostiary.Head) ([]ostiary.Node, error)
	DropNode(ctx context.Context, id string) error
	// DropSilent forgets nodes that have said nothing since the beat that they are given with.
	DropSilent(ctx context.Context, nodes ...ostiary.Node) error
}

// A Memory is what a node says the revision of.
type Memory interface {
	Revision() uint64
	Head() ostiary.Head
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
	spoken   func(at time.Duration) (counts bool)
	joined   func(at time.Duration)
	settle   func(ctx context.Context, asOf time.Duration, at, head ostiary.Head) error
	narrowed <-chan struct{} // memory decides by another revision of the log, though it holds the same
	applied  func() ostiary.Head
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
	doubtful  chan struct{} // holds one element after the log was read as if it had gone back

	comparer comparer
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
	n := &Nodes{
		reg: reg, me: me, memory: memory, log: l, clock: f.lease.clock, spoken: f.lease.spoke, joined: f.lease.joined, settle: f.settle,
		narrowed: f.narrowed, applied: f.Applied, within: within,
		seen: map[string]sighting{}, woken: make(chan struct{}, 1), told: make(chan struct{}),
		vouched: map[string]vouched{}, unsaid: map[string]bool{}, vouchable: make(chan struct{}, 1),
		newcomer: make(chan struct{}, 1), doubtful: make(chan struct{}, 1),
	}
	if f.lease.limit != 0 {
		f.doubt = func() { wake(n.doubtful) }
	}
	return n
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
	if err := n.speak(ctx, true); err != nil {
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
		within, stop := context.WithTimeout(context.WithoutCancel(ctx), patience) // nothing of it may come after the last word
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
		case <-n.doubtful:
			n.reg.Gather()
		}
	}
}

func (n *Nodes) now(stopped bool) ostiary.Node {
	me := n.me
	at := n.applied()
	me.Applied, me.Chain, me.Stopped = at.Revision, at.Chain, stopped
	return me
}

// Speak says that this node is there, once memory is loaded. What Join said keeps no lease.
func (n *Nodes) Speak(ctx context.Context) error { return n.speak(ctx, false) }

// speak tells the registry of this node and of those that follow it, so that it lasts. It counts as having spoken
// once memory decides by all of the log that there was then. So whoever takes this node for one that is silent, and
// does not count on it, has made its change before that; and a server that was left alone keeps no lease, whether
// it is told something or asked.
func (n *Nodes) speak(ctx context.Context, stopped bool) error {
	before, at := n.clock(), n.memory.Head()
	nodes, stamps := n.speakers()
	me := n.now(stopped)
	me.Holds = n.memory.Holds()
	within, stop := context.WithTimeout(context.WithoutCancel(ctx), patience) // as in confirm
	defer stop()
	log, err := n.reg.KeepNodes(within, me)
	switch {
	case err != nil || stopped:
		return err
	case at.Revision == 0 && log.Revision > 0: // memory is still to be loaded
		n.joined(before)
		return nil
	case log.Revision > 0:
		err = n.settle(ctx, before, at, log)
	}
	if err != nil {
		n.reg.Gather()
		return err
	}
	if !n.spoken(before) {
		wake(n.newcomer) // the next word does
	}
	n.vow(ctx, nodes, stamps)
	return nil
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

// sight reads the registry once. After an error, what was seen before stands. A server that was left alone does not
// know which nodes there are: it must have what memory decides by, and so the change whose receipt is waited for.
func (n *Nodes) sight(ctx context.Context) {
	n.mu.Lock()
	n.reads++
	this := n.reads
	n.mu.Unlock()
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	nodes, err := n.reg.Nodes(ctx, n.applied())
	if err != nil {
		return
	}
	at := n.clock() // after the query: no beat that it shows is newer
	n.compare(this, nodes, n.sighted(nodes, at, this), at)
}

// sighted keeps when each node was first known to have its beat, and tells those that wait for that. A server that took
// over may have lost some beats, and count to the same again at another time.
func (n *Nodes) sighted(nodes []ostiary.Node, at time.Duration, read int) map[string]sighting {
	n.mu.Lock()
	defer n.mu.Unlock()
	still := make(map[string]sighting, len(nodes))
	for _, node := range nodes {
		s := sighting{node, at}
		if was, ok := n.seen[node.ID]; ok && was.node.Beat == node.Beat && was.node.SeenOn.Equal(node.SeenOn) {
			s.at = was.at
		}
		still[node.ID] = s
	}
	n.seen, n.read = still, read
	close(n.told)
	n.told = make(chan struct{})
	return still
}
