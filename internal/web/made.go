package web

import (
	"crypto/sha256"
	"strconv"
	"strings"
	"time"

	"ostiary"
	"ostiary/internal/authority"
)

// madeView shows a new token's secret, this once. Repeated says that the form was sent before.
type madeView struct {
	authority.Made
	Shown    string // the secret
	Curl     string
	Commands []command
	Apps     []string // that are allowed from the beginning
	Next     string   // what becomes of others
}

// stateNext is what becomes of the first request of an application with a new token.
var stateNext = map[ostiary.DefaultAppState]string{
	ostiary.Allow: "An application that is new is let in at once, and appears below the token.",
	ostiary.Pending: "The first request of an application that is new is answered with 401. Its name then waits on the " +
		"page API Tokens, until you allow it.",
	ostiary.Deny: "An application that is new is answered with 403, until you allow its name below the token.",
}

// A command is a line that the operator offers, filled in.
type command struct{ Name, Text string }

// makeToken answers with the secret. It stands in this answer alone.
func makeToken(v *visit) (reply, error) {
	n, err := v.readNewToken()
	if err == nil {
		err = v.once()
	}
	if err == nil {
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

// formLasts is how long a form can be sent that makes something. It is shorter than the time within which the
// same form is known again: a tab that is restored days later makes nothing twice.
const formLasts = authority.OnceFor / 2

// newNonce is what a form is known by, with the time at which it was drawn.
func (v *visit) newNonce() string {
	return strconv.FormatInt(v.now.Unix(), 10) + "-" + ostiary.NewUUID()
}

// once makes a form that is sent again, by a reload, do nothing again, and refuses one that is so old that
// nobody knows. What was changed in it makes it another.
func (v *visit) once() error {
	nonce := v.field("nonce")
	if nonce == "" {
		return nil
	}
	drawn, _, _ := strings.Cut(nonce, "-")
	at, err := strconv.ParseInt(drawn, 10, 64)
	if err != nil || v.now.Sub(time.Unix(at, 0)) > formLasts {
		return ostiary.Refuse(ostiary.Conflict, "This form is old, and may have been sent before. Nothing was made. "+
			"Look at what is there, and send it again if it is still meant.")
	}
	form := v.r.URL.Path + "\n" + v.caller.Account.String() + "\n" + v.r.PostForm.Encode()
	by := ostiary.Actor{User: v.caller.User}.By()
	v.caller.Once = &ostiary.Once{
		Key: sha256.Sum256([]byte(string(by) + "\n" + form)), Request: sha256.Sum256([]byte(form)),
	}
	return nil
}

func (v *visit) madeScreen(made authority.Made) (reply, error) {
	view := madeView{Made: made, Shown: made.Secret.Reveal(), Next: stateNext[made.Default]}
	s := screen{template: "made", title: "Your new token", nav: "/tokens"}
	if made.Repeated {
		s.title, s.data = "This token is already made", view
		return s, nil
	}
	app := "my-script"
	// The secret is shown whatever becomes of this.
	if card, err := v.tokenCard(made.ID); err == nil {
		view.Apps = allowedOf(card)
	}
	if len(view.Apps) > 0 {
		app = view.Apps[0]
	}
	view.Curl = v.curl(view.Shown, app)
	for _, i := range v.opt.Install {
		view.Commands = append(view.Commands, command{i.Name, i.filled(view.Shown, app, v.opt.APIURL)})
	}
	s.data = view
	return s, nil
}

// allowedOf are the names that are let in, whatever the default.
func allowedOf(c tokenCard) (names []string) {
	for _, app := range c.Apps {
		if app.IsAllowed() {
			names = append(names, app.Name)
		}
	}
	return names
}
