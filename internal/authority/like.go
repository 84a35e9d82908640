package authority

import "ostiary"

// allowLike allows on a new token what is allowed on another, as the maker's decisions.
func (t *tx) allowLike(token ostiary.Token, like ostiary.ID) error {
	source, err := t.token(like)
	if err != nil {
		return err
	}
	apps, err := t.Writer.Apps(source.Account, source.ID)
	if err != nil {
		return err
	}
	var n ostiary.AppCounts
	if n.AccountApps, _, err = t.CountApps(token.Account, 0); err != nil {
		return err
	}
	for _, app := range apps {
		if !app.IsAllowed() {
			continue
		}
		if t.a.set.Caps.Met(n, app.State) != ostiary.NoCap {
			return fullOfApps()
		}
		n.Apps, n.AccountApps = n.Apps+1, n.AccountApps+1
		copied := ostiary.App{
			Account: token.Account, Token: token.ID, Name: app.Name, State: app.State,
			DecidedBy: t.actor.By(), DecidedOn: t.at,
		}
		if copied.ID, err = t.NewID("app"); err != nil {
			return err
		}
		if err := t.PutApp(copied); err != nil {
			return err
		}
	}
	return nil
}
