package authority

import (
	"context"
	"errors"

	"ostiary"
)

// Invited is what the page behind an invitation's link says.
type Invited struct {
	ostiary.Invitation
	Account       ostiary.Account
	InvitedByName string
	HasLogin      bool // the address has a login: its user signs in, and accepts
}

// Invited gives the invitation behind a link. One that was used, replaced or is too old is refused.
func (a *Authority) Invited(ctx context.Context, link ostiary.SecretText) (out Invited, err error) {
	err = a.store.View(ctx, func(r ostiary.Reader) error {
		i, err := a.linked(r, link)
		if err != nil {
			return err
		}
		v := &view{Reader: r, a: a, account: i.Account}
		out = Invited{Invitation: i}
		if out.Account, err = r.Account(i.Account); err != nil {
			return err
		}
		if out.InvitedByName, err = v.name(i.InvitedBy); err != nil {
			return err
		}
		_, err = r.UserByEmail(i.Email)
		out.HasLogin = err == nil
		return ignoreMissing(err)
	})
	if err != nil {
		return Invited{}, a.failed(err)
	}
	return out, nil
}

// Invite asks one person to become a member. The link is shown this once. Who is invited already with
// this role is not asked again: that needs a new link.
func (a *Authority) Invite(ctx context.Context, c Caller, who Invitee,
) (out ostiary.Invitation, link ostiary.SecretText, rev uint64, err error) {
	rev, err = a.change(ctx, c, func(t *tx) (ostiary.Story, error) {
		out, link = ostiary.Invitation{}, ostiary.SecretText{}
		none := ostiary.Story{}
		old, err := t.allInvitations()
		if err != nil {
			return none, err
		}
		links := map[ostiary.ID]ostiary.SecretText{}
		if err := t.invite("email", who, old, links); err != nil {
			return none, err
		}
		for id, made := range links { // one
			link = made
			out, err = t.Writer.Invitation(t.account, id)
			return none, err
		}
		return none, ostiary.Refuse(ostiary.Conflict,
			"This person is invited already, with this role. A new link for that invitation ends the old one.")
	}, nil)
	if err != nil {
		return ostiary.Invitation{}, ostiary.SecretText{}, 0, err
	}
	return out, link, rev, nil
}

// allInvitations gives the account's invitations to a caller who may change them.
func (v *view) allInvitations() ([]ostiary.Invitation, error) {
	if err := v.needAccount(); err != nil {
		return nil, err
	}
	if err := ostiary.May(v.actor, ostiary.ChangeAccount, ostiary.Target{}); err != nil {
		return nil, err
	}
	return v.Invitations(v.account)
}

// DropInvitation takes an invitation back. Its link ends.
func (a *Authority) DropInvitation(ctx context.Context, c Caller, id ostiary.ID) (uint64, error) {
	return a.change(ctx, c, func(t *tx) (ostiary.Story, error) {
		all, err := t.allInvitations()
		if err != nil {
			return ostiary.Story{}, err
		}
		for _, i := range all {
			if i.ID == id {
				return ostiary.Story{}, t.dropInvitation(i)
			}
		}
		return ostiary.Story{}, ostiary.ErrNotFound
	}, nil)
}

func (t *tx) dropInvitation(i ostiary.Invitation) error {
	if err := t.Writer.DropInvitation(t.account, i.ID); err != nil {
		return err
	}
	_, err := t.append(ostiary.Story{What: "invitation.drop", Details: map[string]string{"email": i.Email}})
	return err
}

// linked gives the invitation behind a link, if the link is still good.
func (a *Authority) linked(r ostiary.Reader, link ostiary.SecretText) (ostiary.Invitation, error) {
	i, err := r.Link(link.Hash())
	if err == nil && !i.ExpiresOn.After(a.set.Now()) {
		err = ostiary.ErrNotFound
	}
	if isMissing(err) {
		return i, ostiary.Refuse(ostiary.Hidden, "This link was used, replaced, or is older than 72 hours.")
	}
	return i, err
}

// join makes a user a member, and ends the invitation.
func (t *tx) join(i ostiary.Invitation, user ostiary.ID) (ostiary.Member, error) {
	m := ostiary.Member{Account: i.Account, User: user, Role: i.Role, Since: t.at, InvitedBy: i.InvitedBy}
	if _, err := t.Member(i.Account, user); err == nil {
		return m, ostiary.Refuse(ostiary.Conflict, "You are a member already.")
	} else if !isMissing(err) {
		return m, err
	}
	return m, errors.Join(t.PutMember(m), t.Writer.DropInvitation(i.Account, i.ID))
}
