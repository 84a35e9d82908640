package feed

import (
	"errors"
	"fmt"
	"math"
	"time"

	"ostiary"
)

// MostLease bounds what a follower can say of its lease, and of how long what it lets through lasts: so long,
// at most, does a retirement wait for a follower that is gone.
const MostLease = 24 * time.Hour

// fit refuses a node whose texts could not be kept, or printed, or whose lease nobody would wait for.
func fit(n ostiary.Node) error {
	for _, text := range []string{n.ID, n.Name, n.Version + ".", n.Via + "."} {
		if ostiary.CheckAppName(text) != ostiary.OK {
			return errors.New("a follower has an id and a name, each of 1 to 100 printable characters without a comma")
		}
	}
	if n.Lease <= 0 || n.Lease > MostLease {
		return fmt.Errorf("a follower has a lease, of at most %v, and not %v", MostLease, n.Lease)
	}
	if n.Tail < 0 || n.Tail > MostLease || n.Signs < 0 || n.Signs > MostLease {
		return fmt.Errorf("what a follower lets through or signs lasts at most %v", MostLease)
	}
	return nil
}

// vouch puts a node on record: the follower, or one behind it. Its id there begins with the credential's, so that
// it is no server's, and none of another credential.
func (s *stream) vouch(n ostiary.Node, stamp int64) error {
	own := n.ID
	n.ID = s.edge.String() + "." + own
	n.Differs = false
	if err := fit(n); err != nil {
		return err
	}
	s.mu.Lock()
	_, known := s.nodes[own]
	applied, err := s.believed(n.Applied)
	if n.Holds.Head.Revision > s.sent {
		n.Holds = ostiary.Digests{} // it says nothing that can be compared
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	if !known {
		if err := s.books.add(s.edge, n.ID); err != nil {
			return err
		}
	}
	n.Applied = applied
	s.mu.Lock()
	s.nodes[own] = n
	s.mu.Unlock()
	s.opt.Vouch(n, stamp)
	return nil
}

// believed is the revision that counts as applied by a node which says so. Nobody has more than was sent; and
// until the follower has taken the copy that it is sent, what it says is of what it held before.
func (s *stream) believed(applied uint64) (uint64, error) {
	switch {
	case applied < s.floor:
		return 0, nil
	case applied > s.sent:
		return 0, fmt.Errorf("it says that it has applied revision %d, and %d is the last that it was sent", applied, s.sent)
	}
	return applied, nil
}

// notBefore is the floor while a copy is on its way.
const notBefore = math.MaxUint64

// sends notes how far the follower may have come. It comes before what is sent.
func (s *stream) sends(floor, sent uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.floor, s.sent = floor, sent
}

// goesOn notes that a follower that is fed may come so far.
func (s *stream) goesOn(sent uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = sent
}

// left gives the stream's place in the books to others.
func (s *stream) left() {
	s.mu.Lock()
	defer s.mu.Unlock()
	var spoke []ostiary.Node
	for _, n := range s.nodes {
		spoke = append(spoke, n)
	}
	s.books.leave(s.edge, spoke)
}
