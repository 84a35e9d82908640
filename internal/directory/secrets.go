package directory

import (
	"encoding/binary"
	"math/bits"

	"ostiary"
)

// secrets finds a token by the hash of its secret. It is a hash table of many small parts, so that
// none takes long to grow while requests wait, and a look at it reads one line of memory: Go's own
// map reads three, and needs twice the room.
type secrets struct {
	parts [1024]part
	count int
}

// A part is open addressing with linear probing. Nothing is ever removed: a secret stays on record.
type part struct {
	slots []secretSlot
	used  int
}

// A slot holds the first bytes of a hash; the token holds all of it.
type secretSlot struct {
	begin uint64
	token *token
}

// find gives the token with this hash, or nil.
func (s *secrets) find(hash *ostiary.Hash) *token {
	begin := binary.LittleEndian.Uint64(hash[:8])
	p := &s.parts[begin%uint64(len(s.parts))]
	if len(p.slots) == 0 {
		return nil
	}
	for i := p.place(begin); ; i++ {
		if i == len(p.slots) {
			i = 0
		}
		slot := &p.slots[i]
		if slot.token == nil {
			return nil
		}
		if slot.begin == begin && slot.token.has(hash) {
			return slot.token
		}
	}
}

// put adds a hash that is not in the table, for a token that holds it.
func (s *secrets) put(hash *ostiary.Hash, t *token) {
	begin := binary.LittleEndian.Uint64(hash[:8])
	p := &s.parts[begin%uint64(len(s.parts))]
	if (p.used+1)*5 > len(p.slots)*4 {
		p.grow()
	}
	p.put(secretSlot{begin, t})
	p.used++
	s.count++
}

func (p *part) put(slot secretSlot) {
	i := p.place(slot.begin)
	for p.slots[i].token != nil {
		if i++; i == len(p.slots) {
			i = 0
		}
	}
	p.slots[i] = slot
}

// place is where the search for a hash begins: its first bytes, as a fraction of the part.
func (p *part) place(begin uint64) int {
	hi, _ := bits.Mul64(begin, uint64(len(p.slots)))
	return int(hi)
}

func (p *part) grow() {
	old := p.slots
	p.slots = make([]secretSlot, max(8, len(old)+len(old)/2))
	for _, slot := range old {
		if slot.token != nil {
			p.put(slot)
		}
	}
}
