package web

import (
	"math"
	"strconv"
	"time"

	"ostiary"
	"ostiary/internal/authority"
)

// appsOnPage is how many applications the page of one token shows at once.
const appsOnPage = 100

// tokenView is the page of one token.
type tokenView struct {
	tokenCard
	From   int
	Before string // address of the page of applications before; empty: none
	After  string
	Made   []authority.TokenView // live tokens that were made with it
	Wrong  string                // about the name that was decided beforehand
	Old    string                // why the settings were not saved: the page was old
	Name   string                // as it was typed

	Trying  int  // applications that still try a retired one
	MayCopy bool // this person may make tokens
	now     time.Time
}

// tokenCard is a token that the person may see, with all its applications. It may be on another of the
// person's accounts, for an address that a colleague sent: then the page is about that one.
func (v *visit) tokenCard(id ostiary.ID) (tokenCard, error) {
	account, err := v.authority.FindToken(v.r.Context(), v.user.ID, id)
	if err != nil {
		return tokenCard{}, err
	}
	for _, s := range v.seats {
		if s.Account.ID == account {
			v.sitAt(s)
		}
	}
	card, names, err := v.authority.Card(v.r.Context(), v.caller, id)
	return tokenCard{Card: card, Names: names, Here: v.link("/tokens/" + id.String())}, err
}

// pathCard is the token that the path names.
func (v *visit) pathCard() (tokenCard, error) {
	id, err := v.pathID("token")
	if err != nil {
		return tokenCard{}, err
	}
	return v.tokenCard(id)
}

func tokenPage(v *visit) (reply, error) { return v.tokenScreen(tokenWrong{}) }

// tokenWrong is what was wrong in one of the forms of the page of a token.
type tokenWrong struct{ name, settings error }

// tokenScreen draws the page of a token, with what was wrong in a form.
func (v *visit) tokenScreen(wrong tokenWrong) (reply, error) {
	// Asked first: what happens meanwhile is told again, and not lost.
	news, err := v.authority.News(v.r.Context(), v.caller, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	card, err := v.pathCard()
	if err != nil {
		return nil, err
	}
	view := tokenView{tokenCard: card, Name: v.field("name"), MayCopy: v.newTokens().any(), now: v.now}
	if view.Made, err = v.authority.Descendants(v.r.Context(), v.caller, card.ID); err != nil {
		return nil, err
	}
	for _, app := range card.Apps {
		if card.row(v.link, app).Tries {
			view.Trying++
		}
	}
	view.turnTo(v)
	s := screen{template: "token", title: card.Title(), nav: "/tokens", live: true, revision: news.Revision}
	if wrong.name != nil {
		view.Wrong, s.status, _ = v.wrong(wrong.name)
	}
	if wrong.settings != nil {
		view.Old, s.status, _ = v.wrong(wrong.settings)
	}
	s.data = &view
	return s, nil
}

// turnTo chooses the applications of one page.
func (t *tokenView) turnTo(v *visit) {
	from, _ := strconv.Atoi(v.r.URL.Query().Get("from"))
	t.From = max(0, min(from, len(t.Apps)-1))
	path := "/tokens/" + t.ID.String() + "?from="
	if t.From > 0 {
		t.Before = v.link(path + strconv.Itoa(max(0, t.From-appsOnPage)))
	}
	last := min(t.From+appsOnPage, len(t.Apps))
	if last < len(t.Apps) {
		t.After = v.link(path + strconv.Itoa(last))
	}
}

// Page are the applications that are shown.
func (t *tokenView) Page(f *frame) (rows []piece) {
	for _, app := range t.Apps[t.From:min(t.From+appsOnPage, len(t.Apps))] {
		rows = append(rows, piece{f, t.row(f.Link, app)})
	}
	return rows
}

// First and Last are which applications are shown, counted from 1.
func (t *tokenView) First() int { return t.From + 1 }
func (t *tokenView) Last() int  { return min(t.From+appsOnPage, len(t.Apps)) }

// Past says that a time has come.
func (t *tokenView) Past(at time.Time) bool { return at.Before(t.now) }

// By is how people read who did something.
func (t *tokenView) By(by ostiary.By) string { return t.Names[by] }

// Former is whose user token it was.
func (t *tokenView) Former() string {
	return t.Names[ostiary.Actor{User: t.FormerOwner}.By()]
}

// MadeWithName is the token that made it.
func (t *tokenView) MadeWithName() string {
	return t.Names[ostiary.Actor{Token: t.MadeWith}.By()]
}

// setToken changes what the form names.
func setToken(v *visit) (reply, error) {
	card, err := v.pathCard()
	if err != nil {
		return nil, err
	}
	p, err := v.readPatch()
	if err != nil {
		return nil, err
	}
	_, rev, err := v.authority.SetToken(v.r.Context(), v.caller, card.ID, p)
	if ostiary.IsConflict(err) && card.Live() {
		return v.tokenScreen(tokenWrong{settings: err})
	}
	if err != nil {
		return nil, err
	}
	return v.back("/tokens/"+card.ID.String(), rev, rev), nil
}

// readPatch reads what a form sets: the fields that differ from what the page showed. A page that is old takes
// nothing back that the person did not touch.
func (v *visit) readPatch() (p authority.TokenPatch, err error) {
	if p, err = v.patchOf(""); err != nil {
		return p, err
	}
	was, err := v.patchOf("was_")
	if err != nil {
		return p, err
	}
	if same(p.Privilege, was.Privilege) {
		p.Privilege = nil
	}
	if same(p.Default, was.Default) {
		p.Default = nil
	}
	if same(p.Description, was.Description) {
		p.Description = nil
	}
	p.Was = &was
	return p, nil
}

func same[T comparable](a, b *T) bool { return a != nil && b != nil && *a == *b }

// patchOf reads the fields whose names begin so. One that the form does not have stays as it is.
func (v *visit) patchOf(prefix string) (p authority.TokenPatch, err error) {
	form := v.r.PostForm
	if name := prefix + "privilege"; form.Has(name) {
		role, err := ostiary.ParseRole(v.field(name))
		if err != nil {
			return p, ostiary.RefuseField("privilege", "Choose a privilege.")
		}
		p.Privilege = &role
	}
	if name := prefix + "default_app_state"; form.Has(name) {
		state, err := ostiary.ParseDefaultAppState(v.field(name))
		if err != nil {
			return p, ostiary.RefuseField("default_app_state", "Choose a default app state.")
		}
		p.Default = &state
	}
	if name := prefix + "description"; form.Has(name) {
		text := v.field(name)
		p.Description = &text
	}
	return p, nil
}

// notOffered is why a page that asks for something is not drawn: it cannot be done, or not by this person.
func (v *visit) notOffered(c tokenCard, what string) error {
	if !c.Live() {
		return ostiary.Refuse(ostiary.Conflict, "The token is retired. It can only be looked at.")
	}
	return ostiary.Refuse(ostiary.LowRole, "With the role "+v.seat.Role.Label()+" you cannot "+what+". Ask an admin of "+
		v.seat.Account.Name+".")
}
