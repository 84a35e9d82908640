package authority

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/mail"
	"strings"
	"time"

	"ostiary"
)

// linkFor is how long an invitation's link lasts.
const linkFor = 72 * time.Hour

// setInvitations makes the account's invitations be those of the list: it adds and removes.
func (t *tx) setInvitations(p AccountPatch, links map[ostiary.ID]ostiary.SecretText) error {
	if !p.SetInvites {
		return nil
	}
	old, err := t.Invitations(t.account)
	if err != nil {
		return err
	}
	stays := map[string]bool{}
	for _, i := range p.Invitations {
		key := strings.ToLower(i.Email)
		if stays[key] {
			return ostiary.RefuseField("invites", "An address is listed twice.")
		}
		stays[key] = true
		if err := t.invite("invites", i, old, links); err != nil {
			return err
		}
	}
	for _, i := range old {
		if stays[strings.ToLower(i.Email)] {
			continue
		}
		if err := t.dropInvitation(i); err != nil {
			return err
		}
	}
	return nil
}

// invite asks one person, unless the same invitation stands already. The link is a secret; only
// its hash is kept. field is what the caller calls the list or the address.
func (t *tx) invite(field string, i Invitee, old []ostiary.Invitation,
	links map[ostiary.ID]ostiary.SecretText,
) error {
	if err := checkEmail(field, i.Email); err != nil {
		return err
	}
	if i.Role == ostiary.NoRole {
		return ostiary.RefuseField(field, "An invitation gives a role.")
	}
	record := ostiary.Invitation{Account: t.account, Email: i.Email}
	for _, o := range old {
		if !strings.EqualFold(o.Email, i.Email) {
			continue
		}
		if o.Role == i.Role && o.ExpiresOn.After(t.at) {
			return nil
		}
		record = o
	}
	if err := t.notYetMember(field, i.Email); err != nil {
		return err
	}
	if record.ID == 0 {
		id, err := t.NewID("invitation")
		if err != nil {
			return err
		}
		record.ID = id
	}
	record.Role, record.InvitedBy, record.InvitedOn = i.Role, t.actor.By(), t.at
	record.ExpiresOn = t.at.Add(linkFor)
	link, err := t.newLink(record)
	if err != nil {
		return err
	}
	links[record.ID] = link
	_, err = t.append(ostiary.Story{What: "invitation.create", Details: map[string]string{
		"email": record.Email, "role": record.Role.String(),
	}})
	return err
}

func (t *tx) notYetMember(field, email string) error {
	u, err := t.UserByEmail(email)
	if isMissing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	switch _, err = t.Member(t.account, u.ID); {
	case err == nil:
		return ostiary.RefuseField(field, "The person is a member already.")
	case !isMissing(err):
		return err
	}
	return nil
}

func (t *tx) newLink(i ostiary.Invitation) (ostiary.SecretText, error) {
	var b [32]byte
	rand.Read(b[:])
	link := ostiary.ReadSecret(hex.EncodeToString(b[:]))
	return link, errors.Join(t.PutInvitation(i), t.PutLink(link.Hash(), i.Account, i.ID))
}

// NewLink gives a new link for an invitation that waits, in the name of who asks for it; the old one
// ends, and the 72 hours begin anew.
func (a *Authority) NewLink(ctx context.Context, c Caller, email string,
) (out ostiary.Invitation, link ostiary.SecretText, rev uint64, err error) {
	rev, err = a.change(ctx, c, func(t *tx) (ostiary.Story, error) {
		none := ostiary.Story{}
		all, err := t.allInvitations()
		if err != nil {
			return none, err
		}
		for _, i := range all {
			if !strings.EqualFold(i.Email, email) {
				continue
			}
			i.InvitedBy, i.ExpiresOn = t.actor.By(), t.at.Add(linkFor)
			if link, err = t.newLink(i); err != nil {
				return none, err
			}
			out = i
			return t.append(ostiary.Story{What: "invitation.link", Details: map[string]string{"email": i.Email}})
		}
		return none, ostiary.Refuse(ostiary.Hidden, "Nobody with this address is invited.")
	}, nil)
	return out, link, rev, err
}

// Accept makes a signed-in user a member, by the link of an invitation to that user's address.
func (a *Authority) Accept(ctx context.Context, c Caller, link ostiary.SecretText) (ostiary.Member, uint64, error) {
	var out ostiary.Member
	rev, err := a.change(ctx, c, func(t *tx) (ostiary.Story, error) {
		i, err := t.invitationBy(link)
		if err != nil {
			return ostiary.Story{}, err
		}
		u, err := t.User(c.User)
		if err != nil {
			return ostiary.Story{}, err
		}
		if u.Disabled || !strings.EqualFold(u.Email, i.Email) {
			return ostiary.Story{}, ostiary.Refuse(ostiary.LowRole, "The invitation is for another address.")
		}
		out, err = t.join(i, u.ID)
		if err != nil {
			return ostiary.Story{}, err
		}
		return t.append(accepted(i, u.ID))
	}, nil)
	return out, rev, err
}

// Join makes a login and a member, by the link of an invitation to an address that has no login.
func (a *Authority) Join(ctx context.Context, c Caller, link ostiary.SecretText,
	firstName, lastName, passwordHash string,
) (ostiary.User, uint64, error) {
	var out ostiary.User
	// The link is who asks: whoever has it is nobody yet.
	c.Operator, c.User, c.Token = "invitation", 0, 0
	rev, err := a.change(ctx, c, func(t *tx) (ostiary.Story, error) {
		i, err := t.invitationBy(link)
		if err != nil {
			return ostiary.Story{}, err
		}
		n := NewUser{Email: i.Email, FirstName: firstName, LastName: lastName, PasswordHash: passwordHash}
		if out, err = t.createUser(n); err != nil {
			return ostiary.Story{}, err
		}
		if _, err = t.join(i, out.ID); err != nil {
			return ostiary.Story{}, err
		}
		t.actor = ostiary.Actor{User: out.ID}
		return t.append(accepted(i, out.ID))
	}, nil)
	return out, rev, err
}

func accepted(i ostiary.Invitation, user ostiary.ID) ostiary.Story {
	return ostiary.Story{What: "invitation.accept", User: user, Details: map[string]string{
		"role": i.Role.String(), "invited_by": string(i.InvitedBy),
	}}
}

func (t *tx) invitationBy(link ostiary.SecretText) (ostiary.Invitation, error) {
	i, err := t.a.linked(t.Writer, link)
	if err == nil {
		t.account = i.Account
	}
	return i, err
}

// checkEmail: an address with a fully qualified domain, nothing around it.
func checkEmail(field, email string) error {
	at, err := mail.ParseAddress(email)
	_, domain, _ := strings.Cut(email, "@")
	full := strings.Contains(strings.Trim(domain, "."), ".")
	if err != nil || at.Address != email || len(email) > ostiary.MaxEmail || !full {
		return ostiary.RefuseField(field, "This is not an e-mail address with a full domain, such as alice@example.com.")
	}
	for i := range len(email) {
		if email[i] <= ' ' || email[i] > '~' {
			return ostiary.RefuseField(field, "An e-mail address is printable ASCII without spaces.")
		}
	}
	return nil
}
