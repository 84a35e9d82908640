package directory

import (
	"iter"

	"ostiary"
)

// room holds one fact of each kind, so that a walk over millions of them allocates nothing.
type room struct {
	account ostiary.AccountFact
	user    ostiary.UserFact
	member  ostiary.MemberFact
	token   ostiary.TokenFact
	secret  ostiary.SecretFact
	app     ostiary.AppFact
}

// people gives the accounts, users and members on record, in no order. Each fact lasts until the next.
func (c *contents) people(at *room) iter.Seq[ostiary.Fact] {
	return func(yield func(ostiary.Fact) bool) {
		for _, a := range c.accounts {
			if at.account = a.fact(); a.present && !yield(ostiary.Fact{Account: &at.account}) {
				return
			}
		}
		for _, u := range c.users {
			if at.user = u.fact(); u.present && !yield(ostiary.Fact{User: &at.user}) {
				return
			}
		}
		for s, m := range c.members {
			if at.member = m.fact(s); m.role != ostiary.NoRole && !yield(ostiary.Fact{Member: &at.member}) {
				return
			}
		}
	}
}

// records gives a token with its secrets and its applications. Each fact lasts until the next.
func (t *token) records(at *room) iter.Seq[ostiary.Fact] {
	return func(yield func(ostiary.Fact) bool) {
		if at.token = t.fact(); t.flags.has(present) && !yield(ostiary.Fact{Token: &at.token}) {
			return
		}
		at.secret.Account, at.secret.Token = t.account.id, t.id
		for hash := range t.hashes {
			if at.secret.Hash = hash; !yield(ostiary.Fact{Secret: &at.secret}) {
				return
			}
		}
		for a := range t.apps.all {
			at.app = ostiary.AppFact{Account: t.account.id, Token: t.id, ID: a.id, Name: a.name, State: a.state}
			if !yield(ostiary.Fact{App: &at.app}) {
				return
			}
		}
	}
}
