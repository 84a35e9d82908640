package assertion

import (
	"sync"
	"sync/atomic"
	"time"

	"ostiary"
)

const (
	most   = 100_000 // entries at once, of about 700 bytes each
	shards = 64
)

// A cache keeps what was signed lately. All names of one token share a shard, so a flood of names on
// one token can throw out the entries of a sixty-fourth of the others.
type cache [shards]shard

// A shard keeps two generations. A new one begins after 30 seconds or when it is full, and the
// oldest is thrown away: by then nothing in it may be given again, or there was no room.
type shard struct {
	mu       sync.Mutex
	new, old map[name]*entry
	begun    time.Time // of new

	_ [128 - 48]byte // shards on different cores do not share a line of memory
}

type name struct {
	token ostiary.ID
	app   string
}

// An entry is an assertion, and what it was made from.
type entry struct {
	who      identity
	revision uint64
	at       int64 // when it was signed, in milliseconds since 1970
	text     string
	clear    atomic.Uint64 // the newest revision up to which nothing is known to have touched it
}

func (c *cache) of(token ostiary.ID) *shard {
	const spread = 0x9E3779B97F4A7C15 // 2⁶⁴ by the golden ratio: neighbours go to different shards
	return &c[uint64(token)*spread>>58]
}

func (c *cache) find(token ostiary.ID, app string) *entry {
	s := c.of(token)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.new[name{token, app}]; e != nil {
		return e
	}
	return s.old[name{token, app}]
}

// put keeps an entry, unless one of a later revision is there.
func (c *cache) put(e *entry, at time.Time) {
	s := c.of(e.who.token)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.new == nil || len(s.new) >= most/shards/2 || at.Sub(s.begun) >= reuse {
		s.new, s.old, s.begun = map[name]*entry{}, s.new, at
	}
	n := name{e.who.token, e.who.app}
	if old := s.new[n]; old == nil || old.revision <= e.revision {
		s.new[n] = e
	}
}
