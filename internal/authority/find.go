package authority

import (
	"context"

	"ostiary"
)

// FindAccount gives the account with a short name, for the operator.
func (a *Authority) FindAccount(ctx context.Context, c Caller, shortName string) (id ostiary.ID, err error) {
	err = a.look(ctx, c, func(v *view) error {
		if err := ostiary.May(v.actor, ostiary.Operate, ostiary.Target{}); err != nil {
			return err
		}
		account, err := v.AccountByName(shortName)
		id = account.ID
		return err
	})
	return id, err
}

// FindUser gives the user with an e-mail address, for the operator.
func (a *Authority) FindUser(ctx context.Context, c Caller, email string) (id ostiary.ID, err error) {
	err = a.look(ctx, c, func(v *view) error {
		if err := ostiary.May(v.actor, ostiary.Operate, ostiary.Target{}); err != nil {
			return err
		}
		u, err := v.UserByEmail(email)
		id = u.ID
		return err
	})
	return id, err
}
