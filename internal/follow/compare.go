package follow

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"ostiary"
)

const (
	// emailsStay is for how long e-mails may differ at equal revision: a node that follows from behind reads them
	// as they are now (docs/decisions/comparing.md).
	emailsStay = time.Minute
	// publishedWithin is how long Compare waits for the other nodes to say what they hold: two beats, and a look.
	publishedWithin = 2*Beat + time.Second
	// lookForWords is how often the registry is read meanwhile.
	lookForWords = 100 * time.Millisecond
)

// A comparer holds what other nodes say that they hold against what this node held at the same revision.
type comparer struct {
	mu      sync.Mutex
	pairs   map[string]*pair // by the other node's id
	asking  int              // callers of Compare
	read    int              // of the registry: the last that was compared
	mend    Mend             // nil: nothing can say which of two is wrong
	doubted chan struct{}    // holds one element once mend is to be called
	proved  time.Duration    // when this node's memory was last known to be what the database says
}

// A pair is this node and another one.
type pair struct {
	last   ostiary.Compared // of At zero: they were never compared
	why    string           // its latest word could not be compared; empty: it was
	waits  bool             // for this node to reach what was heard
	heard  ostiary.Digests  // its latest word
	ahead  ostiary.Digests  // a word about a revision that this node has not reached; it waits
	at     time.Duration    // of the last comparison
	since  time.Duration    // of the first of the comparisons in a row that differ
	differ bool             // the last one did, if in e-mails alone
	alarm  alarm
}

// compare takes what one read of the registry gave.
func (n *Nodes) compare(read int, nodes []ostiary.Node, seen map[string]sighting, now time.Duration) {
	c := &n.comparer
	c.mu.Lock()
	defer c.mu.Unlock()
	still := make(map[string]*pair, len(nodes))
	for _, node := range nodes {
		if node.ID == n.me.ID {
			continue
		}
		p := c.pairs[node.ID]
		if p == nil {
			p = &pair{}
		}
		still[node.ID] = p
		p.last.Node = node
		if p.why = away(node, now-seen[node.ID].at); p.why != "" {
			p.differ, p.waits = false, false // it decides no more
		} else {
			n.hear(p, node.Holds, now)
		}
		n.sound(p, now)
	}
	for id, p := range c.pairs {
		if still[id] == nil {
			p.differ = false
			n.sound(p, now)
		}
	}
	c.pairs, c.read = still, read
}

// away says why a node is not compared that does not decide.
func away(node ostiary.Node, silent time.Duration) string {
	switch {
	case node.Stopped:
		return "it has stopped"
	case silent-unsure > node.Lease || node.Quiet-unsure > node.Lease:
		return "it is away, and its lease is over"
	}
	return ""
}

// hear takes a node's word. One about a revision that is still to come waits, and no later one takes its place:
// so a node that is always ahead is compared too.
func (n *Nodes) hear(p *pair, word ostiary.Digests, now time.Duration) {
	fresh := word != p.heard
	p.heard = word
	if p.ahead.Head.Revision != 0 && n.hold(p, p.ahead, now) {
		p.ahead = ostiary.Digests{}
	}
	p.waits = !n.hold(p, word, now)
	if p.waits && fresh && p.ahead.Head.Revision == 0 {
		p.ahead = word
	}
}

// hold holds one word against what this node held. It is not done where that revision is still to come.
func (n *Nodes) hold(p *pair, theirs ostiary.Digests, now time.Duration) (done bool) {
	at := theirs.Head.Revision
	if at == 0 {
		p.why = "it does not say what it holds: it has only just started, or its version is older"
		return true
	}
	ours, found := n.memory.HeldAt(at)
	switch {
	case !found && at >= n.memory.Revision():
		p.why = fmt.Sprintf("it is at revision %d, which this node has not reached", at)
		return false
	case !found:
		p.why = fmt.Sprintf("it held revision %d, and this node does not remember what it held then", at)
		return true
	case ours.Head != theirs.Head:
		p.why = fmt.Sprintf("its log went another way than this node's before revision %d", at)
		p.differ = false // that has an alarm of its own
		return true
	}
	p.why, p.at = "", now
	p.last.At, p.last.Ours, p.last.Node.Holds = at, ours, theirs
	p.last.Emails = ours.Facts == theirs.Facts && ours.Emails != theirs.Emails
	if ours == theirs {
		p.differ = false
		return true
	}
	if !p.differ {
		p.differ, p.since = true, now
	}
	return true
}

// sound tells that two nodes hold different records, while they do. E-mails alone may, for a minute.
func (n *Nodes) sound(p *pair, now time.Duration) {
	p.last.Differs = p.differ && (!p.last.Emails || p.last.Differs || now-p.since >= emailsStay)
	p.last.Since = now - p.since
	tell, over := p.alarm.due(p.last.Differs, now)
	switch {
	case tell:
		n.log.Error("two nodes hold different records at the same revision", "node", n.me.Name, "other", p.last.Node.Name,
			"revision", p.last.At, "digest", p.last.Ours.Text(), "other_digest", p.last.Node.Holds.Text(),
			"only_emails", p.last.Emails, "for", p.last.Since.Round(time.Second).String())
		n.doubt(p)
	case over && p.why != "":
		n.log.Info("a node that held different records is not compared any more", "other", p.last.Node.Name, "why", p.why)
	case over:
		n.log.Info("two nodes hold the same records again", "node", n.me.Name, "other", p.last.Node.Name,
			"revision", p.last.At)
	}
}

// Compared is what came of the last comparison with each other node.
func (n *Nodes) Compared() []ostiary.Compared {
	n.comparer.mu.Lock()
	defer n.comparer.mu.Unlock()
	var all []ostiary.Compared
	for _, p := range n.comparer.pairs {
		c := p.last
		c.Why = p.why
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b ostiary.Compared) int {
		return cmp.Or(cmp.Compare(a.Node.Name, b.Node.Name), cmp.Compare(a.Node.ID, b.Node.ID))
	})
	return all
}

// Compare waits until each other node that decides has said what it holds at what this node holds now, or later,
// and that was compared: some seconds at most. Beyond that the last comparison stands.
func (n *Nodes) Compare(ctx context.Context) []ostiary.Compared {
	c := &n.comparer
	begun, from := n.readsBegun(), n.memory.Revision()
	c.mu.Lock()
	c.asking++
	c.mu.Unlock()
	n.wake()
	defer func() {
		c.mu.Lock()
		c.asking--
		c.mu.Unlock()
	}()
	ctx, stop := context.WithTimeout(ctx, publishedWithin)
	defer stop()
	for {
		told := n.nextRead()
		if c.done(begun, from) {
			return n.Compared()
		}
		select {
		case <-told:
		case <-time.After(lookForWords): // it is told before it is compared
		case <-ctx.Done():
			return n.Compared()
		}
	}
}

// done says whether a read of the registry was compared that was begun after another one, and each node with it
// that can be: from a revision on.
func (c *comparer) done(begun int, from uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.pairs {
		if p.waits || p.why == "" && p.last.At < from {
			return false
		}
	}
	return c.read > begun
}

func (n *Nodes) readsBegun() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.reads
}

// Differ names the nodes that differ from this one, as an error; nil while none does.
func (n *Nodes) Differ() error {
	var names []string
	for _, c := range n.Compared() {
		if c.Differs {
			names = append(names, fmt.Sprintf("%s at revision %d", c.Node.Name, c.At))
		}
	}
	if names == nil {
		return nil
	}
	return fmt.Errorf("memory differs from that of %s", strings.Join(names, ", "))
}

// leisure is how long the registry is not read where no receipt is waited for.
func (n *Nodes) leisure() time.Duration {
	n.comparer.mu.Lock()
	defer n.comparer.mu.Unlock()
	if n.comparer.asking > 0 {
		return lookForWords
	}
	return Beat
}

// nextRead is closed once the registry was read again.
func (n *Nodes) nextRead() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.told
}

func (n *Nodes) wake() {
	select {
	case n.woken <- struct{}{}:
	default:
	}
}
