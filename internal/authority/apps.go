package authority

import (
	"context"

	"ostiary"
)

// An AppView is an application as a caller sees it.
type AppView struct {
	ostiary.App
	Answer ostiary.Reason // what it is told now: OK, PendingApp or DeniedApp
	Use    ostiary.Use
}

// DecideApp allows or denies an application that is on record.
func (a *Authority) DecideApp(ctx context.Context, c Caller, token, app ostiary.ID, state ostiary.AppState,
) (AppView, uint64, error) {
	return a.appChange(ctx, c, token, func(t *tx, token ostiary.Token) (ostiary.Story, error) {
		record, err := t.Writer.App(token.Account, token.ID, app)
		if err != nil {
			return ostiary.Story{}, err
		}
		return t.decide(token, record, state)
	})
}

// DecideName allows or denies a name, also before it turned up.
func (a *Authority) DecideName(ctx context.Context, c Caller, token ostiary.ID, name string, state ostiary.AppState,
) (AppView, uint64, error) {
	return a.appChange(ctx, c, token, func(t *tx, token ostiary.Token) (ostiary.Story, error) {
		if err := ostiary.May(t.actor, ostiary.DecideApp, ostiary.TokenTarget(token)); err != nil {
			return ostiary.Story{}, err
		}
		if a.set.Format.In(name) {
			return ostiary.Story{}, ostiary.RefuseField("name", "The name holds a token. If it is a live one, retire it.")
		}
		if ostiary.CheckAppName(name) != ostiary.OK {
			return ostiary.Story{}, ostiary.RefuseField("name",
				"An application's name is 1 to 100 printable ASCII characters, "+
					"without a comma and without a space at either end.")
		}
		record, err := t.AppByName(token.Account, token.ID, name)
		if isMissing(err) {
			record = ostiary.App{Account: token.Account, Token: token.ID, Name: name}
			err = t.roomForApp(token)
		}
		if err != nil {
			return ostiary.Story{}, err
		}
		return t.decide(token, record, state)
	})
}

// roomForApp holds the caps for names that a person decides about beforehand.
func (t *tx) roomForApp(token ostiary.Token) error {
	var n ostiary.AppCounts
	var err error
	if n.Apps, _, err = t.CountApps(token.Account, token.ID); err != nil {
		return err
	}
	if n.AccountApps, _, err = t.CountApps(token.Account, 0); err != nil {
		return err
	}
	if t.a.set.Caps.Met(n, ostiary.Allowed) != ostiary.NoCap {
		return fullOfApps()
	}
	return nil
}

func fullOfApps() error {
	return ostiary.Refuse(ostiary.Conflict,
		"There are as many applications on record as there may be. Forget some first.")
}

// decide writes a person's decision. One that stands already is no change.
func (t *tx) decide(token ostiary.Token, app ostiary.App, state ostiary.AppState) (ostiary.Story, error) {
	story := ostiary.Story{
		What: "app." + state.String(), Token: token.ID, User: token.Owner, App: app.ID, AppName: app.Name,
	}
	if err := ostiary.May(t.actor, ostiary.DecideApp, ostiary.TokenTarget(token)); err != nil {
		return story, err
	}
	if !token.RetiredOn.IsZero() {
		return story, ostiary.Refuse(ostiary.Conflict, "The token is retired.")
	}
	if app.ID != 0 && app.State == state && app.DecidedBy != "" {
		return story, nil
	}
	if app.ID == 0 {
		id, err := t.NewID("app")
		if err != nil {
			return story, err
		}
		app.ID, story.App = id, id
	}
	app.State, app.DecidedBy, app.DecidedOn = state, t.actor.By(), t.at
	if err := t.PutApp(app); err != nil {
		return story, err
	}
	if err := t.reopenCaps(token); err != nil {
		return story, err
	}
	return t.append(story)
}

// ForgetApp removes an application's record: its next request is a first contact again.
func (a *Authority) ForgetApp(ctx context.Context, c Caller, token, app ostiary.ID) (uint64, error) {
	var story ostiary.Story
	rev, err := a.change(ctx, c, func(t *tx) (ostiary.Story, error) {
		token, err := t.token(token)
		if err != nil {
			return ostiary.Story{}, err
		}
		record, err := t.Writer.App(token.Account, token.ID, app)
		if err != nil {
			return ostiary.Story{}, err
		}
		story, err = t.forget(token, record)
		return story, err
	}, func(v *view, s ostiary.Story) error {
		c.Account = v.account
		return nil
	})
	if err == nil && story.App != 0 {
		a.forgetUse(ctx, c.Account, story)
	}
	return rev, err
}

// forget removes one record.
func (t *tx) forget(token ostiary.Token, app ostiary.App) (none ostiary.Story, err error) {
	if err := ostiary.May(t.actor, ostiary.DecideApp, ostiary.TokenTarget(token)); err != nil {
		return none, err
	}
	if err := t.DropApp(app); err != nil {
		return none, err
	}
	if err := t.reopenCaps(token); err != nil {
		return none, err
	}
	return t.append(ostiary.Story{
		What: "app.forget", Token: token.ID, User: token.Owner, App: app.ID, AppName: app.Name,
	})
}

func (a *Authority) forgetUse(ctx context.Context, account ostiary.ID, s ostiary.Story) {
	k := ostiary.UseKey{Account: account, Token: s.Token, App: s.App}
	if err := a.usage.Forget(ctx, k); err != nil {
		a.set.Log.Warn("the record of use cannot be changed", "err", err)
	}
}

// reopenCaps lets the log be told again once there is room under a cap that was met.
func (t *tx) reopenCaps(token ostiary.Token) error {
	account, err := t.Writer.Account(token.Account)
	if err != nil || !token.CapMet && !account.CapMet {
		return err
	}
	var n ostiary.AppCounts
	if n.Apps, n.Waiting, err = t.CountApps(token.Account, token.ID); err != nil {
		return err
	}
	if n.AccountApps, _, err = t.CountApps(token.Account, 0); err != nil {
		return err
	}
	return t.noteRoom(token, account, t.a.set.Caps.Met(n, ostiary.FirstState(token.Default)))
}

// noteRoom takes back that a cap was met, where it is not the one that is met now.
func (t *tx) noteRoom(token ostiary.Token, account ostiary.Account, met ostiary.Cap) error {
	if account.CapMet && met != ostiary.AccountCap {
		account.CapMet = false
		if err := t.PutAccount(account); err != nil {
			return err
		}
	}
	if token.CapMet && met == ostiary.NoCap {
		token.CapMet = false
		return t.PutToken(token)
	}
	return nil
}

// appChange is a change of one application of a token that the caller may see.
func (a *Authority) appChange(ctx context.Context, c Caller, token ostiary.ID,
	do func(*tx, ostiary.Token) (ostiary.Story, error),
) (out AppView, rev uint64, err error) {
	rev, err = a.change(ctx, c, func(t *tx) (ostiary.Story, error) {
		token, err := t.token(token)
		if err != nil {
			return ostiary.Story{}, err
		}
		return do(t, token)
	}, func(v *view, s ostiary.Story) error {
		token, err := v.Reader.Token(v.account, s.Token)
		if err != nil {
			return err
		}
		app, err := v.Reader.App(v.account, s.Token, s.App)
		if err != nil {
			return err
		}
		out = appView(token, app)
		return nil
	})
	a.addAppUse(ctx, &out)
	return out, rev, err
}

func appView(token ostiary.Token, app ostiary.App) AppView {
	return AppView{App: app, Answer: ostiary.AnswerApp(app.State, token.Default)}
}

func (a *Authority) addAppUse(ctx context.Context, v *AppView) {
	if v.ID != 0 {
		_, uses := a.usesOf(ctx, v.Token)
		v.Use = uses[v.ID]
	}
}

// App gives one application of a token that the caller may see.
func (a *Authority) App(ctx context.Context, c Caller, token, app ostiary.ID) (out AppView, err error) {
	err = a.look(ctx, c, func(v *view) error {
		t, err := v.token(token)
		if err != nil {
			return err
		}
		record, err := v.Reader.App(t.Account, t.ID, app)
		if err != nil {
			return err
		}
		out = appView(t, record)
		return nil
	})
	a.addAppUse(ctx, &out)
	return out, err
}

// Apps gives the applications of a token that the caller may see.
func (a *Authority) Apps(ctx context.Context, c Caller, token ostiary.ID) (out []AppView, err error) {
	err = a.look(ctx, c, func(v *view) error {
		t, err := v.token(token)
		if err != nil {
			return err
		}
		apps, err := v.Reader.Apps(t.Account, t.ID)
		if err != nil {
			return err
		}
		_, uses := a.usesOf(ctx, token)
		out = nil
		for _, app := range apps {
			out = append(out, AppView{App: app, Answer: ostiary.AnswerApp(app.State, t.Default), Use: uses[app.ID]})
		}
		return nil
	})
	return out, err
}

// AllApps gives the applications of every token that the caller may see. Those of retired tokens
// are among them: they are what still tries.
func (a *Authority) AllApps(ctx context.Context, c Caller) (out []AppView, err error) {
	err = a.look(ctx, c, func(v *view) error {
		out = nil
		return v.eachAccount(func() error {
			tokens, err := v.visible()
			if err != nil {
				return err
			}
			byID := make(map[ostiary.ID]ostiary.Token, len(tokens))
			for _, t := range tokens {
				byID[t.ID] = t
			}
			apps, err := v.AppsOf(v.account)
			if err != nil {
				return err
			}
			_, uses, err := a.usage.Account(ctx, v.account)
			if err != nil {
				a.set.Log.Warn("the record of use cannot be read", "err", err)
			}
			for _, app := range apps {
				t, ok := byID[app.Token]
				if !ok {
					continue
				}
				use := uses[ostiary.UseKey{Account: app.Account, Token: app.Token, App: app.ID}]
				out = append(out, AppView{App: app, Answer: ostiary.AnswerApp(app.State, t.Default), Use: use})
			}
			return nil
		})
	})
	return out, err
}
