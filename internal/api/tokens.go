package api

import (
	"net/netip"
	"strings"
	"time"

	"ostiary"
	"ostiary/internal/authority"
)

func tokens(c *call) ([]authority.TokenView, error) {
	return c.authority.Tokens(c.r.Context(), c.caller)
}

func token(c *call) (out authority.TokenView, err error) {
	id, err := c.id(0)
	if err != nil {
		return out, err
	}
	return c.authority.Token(c.r.Context(), c.caller, id)
}

// decodeNew reads a token to be made. On the socket it has an owner: a user by cid, id or e-mail.
func decodeNew(c *call) authority.NewToken {
	b := c.body
	n := authority.NewToken{
		Kind:        or(take(b, "kind", kind), ostiary.UserToken),
		Privilege:   or(take(b, "privilege", role), ostiary.ReadOnly),
		Default:     or(take(b, "default_app_state", defaultState), ostiary.Pending),
		Description: or(take(b, "description", text), ""),
		ExpiresOn:   or(take(b, "expires_on", moment), time.Time{}),
		Networks:    or(take(b, "networks", networks), nil),
	}
	if c.operator == "" {
		return n
	}
	n.Owner = or(take(b, "owner", c.user), 0)
	if n.Kind == ostiary.UserToken && n.Owner == 0 && b.err == nil {
		b.err = ostiary.RefuseField("owner", "This field is needed for a user token: its owner.")
	}
	return n
}

// user reads a user's cid, id or e-mail address.
func (c *call) user(v any) (ostiary.ID, error) {
	email, ok := v.(string)
	if !ok || !strings.Contains(email, "@") {
		return reference("/user/")(v)
	}
	id, err := c.authority.FindUser(c.r.Context(), c.caller, email)
	if ostiary.IsHidden(err) {
		return 0, wrong("There is no user with this address.")
	}
	return id, err
}

func makeToken(c *call, n authority.NewToken) (authority.Made, uint64, error) {
	return c.authority.CreateToken(c.r.Context(), c.caller, n)
}

func decodePatch(c *call) authority.TokenPatch {
	b := c.body
	return authority.TokenPatch{
		Privilege:   take(b, "privilege", role),
		Default:     take(b, "default_app_state", defaultState),
		Description: take(b, "description", text),
		ExpiresOn:   take(b, "expires_on", moment),
		Networks:    take[[]netip.Prefix](b, "networks", networks),
	}
}

func setToken(c *call, p authority.TokenPatch) (out authority.TokenView, rev uint64, err error) {
	id, err := c.id(0)
	if err != nil {
		return out, 0, err
	}
	return c.authority.SetToken(c.r.Context(), c.caller, id, p)
}

// maySetToken is a change of the token that changes nothing.
func maySetToken(c *call) error {
	id, err := c.id(0)
	if err == nil {
		_, _, err = c.authority.SetToken(c.r.Context(), c.caller, id, authority.TokenPatch{})
	}
	return err
}

func maySeeToken(c *call) error {
	_, err := token(c)
	return err
}

// retired is a token that was retired, with the live tokens that were made with it.
type retired struct {
	authority.TokenView
	descendants []authority.TokenView
}

// retire looks for what was made with the token first: a token that retires itself sees nothing
// afterwards. A call that is repeated may come from one that has.
func retire(c *call, _ struct{}) (out retired, rev uint64, err error) {
	id, err := c.id(0)
	if err != nil {
		return out, 0, err
	}
	if out.descendants, err = c.authority.Descendants(c.r.Context(), c.caller, id); err != nil {
		return out, 0, err
	}
	out.TokenView, rev, err = c.authority.Retire(c.r.Context(), c.caller, id)
	return out, rev, err
}

func decodePromotion(c *call) ostiary.Role {
	return or(take(c.body, "privilege", role), ostiary.NoRole)
}

func promote(c *call, privilege ostiary.Role) (out authority.TokenView, rev uint64, err error) {
	id, err := c.id(0)
	if err != nil {
		return out, 0, err
	}
	return c.authority.Promote(c.r.Context(), c.caller, id, privilege)
}

func decodeSecret(c *call) ostiary.SecretText {
	return ostiary.ReadSecret(strings.TrimSpace(must(c.body, "secret", text)))
}

// which names the token that a secret belongs to. The secret comes in the body: addresses are
// written down on the way.
func which(c *call, secret ostiary.SecretText) (authority.TokenView, error) {
	return c.authority.Which(c.r.Context(), c.caller, secret)
}
