package web

import (
	"crypto/sha256"
	"net/http"
	"net/url"

	"ostiary"
	"ostiary/internal/authority"
)

// newTokenView is the form for a new token.
type newTokenView struct {
	Kinds       []choice
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
	view := newTokenView{Description: form.Get("description"), Nonce: ostiary.NewUUID()}
	kind, privilege, state := form.Get("kind"), form.Get("privilege"), form.Get("default_app_state")
	var err error
	if view.Like, err = v.likeCard(form.Get("like")); err != nil {
		return nil, err
	}
	if view.Like.ID != 0 {
		for _, app := range view.Like.Apps {
			if app.IsAllowed() {
				view.LikeApps = append(view.LikeApps, app.Name)
			}
		}
		if wrong == nil {
			kind, privilege = view.Like.Kind.String(), view.Like.Privilege.Label()
			state, view.Description = view.Like.Default.String(), view.Like.Description
		}
	}
	o := v.newTokens()
	view.Kinds = o.kinds(v.seat.Account.Name, kind)
	view.Privileges = o.privileges(chosen(view.Kinds), privilege)
	view.States = states(state)
	s := screen{template: "newtoken", title: "New token", nav: "/tokens", data: view}
	if wrong != nil {
		view.Wrong, s.status, _ = v.wrong(wrong)
		s.data = view
	}
	return s, nil
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
			Value: ostiary.UserToken.String(), Label: "User token",
			Says: "Yours. It can never do more than you can, and is retired when you leave " + account + ".",
		})
	}
	if len(n.account) > 0 {
		out = append(out, choice{
			Value: ostiary.AccountToken.String(), Label: "Account token",
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

// stateNext is what becomes of the first request of an application with a new token.
var stateNext = map[ostiary.DefaultAppState]string{
	ostiary.Allow: "An application that is new is let in at once, and appears below the token.",
	ostiary.Pending: "The first request of an application that is new is answered with 401. Its name then waits on the " +
		"page API Tokens, until you allow it.",
	ostiary.Deny: "An application that is new is answered with 403, until you allow its name below the token.",
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

// madeView shows a new token's secret, this once. Repeated says that the form was sent before.
type madeView struct {
	authority.Made
	Shown    string // the secret
	Curl     string
	Commands []command
	Apps     []string // that are allowed from the beginning
	Next     string   // what becomes of others
}

// A command is a line that the operator offers, filled in.
type command struct{ Name, Text string }

// makeToken answers with the secret. It stands in this answer alone.
func makeToken(v *visit) (reply, error) {
	n, err := v.readNewToken()
	if err == nil {
		v.once()
		var made authority.Made
		if made, _, err = v.authority.CreateToken(v.r.Context(), v.caller, n); err == nil {
			return v.madeScreen(made)
		}
	}
	if _, _, ok := v.wrong(err); ok {
		return v.newTokenScreen(v.r.PostForm, err)
	}
	return nil, err
}

func (v *visit) readNewToken() (n authority.NewToken, err error) {
	if n.Kind, err = ostiary.ParseKind(v.field("kind")); err != nil {
		return n, ostiary.RefuseField("kind", "Choose to whom the token belongs.")
	}
	if n.Privilege, err = ostiary.ParseRole(v.field("privilege")); err != nil {
		return n, ostiary.RefuseField("privilege", "Choose a privilege.")
	}
	if n.Default, err = ostiary.ParseDefaultAppState(v.field("default_app_state")); err != nil {
		return n, ostiary.RefuseField("default_app_state", "Choose a default app state.")
	}
	n.Description = v.field("description")
	if like := v.field("like"); like != "" {
		if n.Like, err = ostiary.ParseID(like); err != nil {
			return n, ostiary.ErrNotFound
		}
	}
	return n, nil
}

// once makes a form that is sent again, by a reload, do nothing again. What was changed in it makes it another.
func (v *visit) once() {
	nonce := v.field("nonce")
	if nonce == "" {
		return
	}
	form := v.r.URL.Path + "\n" + v.caller.Account.String() + "\n" + v.r.PostForm.Encode()
	by := ostiary.Actor{User: v.caller.User}.By()
	v.caller.Once = &ostiary.Once{
		Key: sha256.Sum256([]byte(string(by) + "\n" + form)), Request: sha256.Sum256([]byte(form)),
	}
}

func (v *visit) madeScreen(made authority.Made) (reply, error) {
	view := madeView{Made: made, Shown: made.Secret.Reveal(), Next: stateNext[made.Default]}
	app := "my-script"
	card, err := v.tokenCard(made.ID)
	if err != nil {
		return nil, err
	}
	for _, one := range card.Apps {
		if one.IsAllowed() {
			view.Apps = append(view.Apps, one.Name)
		}
	}
	if len(view.Apps) > 0 {
		app = view.Apps[0]
	}
	if !made.Repeated {
		view.Curl = v.curl(view.Shown, app)
		for _, i := range v.opt.Install {
			view.Commands = append(view.Commands, command{i.Name, i.filled(view.Shown, app, v.opt.APIURL)})
		}
	}
	return screen{template: "made", title: "Your new token", nav: "/tokens", status: http.StatusOK, data: view}, nil
}
