package usage

import (
	"math/bits"
	"net/netip"
	"sync/atomic"
	"time"

	"ostiary"
)

const (
	shards = 256 // a power of two
	week   = 7 * 24
)

// memory holds what was not written yet. All pairs of one token lie in one shard.
type memory struct {
	shards [shards]shard
	held   atomic.Int64 // pairs in all shards
	limit  int64
}

func hourOf(at time.Time) int64 { return at.Unix() / 3600 }

func (m *memory) shard(token ostiary.ID) *shard { return &m.shards[mix(uint64(token))%shards] }

// count counts a request, and says whether there was room for it.
func (m *memory) count(k ostiary.UseKey, at time.Time, reason ostiary.Reason, from netip.Addr,
	appName, method, path, agent string,
) bool {
	s := m.shard(k.Token)
	key := slot{k.Token, k.App, hourOf(at)}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.find(key)
	if p == nil {
		if m.held.Load() >= m.limit {
			s.dropped++
			return false
		}
		m.held.Add(1)
		p = s.add(key)
	}
	p.count(k.Account, at.UnixMilli(), reason, from)
	p.keep(appName, method, path, agent)
	return true
}

func (m *memory) dropped() (n uint64) {
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		n += s.dropped
		s.mu.Unlock()
	}
	return n
}

func (m *memory) ofToken(token ostiary.ID, add func(ostiary.UseKey, ostiary.Use)) {
	m.shard(token).each(func(p *pair) {
		if p.token == token {
			add(p.key(), p.use())
		}
	})
}

func (m *memory) ofAccount(account ostiary.ID, add func(ostiary.UseKey, ostiary.Use)) {
	for i := range m.shards {
		m.shards[i].each(func(p *pair) {
			if p.account == account {
				add(p.key(), p.use())
			}
		})
	}
}

func (m *memory) hours(token ostiary.ID, add func(token ostiary.ID, hour int64, n uint64)) {
	m.shard(token).each(func(p *pair) {
		if p.token == token {
			add(p.token, p.hour, uint64(p.requests))
		}
	})
}

func (m *memory) forget(k ostiary.UseKey) {
	s := m.shard(k.Token)
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := s.remove(func(p *pair) bool { return p.token == k.Token && p.app == k.App })
	m.held.Add(-int64(gone))
}

// counted lists the pairs that have something to write, and removes those that nobody used since
// they were written.
func (m *memory) counted() []slot {
	var todo []slot
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		gone := s.remove(func(p *pair) bool { return p.requests == 0 })
		for j := range s.pairs {
			todo = append(todo, s.pairs[j].slot)
		}
		s.mu.Unlock()
		m.held.Add(-int64(gone))
	}
	return todo
}

// take gives what pairs have counted, and begins their counts anew.
func (m *memory) take(part []slot) []row {
	rows := make([]row, 0, len(part))
	for _, key := range part {
		s := m.shard(key.token)
		s.mu.Lock()
		if p := s.find(key); p != nil && p.requests > 0 {
			rows = append(rows, row{key, p.account, p.use()})
			p.requests, p.refused = 0, 0
		}
		s.mu.Unlock()
	}
	return rows
}

// putBack undoes take.
func (m *memory) putBack(rows []row) {
	for _, r := range rows {
		s := m.shard(r.token)
		s.mu.Lock()
		if p := s.find(r.slot); p != nil {
			p.first = r.use.First.UnixMilli()
			p.requests += uint32(r.use.Count)
			p.refused += uint32(r.use.Refused)
		}
		s.mu.Unlock()
	}
}

// takeAway undoes putBack.
func (m *memory) takeAway(rows []row) {
	for _, r := range rows {
		s := m.shard(r.token)
		s.mu.Lock()
		if p := s.find(r.slot); p != nil {
			p.requests -= uint32(r.use.Count)
			p.refused -= uint32(r.use.Refused)
		}
		s.mu.Unlock()
	}
}

// mix spreads numbers that follow each other.
func mix(n uint64) uint64 {
	hi, lo := bits.Mul64(n^0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93)
	return hi ^ lo
}
