package web

import (
	"net/url"

	"ostiary"
)

// newTokenView is the form for a new token.
type newTokenView struct {
	Kinds       []choice
	Kind        *choice // the one that the Menu chose; nil: it is chosen in the form
	Other       *choice // the other one, if it is offered
	Privileges  []choice
	States      []choice
	Description string
	Like        tokenCard // the token that this one is to be like; its zero ID: none
	LikeApps    []string  // the applications that are allowed there
	Nonce       string    // by which a form that is sent twice is known
	Wrong       string
}

// A choice is one of several, with what it means.
type choice struct {
	Name, Value, Label, Says string
	Chosen                   bool
}

// As is the choice as a value of a field.
func (c choice) As(name string) choice {
	c.Name = name
	return c
}

func newTokenPage(v *visit) (reply, error) {
	q := v.r.URL.Query()
	return v.newTokenScreen(url.Values{"kind": q["kind"], "like": q["like"]}, nil)
}

// newTokenScreen draws the form as it was filled in, with what was wrong.
func (v *visit) newTokenScreen(form url.Values, wrong error) (reply, error) {
	view := newTokenView{Description: form.Get("description"), Nonce: v.newNonce()}
	kind, privilege, state := form.Get("kind"), form.Get("privilege"), form.Get("default_app_state")
	var err error
	if view.Like, err = v.likeCard(form.Get("like")); err != nil {
		return nil, err
	}
	if view.Like.ID != 0 {
		view.LikeApps = allowedOf(view.Like)
		if wrong == nil {
			kind, privilege = view.Like.Kind.String(), view.Like.Privilege.Label()
			state, view.Description = view.Like.Default.String(), view.Like.Description
		}
	}
	o := v.newTokens()
	view.Kinds = o.kinds(v.seat.Account.Name, kind)
	if view.Like.ID == 0 {
		view.fix(kind)
	}
	view.Privileges = o.privileges(chosen(view.Kinds), privilege)
	view.States = states(state)
	s := screen{template: "newtoken", title: view.Heading(), nav: "/tokens", data: &view}
	if wrong != nil {
		view.Wrong, s.status, _ = v.wrong(wrong)
	}
	return s, nil
}

// fix leaves no choice of the kind where it was chosen already.
func (n *newTokenView) fix(kind string) {
	for i := range n.Kinds {
		if n.Kinds[i].Value == kind {
			n.Kind = &n.Kinds[i]
		} else {
			n.Other = &n.Kinds[i]
		}
	}
}

// Heading is what the page is called.
func (n *newTokenView) Heading() string {
	if n.Kind != nil {
		return "New " + n.Kind.Label
	}
	return "New token"
}

// likeCard is the token that a new one is to be like, on this account.
func (v *visit) likeCard(id string) (tokenCard, error) {
	like, err := ostiary.ParseID(id)
	if err != nil {
		return tokenCard{}, nil
	}
	return v.tokenCard(like)
}

// newTokens are the privileges that new tokens of this person may get, by kind.
type newTokens struct{ user, account []ostiary.Role }

func (v *visit) newTokens() (n newTokens) {
	n.user, n.account = ostiary.NewTokenOffers(ostiary.Actor{User: v.user.ID, Role: v.seat.Role})
	return n
}

func (n newTokens) any() bool { return len(n.user)+len(n.account) > 0 }

func (n newTokens) kinds(account, wanted string) (out []choice) {
	if len(n.user) > 0 {
		out = append(out, choice{
			Value: ostiary.UserToken.String(), Label: "User Token",
			Says: "Yours. It can never do more than you can, and is retired when you leave " + account + ".",
		})
	}
	if len(n.account) > 0 {
		out = append(out, choice{
			Value: ostiary.AccountToken.String(), Label: "Account Token",
			Says: "Belongs to " + account + ", whoever leaves. Only admins see it.",
		})
	}
	return choose(out, wanted, 0)
}

// privileges are those that a token of the kind may get. The lowest is chosen at first.
func (n newTokens) privileges(kind, wanted string) (out []choice) {
	offered := n.user
	if kind == ostiary.AccountToken.String() {
		offered = n.account
	}
	for _, role := range offered {
		out = append(out, choice{Value: role.Label(), Label: role.Label(), Says: privilegeSays[role]})
	}
	return choose(out, wanted, 0)
}

var privilegeSays = map[ostiary.Role]string{
	ostiary.ReadOnly: "Reads, and changes nothing. That is enough for most.",
	ostiary.Normal:   "Reads and writes, and administers nothing.",
	ostiary.Admin:    "Everything, also members and the account itself.",
}

func states(wanted string) (out []choice) {
	for _, state := range defaultStates() {
		out = append(out, choice{Value: state.String(), Label: state.String(), Says: stateSays[state]})
	}
	return choose(out, wanted, 1)
}

var stateSays = map[ostiary.DefaultAppState]string{
	ostiary.Allow:   "A new application is let in at once. It can be denied later.",
	ostiary.Pending: "A new application is told to wait (401), until somebody allows it here.",
	ostiary.Deny:    "A new application is refused (403), unless its name was allowed.",
}

// choose chooses what was wanted, and else the one at a place; -1: none.
func choose(all []choice, wanted string, otherwise int) []choice {
	at := otherwise
	for i := range all {
		if all[i].Value == wanted {
			at = i
		}
	}
	if at >= 0 && at < len(all) {
		all[at].Chosen = true
	}
	return all
}

func chosen(all []choice) string {
	for _, c := range all {
		if c.Chosen {
			return c.Value
		}
	}
	return ""
}
