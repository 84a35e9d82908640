package usage

import (
	"net/netip"
	"strings"
	"sync"
	"time"

	"ostiary"
)

// A shard is a hash table: an index with open addressing into a list of pairs. A request that finds
// its pair reads two lines of memory and allocates nothing.
type shard struct {
	mu      sync.Mutex
	index   []place // its length is a power of two, at most half of it is taken
	pairs   []pair
	dropped uint64   // requests that found no room
	_       [64]byte // keeps the locks of two shards on different lines of memory
}

// A place says where a pair stands, and how its hash begins.
type place struct{ begin, at uint32 } // at counts from 1; zero: nothing here

// A slot is a token and application in one hour.
type slot struct {
	token, app ostiary.ID
	hour       int64 // since 1970
}

func (s slot) hash() uint64 { return mix(uint64(s.token) ^ mix(uint64(s.app)^mix(uint64(s.hour)))) }

// A pair counts what came since it was written. One without requests stays until the next flush, so
// that a token in use keeps its pair.
type pair struct {
	slot
	requests, refused uint32
	first, last       int64 // milliseconds since 1970
	account           ostiary.ID

	// Of the last request. The text is its method, path, agent and application name, one after the
	// other: copies, since what was passed may be part of a large buffer. It is written over.
	reason                       ostiary.Reason
	methodLen, pathLen, agentLen uint8
	from                         netip.Addr
	text                         []byte
}

// find gives the pair of a slot, or nil.
func (s *shard) find(key slot) *pair {
	if len(s.index) == 0 {
		return nil
	}
	hash, mask := key.hash(), uint64(len(s.index)-1)
	for i := hash >> 32; ; i++ {
		at := s.index[i&mask]
		if at.at == 0 {
			return nil
		}
		if at.begin == uint32(hash) && s.pairs[at.at-1].slot == key {
			return &s.pairs[at.at-1]
		}
	}
}

// add makes the pair of a slot that has none.
func (s *shard) add(key slot) *pair {
	n := len(s.pairs)
	if n < cap(s.pairs) {
		// What stood here before left its buffer.
		s.pairs = s.pairs[:n+1]
		s.pairs[n] = pair{slot: key, text: s.pairs[n].text[:0]}
	} else {
		s.pairs = append(s.pairs, pair{slot: key})
	}
	if 2*len(s.pairs) > len(s.index) {
		s.reindex(max(16, 2*len(s.index)))
	} else {
		s.point(n)
	}
	return &s.pairs[n]
}

func (s *shard) point(n int) {
	hash, mask := s.pairs[n].hash(), uint64(len(s.index)-1)
	i := hash >> 32
	for s.index[i&mask].at != 0 {
		i++
	}
	s.index[i&mask] = place{uint32(hash), uint32(n + 1)}
}

func (s *shard) reindex(size int) {
	if size == len(s.index) {
		clear(s.index)
	} else {
		s.index = make([]place, size)
	}
	for n := range s.pairs {
		s.point(n)
	}
}

// remove takes pairs out and says how many. A table that has become far too large is given up.
func (s *shard) remove(which func(*pair) bool) int {
	kept := 0
	for n := range s.pairs {
		if which(&s.pairs[n]) {
			continue
		}
		if kept != n {
			s.pairs[kept], s.pairs[n] = s.pairs[n], s.pairs[kept] // swapped, so that no buffer is lost
		}
		kept++
	}
	gone := len(s.pairs) - kept
	if gone == 0 {
		return 0
	}
	s.pairs = s.pairs[:kept]
	size := len(s.index)
	if kept < cap(s.pairs)/8 {
		s.pairs = append(make([]pair, 0, 2*kept), s.pairs...)
		for size > 4*kept && size > 16 {
			size /= 2
		}
	}
	s.reindex(size)
	return gone
}

// each gives the pairs that counted something.
func (s *shard) each(fn func(*pair)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := range s.pairs {
		if s.pairs[n].requests > 0 {
			fn(&s.pairs[n])
		}
	}
}

func (p *pair) count(account ostiary.ID, ms int64, reason ostiary.Reason, from netip.Addr) {
	if p.requests == 0 {
		p.first, p.last = ms, ms
	}
	p.requests++
	if reason != ostiary.OK {
		p.refused++
	}
	p.first, p.last = min(p.first, ms), max(p.last, ms)
	p.account, p.reason, p.from = account, reason, from
}

const maxText = 200 // bytes of a path or an agent that are kept

// keep copies the words of a request.
func (p *pair) keep(appName, method, path, agent string) {
	method, path, agent = cut(method, 16), cut(withoutQuery(path), maxText), cut(agent, maxText)
	t := append(p.text[:0], method...)
	t = append(t, path...)
	t = append(t, agent...)
	p.text = append(t, cut(appName, ostiary.MaxAppName)...)
	p.methodLen, p.pathLen, p.agentLen = uint8(len(method)), uint8(len(path)), uint8(len(agent))
}

func (p *pair) key() ostiary.UseKey {
	return ostiary.UseKey{Account: p.account, Token: p.token, App: p.app}
}

// use is what the pair counted. Its words are text, whatever the request sent.
func (p *pair) use() ostiary.Use {
	text := string(p.text)
	next := func(n uint8) (s string) {
		s, text = text[:n], text[n:]
		return harmless(s)
	}
	return ostiary.Use{
		First: time.UnixMilli(p.first).UTC(), Last: time.UnixMilli(p.last).UTC(),
		Count: uint64(p.requests), Refused: uint64(p.refused), Reason: p.reason, From: p.from,
		Method: next(p.methodLen), Path: next(p.pathLen), Agent: next(p.agentLen), AppName: harmless(text),
	}
}

func withoutQuery(path string) string {
	if i := strings.IndexByte(path, '?'); i >= 0 {
		return path[:i]
	}
	return path
}

// cut shortens s to n bytes, or a few less where that would split a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}
