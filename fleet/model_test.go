package fleet

import (
	"fmt"
	"slices"

	"ostiary"
)

// A model is what the log says at one revision: the facts applied one by one, in maps. It shares nothing
// with the program's own memory but the facts and Decide.
type model struct {
	revision uint64
	accounts map[ostiary.ID]ostiary.AccountFact
	disabled map[ostiary.ID]bool
	members  map[[2]ostiary.ID]ostiary.Role // by account and user
	tokens   map[ostiary.ID]ostiary.TokenFact
	secrets  map[ostiary.Hash]ostiary.ID
	apps     map[ostiary.ID]map[string]ostiary.AppFact // by token and name
}

func newModel() *model {
	return &model{
		accounts: map[ostiary.ID]ostiary.AccountFact{}, disabled: map[ostiary.ID]bool{},
		members: map[[2]ostiary.ID]ostiary.Role{}, tokens: map[ostiary.ID]ostiary.TokenFact{},
		secrets: map[ostiary.Hash]ostiary.ID{}, apps: map[ostiary.ID]map[string]ostiary.AppFact{},
	}
}

func (m *model) apply(c ostiary.Change) {
	for _, f := range c.Facts {
		switch {
		case f.Account != nil:
			m.accounts[f.Account.ID] = *f.Account
		case f.User != nil:
			m.disabled[f.User.ID] = f.User.Disabled
		case f.Member != nil:
			m.members[[2]ostiary.ID{f.Member.Account, f.Member.User}] = f.Member.Role
		case f.Token != nil:
			m.tokens[f.Token.ID] = *f.Token
		case f.Secret != nil:
			m.secrets[f.Secret.Hash] = f.Secret.Token
		case f.App != nil:
			if m.apps[f.App.Token] == nil {
				m.apps[f.App.Token] = map[string]ostiary.AppFact{}
			}
			m.apps[f.App.Token][f.App.Name] = *f.App
			if f.App.Gone {
				delete(m.apps[f.App.Token], f.App.Name)
			}
		}
	}
	m.revision = c.Revision
}

// decide answers a request as the records are at this revision.
func (m *model) decide(q *ostiary.Question) ostiary.Decision {
	f := ostiary.Facts{Ready: true, Revision: m.revision}
	if id, known := m.secrets[q.Token.Hash()]; known && q.Shown == ostiary.ShownToken {
		t := m.tokens[id]
		f.Known, f.Token, f.AccountName, f.OwnerID = true, t, m.accounts[t.Account].ShortName, t.Owner
		if !m.disabled[t.Owner] {
			f.Owner = m.members[[2]ostiary.ID{t.Account, t.Owner}]
		}
		f.App = m.apps[id][q.App]
	}
	return ostiary.Decide(&f, q)
}

// doubted says that what was asked about was in doubt at the node that answered.
func (m *model) doubted(a seen, doubts []doubt) bool {
	id := m.secrets[a.token.Hash()]
	token, owner := fmt.Sprint("/token/", id), fmt.Sprint("/user/", m.tokens[id].Owner)
	return slices.ContainsFunc(doubts, func(d doubt) bool {
		return d.node == a.node && (d.about == token || d.about == owner) && a.done.After(d.from) && a.sent.Before(d.until)
	})
}
