package directory

import (
	"bytes"

	"ostiary"
)

// A place is where a fact belongs: two facts about one record have the same.
type place struct {
	kind byte
	a, b ostiary.ID
	name string
}

func placeOf(f ostiary.Fact) place {
	switch {
	case f.User != nil:
		return place{kind: kindUser, a: f.User.ID}
	case f.Member != nil:
		return place{kind: kindMember, a: f.Member.Account, b: f.Member.User}
	case f.Token != nil:
		return place{kind: kindToken, a: f.Token.ID}
	case f.App != nil:
		return place{kind: kindApp, a: f.App.Token, name: f.App.Name}
	case f.Edge != nil:
		return place{kind: kindEdge, a: f.Edge.ID}
	}
	return place{} // accounts and secrets are never narrowed
}

// recorded gives what stands in the place of a fact, if a record does.
func (c *contents) recorded(f ostiary.Fact) (is ostiary.Fact, found bool) {
	switch {
	case f.Account != nil:
		if a := c.accounts[f.Account.ID]; a != nil {
			return ostiary.Fact{Account: ptr(a.fact())}, a.present
		}
	case f.User != nil:
		if u := c.users[f.User.ID]; u != nil {
			return ostiary.Fact{User: ptr(u.fact())}, u.present
		}
	case f.Member != nil:
		s := seat{f.Member.Account, f.Member.User}
		if m := c.members[s]; m != nil {
			return ostiary.Fact{Member: ptr(m.fact(s))}, m.role != ostiary.NoRole
		}
	case f.Token != nil:
		if t := c.tokens[f.Token.ID]; t != nil {
			return ostiary.Fact{Token: ptr(t.fact())}, t.flags.has(present)
		}
	case f.Secret != nil:
		if t := c.secrets.find(&f.Secret.Hash); t != nil {
			s := ostiary.SecretFact{Account: t.account.id, Token: t.id, Hash: f.Secret.Hash}
			return ostiary.Fact{Secret: &s}, true
		}
	case f.App != nil:
		if t := c.tokens[f.App.Token]; t != nil {
			_, found := t.apps.find(f.App.Name)
			return ostiary.Fact{App: ptr(t.app(f.App.Name))}, found
		}
	case f.Edge != nil:
		e, found := c.edges.byID[f.Edge.ID]
		return ostiary.Fact{Edge: &e}, found
	}
	return ostiary.Fact{}, false
}

// logged gives what the log says in the place of a fact that comes next, and forgets that the record said
// less: from now on it says what the log does.
func (c *contents) logged(f ostiary.Fact) (was ostiary.Fact, found bool) {
	was, found = c.says(f)
	delete(c.narrowed, placeOf(f))
	delete(c.doubts, placeOf(f))
	return was, found
}

// says gives what the log says in the place of a fact, if there is a record.
func (c *contents) says(f ostiary.Fact) (is ostiary.Fact, found bool) {
	if is, narrowed := c.narrowed[placeOf(f)]; narrowed {
		return is, is.App == nil || !is.App.Gone
	}
	return c.recorded(f)
}

// restrict makes true what a fact takes away. A record that is not there has nothing to lose,
// except a name: it can be denied before it is on record. It says whether anything was taken away.
func (c *contents) restrict(f ostiary.Fact) bool {
	was, found := c.recorded(f)
	var now ostiary.Fact
	switch {
	case f.User != nil && found:
		now.User = ptr(was.User.Narrow(*f.User))
	case f.Member != nil && found:
		now.Member = ptr(was.Member.Narrow(*f.Member))
	case f.Token != nil && found:
		now.Token = ptr(was.Token.Narrow(*f.Token))
	case f.App != nil && was.App != nil:
		now.App = ptr(was.App.Narrow(*f.App))
	case f.Edge != nil && found:
		now.Edge = ptr(was.Edge.Narrow(*f.Edge))
	default:
		return false
	}
	if bytes.Equal(appendFact(nil, was), appendFact(nil, now)) {
		return false
	}
	if was.App != nil {
		was.App.Gone = !found
	}
	if _, already := c.narrowed[placeOf(f)]; !already {
		c.narrowed[placeOf(f)] = was
	}
	c.set(now)
	return true
}

// restrictForGood ends a doubt about the record, too: from now on it is no less than that. It says whether anything
// is another thing than before.
func (c *contents) restrictForGood(f ostiary.Fact) bool {
	at := placeOf(f)
	_, doubted := c.doubts[at]
	delete(c.doubts, at)
	return c.restrict(f) || doubted
}

// doubt restricts until the log has a revision. What was restricted for good stays so. It says whether anything
// was taken away, or is for longer.
func (c *contents) doubt(f ostiary.Fact, revision uint64) (narrowed bool) {
	at := placeOf(f)
	_, forGood := c.narrowed[at]
	if _, doubted := c.doubts[at]; doubted {
		forGood = false
	}
	narrowed = c.restrict(f)
	if _, less := c.narrowed[at]; less && !forGood && c.doubts[at] < revision {
		c.doubts[at] = revision
		return true
	}
	return narrowed
}

// Lessened says whether some record says less than the log does for good: no revision ends it, as it ends a doubt.
func (d *Directory) Lessened() bool {
	d.changing.Lock()
	defer d.changing.Unlock()
	return len(d.contents.narrowed) > len(d.contents.doubts)
}

// settle ends the doubts of which the log has told by a revision, and gives the records that are again what
// it says: what was in doubt was not made, or its fact would have come.
func (c *contents) settle(revision uint64) (restored []ostiary.Fact) {
	for at, until := range c.doubts {
		if until > revision {
			continue
		}
		was := c.narrowed[at]
		delete(c.doubts, at)
		delete(c.narrowed, at)
		c.set(was)
		restored = append(restored, was)
	}
	return restored
}
