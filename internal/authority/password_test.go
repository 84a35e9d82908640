package authority_test

import (
	"context"
	"testing"

	"ostiary"
	"ostiary/internal/authority"
)

// session signs somebody in, and gives what says whether that stands.
func (w *world) session(t *testing.T, user ostiary.ID) (hash ostiary.Hash, stands func() bool) {
	t.Helper()
	err := w.store.Update(context.Background(), func(tx ostiary.Writer) error {
		id, err := tx.NewID("session")
		if err != nil {
			return err
		}
		hash = ostiary.Hash{1, byte(id)}
		return tx.PutSession(ostiary.Session{ID: id, Hash: hash, User: user})
	})
	if err != nil {
		t.Fatal(err)
	}
	return hash, func() bool {
		return w.store.View(context.Background(), func(r ostiary.Reader) error { _, err := r.Session(hash); return err }) == nil
	}
}

func (w *world) password(t *testing.T, user ostiary.ID) (hash string) {
	t.Helper()
	err := w.store.View(context.Background(), func(r ostiary.Reader) (err error) { hash, err = r.Password(user); return err })
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

// lastEntry is the newest entry of the whole log.
func (w *world) lastEntry(t *testing.T) ostiary.Change {
	t.Helper()
	all, err := w.Log(context.Background(), operator, ostiary.LogFilter{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

func (w *world) setPassword(t *testing.T, user ostiary.ID, hash string) {
	t.Helper()
	if _, _, err := w.ResetPassword(context.Background(), operator, user, hash); err != nil {
		t.Fatal(err)
	}
}

func TestPasswordIsChangedByWhoProvedTheOldOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	w.setPassword(t, w.bob, "old")
	_, here := w.session(t, w.bob)
	_, elsewhere := w.session(t, w.bob)
	_, alices := w.session(t, w.alice)
	for what, was := range map[string]string{"another hash": "other", "none": ""} {
		if _, err := w.SetPassword(ctx, w.as(w.bob), was, "new"); reason(err) != ostiary.Conflict {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := w.SetPassword(ctx, w.as(w.carol), "", "new"); reason(err) != ostiary.Conflict {
		t.Errorf("somebody without a password: %v", err)
	}
	if _, err := w.SetPassword(ctx, w.as(w.bob), "old", ""); reason(err) != ostiary.BadValue {
		t.Errorf("no password at all: %v", err)
	}
	if w.password(t, w.bob) != "old" || !elsewhere() {
		t.Error("a refusal changed something")
	}
	rev, err := w.SetPassword(ctx, w.as(w.bob), "old", "new")
	if err != nil || w.password(t, w.bob) != "new" {
		t.Fatal(err)
	}
	if here() || elsewhere() || !alices() {
		t.Errorf("sessions: here %v, elsewhere %v, Alice's %v; want false, false, true", here(), elsewhere(), alices())
	}
	c := w.lastEntry(t)
	if s := c.Story; c.Revision != rev || s.What != "user.password" || s.User != w.bob || s.By != "/user/2" || len(s.Details) != 0 {
		t.Errorf("the entry at %d says %+v", rev, s)
	}
}

func TestEmailIsChangedByWhoProvedThePassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	w.setPassword(t, w.bob, "old")
	for email, want := range map[string]ostiary.Reason{
		"Alice@example.com": ostiary.Conflict, "bob": ostiary.BadValue, "": ostiary.BadValue, "b@localhost": ostiary.BadValue,
	} {
		if _, _, err := w.SetEmail(ctx, w.as(w.bob), "old", email); reason(err) != want {
			t.Errorf("%q: %v, want %s", email, err, want)
		}
	}
	if _, _, err := w.SetEmail(ctx, w.as(w.bob), "other", "robert@example.com"); reason(err) != ostiary.Conflict {
		t.Errorf("without the password: %v", err)
	}
	_, bobs := w.session(t, w.bob)
	_, alices := w.session(t, w.alice)
	if _, rev, err := w.SetEmail(ctx, w.as(w.bob), "old", "bob@example.com"); err != nil || rev != 0 || !bobs() {
		t.Errorf("the address that stands: revision %d, the session stands: %v, %v", rev, bobs(), err)
	}
	for _, email := range []string{"BOB@example.com", "robert@example.com"} {
		u, rev, err := w.SetEmail(ctx, w.as(w.bob), "old", email)
		if err != nil || u.Email != email || u.ID != w.bob {
			t.Fatalf("%s: %+v, %v", email, u, err)
		}
		if c := w.lastEntry(t); c.Revision != rev || c.Story.What != "user.email" || c.Story.Details["email"] != email {
			t.Errorf("the entry says %+v", c.Story)
		}
	}
	if bobs() || !alices() {
		t.Errorf("sessions after it: Bob's %v, Alice's %v; want false, true", bobs(), alices())
	}
}

func TestTokenAndOperatorChangeNobodysLogin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	w.setPassword(t, w.alice, "old")
	user := w.newToken(t, w.as(w.alice), ostiary.UserToken, ostiary.Admin, ostiary.Allow)
	account := w.newToken(t, w.as(w.alice), ostiary.AccountToken, ostiary.Admin, ostiary.Allow)
	for what, c := range map[string]authority.Caller{
		"Alice's own token": w.with(user.ID), "the account's token": w.with(account.ID), "the operator": operator,
		"somebody who is not there": {User: 999}, "Alice on an account that is not hers": {User: w.alice, Account: 999},
	} {
		if _, err := w.SetPassword(ctx, c, "old", "new"); reason(err) != ostiary.LowRole && reason(err) != ostiary.Hidden {
			t.Errorf("%s changes a password: %v", what, err)
		}
		if _, _, err := w.SetEmail(ctx, c, "old", "new@example.com"); reason(err) != ostiary.LowRole && reason(err) != ostiary.Hidden {
			t.Errorf("%s changes an address: %v", what, err)
		}
	}
}

func TestResetAndDisablingEndAllSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	_, alices := w.session(t, w.alice)
	_, first := w.session(t, w.bob)
	w.setPassword(t, w.bob, "new")
	if first() {
		t.Error("a session outlives a reset")
	}
	_, second := w.session(t, w.bob)
	if _, _, err := w.DisableUser(ctx, operator, w.bob, false); err != nil || !second() {
		t.Errorf("enabling who is not disabled ends a session: %v", err)
	}
	if _, _, err := w.DisableUser(ctx, operator, w.bob, true); err != nil || second() {
		t.Errorf("a session outlives its user's disabling: %v", err)
	}
	if !alices() {
		t.Error("somebody else's session ended")
	}
}

func TestPersonOnNoAccountHasOneselfOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	dora := w.newUser(t, operator, "dora@example.com", ostiary.NoRole)
	w.setPassword(t, dora, "old")
	hidden := w.newToken(t, w.as(w.alice), ostiary.AccountToken, ostiary.Admin, ostiary.Allow)
	c := authority.Caller{User: dora}
	name := "Dora"
	u, rev, err := w.SetUser(ctx, c, dora, authority.UserPatch{FirstName: &name})
	if err != nil || u.FirstName != name || rev == 0 {
		t.Errorf("own names: %v", err)
	}
	if at := w.lastEntry(t).Account; at != 0 {
		t.Errorf("the entry stands in the log of account %d", at)
	}
	if u, err := w.User(ctx, c, dora); err != nil || u.ID != dora {
		t.Errorf("seeing oneself: %v", err)
	}
	if u, err := w.CurrentUser(ctx, c); err != nil || u.ID != dora {
		t.Errorf("who am I: %v", err)
	}
	if _, _, err := w.SetEmail(ctx, c, "old", "dora@example.org"); err != nil {
		t.Errorf("own address: %v", err)
	}
	if _, err := w.SetPassword(ctx, c, "old", "new"); err != nil {
		t.Errorf("own password: %v", err)
	}

	for what, call := range map[string]func() error{
		"sees Alice": func() error { _, err := w.User(ctx, c, w.alice); return err },
		"changes Alice": func() error {
			_, _, err := w.SetUser(ctx, c, w.alice, authority.UserPatch{FirstName: &name})
			return err
		},
		"lists people":     func() error { _, err := w.Users(ctx, c); return err },
		"lists accounts":   func() error { _, err := w.Accounts(ctx, c); return err },
		"sees the account": func() error { _, err := w.Account(ctx, c, w.account); return err },
		"sees a token":     func() error { _, err := w.Token(ctx, c, hidden.ID); return err },
		"makes a token": func() error {
			_, _, err := w.CreateToken(ctx, c, authority.NewToken{Kind: ostiary.UserToken, Privilege: ostiary.ReadOnly})
			return err
		},
		"names oneself on another account": func() error {
			_, _, err := w.SetUser(ctx, w.as(dora), dora, authority.UserPatch{LastName: &name})
			return err
		},
	} {
		if err := call(); reason(err) != ostiary.LowRole && reason(err) != ostiary.Hidden {
			t.Errorf("Dora, who is on no account, %s: %v", what, err)
		}
	}
	// The only account is not taken for hers.
	if _, err := w.Account(ctx, c, 0); reason(err) != ostiary.Hidden {
		t.Errorf("Dora sees some account: %v", err)
	}
	if _, _, err := w.SetAccount(ctx, c, authority.AccountPatch{}); reason(err) != ostiary.Hidden {
		t.Errorf("Dora changes some account: %v", err)
	}
	if all, err := w.Tokens(ctx, c); err != nil && reason(err) != ostiary.Hidden || len(all) > 0 {
		t.Errorf("Dora sees %d tokens: %v", len(all), err)
	}
	if all, err := w.Log(ctx, c, ostiary.LogFilter{}); err != nil && reason(err) != ostiary.Hidden || len(all) > 0 {
		t.Errorf("Dora reads %d entries of the log: %v", len(all), err)
	}
	if _, _, err := w.DisableUser(ctx, operator, dora, true); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.SetUser(ctx, c, dora, authority.UserPatch{LastName: &name}); reason(err) != ostiary.LowRole {
		t.Errorf("Dora, disabled, changes her names: %v", err)
	}
}
