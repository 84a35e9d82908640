package web

import (
	"errors"
	"net/http"
	"strings"

	"ostiary"
	"ostiary/internal/authority"
)

// inviteView is the page behind the link of an invitation.
type inviteView struct {
	authority.Invited
	Path  string // of the page: the link itself
	First string // that were typed
	Last  string
	Email string
	Wrong string
	Mine  bool // the address is that of whoever is signed in
	Other bool // somebody else is signed in
	Ended bool // the link was used, replaced, or is too old
}

func invitePage(v *visit) (reply, error) { return v.inviteScreen(inviteView{}, 0) }

// inviteScreen draws the page for whoever opened the link: a new person, a person with a login, or somebody
// who is signed in as another.
func (v *visit) inviteScreen(view inviteView, status int) (reply, error) {
	// The address of the page is a secret: not even our own files are told it. The origin of a form is.
	v.w.Header().Set("Referrer-Policy", "strict-origin")
	var err error
	view.Path = v.r.URL.Path
	view.Invited, err = v.authority.Invited(v.r.Context(), v.linkOfPath())
	if ostiary.IsHidden(err) {
		view.Ended = true
		return screen{
			template: "invite", title: "This link does not work any more", bare: true,
			status: http.StatusNotFound, data: view,
		}, nil
	}
	if err != nil {
		return nil, err
	}
	view.Email = view.Invited.Email
	v.zone = zoneOf(view.Account)
	if v.session.ID != 0 {
		view.Mine = strings.EqualFold(v.user.Email, view.Email)
		view.Other = !view.Mine
	}
	return screen{template: "invite", title: "Invitation", bare: true, status: status, data: view}, nil
}

func (v *visit) linkOfPath() ostiary.SecretText { return ostiary.ReadSecret(v.r.PathValue("link")) }

// acceptInvite makes the person a member: one who is signed in by accepting, a new one with a login.
func acceptInvite(v *visit) (reply, error) {
	if v.session.ID != 0 {
		return v.accept()
	}
	ctx, link := v.r.Context(), v.linkOfPath()
	view := inviteView{First: v.field("first"), Last: v.field("last")}
	// A link that does not work costs no hash of a password.
	i, err := v.authority.Invited(ctx, link)
	if err != nil || i.HasLogin {
		return v.inviteScreen(view, 0)
	}
	// Nor does a name that nobody may have.
	err = v.authority.CheckName(view.First, view.Last)
	var hash string
	if err == nil {
		hash, err = v.opt.Hash(v.r.PostForm.Get("password"))
	}
	if err == nil {
		var user ostiary.User
		if user, _, err = v.authority.Join(ctx, v.caller, link, view.First, view.Last, hash); err == nil {
			return v.welcome(user.ID, i.Account.ID, hash)
		}
	}
	return v.inviteAgain(view, err)
}

// welcome signs in whoever has just made a login.
func (v *visit) welcome(user, account ostiary.ID, hash string) (reply, error) {
	in, err := v.login.Begin(v.r.Context(), user, hash, v.caller.From, v.caller.Agent)
	if errors.Is(err, ostiary.ErrNotFound) {
		return to("/login"), nil // the operator was quicker
	}
	if err != nil {
		return nil, err
	}
	v.signIn(in)
	v.setCookie(accountCookie, account.String(), aYear)
	return to("/tokens"), nil
}

// accept is for a person who is signed in. Whose invitation it is, the change itself asks.
func (v *visit) accept() (reply, error) {
	member, rev, err := v.authority.Accept(v.r.Context(), v.caller, v.linkOfPath())
	if err != nil {
		return v.inviteAgain(inviteView{}, err)
	}
	v.setCookie(accountCookie, member.Account.String(), aYear)
	return to("/tokens?account=" + member.Account.String() + "&done=" + doneAt(rev, rev)), nil
}

// inviteAgain draws the page with what was wrong. A link that has ended meanwhile says so itself.
func (v *visit) inviteAgain(view inviteView, err error) (reply, error) {
	var refusal *ostiary.Refusal
	if errors.As(err, &refusal) && (refusal.Reason == ostiary.Hidden || refusal.Reason == ostiary.LowRole) {
		return v.inviteScreen(view, http.StatusForbidden)
	}
	say, status, ok := v.wrong(err)
	if !ok {
		return nil, err
	}
	view.Wrong = say
	return v.inviteScreen(view, status)
}
