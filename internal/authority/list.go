package authority

import (
	"context"
	"slices"

	"ostiary"
)

// Token gives one token that the caller may see.
func (a *Authority) Token(ctx context.Context, c Caller, id ostiary.ID) (out TokenView, err error) {
	err = a.look(ctx, c, func(v *view) error {
		if _, err := v.token(id); err != nil {
			return err
		}
		out, err = v.tokenView(id)
		return err
	})
	a.addUse(ctx, &out)
	return out, err
}

// Tokens gives every token of the account that the caller may see, retired ones too. The operator,
// naming no account, sees those of all accounts.
func (a *Authority) Tokens(ctx context.Context, c Caller) (out []TokenView, err error) {
	err = a.look(ctx, c, func(v *view) error {
		out = nil
		return v.eachAccount(func() error {
			tokens, err := v.visible()
			if err != nil || len(tokens) == 0 {
				return err
			}
			views, err := v.dressAll(ctx, tokens)
			out = append(out, views...)
			return err
		})
	})
	return out, err
}

// eachAccount runs fn on the caller's account, or, for an operator who names none, on each.
func (v *view) eachAccount(fn func() error) error {
	if v.account != 0 || v.actor.Operator == "" {
		return fn()
	}
	all, err := v.Accounts()
	if err != nil {
		return err
	}
	for _, account := range all {
		v.account = account.ID
		if err := fn(); err != nil {
			return err
		}
	}
	v.account = 0
	return nil
}

// visible are the account's tokens that the caller may see.
func (v *view) visible() ([]ostiary.Token, error) {
	tokens, err := v.Reader.Tokens(v.account)
	if err != nil {
		return nil, err
	}
	return v.seen(tokens), nil
}

// seen are those tokens that the caller may see.
func (v *view) seen(tokens []ostiary.Token) (seen []ostiary.Token) {
	for _, t := range tokens {
		if ostiary.May(v.actor, ostiary.SeeToken, ostiary.TokenTarget(t)) == nil {
			seen = append(seen, t)
		}
	}
	return seen
}

func (v *view) dressAll(ctx context.Context, tokens []ostiary.Token) ([]TokenView, error) {
	uses, _, err := v.a.usage.Account(ctx, v.account)
	if err != nil {
		v.a.set.Log.Warn("the record of use cannot be read", "err", err)
	}
	all, err := v.SecretsOf(v.account)
	if err != nil {
		return nil, err
	}
	secrets := map[ostiary.ID][]ostiary.Secret{}
	for _, s := range all {
		secrets[s.Token] = append(secrets[s.Token], s)
	}
	out := make([]TokenView, len(tokens))
	for i, t := range tokens {
		if out[i], err = v.dress(t, secrets[t.ID]); err != nil {
			return nil, err
		}
		out[i].Use = uses[t.ID]
	}
	return out, nil
}

// Which names the token that a secret belongs to, a retired one too, to a caller who may see it.
func (a *Authority) Which(ctx context.Context, c Caller, secret ostiary.SecretText) (TokenView, error) {
	account, token, ok := a.dir.Find(secret.Hash())
	if !ok || c.Account != 0 && c.Account != account {
		return TokenView{}, ostiary.Refuse(ostiary.Hidden, "No token that you may see has this secret.")
	}
	c.Account = account
	return a.Token(ctx, c, token)
}

// Descendants are the live tokens that were made with a token, for whoever retires it.
func (a *Authority) Descendants(ctx context.Context, c Caller, id ostiary.ID) (out []TokenView, err error) {
	err = a.look(ctx, c, func(v *view) error {
		if _, err := v.token(id); err != nil {
			return err
		}
		tokens, err := v.TokensMade(v.account)
		if err != nil {
			return err
		}
		live := slices.DeleteFunc(made(v.seen(tokens), id), func(t ostiary.Token) bool { return !t.RetiredOn.IsZero() })
		if len(live) == 0 {
			return nil // as a rule; the rest reads all of the account
		}
		out, err = v.dressAll(ctx, live)
		return err
	})
	return out, err
}
