package usage

import (
	"math"

	"ostiary"
)

// Add counts what somebody else counted in one hour, as hours since 1970.
func (u *Usage) Add(k ostiary.UseKey, hour int64, use ostiary.Use) {
	if u.memory.add(k, hour, use) {
		return
	}
	select {
	case u.full <- struct{}{}:
	default:
	}
}

func (m *memory) add(k ostiary.UseKey, hour int64, use ostiary.Use) bool {
	s := m.shard(k.Token)
	key := slot{k.Token, k.App, hour}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.find(key)
	if p == nil {
		if m.held.Load() >= m.limit {
			s.dropped += use.Count
			return false
		}
		m.held.Add(1)
		p = s.add(key)
	}
	newer := p.requests == 0 || use.Last.UnixMilli() >= p.last
	if p.requests == 0 {
		p.first, p.last = use.First.UnixMilli(), use.Last.UnixMilli()
	}
	p.requests += uint32(min(use.Count, math.MaxUint32-uint64(p.requests)))
	p.refused += uint32(min(use.Refused, math.MaxUint32-uint64(p.refused)))
	p.first, p.last = min(p.first, use.First.UnixMilli()), max(p.last, use.Last.UnixMilli())
	p.account = k.Account
	if newer {
		p.reason, p.from = use.Reason, use.From
		p.keep(use.AppName, use.Method, use.Path, use.Agent)
	}
	return true
}
