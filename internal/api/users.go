package api

import (
	"ostiary"
	"ostiary/internal/authority"
)

func users(c *call) ([]ostiary.User, error) { return c.authority.Users(c.r.Context(), c.caller) }

func user(c *call) (out ostiary.User, err error) {
	id, err := c.currentUser()
	if err != nil {
		return out, err
	}
	return c.authority.User(c.r.Context(), c.caller, id)
}

// currentUser reads an id, or the word current: the user behind the token.
func (c *call) currentUser() (ostiary.ID, error) {
	if c.args[0] != "current" {
		return c.id(0)
	}
	if c.operator != "" {
		return 0, because(ostiary.ErrNotFound, "The operator is no user of an account.")
	}
	u, err := c.authority.CurrentUser(c.r.Context(), c.caller)
	if ostiary.IsHidden(err) {
		return 0, because(err, err.Error())
	}
	return u.ID, err
}

// A userPatch is a change of a user. The e-mail may be repeated, as clients send whole objects.
type userPatch struct {
	authority.UserPatch
	email *string
}

func decodeUser(c *call) userPatch {
	b := c.body
	return userPatch{
		UserPatch: authority.UserPatch{
			FirstName: take(b, "firstname", note),
			LastName:  take(b, "lastname", note),
			Contact:   take(b, "contact_info", within("contact_info", decodeContact)),
		},
		email: take(b, "email", text),
	}
}

func decodeContact(f *fields) ostiary.ContactInfo {
	return ostiary.ContactInfo{
		SMS:       or(take(f, "sms", note), ""),
		VictorOps: or(take(f, "victorops", note), ""),
		XMPP:      or(take(f, "xmpp", note), ""),
	}
}

func setUser(c *call, p userPatch) (out ostiary.User, rev uint64, err error) {
	id, err := c.currentUser()
	if err != nil {
		return out, 0, err
	}
	if p.email != nil {
		was, err := c.authority.User(c.r.Context(), c.caller, id)
		if err != nil {
			return out, 0, err
		}
		if was.Email != *p.email {
			return out, 0, &ostiary.Refusal{
				Reason: ostiary.LowRole, Field: "email",
				Say: "A user changes the address on the page Profile, with the password.",
			}
		}
	}
	return c.authority.SetUser(c.r.Context(), c.caller, id, p.UserPatch)
}

// maySetUser is a change of the user that changes nothing.
func maySetUser(c *call) error {
	_, _, err := setUser(c, userPatch{})
	return err
}
