package directory

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"sync"

	"ostiary"
)

// State says what a directory holds at one revision. What [Directory.Restrict] took away is not part of the
// digests: they are of what the log says.
type State struct {
	ostiary.Digests
	// Restricted counts the records that say less than the log does, until the log says how it ended.
	Restricted int
}

// State costs as much as a look: the digests are kept up with every change.
func (d *Directory) State() State {
	d.locks[0].RLock()
	facts, emails := d.contents.facts, d.contents.emails
	s := State{Digests: ostiary.Digests{Head: d.head()}, Restricted: len(d.contents.narrowed)}
	d.locks[0].RUnlock()
	s.Facts, s.Emails = facts.hash(), emails.hash()
	return s
}

// Digest is State's digest of the facts alone: what a replay of the log gives, which knows no e-mails.
func (d *Directory) Digest() ostiary.Hash { return d.State().Facts }

// A sum is the digest of a set of records, in any order: the sum of 2,048 pseudo-random bits for each, in 32
// lanes of 64. Two sets with one sum are a short vector in a lattice, which nobody can find at this width; in
// 256 bits it can be done, and with XOR it is linear algebra (docs/decisions/local-copy.md).
type sum [32]uint64

func (s *sum) plus(t *sum) {
	for i := range s {
		s[i] += t[i]
	}
}

func (s *sum) hash() ostiary.Hash {
	var text [8 * len(s)]byte
	for i, lane := range s {
		binary.LittleEndian.PutUint64(text[8*i:], lane)
	}
	return sha256.Sum256(text[:])
}

// A digester makes of a record what a sum is made of: ChaCha8, keyed with the record's SHA-256.
type digester struct {
	random *rand.ChaCha8
	text   []byte
}

func newDigester() *digester { return &digester{random: rand.NewChaCha8([32]byte{})} }

// add counts a record in.
func (g *digester) add(s *sum, record []byte) {
	g.random.Seed(sha256.Sum256(record))
	for i := range s {
		s[i] += g.random.Uint64()
	}
}

func (g *digester) remove(s *sum, record []byte) {
	g.random.Seed(sha256.Sum256(record))
	for i := range s {
		s[i] -= g.random.Uint64()
	}
}

// addFact counts a record in by its fact.
func (g *digester) addFact(s *sum, f ostiary.Fact) {
	g.text = appendFact(g.text[:0], f)
	g.add(s, g.text)
}

func (g *digester) removeFact(s *sum, f ostiary.Fact) {
	g.text = appendFact(g.text[:0], f)
	g.remove(s, g.text)
}

// addEmail counts a user's e-mail in. An empty one is none.
func (g *digester) addEmail(s *sum, user ostiary.ID, email string) {
	if email != "" {
		g.text = appendEmail(g.text[:0], user, email)
		g.add(s, g.text)
	}
}

func (g *digester) removeEmail(s *sum, user ostiary.ID, email string) {
	if email != "" {
		g.text = appendEmail(g.text[:0], user, email)
		g.remove(s, g.text)
	}
}

// addUp makes both sums anew from all records, on every processor.
func (c *contents) addUp() {
	parts := make([]sum, runtime.GOMAXPROCS(0))
	var done sync.WaitGroup
	for n := range parts {
		done.Go(func() {
			g, at := newDigester(), new(room)
			for i := n; i < len(c.made); i += len(parts) {
				for t := range c.made[i] {
					for f := range c.made[i][t].records(at) {
						g.addFact(&parts[n], f)
					}
				}
			}
		})
	}
	g := newDigester()
	c.facts, c.emails = sum{}, sum{}
	for f := range c.people(new(room)) {
		g.addFact(&c.facts, f)
	}
	for id, u := range c.users {
		g.addEmail(&c.emails, id, u.email)
	}
	done.Wait()
	for i := range parts {
		c.facts.plus(&parts[i])
	}
}
