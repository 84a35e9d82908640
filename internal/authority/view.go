package authority

import (
	"context"
	"strconv"

	"ostiary"
)

// A view is what one caller may see of one snapshot.
type view struct {
	ostiary.Reader
	a       *Authority
	caller  Caller
	account ostiary.ID
	actor   ostiary.Actor

	repeated bool // the change was made before, under its Idempotency-Key

	// People who were read already. A change has none: roles may differ further down in it.
	users map[ostiary.ID]ostiary.User
	roles map[place]ostiary.Role

	namesakes map[string]ostiary.ID // members by name in lower case; 0 where two have it
}

// look shows one snapshot to what only reads.
func (a *Authority) look(ctx context.Context, c Caller, fn func(*view) error) error {
	err := a.store.View(ctx, func(r ostiary.Reader) error {
		v := &view{Reader: r, a: a, caller: c, account: c.Account}
		v.users, v.roles = map[ostiary.ID]ostiary.User{}, map[place]ostiary.Role{}
		if err := v.begin(); err != nil {
			return err
		}
		return fn(v)
	})
	if err != nil {
		return a.failed(err)
	}
	return nil
}

// begin finds out who acts, with which role at this moment.
func (v *view) begin() error {
	c := v.caller
	switch {
	case c.Operator != "":
		v.actor = ostiary.Actor{Operator: c.Operator, Role: ostiary.Admin}
		return nil
	case c.Token != 0:
		return v.tokenActs(c)
	case c.User != 0:
		role, err := v.roleOf(c.User)
		v.actor = ostiary.Actor{User: c.User, Role: role}
		if err != nil || v.account != 0 {
			return err
		}
		u, err := v.User(c.User)
		v.actor.Alone = err == nil && !u.Disabled
		return err
	}
	return ostiary.Refuse(ostiary.NoToken, "Nobody asks.")
}

// tokenActs: a token acts with the role that it can use, a user token for its owner.
func (v *view) tokenActs(c Caller) error {
	t, err := v.Reader.Token(c.Account, c.Token)
	if err != nil {
		return err
	}
	owner, err := v.roleOf(t.Owner)
	if err != nil {
		return err
	}
	role := ostiary.CanUseNow(*t.Fact().Token, owner, v.a.set.Now())
	if role == ostiary.NoRole {
		return ostiary.Refuse(ostiary.BadToken, "")
	}
	v.actor = ostiary.Actor{User: t.Owner, Token: t.ID, Kind: t.Kind, Role: role}
	return nil
}

// A place is a user on an account.
type place struct{ account, user ostiary.ID }

// roleOf is what a user may do on the account now: NoRole for one who is no member, or disabled.
func (v *view) roleOf(user ostiary.ID) (ostiary.Role, error) {
	at := place{v.account, user}
	role, known := v.roles[at]
	if known || user == 0 {
		return role, nil
	}
	role, err := v.readRole(user)
	if err == nil && v.roles != nil {
		v.roles[at] = role
	}
	return role, err
}

func (v *view) readRole(user ostiary.ID) (ostiary.Role, error) {
	m, err := v.Member(v.account, user)
	if isMissing(err) {
		return ostiary.NoRole, nil
	}
	if err != nil {
		return ostiary.NoRole, err
	}
	u, err := v.person(user)
	return ostiary.ActingRole(m.Role, u.Disabled), err
}

// person reads a user, once in a view that only looks.
func (v *view) person(id ostiary.ID) (ostiary.User, error) {
	u, known := v.users[id]
	if known {
		return u, nil
	}
	u, err := v.Reader.User(id)
	if err == nil && v.users != nil {
		v.users[id] = u
	}
	return u, err
}

// needAccount says that the operator must name the account where there is more than one. Others
// always name theirs; a person who names none has none.
func (v *view) needAccount() error {
	if v.account != 0 {
		return nil
	}
	if v.actor.Operator == "" {
		return ostiary.ErrNotFound
	}
	all, err := v.Accounts()
	if err != nil {
		return err
	}
	if len(all) != 1 {
		return ostiary.RefuseField("account", "There are "+strconv.Itoa(len(all))+" accounts: say which.")
	}
	v.account = all[0].ID
	return nil
}
