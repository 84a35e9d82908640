package authority

import (
	"context"
	"slices"
	"strings"

	"ostiary"
)

// A Seat is one of a person's places: an account, and the role there.
type Seat struct {
	Account ostiary.Account
	Role    ostiary.Role
}

// Seats gives a person with all places, by the names of the accounts. Who is disabled or unknown is
// refused.
func (a *Authority) Seats(ctx context.Context, user ostiary.ID) (u ostiary.User, seats []Seat, err error) {
	err = a.store.View(ctx, func(r ostiary.Reader) error {
		seats = nil
		if u, err = r.User(user); isMissing(err) || err == nil && u.Disabled {
			return ostiary.Refuse(ostiary.NoToken, "Nobody asks.")
		}
		if err != nil {
			return err
		}
		members, err := r.Memberships(user)
		if err != nil {
			return err
		}
		for _, m := range members {
			account, err := r.Account(m.Account)
			if err != nil {
				return err
			}
			seats = append(seats, Seat{Account: account, Role: m.Role})
		}
		return nil
	})
	if err != nil {
		return ostiary.User{}, nil, a.failed(err)
	}
	slices.SortStableFunc(seats, func(a, b Seat) int {
		return strings.Compare(strings.ToLower(a.Account.Name), strings.ToLower(b.Account.Name))
	})
	return u, seats, nil
}

// FindApp says where an application is, among the accounts of a person who may see it.
func (a *Authority) FindApp(ctx context.Context, user, app ostiary.ID) (out ostiary.App, err error) {
	err = a.look(ctx, Caller{User: user}, func(v *view) error {
		if out, err = v.AppByID(app); err != nil {
			return err
		}
		return v.seesOn(out.Account, out.Token)
	})
	if err != nil {
		return ostiary.App{}, err
	}
	return out, nil
}

// FindToken says on which account a token is, among those of a person who may see it.
func (a *Authority) FindToken(ctx context.Context, user, token ostiary.ID) (account ostiary.ID, err error) {
	err = a.look(ctx, Caller{User: user}, func(v *view) error {
		t, err := v.TokenByID(token)
		if err != nil {
			return err
		}
		account = t.Account
		return v.seesOn(t.Account, token)
	})
	if err != nil {
		return 0, err
	}
	return account, nil
}

// seesOn says whether the caller, at work on an account, may see a token there.
func (v *view) seesOn(account, token ostiary.ID) error {
	there := &view{Reader: v.Reader, a: v.a, caller: v.caller, account: account}
	if err := there.begin(); err != nil {
		return err
	}
	_, err := there.token(token)
	return err
}
