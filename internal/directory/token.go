package directory

import (
	"net/netip"
	"slices"

	"ostiary"
)

// A token is laid out so that a decision reads it, its member, its applications and its account:
// four places in memory.
type token struct {
	hash      ostiary.Hash // of its first secret
	id        ostiary.ID
	account   *account
	owner     *member // nil for a token without an owner
	apps      apps
	expiresOn int64
	rare      *rare // nil for most tokens
	appCount  uint16
	waiting   uint16 // how many of apps nobody has decided about
	privilege ostiary.Role
	first     ostiary.DefaultAppState
	kind      ostiary.Kind
	flags     flags
}

type flags uint8

const (
	present flags = 1 << iota
	retired
	capMet
	hasSecret
)

func (f flags) has(one flags) bool { return f&one != 0 }

func (f *flags) set(one flags, on bool) {
	*f &^= one
	if on {
		*f |= one
	}
}

// rare is what few tokens have.
type rare struct {
	networks []netip.Prefix
	hashes   []ostiary.Hash // of further secrets
}

// fill puts all that is known of a token into f.
func (t *token) fill(name string, f *ostiary.Facts) {
	f.Known = t.flags.has(present)
	t.fillFact(&f.Token)
	f.AccountName = t.account.name
	if t.owner != nil {
		f.OwnerID, f.Email = t.owner.id, t.owner.email
		f.Owner = ostiary.ActingRole(t.owner.role, t.owner.disabled)
	}
	if a, found := t.apps.find(name); found {
		f.App.Account, f.App.Token, f.App.ID, f.App.Name, f.App.State = t.account.id, t.id, a.id, a.name, a.state
	}
}

func (t *token) fillFact(f *ostiary.TokenFact) {
	f.Account, f.ID, f.Kind = t.account.id, t.id, t.kind
	f.Privilege, f.Default, f.ExpiresOn = t.privilege, t.first, t.expiresOn
	f.Retired, f.CapMet = t.flags.has(retired), t.flags.has(capMet)
	if t.owner != nil {
		f.Owner = t.owner.id
	}
	if t.rare != nil {
		f.Networks = t.rare.networks
	}
}

func (t *token) fact() (f ostiary.TokenFact) {
	t.fillFact(&f)
	return f
}

// app is the fact about an application; with no ID if it is not on record.
func (t *token) app(name string) ostiary.AppFact {
	a, _ := t.apps.find(name)
	return ostiary.AppFact{Account: t.account.id, Token: t.id, ID: a.id, Name: name, State: a.state}
}

// has says whether a hash is one of the secrets of a token that has at least one.
func (t *token) has(hash *ostiary.Hash) bool {
	return t.hash == *hash || t.rare != nil && slices.Contains(t.rare.hashes, *hash)
}

// hashes gives the hashes of its secrets, in the order in which they came.
func (t *token) hashes(yield func(ostiary.Hash) bool) {
	if !t.flags.has(hasSecret) || !yield(t.hash) || t.rare == nil {
		return
	}
	for _, hash := range t.rare.hashes {
		if !yield(hash) {
			return
		}
	}
}

func (t *token) seldom() *rare {
	if t.rare == nil {
		t.rare = &rare{}
	}
	return t.rare
}
