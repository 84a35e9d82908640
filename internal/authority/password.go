package authority

import (
	"context"

	"ostiary"
)

// SetPassword changes the caller's own password, and ends all sessions of the caller. was is the hash on
// record that the old password was compared with, becomes that of the new one.
func (a *Authority) SetPassword(ctx context.Context, c Caller, was, becomes string) (uint64, error) {
	if becomes == "" {
		return 0, ostiary.RefuseField("password", "A password is not empty.")
	}
	return a.change(ctx, c, func(t *tx) (ostiary.Story, error) {
		u, err := t.proven(was)
		story := ostiary.Story{What: "user.password", User: u.ID}
		if err != nil {
			return story, err
		}
		if err := t.PutPassword(u.ID, becomes); err != nil {
			return story, err
		}
		if err := t.DropSessions(u.ID, ostiary.Hash{}); err != nil {
			return story, err
		}
		return t.append(story)
	}, nil)
}

// SetEmail changes the address with which the caller signs in, and ends all sessions of the caller. was is
// the hash on record that the password was compared with. The address that stands already is no change.
func (a *Authority) SetEmail(ctx context.Context, c Caller, was, email string,
) (out ostiary.User, rev uint64, err error) {
	rev, err = a.change(ctx, c, func(t *tx) (ostiary.Story, error) {
		u, err := t.proven(was)
		story := ostiary.Story{What: "user.email", User: u.ID, Details: map[string]string{"email": email}}
		if err != nil {
			return story, err
		}
		if u.Email == email {
			return story, nil
		}
		if err := t.freeEmail(email, u.ID); err != nil {
			return story, err
		}
		u.Email = email
		if err := t.PutUser(u); err != nil {
			return story, err
		}
		if err := t.DropSessions(u.ID, ostiary.Hash{}); err != nil {
			return story, err
		}
		return t.append(story)
	}, func(v *view, s ostiary.Story) (err error) {
		out, err = v.User(s.User)
		return err
	})
	return out, rev, err
}

// proven gives the caller's own record, if the password that the caller showed is still the one.
func (t *tx) proven(was string) (ostiary.User, error) {
	user := t.actor.User
	if err := ostiary.May(t.actor, ostiary.ChangeLogin, ostiary.Target{User: user}); err != nil {
		return ostiary.User{}, err
	}
	u, err := t.Writer.User(user)
	if err != nil {
		return u, err
	}
	is, err := t.Password(user)
	if err != nil && !isMissing(err) {
		return u, err
	}
	if is == "" || is != was {
		return u, ostiary.Refuse(ostiary.Conflict, "The password was changed in between. Sign in with the new one.")
	}
	return u, nil
}

// freeEmail says whether a user may have an address: a whole one, which nobody else has.
func (t *tx) freeEmail(email string, user ostiary.ID) error {
	if err := checkEmail("email", email); err != nil {
		return err
	}
	switch other, err := t.UserByEmail(email); {
	case err == nil && other.ID != user:
		return ostiary.Refuse(ostiary.Conflict, "A user with this address exists already.")
	case err != nil && !isMissing(err):
		return err
	}
	return nil
}
