package ostiary

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Node is one server, or one edge, that decides from its own memory.
type Node struct {
	ID      string // given to its data folder once
	Name    string // for people
	Version string
	Via     string // the node that an edge follows; empty for a node that follows the log itself

	Applied uint64        // the last revision that its memory holds
	Chain   Hash          `json:",omitzero"` // of its log there; what is read of a registry does not say
	Beat    uint64        // grows each time that the node says so
	Lease   time.Duration // how long it decides without hearing from the log
	Stale   bool          // it goes on after that
	Tail    time.Duration // how long what it has let through may last: open streams, signed identities
	Signs   time.Duration // how long an identity that it signs may be believed; zero: it signs none
	Stopped bool          // it was ended in good order; it may start again from its local copy
	SeenOn  time.Time     // of its last beat, by the database's clock
	Quiet   time.Duration // since then, by that clock; nobody is safe by it

	Holds   Digests `json:",omitzero"` // what its memory held at one moment; of revision zero: it does not say
	Differs bool    // at that revision this node's memory holds something else
}

// Passing says whether an id of this kind goes with its process: nobody comes back under it.
func (n Node) Passing() bool { return strings.HasSuffix(n.ID, PassingID) }

// PassingID is how the id of a node ends that keeps nothing, and so is another one whenever it begins.
const PassingID = "~"

// A Receipt says which nodes decide by a change, and from when on the others do, or answer 503.
type Receipt struct {
	Revision    uint64
	Confirmed   []string
	Unconfirmed []Unconfirmed
	After       time.Duration // from the commit to the last confirmation, or to when no more were waited for
	SignedUntil time.Time     // what was signed before the change may be believed until then; zero: nothing is
	Incomplete  bool          // the list of nodes could not be read after the commit: some may not be named
}

// Unconfirmed is a node that did not say in time that it has applied a change.
type Unconfirmed struct {
	Node      string
	SafeAfter time.Time // zero: never, because it decides however old its memory is
}

// Where says on which nodes a change is in force: "on all 3 nodes after 12 ms", "on 2 of 3 nodes". It is
// empty where this node is the only one.
func (r Receipt) Where() string {
	yes, no := len(r.Confirmed), len(r.Unconfirmed)
	switch {
	case r.Incomplete && yes == 1:
		return "on 1 node at least"
	case r.Incomplete:
		return fmt.Sprintf("on %d nodes at least", yes)
	case yes+no < 2:
		return ""
	case no > 0:
		return fmt.Sprintf("on %d of %d nodes", yes, yes+no)
	case yes == 2:
		return "on both nodes after " + r.after()
	}
	return fmt.Sprintf("on all %d nodes after %s", yes, r.after())
}

func (r Receipt) after() string {
	return strconv.FormatInt(max(1, r.After.Round(time.Millisecond).Milliseconds()), 10) + " ms"
}

// Words say what is not known to be in force, a sentence each, with times as a layout and a zone write them.
func (r Receipt) Words(layout string, zone *time.Location) []string {
	var words []string
	if r.Incomplete {
		words = append(words, "It is not known which other nodes there are; one that is not named here may decide without this "+
			"change until its lease is over.")
	}
	for _, u := range r.Unconfirmed {
		words = append(words, u.Words(layout, zone))
	}
	return words
}

// Words says what is to be expected of the node, with times as a layout and a zone write them.
func (u Unconfirmed) Words(layout string, zone *time.Location) string {
	if u.SafeAfter.IsZero() {
		return u.Node + " has not confirmed, and goes on deciding however old its memory is."
	}
	return u.Node + " has not confirmed; it does not decide without this change after " +
		u.SafeAfter.In(zone).Format(layout) + "."
}

// SafeAfter is when a node that has not confirmed a change is past deciding without it, where its lease
// cannot have begun later than a moment; zero: never, or in more than a hundred years. What it let through while it still could lasts
// for its tail.
func (n Node) SafeAfter(since time.Time) time.Time {
	if n.Stale {
		return time.Time{}
	}
	lasts := n.Lease + n.Tail
	if n.Lease < 0 || n.Tail < 0 || lasts < 0 || lasts > longest {
		return time.Time{} // no date says it
	}
	return since.Add(lasts)
}

// longest is as long as a lease and a tail are counted.
const longest = 100 * 365 * 24 * time.Hour
