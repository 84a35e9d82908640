package directory

import (
	"hash/maphash"

	"ostiary"
)

// RestrictTo makes each record the lesser of what it says and what other records say, which gives all of theirs. One
// that they do not have lets nobody in, and an application waits. Nothing is given. After an error some was taken away.
func (d *Directory) RestrictTo(others func(fn func(ostiary.Fact) error) error) error {
	seed := maphash.MakeSeed()
	named := map[uint64]struct{}{} // digests: the names of millions of records take too much room
	one := make([]ostiary.Fact, 1)
	err := others(func(f ostiary.Fact) error {
		named[maphash.Comparable(seed, nameOf(f))] = struct{}{}
		one[0] = f
		d.Restrict(one)
		return nil
	})
	if err != nil {
		return err
	}
	d.Restrict(d.without(func(f ostiary.Fact) bool {
		_, found := named[maphash.Comparable(seed, nameOf(f))]
		return found
	}))
	return nil
}

// nameOf is by what a record is known to be the same one in another log, where ids were given to others. A token that
// belongs to somebody else there has no lesser one of both.
func nameOf(f ostiary.Fact) place {
	at := placeOf(f)
	switch {
	case f.Secret != nil:
		at = place{kind: kindSecret, a: f.Secret.Token, name: string(f.Secret.Hash[:])}
	case f.Token != nil:
		at.b, at.name = f.Token.Owner, f.Token.Kind.String()
	case f.Edge != nil:
		at.name = string(f.Edge.Hash[:])
	}
	return at
}

// without gives facts that take away what records give which are not among those that are named.
func (d *Directory) without(named func(ostiary.Fact) bool) (lesser []ostiary.Fact) {
	d.changing.Lock()
	defer d.changing.Unlock()
	var at room
	for f := range d.contents.people(&at) {
		if f.Account == nil && !named(f) {
			lesser = append(lesser, f.Least())
		}
	}
	for _, t := range d.contents.tokens {
		for f := range t.records(&at) {
			if named(f) {
				continue
			}
			if f.Secret != nil { // of a token that is another one there
				f = ostiary.Fact{Token: ptr(t.fact())}
			}
			lesser = append(lesser, f.Least())
		}
	}
	return lesser
}
