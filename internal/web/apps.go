package web

import (
	"strings"

	"ostiary"
	"ostiary/internal/authority"
)

// appView asks before an application that is let in is denied, and before a record is forgotten that keeps one
// in or out.
type appView struct {
	appRow
	Token   tokenCard
	Back    string
	Forgets bool // it is about to be forgotten
}

// appPage says what an application of a token is, and what stops when it is denied or forgotten.
func appPage(v *visit) (reply, error) {
	card, row, err := v.pathApp()
	if err != nil {
		return nil, err
	}
	view := appView{appRow: row, Token: card, Back: v.returnTo("/tokens/" + card.ID.String())}
	view.Forgets = v.field("forget") != "" && card.Offers.Forget
	return screen{template: "app", title: row.Name, nav: "/tokens", data: view}, nil
}

// pathApp is the application that the path names, with its token.
func (v *visit) pathApp() (card tokenCard, row appRow, err error) {
	if card, err = v.pathCard(); err != nil {
		return card, row, err
	}
	id, err := v.pathID("app")
	if err != nil {
		return card, row, err
	}
	for _, app := range card.Apps {
		if app.ID == id {
			return card, card.row(v.link, app), nil
		}
	}
	return card, row, ostiary.ErrNotFound
}

// forgotten is what a form calls a record that goes.
const forgotten = "forgotten"

// decideApp allows, denies or forgets one application.
func decideApp(v *visit) (reply, error) {
	card, row, err := v.pathApp()
	if err != nil {
		return nil, err
	}
	rev, err := v.decide(authority.AppRef{Token: card.ID, App: row.ID}, v.field("state"))
	if err != nil {
		return nil, err
	}
	return v.back("/tokens/"+card.ID.String(), rev, rev), nil
}

func (v *visit) decide(ref authority.AppRef, decision string) (rev uint64, err error) {
	if decision == forgotten {
		return v.authority.ForgetApp(v.r.Context(), v.caller, ref.Token, ref.App)
	}
	state, err := ostiary.ParseAppState(decision)
	if err != nil {
		return 0, ostiary.RefuseField("state", "Choose what is to become of the application.")
	}
	_, rev, err = v.authority.DecideApp(v.r.Context(), v.caller, ref.Token, ref.App, state)
	return rev, err
}

// decideName allows or denies a name, which may not have turned up.
func decideName(v *visit) (reply, error) {
	card, err := v.pathCard()
	if err != nil {
		return nil, err
	}
	state, err := ostiary.ParseAppState(v.field("state"))
	if err != nil {
		return nil, ostiary.RefuseField("state", "Choose what is to become of the application.")
	}
	_, rev, err := v.authority.DecideName(v.r.Context(), v.caller, card.ID, v.field("name"), state)
	if _, _, ok := v.wrong(err); ok && card.Live() {
		return v.tokenScreen(tokenWrong{name: err})
	}
	if err != nil {
		return nil, err
	}
	return v.back("/tokens/"+card.ID.String(), rev, rev), nil
}

// decideApps decides about one application in the row of which something was pressed, or about those that
// were chosen. What somebody else decided meanwhile is left, and counted.
func decideApps(v *visit) (reply, error) {
	decision, chosen := v.field("state"), v.r.PostForm["app"]
	if one := v.field("one"); one != "" {
		var ref string
		decision, ref, _ = strings.Cut(one, ".")
		chosen = []string{ref}
	}
	if len(chosen) == 0 {
		return v.told("Nothing was changed: no application was chosen. Tick some of those that wait first.", ""), nil
	}
	refs := make([]authority.AppRef, len(chosen))
	for i, text := range chosen {
		var err error
		if refs[i], err = parseRef(text); err != nil {
			return nil, err
		}
	}
	done, err := v.decideAll(refs, decision)
	if err != nil {
		return nil, err
	}
	if done.Left > 0 {
		return v.told(leftAlone(done.Left), doneAt(done.First, done.Last)), nil
	}
	return v.back("/tokens", done.First, done.Last), nil
}

func (v *visit) decideAll(refs []authority.AppRef, decision string) (done authority.Decided, err error) {
	if decision == forgotten {
		return v.authority.ForgetApps(v.r.Context(), v.caller, refs)
	}
	state, err := ostiary.ParseAppState(decision)
	if err != nil {
		return done, ostiary.RefuseField("state", "Choose what is to become of the applications.")
	}
	return v.authority.DecideApps(v.r.Context(), v.caller, refs, state)
}

// parseRef reads "12.345": an application of a token.
func parseRef(text string) (ref authority.AppRef, err error) {
	token, app, _ := strings.Cut(text, ".")
	if ref.Token, err = ostiary.ParseID(token); err != nil {
		return ref, ostiary.ErrNotFound
	}
	if ref.App, err = ostiary.ParseID(app); err != nil {
		return ref, ostiary.ErrNotFound
	}
	return ref, nil
}

// leftAlone says that some of those chosen were left, because somebody had decided meanwhile.
func leftAlone(n int) string {
	say := plural(n, "application") + " of those chosen "
	if n == 1 {
		return say + "was left as it is: somebody has decided meanwhile, or forgotten it."
	}
	return say + "were left as they are: somebody has decided meanwhile, or forgotten them."
}

// told goes back with something to say that is not in the log, and with what was done besides; "0": nothing.
func (v *visit) told(say, done string) reply {
	path, query := v.cameFrom("/tokens")
	query.Set("said", v.seal(say)+say)
	if done != "" && done != "0" {
		query.Set("done", done)
	}
	return to(path + "?" + query.Encode())
}
