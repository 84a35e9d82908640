package feed

import (
	"fmt"
	"testing"
	"time"

	"ostiary"
)

func TestACredentialIsGoodForSoManyStreamsAndNodes(t *testing.T) {
	t.Parallel()
	b := books{by: map[ostiary.ID]*book{}}
	for n := range mostStreams {
		if err := b.enter(1); err != nil {
			t.Fatalf("stream %d: %v", n, err)
		}
	}
	if err := b.enter(1); err == nil {
		t.Errorf("%d streams are too few to be refused", mostStreams+1)
	}
	if err := b.enter(2); err != nil {
		t.Errorf("another credential: %v", err)
	}
	b.leave(1, nil)
	if err := b.enter(1); err != nil {
		t.Errorf("after one has gone: %v", err)
	}

	var spoke []ostiary.Node
	for n := range mostNodes {
		node := ostiary.Node{ID: fmt.Sprint("1.", n, ostiary.PassingID), Lease: -time.Hour} // over long ago
		if n == 0 {
			node.ID = "1.stays"
		}
		spoke = append(spoke, node)
		if err := b.add(1, node.ID); err != nil {
			t.Fatalf("node %d: %v", n, err)
		}
	}
	if b.add(1, "1.x") == nil {
		t.Errorf("%d nodes are too few to be refused", mostNodes+1)
	}
	if err := b.add(1, "1.stays"); err != nil {
		t.Errorf("one that is there already: %v", err)
	}
	b.leave(1, spoke)
	for n := range mostNodes - 1 {
		if err := b.add(1, fmt.Sprint("1.new", n)); err != nil {
			t.Fatalf("after those that keep nothing are gone for good, node %d: %v", n, err)
		}
	}
	if b.add(1, "1.x") == nil {
		t.Error("one that keeps its id was forgotten")
	}
}
