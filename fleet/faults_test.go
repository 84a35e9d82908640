package fleet

import (
	"testing"
	"time"
)

// within is how much later than a change an answer from before it may be asked for, where nothing is wrong
// with the nodes: far more than it takes, because a tight bound fails correct programs on a busy machine.
const within = time.Second

func TestNodesAnswerAsTheLogSays(t *testing.T) {
	t.Parallel()
	f := newFleet(t, []string{"a", "b", "c"})
	s := f.storm(2, 3, 2*time.Millisecond)
	time.Sleep(5 * time.Second)
	s.end(within)
	if len(f.answers) < 1000 || len(f.changes) < 100 {
		t.Errorf("%d answers and %d changes are no storm", len(f.answers), len(f.changes))
	}
	for _, c := range f.changes {
		if len(c.receipt.Confirmed) != 3 || len(c.receipt.Unconfirmed) != 0 {
			t.Fatalf("with nothing wrong, the receipt of revision %d says %+v", c.receipt.Revision, c.receipt)
		}
	}
}
