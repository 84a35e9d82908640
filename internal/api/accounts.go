package api

import (
	"ostiary"
	"ostiary/internal/authority"
)

func accounts(c *call) ([]authority.AccountView, error) {
	if c.caller.Account != 0 {
		one, err := c.authority.Account(c.r.Context(), c.caller, 0)
		return []authority.AccountView{one}, err
	}
	return c.authority.Accounts(c.r.Context(), c.caller)
}

// listed is what the first API says about accounts: all of them, since it knows no pages.
func listed(c *call) (any, error) {
	all, err := accounts(c)
	if err != nil {
		return nil, err
	}
	out := make([]object, len(all))
	for i, a := range all {
		out[i] = encodeListed(c, a)
	}
	return out, nil
}

func account(c *call) (out authority.AccountView, err error) {
	id, err := c.current()
	if err != nil {
		return out, err
	}
	return c.authority.Account(c.r.Context(), c.caller, id)
}

// current reads an id, or the word current, which is 0.
func (c *call) current() (ostiary.ID, error) {
	if c.args[0] == "current" {
		return 0, nil
	}
	return c.id(0)
}

func decodeAccount(c *call) authority.AccountPatch {
	b := c.body
	p := authority.AccountPatch{Fields: map[string]string{}, Confirm: c.r.URL.Query().Get("confirm")}
	for _, name := range []string{"name", "timezone"} {
		if value := take(b, name, text); value != nil {
			p.Fields[name] = *value
		}
	}
	notes := []string{"description", "address1", "address2", "cc_email", "city", "country_code", "state_prov"}
	for _, name := range notes {
		if value := take(b, name, note); value != nil {
			p.Fields[name] = *value
		}
	}
	if users := take(b, "users", each("users", decodeMember)); users != nil {
		p.Members, p.SetMembers = *users, true
	}
	if invites := take(b, "invites", each("invites", decodeInvitee)); invites != nil {
		p.Invitations, p.SetInvites = *invites, true
	}
	return p
}

func decodeMember(f *fields) authority.MemberRole {
	return authority.MemberRole{User: must(f, "user", reference("/user/")), Role: must(f, "role", role)}
}

func decodeInvitee(f *fields) authority.Invitee {
	return authority.Invitee{Email: must(f, "email", text), Role: must(f, "role", role)}
}

func setAccount(c *call, p authority.AccountPatch) (out authority.AccountView, rev uint64, err error) {
	id, err := c.current()
	if err != nil {
		return out, 0, err
	}
	caller := c.caller
	if id != 0 && c.operator != "" {
		caller.Account = id
	}
	if id != 0 && id != caller.Account {
		return out, 0, ostiary.ErrNotFound
	}
	return c.authority.SetAccount(c.r.Context(), caller, p)
}

// maySetAccount is a change of the account that changes nothing.
func maySetAccount(c *call) error {
	_, _, err := setAccount(c, authority.AccountPatch{})
	return err
}
