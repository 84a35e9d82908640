package authority

import (
	"context"
	"net/netip"

	"ostiary"
)

// Log gives entries of the log: all of the account to an admin, to others what concerns their own
// tokens. The operator may name any account, or none for all.
func (a *Authority) Log(ctx context.Context, c Caller, f ostiary.LogFilter) (out []ostiary.Change, err error) {
	err = a.look(ctx, c, func(v *view) error {
		if _, err := v.confine(&f); err != nil {
			return err
		}
		out, err = v.Reader.Log(f)
		return err
	})
	return out, err
}

// An Explanation is a decision with every fact that led to it, in words.
type Explanation struct {
	ostiary.Decision
	State ostiary.AppState // the application's record; only where there is one
	Facts []string

	// For pages: the facts with the one that decides, what to do about it, and the application's record.
	Told  []ostiary.Explained
	Next  string  // empty: nothing
	OfApp AppView // the zero record where there is none
}

// Explain says how a request with a token and an application name would be answered, and why. It
// reads the records, and puts nothing on record.
func (a *Authority) Explain(ctx context.Context, c Caller, token ostiary.ID, app, method, path string, from netip.Addr,
) (out Explanation, err error) {
	err = a.look(ctx, c, func(v *view) error {
		t, err := v.token(token)
		if err != nil {
			return err
		}
		facts, err := v.facts(t, app)
		if err != nil {
			return err
		}
		q := ostiary.Question{At: a.set.Now(), From: from, Method: method, Path: path}
		q.Shown, q.App = ostiary.ShownToken, app
		if method != "" {
			// Need refuses for one reason alone, and Decide has its place for that.
			q.Need, err = ostiary.Need(a.set.Rules, method, path)
			q.Unclear = err != nil
		}
		out.Decision = ostiary.Decide(&facts, &q)
		out.State = facts.App.State
		out.Facts, out.Told = ostiary.Explain(&facts, &q), ostiary.ExplainOnPage(&facts, &q)
		out.Next = ostiary.Remedy(&facts, out.Decision, ostiary.OffersFor(v.actor, t).Decide)
		record, err := v.AppByName(t.Account, t.ID, app)
		if err == nil {
			out.OfApp = appView(t, record)
		}
		return ignoreMissing(err)
	})
	a.addAppUse(ctx, &out.OfApp)
	return out, err
}

// facts gathers from the records what the directory holds in memory.
func (v *view) facts(t ostiary.Token, app string) (ostiary.Facts, error) {
	f := ostiary.Facts{Ready: true, Known: true, Token: *t.Fact().Token, OwnerID: t.Owner}
	head, err := v.Head()
	if err != nil {
		return f, err
	}
	f.Revision = head.Revision
	if f.Owner, err = v.roleOf(t.Owner); err != nil {
		return f, err
	}
	account, err := v.Reader.Account(t.Account)
	if err != nil {
		return f, err
	}
	f.AccountName = account.ShortName
	if t.Owner != 0 {
		u, err := v.User(t.Owner)
		if err != nil {
			return f, err
		}
		f.Email = u.Email
	}
	record, err := v.AppByName(t.Account, t.ID, app)
	if isMissing(err) {
		return f, nil
	}
	if err == nil {
		f.App = *record.Fact().App
	}
	return f, err
}
