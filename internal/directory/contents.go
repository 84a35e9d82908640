package directory

import "ostiary"

// contents are the records of one revision, linked so that a request follows few pointers. No part
// of it is ever copied as a whole: maps grow by pieces, and a token's applications are few.
type contents struct {
	accounts map[ostiary.ID]*account
	users    map[ostiary.ID]*user
	members  map[seat]*member
	tokens   map[ostiary.ID]*token
	made     [][]token // where they lie, as they came; a piece never moves
	secrets  secrets
	edges    edges
	size     Size

	facts, emails sum // of what the log says
	digester      *digester
	narrowed      map[place]ostiary.Fact // what the log says of records that say less for now
	doubts        map[place]uint64       // the revision at which the log tells whether those do
}

// A record is present once its fact was applied. Before, it may stand there because another
// record names it.
type account struct {
	id      ostiary.ID
	name    string
	apps    int
	capMet  bool
	present bool
}

type user struct {
	person
	members []*member
	present bool
}

type person struct {
	id       ostiary.ID
	email    string
	disabled bool
}

// A seat is the place of a user on an account.
type seat struct{ account, user ostiary.ID }

// A member has a copy of what its user is, so that a request reads one record instead of two.
type member struct {
	person
	role ostiary.Role // NoRole: not a member
}

func newContents() *contents {
	return &contents{
		accounts: map[ostiary.ID]*account{}, users: map[ostiary.ID]*user{}, members: map[seat]*member{},
		tokens: map[ostiary.ID]*token{}, digester: newDigester(), narrowed: map[place]ostiary.Fact{},
		doubts: map[place]uint64{},
	}
}

func (c *contents) account(id ostiary.ID) *account {
	a := c.accounts[id]
	if a == nil {
		a = &account{id: id}
		c.accounts[id] = a
	}
	return a
}

func (c *contents) user(id ostiary.ID) *user {
	u := c.users[id]
	if u == nil {
		u = &user{person: person{id: id}}
		c.users[id] = u
	}
	return u
}

func (c *contents) member(s seat) *member {
	m := c.members[s]
	if m == nil {
		u := c.user(s.user)
		m = &member{person: u.person}
		u.members = append(u.members, m)
		c.members[s] = m
	}
	return m
}

func (c *contents) token(account, id ostiary.ID) *token {
	t := c.tokens[id]
	if t == nil {
		t = c.newToken()
		t.id, t.account = id, c.account(account)
		c.tokens[id] = t
	}
	return t
}

// newToken is one that stands beside the one before: a walk over all of them reads memory from front to back.
func (c *contents) newToken() *token {
	last := len(c.made) - 1
	if last < 0 || len(c.made[last]) == cap(c.made[last]) {
		c.made = append(c.made, make([]token, 0, 1024))
		last++
	}
	piece := append(c.made[last], token{})
	c.made[last] = piece
	return &piece[len(piece)-1]
}

// apply makes one fact true, and keeps the digest up.
func (c *contents) apply(f ostiary.Fact) {
	if was, found := c.logged(f); found {
		c.digester.removeFact(&c.facts, was)
	}
	c.set(f)
	if is, found := c.recorded(f); found {
		c.digester.addFact(&c.facts, is)
	}
}

// set makes one fact true, and leaves the digest to addUp.
func (c *contents) set(f ostiary.Fact) {
	switch {
	case f.Account != nil:
		a := c.account(f.Account.ID)
		c.size.Accounts += newly(&a.present)
		a.name, a.capMet = f.Account.ShortName, f.Account.CapMet
	case f.User != nil:
		u := c.user(f.User.ID)
		c.size.Users += newly(&u.present)
		u.disabled = f.User.Disabled
		u.tell()
	case f.Member != nil:
		m := c.member(seat{f.Member.Account, f.Member.User})
		c.size.Members += count(f.Member.Role != ostiary.NoRole) - count(m.role != ostiary.NoRole)
		m.role = f.Member.Role
	case f.Token != nil:
		t := c.token(f.Token.Account, f.Token.ID)
		c.size.Tokens += count(!t.flags.has(present))
		c.setToken(t, f.Token)
	case f.Secret != nil:
		c.setSecret(c.token(f.Secret.Account, f.Secret.Token), f.Secret.Hash)
	case f.App != nil:
		c.setApp(c.token(f.App.Account, f.App.Token), f.App)
	case f.Edge != nil:
		c.edges.set(*f.Edge)
	}
}

func (c *contents) setToken(t *token, f *ostiary.TokenFact) {
	t.kind, t.privilege, t.first, t.expiresOn = f.Kind, f.Privilege, f.Default, f.ExpiresOn
	t.flags.set(present, true)
	t.flags.set(retired, f.Retired)
	t.flags.set(capMet, f.CapMet)
	t.owner = nil
	if f.Owner != 0 {
		t.owner = c.member(seat{f.Account, f.Owner})
	}
	if t.rare != nil || len(f.Networks) > 0 {
		t.seldom().networks = f.Networks
	}
}

func (c *contents) setSecret(t *token, hash ostiary.Hash) {
	if c.secrets.find(&hash) != nil {
		return
	}
	if t.flags.has(hasSecret) {
		r := t.seldom()
		r.hashes = append(r.hashes, hash)
	} else {
		t.hash = hash
		t.flags.set(hasSecret, true)
	}
	c.secrets.put(&hash, t)
	c.size.Secrets++
}

func (c *contents) setApp(t *token, f *ostiary.AppFact) {
	if len(f.Name) > maxName {
		return
	}
	if old, found := t.apps.find(f.Name); found {
		c.countApp(t, old.state, -1)
	}
	if f.Gone {
		t.apps = t.apps.without(f.Name)
		return
	}
	t.apps = t.apps.with(app{f.ID, f.Name, f.State})
	c.countApp(t, f.State, 1)
}

func (c *contents) countApp(t *token, state ostiary.AppState, n int) {
	t.appCount += uint16(n)
	t.account.apps += n
	c.size.Apps += n
	if state == ostiary.Waiting {
		t.waiting += uint16(n)
	}
}

// changeEmail changes what no fact holds, and keeps its digest up.
func (c *contents) changeEmail(id ostiary.ID, email string) {
	c.digester.removeEmail(&c.emails, id, c.user(id).email)
	c.setEmail(id, email)
	c.digester.addEmail(&c.emails, id, email)
}

func (c *contents) setEmail(id ostiary.ID, email string) {
	u := c.user(id)
	u.email = email
	u.tell()
}

func (u *user) tell() {
	for _, m := range u.members {
		m.person = u.person
	}
}

func (u *user) fact() ostiary.UserFact { return ostiary.UserFact{ID: u.id, Disabled: u.disabled} }

func (m *member) fact(s seat) ostiary.MemberFact {
	return ostiary.MemberFact{Account: s.account, User: s.user, Role: m.role}
}

func (a *account) fact() ostiary.AccountFact {
	return ostiary.AccountFact{ID: a.id, ShortName: a.name, CapMet: a.capMet}
}

// newly marks a record as present, and counts 1 if it was not.
func newly(present *bool) int {
	n := count(!*present)
	*present = true
	return n
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

func ptr[T any](v T) *T { return &v }
