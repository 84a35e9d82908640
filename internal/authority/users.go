package authority

import (
	"context"
	"errors"
	"time"

	"ostiary"
)

// NewUser is what the operator says about a user to be made.
type NewUser struct {
	Email, FirstName, LastName string
	PasswordHash               string       // empty: none, so nobody can sign in
	Role                       ostiary.Role // on the caller's account; NoRole: no member
}

// A UserPatch changes the fields that are set.
type UserPatch struct {
	FirstName, LastName *string
	Contact             *ostiary.ContactInfo
}

// User gives a member of the caller's account.
func (a *Authority) User(ctx context.Context, c Caller, id ostiary.ID) (out ostiary.User, err error) {
	err = a.look(ctx, c, func(v *view) error {
		if err := v.maySeeUser(id); err != nil {
			return err
		}
		out, err = v.Reader.User(id)
		return err
	})
	return out, err
}

// maySeeUser: members see each other, everybody sees oneself, the operator sees everybody.
func (v *view) maySeeUser(id ostiary.ID) error {
	if v.actor.Operator != "" && v.account == 0 {
		return nil
	}
	self := v.actor.User != 0 && v.actor.User == id
	if self && ostiary.May(v.actor, ostiary.ChangeUser, ostiary.Target{User: id}) == nil {
		return nil
	}
	if err := ostiary.May(v.actor, ostiary.SeeAccount, ostiary.Target{}); err != nil {
		return err
	}
	_, err := v.Member(v.account, id)
	return err
}

// CurrentUser is the user behind the caller. There is none behind an account token or the operator.
func (a *Authority) CurrentUser(ctx context.Context, c Caller) (out ostiary.User, err error) {
	err = a.look(ctx, c, func(v *view) error {
		if v.actor.User == 0 {
			return ostiary.Refuse(ostiary.Hidden, "No user is behind an account token.")
		}
		out, err = v.User(v.actor.User)
		return err
	})
	return out, err
}

// Users gives the members of the caller's account, or everybody for an operator who names none.
func (a *Authority) Users(ctx context.Context, c Caller) (out []ostiary.User, err error) {
	err = a.look(ctx, c, func(v *view) error {
		out = nil
		if v.account == 0 && v.actor.Operator != "" {
			out, err = v.Reader.Users()
			return err
		}
		if err := ostiary.May(v.actor, ostiary.SeeAccount, ostiary.Target{}); err != nil {
			return err
		}
		members, err := v.Members(v.account)
		if err != nil {
			return err
		}
		for _, m := range members {
			u, err := v.Reader.User(m.User)
			if err != nil {
				return err
			}
			out = append(out, u)
		}
		return nil
	})
	return out, err
}

// SetUser changes a user's own names and contacts.
func (a *Authority) SetUser(ctx context.Context, c Caller, id ostiary.ID, p UserPatch,
) (out ostiary.User, rev uint64, err error) {
	rev, err = a.change(ctx, c, func(t *tx) (ostiary.Story, error) {
		story := ostiary.Story{What: "user.change", User: id, Details: map[string]string{}}
		if err := t.maySeeUser(id); err != nil {
			return story, err
		}
		if err := ostiary.May(t.actor, ostiary.ChangeUser, ostiary.Target{User: id}); err != nil {
			return story, err
		}
		u, err := t.Writer.User(id)
		if err != nil {
			return story, err
		}
		if err := p.apply(&u, story.Details, t.a.checkText); err != nil || len(story.Details) == 0 {
			return story, err
		}
		if err := t.PutUser(u); err != nil {
			return story, err
		}
		return t.append(story)
	}, func(v *view, s ostiary.Story) (err error) {
		out, err = v.User(id)
		return err
	})
	return out, rev, err
}

func (p UserPatch) apply(u *ostiary.User, told map[string]string, check func(field, s string) error) error {
	set := func(field string, at, value *string) error {
		if value == nil || *value == *at {
			return nil
		}
		*at, told[field] = *value, *value
		return check(field, *value)
	}
	err := errors.Join(set("firstname", &u.FirstName, p.FirstName), set("lastname", &u.LastName, p.LastName),
		checkName(*u))
	if err != nil {
		return err
	}
	if p.Contact == nil {
		return nil
	}
	return errors.Join(
		set("contact_info.sms", &u.Contact.SMS, &p.Contact.SMS),
		set("contact_info.victorops", &u.Contact.VictorOps, &p.Contact.VictorOps),
		set("contact_info.xmpp", &u.Contact.XMPP, &p.Contact.XMPP))
}

// CreateUser makes a login, and a member where a role is given. Only the operator may.
func (a *Authority) CreateUser(ctx context.Context, c Caller, n NewUser) (out ostiary.User, rev uint64, err error) {
	rev, err = a.change(ctx, c, func(t *tx) (ostiary.Story, error) {
		if err := ostiary.May(t.actor, ostiary.Operate, ostiary.Target{}); err != nil {
			return ostiary.Story{}, err
		}
		return t.addUser(n)
	}, func(v *view, s ostiary.Story) (err error) {
		out, err = v.User(s.User)
		return err
	})
	return out, rev, err
}

func (t *tx) addUser(n NewUser) (ostiary.Story, error) {
	story := ostiary.Story{What: "user.create", Details: map[string]string{"email": n.Email}}
	u, err := t.createUser(n)
	if err != nil {
		return story, err
	}
	if n.Role != ostiary.NoRole {
		if err := t.needAccount(); err != nil {
			return story, err
		}
		story.Details["role"] = n.Role.String()
		if err := t.addMember(u, n.Role); err != nil {
			return story, err
		}
	}
	story.User = u.ID
	return t.append(story)
}

// addMember makes a new user a member; the first admin of an account is named its owner.
func (t *tx) addMember(u ostiary.User, role ostiary.Role) error {
	if err := t.PutMember(ostiary.Member{Account: t.account, User: u.ID, Role: role, Since: t.at}); err != nil {
		return err
	}
	account, err := t.Writer.Account(t.account)
	if err != nil || account.Owner != 0 || !role.IsAdmin() {
		return err
	}
	account.Owner = u.ID
	return t.PutAccount(account)
}

func (t *tx) createUser(n NewUser) (ostiary.User, error) {
	u := ostiary.User{Email: n.Email, FirstName: n.FirstName, LastName: n.LastName, CreatedOn: t.at}
	err := errors.Join(checkEmail("email", n.Email), t.a.CheckName(n.FirstName, n.LastName))
	if err != nil {
		return u, err
	}
	switch _, err := t.UserByEmail(n.Email); {
	case err == nil:
		return u, ostiary.Refuse(ostiary.Conflict, "A user with this address exists already.")
	case !isMissing(err):
		return u, err
	}
	id, err := t.NewID("user")
	if err != nil {
		return u, err
	}
	u.ID = id
	if err := t.PutUser(u); err != nil || n.PasswordHash == "" {
		return u, err
	}
	return u, t.PutPassword(u.ID, n.PasswordHash)
}

// DisableUser stops a user's login and user tokens on every account, and ends the sessions; or it lets
// them work again.
func (a *Authority) DisableUser(ctx context.Context, c Caller, id ostiary.ID, disabled bool,
) (ostiary.User, uint64, error) {
	what := "user.enable"
	if disabled {
		what = "user.disable"
	}
	return a.operate(ctx, c, id, what, func(t *tx, u ostiary.User) (bool, error) {
		if u.Disabled == disabled {
			return false, nil
		}
		u.Disabled = disabled
		if err := t.PutUser(u); err != nil || !disabled {
			return true, err
		}
		return true, t.DropSessions(u.ID, ostiary.Hash{})
	})
}

// ResetPassword sets a user's password, and ends the sessions.
func (a *Authority) ResetPassword(ctx context.Context, c Caller, id ostiary.ID, passwordHash string,
) (ostiary.User, uint64, error) {
	return a.operate(ctx, c, id, "user.reset", func(t *tx, u ostiary.User) (bool, error) {
		return true, errors.Join(t.PutPassword(u.ID, passwordHash), t.DropSessions(u.ID, ostiary.Hash{}))
	})
}

func (a *Authority) operate(ctx context.Context, c Caller, id ostiary.ID, what string,
	do func(*tx, ostiary.User) (changed bool, err error),
) (out ostiary.User, rev uint64, err error) {
	rev, err = a.change(ctx, c, func(t *tx) (ostiary.Story, error) {
		story := ostiary.Story{What: what, User: id}
		if err := ostiary.May(t.actor, ostiary.Operate, ostiary.Target{}); err != nil {
			return story, err
		}
		u, err := t.Writer.User(id)
		if err != nil {
			return story, err
		}
		changed, err := do(t, u)
		if err != nil || !changed {
			return story, err
		}
		return t.append(story)
	}, func(v *view, s ostiary.Story) (err error) {
		out, err = v.User(s.User)
		return err
	})
	return out, rev, err
}

func epoch(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	s := t.Unix()
	return &s
}
