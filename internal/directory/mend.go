package directory

import (
	"bytes"
	"fmt"

	"ostiary"
)

// mostDifferences is how many records Mend names.
const mostDifferences = 20

// Mend compares all records with those of another directory at the same head, which was made in another way and
// which nobody must use any more. Where they differ it takes that one's over, and says in words which records those
// are, by their ids. What was narrowed stays so.
func (d *Directory) Mend(o *Directory) (differs []string, err error) {
	d.changing.Lock()
	defer d.changing.Unlock()
	o.changing.Lock()
	defer o.changing.Unlock()
	if d.head() != o.head() {
		return nil, fmt.Errorf("one directory is at revision %d, and the other at %d, or of another log",
			d.head().Revision, o.head().Revision)
	}
	if d.digests() == o.digests() {
		return nil, nil
	}
	c := &comparison{ours: d.contents, right: o.contents, told: map[string]bool{}}
	c.all()
	if len(c.words) == 0 {
		c.words = append(c.words, "no record, only what they add up to")
	}
	for at, logged := range d.contents.narrowed {
		now, _ := d.contents.recorded(logged)
		if until, doubted := d.contents.doubts[at]; doubted {
			o.contents.doubt(now, until)
			continue
		}
		o.contents.restrict(now)
	}
	d.keeping.lose(nil)
	d.lock()
	d.contents = o.contents
	d.unlock()
	d.held.begin(d.digests())
	d.waiting.wake()
	return c.words, nil
}

// A comparison goes through the records of two contents.
type comparison struct {
	ours, right *contents
	words       []string
	told        map[string]bool
	a, b        []byte
}

func (c *comparison) all() {
	for _, pair := range [...][2]*contents{{c.ours, c.right}, {c.right, c.ours}} {
		for f := range pair[0].people(new(room)) {
			c.fact(f)
		}
		for id, u := range pair[0].users {
			other := ""
			if v := pair[1].users[id]; v != nil {
				other = v.email
			}
			if u.email != other {
				c.tell("the e-mail of user " + id.String())
			}
		}
		for _, piece := range pair[0].made {
			for i := range piece {
				if other := pair[1].tokens[piece[i].id]; other == nil || !c.same(&piece[i], other) {
					c.token(&piece[i])
				}
			}
		}
	}
}

// same is quick, since nearly all are.
func (c *comparison) same(t, u *token) bool {
	if t.apps != u.apps || t.hash != u.hash || t.flags != u.flags {
		return false
	}
	if t.rare != nil || u.rare != nil {
		return false // it is looked at record by record
	}
	x, y := t.fact(), u.fact()
	return c.equal(ostiary.Fact{Token: &x}, ostiary.Fact{Token: &y})
}

func (c *comparison) equal(x, y ostiary.Fact) bool {
	c.a, c.b = appendFact(c.a[:0], x), appendFact(c.b[:0], y)
	return bytes.Equal(c.a, c.b)
}

func (c *comparison) token(t *token) {
	for f := range t.records(new(room)) {
		c.fact(f)
	}
}

// fact compares what stands in the place of a fact.
func (c *comparison) fact(f ostiary.Fact) {
	x, inOurs := c.ours.says(f)
	y, inRight := c.right.says(f)
	if inOurs != inRight || inOurs && !c.equal(x, y) {
		c.tell(placeInWords(f))
	}
}

func (c *comparison) tell(words string) {
	switch {
	case c.told[words] || len(c.words) > mostDifferences:
	case len(c.words) == mostDifferences:
		c.words = append(c.words, "and more")
	default:
		c.told[words] = true
		c.words = append(c.words, words)
	}
}

// placeInWords names a record by its ids.
func placeInWords(f ostiary.Fact) string {
	switch {
	case f.Account != nil:
		return "account " + f.Account.ID.String()
	case f.User != nil:
		return "user " + f.User.ID.String()
	case f.Member != nil:
		return "user " + f.Member.User.String() + " of account " + f.Member.Account.String()
	case f.Token != nil:
		return "token " + f.Token.ID.String()
	case f.Secret != nil:
		return "a secret of token " + f.Secret.Token.String()
	case f.App != nil:
		return "application " + f.App.ID.String() + " of token " + f.App.Token.String()
	}
	return "credential " + f.Edge.ID.String() + " of an edge"
}
