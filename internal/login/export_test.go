package login

import (
	"context"
	"crypto/rand"
	"sync/atomic"
)

// A hash of this cost takes a few microseconds: for tests that need many.
var cheap = cost{memory: 8, passes: 1, threads: 1}

// CheapHash is a password as it would be kept at the least cost.
func CheapHash(password string) string {
	salt := []byte(rand.Text()[:saltSize])
	made, _ := key(context.Background(), password, salt, cheap, keySize)
	return encode(cheap, salt, made)
}

// Cheap counts hashes, and makes those for nobody cheap too. wait, if set, is called before each.
func (l *Logins) Cheap(n *atomic.Int64, wait func()) {
	l.nobody = cheap
	l.derive = func(ctx context.Context, password string, salt []byte, c cost, size uint32) ([]byte, error) {
		n.Add(1)
		if wait != nil {
			wait()
		}
		return key(ctx, password, salt, c, size)
	}
}

// Verify is what signing in does with a password.
func Verify(ctx context.Context, encoded, password string) (bool, error) {
	return deriver(key).verify(ctx, encoded, password, cheap)
}

// Costs gives the cost of each hash that verify computes.
func Costs(encoded, password string) (costs []string) {
	derive := deriver(func(_ context.Context, _ string, salt []byte, c cost, size uint32) ([]byte, error) {
		costs = append(costs, encode(c, nil, nil))
		return make([]byte, size), nil
	})
	derive.verify(context.Background(), encoded, password, defaultCost)
	return costs
}

// FillSlots takes every place where hashes are computed, until the function it gives is called.
func FillSlots() (free func()) {
	for range cap(slots) {
		slots <- struct{}{}
	}
	return func() {
		for range cap(slots) {
			<-slots
		}
	}
}

// Counts is how many entries the back-off keeps.
func (l *Logins) Counts() int {
	return len(l.tries.emails.at) + len(l.tries.addresses.at) + len(l.tries.browsers.at) + len(l.told.at)
}

const MaxCounts = 3*maxEntries + maxLines
