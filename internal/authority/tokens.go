package authority

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"ostiary"
)

// NewToken is what a caller says about a token to be made. Zero values are filled in: a user
// token for the caller, Read Only, Pending.
type NewToken struct {
	Kind        ostiary.Kind
	Owner       ostiary.ID // for the operator, who makes user tokens for others
	Privilege   ostiary.Role
	Default     ostiary.DefaultAppState
	Description string
	ExpiresOn   time.Time
	Networks    []netip.Prefix
	Like        ostiary.ID // a token that the caller may see, whose allowed applications are allowed here too
}

// Made is a new token with its secret, which is shown this once. Repeated says that the token was
// made earlier under the same Idempotency-Key; then there is no secret to show.
type Made struct {
	TokenView
	Secret   ostiary.SecretText
	Repeated bool
}

// CreateToken makes a token and its secret (contract 2.3).
func (a *Authority) CreateToken(ctx context.Context, c Caller, n NewToken) (Made, uint64, error) {
	var made Made
	rev, err := a.change(ctx, c, func(t *tx) (ostiary.Story, error) {
		made.Secret = a.set.Format.New()
		return t.createToken(n, made.Secret)
	}, func(v *view, s ostiary.Story) (err error) {
		// A transaction that ran twice may have made a secret that never got on record.
		if made.Repeated = v.repeated; made.Repeated {
			made.Secret = ostiary.SecretText{}
			if _, err := v.token(s.Token); err != nil {
				return err // whoever made it may not see it any more
			}
		}
		made.TokenView, err = v.tokenView(s.Token)
		return err
	})
	a.addUse(ctx, &made.TokenView)
	return made, rev, err
}

func (t *tx) createToken(n NewToken, secret ostiary.SecretText) (ostiary.Story, error) {
	none := ostiary.Story{}
	if err := t.needAccount(); err != nil {
		return none, err
	}
	if n.Kind == ostiary.UserToken && n.Owner == 0 {
		n.Owner = t.actor.User
	}
	ownerRole, err := t.roleOf(n.Owner)
	if err != nil {
		return none, err
	}
	target := ostiary.Target{Kind: n.Kind, Owner: n.Owner, OwnerRole: ownerRole, Privilege: n.Privilege}
	if err := ostiary.May(t.actor, ostiary.CreateToken, target); err != nil {
		return none, err
	}
	if err := t.a.checkText("description", n.Description); err != nil {
		return none, err
	}
	if err := t.roomForToken(n.Owner); err != nil {
		return none, err
	}
	token := ostiary.Token{
		Account: t.account, Kind: n.Kind, Owner: n.Owner, Privilege: n.Privilege, Default: n.Default,
		Description: n.Description, CreatedOn: t.at, CreatedBy: t.actor.By(), MadeWith: t.actor.Token,
		ExpiresOn: n.ExpiresOn, Networks: n.Networks,
	}
	if token.ID, err = t.NewID("token"); err != nil {
		return none, err
	}
	s := ostiary.Secret{Account: t.account, Token: token.ID, Hash: secret.Hash(), Hint: secret.Hint(), CreatedOn: t.at}
	if s.ID, err = t.NewID("secret"); err != nil {
		return none, err
	}
	if err := errors.Join(t.PutToken(token), t.PutSecret(s)); err != nil {
		return none, err
	}
	told := map[string]string{
		"kind": n.Kind.String(), "privilege": n.Privilege.String(), "default_app_state": n.Default.String(),
		"description": n.Description,
	}
	if n.Like != 0 {
		told["like"] = n.Like.String()
		if err := t.allowLike(token, n.Like); err != nil {
			return none, err
		}
	}
	return t.append(ostiary.Story{What: "token.create", Token: token.ID, User: n.Owner, Details: told})
}

// roomForToken holds the cap on live tokens of one user.
func (t *tx) roomForToken(owner ostiary.ID) error {
	if owner == 0 {
		return nil
	}
	tokens, err := t.TokensOf(t.account, owner)
	if err != nil {
		return err
	}
	live := 0
	for _, token := range tokens {
		if token.RetiredOn.IsZero() {
			live++
		}
	}
	if live >= t.a.set.Caps.TokensPerUser {
		return ostiary.Refuse(ostiary.Conflict, "This user has as many tokens as one may have. Retire some first.")
	}
	return nil
}

// Retire ends a token for good.
func (a *Authority) Retire(ctx context.Context, c Caller, id ostiary.ID) (TokenView, uint64, error) {
	return a.tokenChange(ctx, c, id, (*tx).retireNow)
}

// retireNow ends one token that is live.
func (t *tx) retireNow(token ostiary.Token) (ostiary.Story, error) {
	if err := ostiary.May(t.actor, ostiary.RetireToken, ostiary.TokenTarget(token)); err != nil {
		return ostiary.Story{}, err
	}
	if !token.RetiredOn.IsZero() {
		return ostiary.Story{}, ostiary.Refuse(ostiary.Conflict, "The token is retired already.")
	}
	if err := t.retire(token); err != nil {
		return ostiary.Story{}, err
	}
	return t.append(ostiary.Story{What: "token.retire", Token: token.ID, User: token.Owner})
}

func (t *tx) retire(token ostiary.Token) error {
	token.RetiredOn, token.RetiredBy = t.at, t.actor.By()
	return t.PutToken(token)
}

// Promote makes a user token an account token. The privilege becomes what the token can use now;
// asked lowers it further, and must be given where the owner can do nothing.
func (a *Authority) Promote(ctx context.Context, c Caller, id ostiary.ID, asked ostiary.Role,
) (TokenView, uint64, error) {
	return a.tokenChange(ctx, c, id, func(t *tx, token ostiary.Token) (ostiary.Story, error) {
		if err := t.promote(token, asked); err != nil {
			return ostiary.Story{}, err
		}
		return t.append(ostiary.Story{What: "token.promote", Token: id, User: token.Owner})
	})
}

func (t *tx) promote(token ostiary.Token, asked ostiary.Role) error {
	if err := ostiary.May(t.actor, ostiary.PromoteToken, ostiary.TokenTarget(token)); err != nil {
		return err
	}
	if !token.RetiredOn.IsZero() {
		return ostiary.Refuse(ostiary.Conflict, "The token is retired.")
	}
	if token.Kind == ostiary.AccountToken {
		return ostiary.Refuse(ostiary.Conflict, "The token is an account token already.")
	}
	owner, err := t.roleOf(token.Owner)
	if err != nil {
		return err
	}
	if token.Privilege, err = ostiary.PromotedPrivilege(*token.Fact().Token, owner, asked); err != nil {
		return err
	}
	token.FormerOwner, token.Owner, token.Kind = token.Owner, 0, ostiary.AccountToken
	token.PromotedOn, token.PromotedBy = t.at, t.actor.By()
	return t.PutToken(token)
}

// tokenChange is a change of one token that the caller may see.
func (a *Authority) tokenChange(ctx context.Context, c Caller, id ostiary.ID,
	do func(*tx, ostiary.Token) (ostiary.Story, error),
) (out TokenView, rev uint64, err error) {
	rev, err = a.change(ctx, c, func(t *tx) (ostiary.Story, error) {
		token, err := t.token(id)
		if err != nil {
			return ostiary.Story{}, err
		}
		story, err := do(t, token)
		story.Token = id
		return story, err
	}, func(v *view, s ostiary.Story) (err error) {
		out, err = v.tokenView(s.Token)
		return err
	})
	a.addUse(ctx, &out)
	return out, rev, err
}

// checkText says whether a text may stand in a record and in the log: valid UTF-8, no characters
// that do not show or that turn the text around, no secret.
func (a *Authority) checkText(field, s string) error {
	if len(s) > ostiary.MaxText {
		return ostiary.RefuseField(field, "The text is longer than 500 bytes.")
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, hidden) {
		return ostiary.RefuseField(field, "The text holds characters that do not show, or is not UTF-8.")
	}
	if a.set.Format.In(s) {
		return ostiary.RefuseField(field, "The text holds a token. If it is a live one, retire it.")
	}
	return nil
}

func hidden(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }
