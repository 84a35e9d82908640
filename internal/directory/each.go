package directory

import (
	"bytes"
	"cmp"
	"maps"
	"slices"

	"ostiary"
)

// Each gives every record as its fact, in an order that depends on the contents alone. Changes wait
// until it is done, requests do not. fn must not change the directory.
func (d *Directory) Each(fn func(ostiary.Fact) error) error {
	d.changing.Lock()
	defer d.changing.Unlock()
	c := d.contents
	for _, id := range slices.Sorted(maps.Keys(c.accounts)) {
		if a := c.accounts[id]; a.present {
			if err := fn(ostiary.Fact{Account: ptr(a.fact())}); err != nil {
				return err
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(c.users)) {
		if u := c.users[id]; u.present {
			if err := fn(ostiary.Fact{User: ptr(u.fact())}); err != nil {
				return err
			}
		}
	}
	for _, s := range slices.SortedFunc(maps.Keys(c.members), compareSeats) {
		if m := c.members[s]; m.role != ostiary.NoRole {
			if err := fn(ostiary.Fact{Member: ptr(m.fact(s))}); err != nil {
				return err
			}
		}
	}
	return c.eachToken(fn)
}

func (c *contents) eachToken(fn func(ostiary.Fact) error) error {
	ids := slices.Sorted(maps.Keys(c.tokens))
	for _, id := range ids {
		if t := c.tokens[id]; t.flags.has(present) {
			if err := fn(ostiary.Fact{Token: ptr(t.fact())}); err != nil {
				return err
			}
		}
	}
	for _, id := range ids {
		t := c.tokens[id]
		for _, hash := range slices.SortedFunc(t.hashes, compareHashes) {
			f := &ostiary.SecretFact{Account: t.account.id, Token: t.id, Hash: hash}
			if err := fn(ostiary.Fact{Secret: f}); err != nil {
				return err
			}
		}
	}
	for _, id := range ids {
		for a := range c.tokens[id].apps.all {
			if err := fn(ostiary.Fact{App: ptr(c.tokens[id].app(a.name))}); err != nil {
				return err
			}
		}
	}
	return nil
}

func compareSeats(a, b seat) int {
	return cmp.Or(cmp.Compare(a.account, b.account), cmp.Compare(a.user, b.user))
}

func compareHashes(a, b ostiary.Hash) int { return bytes.Compare(a[:], b[:]) }
