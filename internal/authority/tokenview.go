package authority

import (
	"context"

	"ostiary"
)

// A TokenView is a token as a caller sees it.
type TokenView struct {
	ostiary.Token
	CanUse     ostiary.Role
	Hint       string
	OwnerEmail string
	Use        ostiary.Use
}

// token gives a token that the caller may see, and settles on which account the operator works.
func (v *view) token(id ostiary.ID) (t ostiary.Token, err error) {
	if v.account == 0 {
		t, err = v.TokenByID(id)
	} else {
		t, err = v.Reader.Token(v.account, id)
	}
	if err != nil {
		return t, err
	}
	v.account = t.Account
	return t, ostiary.May(v.actor, ostiary.SeeToken, ostiary.TokenTarget(t))
}

// tokenView gives a token for the answer to a change. It does not ask May again: a token that
// retired itself, or was promoted away, is still shown to whoever did it.
func (v *view) tokenView(id ostiary.ID) (TokenView, error) {
	t, err := v.Reader.Token(v.account, id)
	if err != nil {
		return TokenView{}, err
	}
	secrets, err := v.Secrets(v.account, id)
	if err != nil {
		return TokenView{}, err
	}
	return v.dress(t, secrets)
}

// addUse adds what is remembered about a token's use. A change does this after its transaction, so
// that nobody waits for another file while holding the records.
func (a *Authority) addUse(ctx context.Context, v *TokenView) {
	if v.ID != 0 {
		v.Use, _ = a.usesOf(ctx, v.ID)
	}
}

// usesOf is the use of a token, and by application. Where it cannot be read, there is none.
func (a *Authority) usesOf(ctx context.Context, token ostiary.ID) (ostiary.Use, map[ostiary.ID]ostiary.Use) {
	use, uses, err := a.usage.Token(ctx, token)
	if err != nil {
		a.set.Log.Warn("the record of use cannot be read", "err", err)
	}
	return use, uses
}

// dress adds to a token what follows from other records.
func (v *view) dress(t ostiary.Token, secrets []ostiary.Secret) (TokenView, error) {
	out := TokenView{Token: t}
	if len(secrets) > 0 {
		out.Hint = secrets[len(secrets)-1].Hint
	}
	owner, err := v.roleOf(t.Owner)
	if err != nil {
		return out, err
	}
	out.CanUse = ostiary.CanUseNow(*t.Fact().Token, owner, v.a.set.Now())
	if t.Owner != 0 {
		u, err := v.person(t.Owner)
		if err != nil {
			return out, err
		}
		out.OwnerEmail = u.Email
	}
	return out, nil
}
