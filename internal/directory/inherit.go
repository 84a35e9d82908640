package directory

import (
	"bytes"

	"ostiary"
)

// KeepNarrowed has a directory, which is to take an older one's place, keep what was narrowed there, unless the
// log has said something of the record since.
func (d *Directory) KeepNarrowed(old *Directory) {
	defer d.beside(old)()
	d.contents.keepNarrowed(old.contents)
}

// KeepTaken does that too, and keeps what the old one knew as retired or revoked: no log takes that back. Where
// this one would have, or where it is known to be of another log, it has the lesser of both records each.
func (d *Directory) KeepTaken(old *Directory, another bool) {
	defer d.beside(old)()
	d.contents.keepNarrowed(old.contents)
	if another || d.contents.takesBack(old.contents) {
		d.contents.lesser(old.contents)
	}
}

// beside takes the locks of both. Nobody else uses this one yet; decisions of the old one go on.
func (d *Directory) beside(old *Directory) (done func()) {
	d.changing.Lock()
	old.changing.Lock()
	return func() {
		old.changing.Unlock()
		d.changing.Unlock()
	}
}

func (c *contents) keepNarrowed(old *contents) {
	for _, logged := range old.narrowed {
		says, found := c.says(logged)
		if was := logged.App == nil || !logged.App.Gone; found != was ||
			found && !bytes.Equal(appendFact(nil, says), appendFact(nil, logged)) {
			continue
		}
		now, _ := old.recorded(logged)
		c.restrict(now)
	}
}

// takesBack says whether something lives here that the log of the old contents had ended: so it was another log.
func (c *contents) takesBack(old *contents) bool {
	for id, e := range old.edges.byID {
		if now, found := c.edges.byID[id]; found && e.Revoked && !now.Revoked && now.Hash == e.Hash {
			return true
		}
	}
	for id, t := range old.tokens {
		if !t.flags.has(retired) {
			continue
		}
		if is := t.fact(); old.narrowed[placeOf(ostiary.Fact{Token: &is})].Token != nil {
			continue // the log has not said so
		}
		if now := c.tokens[id]; now != nil && now.flags.has(present) && !now.flags.has(retired) && now.is(t) {
			return true
		}
	}
	return false
}

// lesser takes away whatever the old contents take away. Another log may have given a token's number to another
// token: that one is known by its secrets, and left.
func (c *contents) lesser(old *contents) {
	at := new(room)
	for f := range old.people(at) {
		if f.Edge == nil || c.edges.byID[f.Edge.ID].Hash == f.Edge.Hash {
			c.restrict(f)
		}
	}
	for s, m := range old.members {
		if m.role == ostiary.NoRole {
			at.member = m.fact(s)
			c.restrict(ostiary.Fact{Member: &at.member})
		}
	}
	for id, t := range old.tokens {
		if now := c.tokens[id]; now == nil || !now.is(t) {
			continue
		}
		for f := range t.records(at) {
			c.restrict(f)
		}
	}
}

// is says whether both are one token: they share a secret, or one has none.
func (t *token) is(o *token) bool {
	if !t.flags.has(hasSecret) || !o.flags.has(hasSecret) {
		return true
	}
	for hash := range o.hashes {
		if t.has(&hash) {
			return true
		}
	}
	return false
}
