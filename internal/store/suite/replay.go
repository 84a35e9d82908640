package suite

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"ostiary"
)

// A state is every record as its fact, by kind and key.
type state map[string]string

// apply replays one fact.
func (s state) apply(f ostiary.Fact) {
	text, _ := ostiary.EncodeFacts([]ostiary.Fact{f})
	put := func(key string, args ...any) { s[fmt.Sprintf(key, args...)] = string(text) }
	switch {
	case f.Account != nil:
		put("account %d", f.Account.ID)
	case f.User != nil:
		put("user %d", f.User.ID)
	case f.Member != nil:
		put("member %d %d", f.Member.Account, f.Member.User)
		if f.Member.Role == ostiary.NoRole {
			delete(s, fmt.Sprintf("member %d %d", f.Member.Account, f.Member.User))
		}
	case f.Token != nil:
		put("token %d", f.Token.ID)
	case f.Secret != nil:
		put("secret %x", f.Secret.Hash[:])
	case f.App != nil:
		put("app %d", f.App.ID)
		if f.App.Gone {
			delete(s, fmt.Sprintf("app %d", f.App.ID))
		}
	case f.Edge != nil:
		put("edge %d", f.Edge.ID)
	}
}

// factsReplay makes thousands of random changes, and compares the replayed log with the records.
func factsReplay(w *world) {
	const changes = 1500
	c := &chaos{Rand: rand.New(rand.NewPCG(1, 2)), w: w}
	w.people()
	c.accounts, c.users = 2, 3
	for n := range changes {
		var next chaos
		w.ok(w.s.Update(w.Context(), func(tx ostiary.Writer) error {
			again := *c // an engine may run this more than once
			if err := again.change(tx); err != nil {
				return err
			}
			next = again
			return nil
		}))
		*c = next
		if n == changes/2 {
			c.compare()
		}
	}
	c.compare()
	w.verify()
}

// A chaos makes random changes.
type chaos struct {
	*rand.Rand
	w               *world
	accounts, users int
	apps            []ostiary.App
	owned           []ostiary.Token
}

func (c *chaos) compare() {
	c.w.Helper()
	replayed := state{}
	for _, change := range c.w.changes() {
		for _, f := range change.Facts {
			replayed.apply(f)
		}
	}
	kept, kinds := state{}, ""
	c.w.view(func(r ostiary.Reader) error {
		return r.Snapshot(func(f ostiary.Fact) error {
			kept.apply(f)
			if k := kindOf(f); kinds == "" || kinds[len(kinds)-1] != k {
				kinds += string(k)
			}
			return nil
		})
	})
	c.w.same("records", kept, replayed)
	for i := 1; i < len(kinds); i++ {
		if kinds[i] <= kinds[i-1] {
			c.w.Fatalf("the kinds of records come in the order %q", kinds)
		}
	}
}

// kindOf is a letter that says where a kind belongs in the order of a snapshot.
func kindOf(f ostiary.Fact) byte {
	switch {
	case f.Account != nil:
		return 'a'
	case f.User != nil:
		return 'b'
	case f.Member != nil:
		return 'c'
	case f.Token != nil:
		return 'd'
	case f.Secret != nil:
		return 'e'
	case f.App != nil:
		return 'f'
	}
	return 'g'
}

func (c *chaos) id(n int) ostiary.ID { return ostiary.ID(1 + c.IntN(n)) }

// change puts one to four random records in one or two entries.
func (c *chaos) change(tx ostiary.Writer) error {
	for range 1 + c.IntN(2) {
		for range 1 + c.IntN(4) {
			if err := c.put(tx); err != nil {
				return err
			}
		}
		if _, err := tx.Append(c.id(c.accounts), noon, story, nil); err != nil {
			return err
		}
	}
	return nil
}

func (c *chaos) put(tx ostiary.Writer) error {
	switch c.IntN(13) {
	case 0:
		c.accounts = max(c.accounts, 1+c.IntN(8))
		return c.everyAccount(tx)
	case 1:
		id := c.id(c.users + 1)
		c.users = max(c.users, int(id))
		return tx.PutUser(ostiary.User{ID: id, Email: fmt.Sprintf("u%d@example.com", id), Disabled: c.IntN(4) == 0})
	case 2, 3:
		return tx.PutMember(ostiary.Member{
			Account: c.id(c.accounts), User: c.id(c.users), Role: ostiary.Role(c.IntN(4)), Since: noon,
		})
	case 4, 5:
		return c.newToken(tx)
	case 6, 7:
		return c.changeToken(tx)
	case 8, 9, 10:
		return c.putApp(tx)
	case 11:
		return c.putEdge(tx)
	}
	return c.dropApp(tx)
}

func (c *chaos) everyAccount(tx ostiary.Writer) error {
	for id := range c.accounts {
		err := tx.PutAccount(ostiary.Account{
			ID: ostiary.ID(id + 1), ShortName: fmt.Sprintf("n%d_%d", id, c.IntN(1000)), CapMet: c.IntN(2) == 0,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *chaos) putEdge(tx ostiary.Writer) error {
	id := c.id(20)
	e := ostiary.Edge{ID: id, Name: "edge", Hash: ostiary.ReadSecret("edge" + id.String()).Hash(), CreatedOn: noon}
	if c.IntN(3) == 0 {
		e.RevokedOn = noon
	}
	return tx.PutEdge(e)
}

func (c *chaos) newToken(tx ostiary.Writer) error {
	id, err := tx.NewID("token")
	if err != nil {
		return err
	}
	t := c.dress(ostiary.Token{Account: c.id(c.accounts), ID: id})
	c.owned = append(c.owned, t)
	secret, err := tx.NewID("secret")
	if err != nil {
		return err
	}
	h := ostiary.ReadSecret(id.String()).Hash()
	return errors.Join(tx.PutToken(t), tx.PutSecret(ostiary.Secret{Account: t.Account, ID: secret, Token: id, Hash: h}))
}

// dress gives a token random properties.
func (c *chaos) dress(t ostiary.Token) ostiary.Token {
	t.Kind, t.Owner = ostiary.Kind(1+c.IntN(2)), c.id(c.users)
	t.Privilege, t.Default = ostiary.Role(1+c.IntN(3)), ostiary.DefaultAppState(c.IntN(3))
	t.CapMet = c.IntN(2) == 0
	t.Networks, t.ExpiresOn, t.RetiredOn = nil, time.Time{}, time.Time{}
	if c.IntN(3) == 0 {
		t.Networks = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fe80::/10")}
	}
	if c.IntN(3) == 0 {
		t.ExpiresOn = noon.Add(time.Duration(c.IntN(1e6)) * time.Millisecond)
	}
	if c.IntN(3) == 0 {
		t.RetiredOn = noon
	}
	return t
}

func (c *chaos) changeToken(tx ostiary.Writer) error {
	if len(c.owned) == 0 {
		return nil
	}
	i := c.IntN(len(c.owned))
	c.owned = slices.Clone(c.owned)
	c.owned[i] = c.dress(c.owned[i])
	return tx.PutToken(c.owned[i])
}

func (c *chaos) putApp(tx ostiary.Writer) error {
	if len(c.owned) == 0 {
		return nil
	}
	t := c.owned[c.IntN(len(c.owned))]
	name := fmt.Sprintf("app-%d", c.IntN(5))
	a, err := tx.AppByName(t.Account, t.ID, name)
	if errors.Is(err, ostiary.ErrNotFound) {
		a = ostiary.App{Account: t.Account, Token: t.ID, Name: name, FirstSeenOn: noon}
		a.ID, err = tx.NewID("app")
		c.apps = append(c.apps, a)
	}
	if err != nil {
		return err
	}
	a.State = ostiary.AppState(c.IntN(3))
	return tx.PutApp(a)
}

func (c *chaos) dropApp(tx ostiary.Writer) error {
	if len(c.apps) == 0 {
		return nil
	}
	i := c.IntN(len(c.apps))
	a := c.apps[i]
	c.apps = slices.Delete(slices.Clone(c.apps), i, i+1)
	return tx.DropApp(a)
}

func snapshotCanBeStopped(w *world) {
	w.tokens()
	mine := errors.New("mine")
	for range 20 { // more often than there are connections
		w.view(func(r ostiary.Reader) error {
			if err := r.Snapshot(func(ostiary.Fact) error { return mine }); err != mine {
				w.Fatalf("got %v, want the error as it is", err)
			}
			_, err := r.Users() // the connection still works
			return err
		})
	}
}
