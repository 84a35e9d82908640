package ostiary

import "net/netip"

// A Fact is one record after a change, as far as decisions need it. Exactly one field is set.
// Replaying the facts of the log, in order, gives every record that decisions are made from.
type Fact struct {
	Account *AccountFact `json:"account,omitempty"`
	User    *UserFact    `json:"user,omitempty"`
	Member  *MemberFact  `json:"member,omitempty"`
	Token   *TokenFact   `json:"token,omitempty"`
	Secret  *SecretFact  `json:"secret,omitempty"`
	App     *AppFact     `json:"app,omitempty"`
	Edge    *EdgeFact    `json:"edge,omitempty"`
}

// AccountFact is an Account for decisions.
type AccountFact struct {
	ID        ID     `json:"id"`
	ShortName string `json:"name"`
	CapMet    bool   `json:"cap_met,omitempty"`
}

// UserFact is a User for decisions. The e-mail is personal, so it is not part of any fact.
type UserFact struct {
	ID       ID   `json:"id"`
	Disabled bool `json:"disabled,omitempty"`
}

// MemberFact is a Member for decisions. NoRole: no longer a member.
type MemberFact struct {
	Account ID   `json:"account"`
	User    ID   `json:"user"`
	Role    Role `json:"role"`
}

// TokenFact is a Token for decisions.
type TokenFact struct {
	Account   ID              `json:"account"`
	ID        ID              `json:"id"`
	Kind      Kind            `json:"kind"`
	Owner     ID              `json:"owner,omitempty"`
	Privilege Role            `json:"privilege"`
	Default   DefaultAppState `json:"default"`
	Retired   bool            `json:"retired,omitempty"`
	CapMet    bool            `json:"cap_met,omitempty"`
	ExpiresOn int64           `json:"expires,omitempty"` // seconds since 1970; zero: never
	Networks  []netip.Prefix  `json:"networks,omitempty"`
}

// SecretFact is a Secret for decisions.
type SecretFact struct {
	Account ID   `json:"account"`
	Token   ID   `json:"token"`
	Hash    Hash `json:"hash"`
}

// AppFact is an App for decisions. Gone: its record was forgotten.
type AppFact struct {
	Account ID       `json:"account"`
	Token   ID       `json:"token"`
	ID      ID       `json:"id"`
	Name    string   `json:"name"`
	State   AppState `json:"state"`
	Gone    bool     `json:"gone,omitempty"`
}

// EdgeFact is an Edge for those who let edges follow.
type EdgeFact struct {
	ID      ID     `json:"id"`
	Name    string `json:"name"`
	Hash    Hash   `json:"hash"`
	Revoked bool   `json:"revoked,omitempty"`
}

// Fact is the account as decisions need it.
func (a Account) Fact() Fact {
	return Fact{Account: &AccountFact{ID: a.ID, ShortName: a.ShortName, CapMet: a.CapMet}}
}

// Fact is the user as decisions need it.
func (u User) Fact() Fact { return Fact{User: &UserFact{ID: u.ID, Disabled: u.Disabled}} }

// Fact is the member as decisions need it.
func (m Member) Fact() Fact {
	return Fact{Member: &MemberFact{Account: m.Account, User: m.User, Role: m.Role}}
}

// Fact is the token as decisions need it.
func (t Token) Fact() Fact {
	f := &TokenFact{
		Account: t.Account, ID: t.ID, Kind: t.Kind, Owner: t.Owner, Privilege: t.Privilege, Default: t.Default,
		Retired: !t.RetiredOn.IsZero(), CapMet: t.CapMet, Networks: t.Networks,
	}
	if !t.ExpiresOn.IsZero() {
		f.ExpiresOn = t.ExpiresOn.Unix()
	}
	return Fact{Token: f}
}

// Fact is the secret as decisions need it.
func (s Secret) Fact() Fact {
	return Fact{Secret: &SecretFact{Account: s.Account, Token: s.Token, Hash: s.Hash}}
}

// Fact is the application as decisions need it.
func (a App) Fact() Fact {
	return Fact{App: &AppFact{Account: a.Account, Token: a.Token, ID: a.ID, Name: a.Name, State: a.State}}
}

// Fact is the edge as those need it who let it follow.
func (e Edge) Fact() Fact {
	return Fact{Edge: &EdgeFact{ID: e.ID, Name: e.Name, Hash: e.Hash, Revoked: !e.RevokedOn.IsZero()}}
}
