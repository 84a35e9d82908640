package web

import (
	"net/url"
	"slices"
	"strings"

	"ostiary"
	"ostiary/internal/authority"
)

// A tokenCard is a token on a page.
type tokenCard struct {
	authority.Card
	Names  authority.Names
	Marked ostiary.ID // the application that the address names
	Here   string     // the token's own page
}

// cardOf joins a card with the names on the page.
func cardOf(f *frame, c authority.Card, names authority.Names, marked ostiary.ID) piece {
	return piece{f, tokenCard{Card: c, Names: names, Marked: marked, Here: f.Link("/tokens/" + c.ID.String())}}
}

// Title is how a token is called: by its description, else by how it begins and ends.
func (c tokenCard) Title() string { return titleOf(c.TokenView) }

func titleOf(t authority.TokenView) string {
	if text := strings.TrimSpace(t.Description); text != "" {
		return text
	}
	return "Token " + t.Hint
}

// IsUser says whether the token belongs to a person.
func (c tokenCard) IsUser() bool { return c.Owner != 0 }

// Live says that the token was not retired.
func (c tokenCard) Live() bool { return c.RetiredOn.IsZero() }

// Limited says that the token can use less than it was granted. The role that it can use is never stored:
// it follows from the owner's.
func (c tokenCard) Limited() bool { return c.Live() && c.CanUse != c.Privilege }

// Above says that the privilege is none of those that this person may set. It stands among them all the same:
// to leave it as it is is no change.
func (c tokenCard) Above() bool { return !slices.Contains(c.Offers.Privileges, c.Privilege) }

// Useless says that the token can use nothing at all.
func (c tokenCard) Useless() bool { return c.CanUse == ostiary.NoRole }

// Ownerless says that the owner is disabled, or no member any more.
func (c tokenCard) Ownerless() bool { return c.IsUser() && c.OwnerRole == ostiary.NoRole }

// Week is how many requests came in the last seven days.
func (c tokenCard) Week() uint64 { return week(c.Hours) }

// States are the default app states, in the manual's order.
func (c tokenCard) States() []ostiary.DefaultAppState { return defaultStates() }

func defaultStates() []ostiary.DefaultAppState {
	return []ostiary.DefaultAppState{ostiary.Allow, ostiary.Pending, ostiary.Deny}
}

// An appRow is an application below its token.
type appRow struct {
	authority.AppView
	Offers  ostiary.Offers
	By      string // who decided
	Marked  bool   // the address names it
	Retired bool   // its token is
	Tries   bool   // it still shows a token that was retired
	Here    string // where it is decided about
	Why     string
	Default ostiary.DefaultAppState
	Then    ostiary.Reason // what it is told once its record is forgotten
	Asks    bool           // that stops something or lets something in: a page says so before
	Forget  string         // that page
}

// Rows are the card's applications. Of a retired token in a list they are those that still try it.
func (c tokenCard) Rows(f *frame) []piece {
	rows := make([]piece, 0, len(c.Apps))
	for _, app := range c.Apps {
		if row := c.row(f.Link, app); c.Live() || row.Tries || row.Marked {
			rows = append(rows, piece{f, row})
		}
	}
	return rows
}

// AllRows are the same with those that stopped.
func (c tokenCard) AllRows(f *frame) []piece {
	rows := make([]piece, len(c.Apps))
	for i, app := range c.Apps {
		rows[i] = piece{f, c.row(f.Link, app)}
	}
	return rows
}

func (c tokenCard) row(link func(string) string, app authority.AppView) appRow {
	here := "/tokens/" + c.ID.String() + "/apps/" + app.ID.String()
	row := appRow{
		AppView: app, Offers: c.Offers, By: c.Names[app.DecidedBy], Marked: app.ID == c.Marked,
		Retired: !c.Live(), Default: c.Default,
		Here: link(here), Why: link(whyPath(c.ID, app.Name)), Forget: link(here + "?forget=1"),
	}
	row.Then, row.Asks = ostiary.Forgotten(app.State, c.Default)
	row.Asks = row.Asks && c.Live()
	row.Tries = row.Retired && app.Use.Last.After(c.RetiredOn)
	return row
}

// whyPath is where every fact about an application of a token stands.
func whyPath(token ostiary.ID, app string) string {
	return "/why?token=" + token.String() + "&app=" + url.QueryEscape(app)
}

// Kind is the class of an application's state, by what it is told now.
func (r appRow) Kind() string {
	switch {
	case r.Tries:
		return "denied"
	case r.Retired:
		return "stopped"
	}
	return r.Answer.AppAnswer()
}

// Word is the state in words.
func (r appRow) Word() string {
	switch {
	case r.Tries:
		return "still tries"
	case r.Retired:
		return "stopped"
	}
	return ostiary.Standing(r.State.String(), r.Answer.AppAnswer())
}

// LetIn says that the application gets through now, so that to deny it stops something.
func (r appRow) LetIn() bool { return r.Answer.LetsIn() }

// CanDeny says that it does not get through, and that a person may make sure of it.
func (r appRow) CanDeny() bool { return r.Refused() && r.Waits() }

// Refused says that its requests are refused now.
func (r appRow) Refused() bool { return !r.LetIn() }

// letIn are the applications of a card that get through, which stop when the token does.
func (v *visit) letIn(c tokenCard) (rows []appRow) {
	for _, app := range c.Apps {
		if row := c.row(v.link, app); row.LetIn() {
			rows = append(rows, row)
		}
	}
	return rows
}
