package web

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"ostiary"
	"ostiary/internal/answer"
	"ostiary/internal/authority"
)

// whyView is the page that says how a request would be answered.
type whyView struct {
	Asked  whatIf
	Tokens tokenChoices
	Card   *tokenCard // of the token that is asked about; nil: of none yet
	Answer *whyAnswer // nil: nothing was asked
	Wrong  string     // what is not right in the form
	Secret bool       // the form held a token
}

// A whatIf is a request that could be sent, as it stands in a form or an address.
type whatIf struct{ Token, App, Method, Path, Address string }

// Methods are what can be chosen.
func (whyView) Methods() []string { return []string{"GET", "POST", "PUT", "PATCH", "DELETE"} }

// A whyAnswer is the decision with everything that led to it.
type whyAnswer struct {
	authority.Explanation
	answer.Answer
	Card tokenCard
	Row  *appRow // the application's record; nil: it has none
}

func whyPage(v *visit) (reply, error) {
	asked := whatIf{
		Token: v.field("token"), App: v.field("app"), Method: strings.ToUpper(v.field("method")), Path: v.field("uri"),
		Address: v.field("address"),
	}
	return v.whyScreen(whyView{Asked: asked})
}

// askWhy takes what was filled in. It comes by POST, because people paste secrets, and an address is written
// down in many places.
func askWhy(v *visit) (reply, error) {
	view := whyView{Asked: whatIf{
		Token: v.field("token"), App: v.field("app"), Method: v.field("method"), Path: v.field("uri"),
		Address: v.field("address"),
	}}
	asked := &view.Asked
	q := url.Values{}
	for name, text := range map[string]*string{
		"token": &asked.Token, "app": &asked.App, "method": &asked.Method, "uri": &asked.Path, "address": &asked.Address,
	} {
		if v.holdsSecret(*text) {
			*text, view.Secret = "", true
		}
		if *text != "" {
			q.Set(name, *text)
		}
	}
	switch {
	case view.Secret:
	case asked.Token == "":
		view.Wrong = "Choose a token."
	case asked.App == "":
		view.Wrong = "Fill in the name of the application."
	default:
		return to(v.link("/why?" + q.Encode())), nil
	}
	return v.whyScreen(view)
}

// whyScreen draws the form, and the answer where enough is known to give one.
func (v *visit) whyScreen(view whyView) (reply, error) {
	s := screen{template: "why", title: "Why?", nav: "/why"}
	var id ostiary.ID
	if text := view.Asked.Token; text != "" {
		var err error
		if id, err = ostiary.ParseID(text); err != nil {
			return nil, ostiary.ErrNotFound
		}
		card, err := v.tokenCard(id)
		if err != nil {
			return nil, err
		}
		view.Card = &card
	}
	if view.Card != nil && view.Asked.App != "" && !view.Secret {
		if err := v.answerWhy(&view); err != nil {
			return nil, err
		}
	}
	if view.Wrong != "" || view.Secret {
		s.status = http.StatusBadRequest
	}
	var err error
	view.Tokens, err = v.tokenChoices(id)
	s.data = view
	return s, err
}

// answerWhy decides about the request that is asked about, and puts nothing on record.
func (v *visit) answerWhy(view *whyView) error {
	asked := &view.Asked
	var from netip.Addr
	if asked.Address != "" {
		var err error
		if from, err = netip.ParseAddr(asked.Address); err != nil {
			view.Wrong = "An address is written like 192.0.2.1 or 2001:db8::1."
			return nil
		}
	}
	path := pathOf(asked.Path)
	method := asked.Method
	if path != "" && method == "" {
		method = http.MethodGet
	}
	if method != "" && path == "" {
		path = "/"
	}
	asked.Method, asked.Path = method, path
	from = from.Unmap().WithZone("")
	e, err := v.authority.Explain(v.r.Context(), v.caller, view.Card.ID, asked.App, method, path, from)
	if err != nil {
		return err
	}
	view.Answer = &whyAnswer{Explanation: e, Answer: v.answers.Decision(&e.Decision), Card: *view.Card}
	if e.OfApp.ID != 0 {
		row := view.Card.row(v.link, e.OfApp)
		view.Answer.Row = &row
	}
	return nil
}

// pathOf is the path of what people paste: an address, or a path with a query behind it.
func pathOf(text string) string {
	if u, err := url.Parse(text); err == nil && u.Host != "" {
		return u.EscapedPath()
	}
	path, _, _ := strings.Cut(text, "?")
	return path
}

// Class is how the answer looks.
func (a *whyAnswer) Class() string {
	switch {
	case a.LetIn():
		return "good"
	case a.Decision.Reason.Waits():
		return "wait"
	}
	return "bad"
}

// LetIn says that the request gets through.
func (a *whyAnswer) LetIn() bool { return a.Decision.Reason.LetsIn() }

// KeptOut says that it is the application that is kept out, so that to allow it would help.
func (a *whyAnswer) KeptOut() bool { return a.Decision.Reason.KeepsAppOut() }

// Decided says that a person denied it, so that to deny it changes nothing.
func (a *whyAnswer) Decided() bool { return a.Row != nil && !a.Row.Waits() }
