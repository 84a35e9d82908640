package follow

import (
	"cmp"
	"context"
	"slices"
	"time"

	"ostiary"
)

const (
	// keptReceipts is how many receipts are kept for the pages that tell of a change.
	keptReceipts = 256
	// unsure is added to what another node's clock measures: clocks do not run equally fast.
	unsure = time.Second
)

// Confirm waits until every node that still decides has applied a change, or until that takes too long.
// It is called once the change is committed and this node's memory holds it.
func (n *Nodes) Confirm(ctx context.Context, revision uint64) ostiary.Receipt {
	w := wait{n: n, revision: revision, since: n.clock()}
	n.begin(&w)
	defer n.end()
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), n.within)
	defer stop()
	for {
		receipt, told, done := w.look()
		if !done {
			select {
			case <-told:
				continue
			case <-ctx.Done():
			}
		}
		receipt.After = n.clock() - w.since
		n.keep(receipt)
		return receipt
	}
}

// A wait is one change on its way to the other nodes.
type wait struct {
	n        *Nodes
	revision uint64
	since    time.Duration // when it was committed, on this node's clock, and not earlier than it was
	commit   time.Time     // the same by this machine's date, which somebody may have set meanwhile
	after    int           // only a read of the registry that was begun after this one counts
}

func (n *Nodes) begin(w *wait) {
	n.mu.Lock()
	defer n.mu.Unlock()
	w.after = n.reads
	n.waiting++
	n.wake()
}

func (n *Nodes) end() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.waiting--
}

// look makes the receipt of what is known. It is done once nobody is worth waiting for.
func (w *wait) look() (receipt ostiary.Receipt, told <-chan struct{}, done bool) {
	n := w.n
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.clock()
	w.commit = time.Now().Add(w.since - now)
	done = n.read > w.after
	receipt = ostiary.Receipt{Revision: w.revision, Confirmed: []string{n.me.Name}, Incomplete: !done}
	signs := n.me.Signs
	for id, s := range n.seen {
		if id == n.me.ID {
			continue
		}
		signs = max(signs, s.node.Signs)
		if s.node.Applied >= w.revision {
			receipt.Confirmed = append(receipt.Confirmed, s.node.Name)
			continue
		}
		one, live := w.unconfirmed(s, now)
		receipt.Unconfirmed = append(receipt.Unconfirmed, one)
		done = done && !live
	}
	if signs > 0 {
		receipt.SignedUntil = w.commit.Add(signs)
	}
	slices.Sort(receipt.Confirmed)
	slices.SortFunc(receipt.Unconfirmed, func(a, b ostiary.Unconfirmed) int { return cmp.Compare(a.Node, b.Node) })
	return receipt, n.told, done
}

// unconfirmed says from when on a node does not decide without the change, and whether it is worth
// waiting for. Its lease began before the commit, since a look at the log after it shows the change; and
// not after its last beat, if it is silent.
func (w *wait) unconfirmed(s sighting, now time.Duration) (one ostiary.Unconfirmed, live bool) {
	silent := now - s.at
	gone := s.node.Stopped || silent-unsure > s.node.Lease
	since := w.commit
	if gone && s.at < w.since {
		since = w.commit.Add(s.at - w.since)
	}
	live = !gone && s.node.Quiet <= s.node.Lease
	return ostiary.Unconfirmed{Node: s.node.Name, SafeAfter: s.node.SafeAfter(since.Add(unsure))}, live
}

func (n *Nodes) keep(r ostiary.Receipt) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.recent) == keptReceipts {
		n.recent = n.recent[:copy(n.recent, n.recent[1:])]
	}
	n.recent = append(n.recent, r)
}

// Receipt gives one that was made lately.
func (n *Nodes) Receipt(revision uint64) (ostiary.Receipt, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range slices.Backward(n.recent) {
		if r.Revision == revision {
			return r, true
		}
	}
	return ostiary.Receipt{}, false
}

// All gives every node on record, as it was last seen.
func (n *Nodes) All() []ostiary.Node {
	differ := map[string]bool{}
	for _, c := range n.Compared() {
		differ[c.Node.ID] = c.Differs
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []ostiary.Node
	for _, s := range n.seen {
		s.node.Differs = differ[s.node.ID]
		all = append(all, s.node)
	}
	slices.SortFunc(all, func(a, b ostiary.Node) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return all
}
