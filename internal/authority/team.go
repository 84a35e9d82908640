package authority

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"ostiary"
)

// A Person is a member with what a page says about one.
type Person struct {
	ostiary.Member
	User          ostiary.User
	Name          string
	InvitedByName string
	Tokens        int       // live user tokens on this account; only for admins and oneself
	LastUsed      time.Time // of any of them; likewise
	Kept          error     // why the member can neither leave nor be less than an admin; nil: can. In Team alone
}

// A Team is an account's people.
type Team struct {
	Account     ostiary.Account
	Actor       ostiary.Actor
	Administers bool
	People      []Person             // by name
	Invitations []ostiary.Invitation // for admins; also those whose link is too old, until they are withdrawn
	Names       Names
}

// Team gives the members of the caller's account.
func (a *Authority) Team(ctx context.Context, c Caller) (out Team, err error) {
	err = a.look(ctx, c, func(v *view) error {
		if err := v.needSeat(); err != nil {
			return err
		}
		out = Team{Actor: v.actor, Administers: ostiary.Administers(v.actor), Names: Names{}}
		return v.team(ctx, &out)
	})
	if err != nil {
		return Team{}, err
	}
	return out, nil
}

func (v *view) team(ctx context.Context, out *Team) (err error) {
	if out.Account, err = v.Reader.Account(v.account); err != nil {
		return err
	}
	members, err := v.Members(v.account)
	if err != nil {
		return err
	}
	if out.People, err = v.people(ctx, members); err != nil {
		return err
	}
	all, err := v.admins(members)
	if err != nil {
		return err
	}
	for i := range out.People {
		p := &out.People[i]
		out.Names[byUser(p.User.ID)] = p.Name
		p.Kept = ostiary.KeepsAdmin(all.but(p.User.ID), p.Role, ostiary.NoRole)
	}
	if !out.Administers {
		return nil
	}
	if out.Invitations, err = v.Invitations(v.account); err != nil {
		return err
	}
	for _, i := range out.Invitations {
		if err := out.Names.add(v, i.InvitedBy); err != nil {
			return err
		}
	}
	return nil
}

// people are members with their names, and with the tokens of those whose tokens the caller may see.
func (v *view) people(ctx context.Context, members []ostiary.Member) ([]Person, error) {
	tokens, err := v.visible()
	if err != nil {
		return nil, err
	}
	last, err := v.a.usage.LastByToken(ctx, v.account)
	if err != nil {
		v.a.set.Log.Warn("the record of use cannot be read", "err", err)
	}
	people := make([]Person, len(members))
	for i, m := range members {
		p := &people[i]
		p.Member = m
		if p.User, err = v.person(m.User); err != nil {
			return nil, err
		}
		p.Name = Name(p.User)
		if m.InvitedBy != "" {
			if p.InvitedByName, err = v.name(m.InvitedBy); err != nil {
				return nil, err
			}
		}
		for _, t := range tokens {
			if t.Owner != m.User || !t.RetiredOn.IsZero() {
				continue
			}
			p.Tokens++
			if last[t.ID].After(p.LastUsed) {
				p.LastUsed = last[t.ID]
			}
		}
	}
	slices.SortStableFunc(people, func(a, b Person) int {
		return cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	})
	return people, nil
}

// SetRole changes one member's role. The tokens follow by themselves.
func (a *Authority) SetRole(ctx context.Context, c Caller, user ostiary.ID, role ostiary.Role) (uint64, error) {
	return a.change(ctx, c, func(t *tx) (ostiary.Story, error) {
		m, err := t.administered(user)
		if err != nil {
			return ostiary.Story{}, err
		}
		if role == ostiary.NoRole {
			return ostiary.Story{}, ostiary.RefuseField("role", "A member has a role.")
		}
		return ostiary.Story{}, t.setRole(m, role)
	}, nil)
}

// administered gives a member of the account to a caller who may change the members.
func (v *view) administered(user ostiary.ID) (ostiary.Member, error) {
	if err := v.needAccount(); err != nil {
		return ostiary.Member{}, err
	}
	if err := ostiary.May(v.actor, ostiary.ChangeAccount, ostiary.Target{}); err != nil {
		return ostiary.Member{}, err
	}
	return v.Member(v.account, user)
}

// A RoleEffect is what a change of role does to a member's tokens.
type RoleEffect struct {
	Person  Person
	Becomes ostiary.Role
	Tokens  []TokenEffect // live ones
	Refused error         // why the change would be refused; nil: it would not
}

// A TokenEffect is what a token can use now, and after the change.
type TokenEffect struct {
	Card
	Now, Then ostiary.Role
}

// RoleEffect says what it would do to give a member another role.
func (a *Authority) RoleEffect(ctx context.Context, c Caller, user ostiary.ID, role ostiary.Role,
) (out RoleEffect, err error) {
	err = a.look(ctx, c, func(v *view) error {
		m, err := v.administered(user)
		if err != nil {
			return err
		}
		out = RoleEffect{Becomes: role}
		if out.Refused = v.keepsAdmin(m, role); out.Refused != nil && !isRefusal(out.Refused) {
			return out.Refused
		}
		people, err := v.people(ctx, []ostiary.Member{m})
		if err != nil {
			return err
		}
		out.Person = people[0]
		live, err := v.liveTokensOf(user)
		if err != nil {
			return err
		}
		cards, err := v.cards(ctx, live, nil)
		for _, card := range cards {
			then := ostiary.ActingRole(role, out.Person.User.Disabled)
			out.Tokens = append(out.Tokens, TokenEffect{
				Card: card, Now: card.CanUse, Then: ostiary.CanUseNow(*card.Fact().Token, then, a.set.Now()),
			})
		}
		return err
	})
	if err != nil {
		return RoleEffect{}, err
	}
	return out, nil
}

// liveTokensOf are the user tokens of a member that are not retired.
func (v *view) liveTokensOf(user ostiary.ID) ([]ostiary.Token, error) {
	tokens, err := v.Reader.TokensOf(v.account, user)
	return slices.DeleteFunc(tokens, func(t ostiary.Token) bool { return !t.RetiredOn.IsZero() }), err
}
