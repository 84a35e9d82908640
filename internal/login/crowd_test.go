package login_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ostiary"
)

func TestCrowdOfStrangersLeavesRoomForWhoIsKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in := w.in()
	const strangers, computing, waiting = 300, 3, 32
	release := make(chan struct{})
	w.hashes.Store(0)
	w.Cheap(&w.hashes, func() {
		if w.hashes.Load() <= computing {
			<-release
		}
	})
	var all sync.WaitGroup
	var refused atomic.Int64
	for n := range strangers {
		all.Go(func() {
			why, wait := w.guess(fmt.Sprint("nobody", n, "@example.com"), wrong, "", address(n))
			if why == ostiary.TooMany && wait > 0 {
				refused.Add(1)
			}
		})
	}
	for end := time.Now().Add(5 * time.Second); refused.Load() < strangers-computing-waiting; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			close(release)
			t.Fatalf("%d of %d are told to come back", refused.Load(), strangers)
		}
	}
	if why, wait := w.guess("alice@example.com", password, "", home); why != ostiary.TooMany || wait == 0 {
		t.Errorf("one more of the crowd: %s", why)
	}
	if why, _ := w.guess("alice@example.com", password, in.Known, home); why != ostiary.OK {
		t.Errorf("whoever is known: %s", why)
	}
	if _, err := w.Confirm(ctx, in.Session, password, home); err != nil {
		t.Errorf("confirming: %v", err)
	}
	close(release)
	all.Wait()
	if n := refused.Load(); n != strangers-computing-waiting {
		t.Errorf("%d of %d are told to come back, want %d", n, strangers, strangers-computing-waiting)
	}
	if why, _ := w.guess("alice@example.com", password, "", home); why != ostiary.OK {
		t.Errorf("once the crowd has gone: %s", why)
	}
}
