package web

import (
	"errors"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"ostiary"
	"ostiary/internal/answer"
)

// loginView is the page of signing in.
type loginView struct {
	Email, Next, Wrong string
	Ended              bool // the session of the cookie that the browser brought
}

func loginPage(v *visit) (reply, error) {
	next := v.ownPath(v.r.URL.Query().Get("next"))
	if v.session.ID != 0 {
		return to(next), nil
	}
	ended := v.sessionSecret().Reveal() != ""
	if ended {
		v.setCookie(sessionCookie, "", 0)
	}
	return v.loginScreen(loginView{Next: next, Ended: ended}, 0), nil
}

func (v *visit) loginScreen(view loginView, status int) screen {
	return screen{template: "login", title: "Sign in", bare: true, status: status, data: view}
}

// signIn begins a new session. The one that the browser brought, if any, ends: it is never taken over.
func signIn(v *visit) (reply, error) {
	view := loginView{Email: v.field("email"), Next: v.ownPath(v.field("next"))}
	ctx := v.r.Context()
	in, err := v.login.SignIn(ctx, view.Email, v.r.PostForm.Get("password"), v.cookie(knownCookie), v.caller.From, v.caller.Agent)
	var refusal *ostiary.Refusal
	if errors.As(err, &refusal) && refusal.Reason != ostiary.Unavailable {
		a := v.answers.Error(err)
		view.Wrong = sentence(a.Message)
		v.reason = a.Reason
		v.tellWait(a)
		return v.loginScreen(view, v.statusOfForm(a.Status)), nil
	}
	if err != nil {
		return nil, err
	}
	if v.session.ID != 0 {
		// Where it cannot be removed now, nobody has its cookie any more.
		v.event.Err = v.login.SignOut(ctx, v.sessionSecret())
	}
	v.signIn(in)
	return to(view.Next), nil
}

// tellWait says when to come back.
func (v *visit) tellWait(a answer.Answer) {
	if a.RetryAfter > 0 {
		v.w.Header().Set("Retry-After", strconv.Itoa(a.RetryAfter))
	}
}

// statusOfForm is the status of a form that is shown again. A browser asks for a password of its own at a
// 401, so that one is a 403.
func (v *visit) statusOfForm(status int) int {
	if status == http.StatusUnauthorized {
		return http.StatusForbidden
	}
	return status
}

// signOut ends the session. The browser forgets it also where its record cannot be removed now.
func signOut(v *visit) (reply, error) {
	v.setCookie(sessionCookie, "", 0)
	if v.session.ID != 0 {
		if err := v.login.SignOut(v.r.Context(), v.sessionSecret()); err != nil {
			v.session = ostiary.Session{}
			return nil, &ostiary.Refusal{
				Reason: ostiary.Unavailable, Cause: err,
				Say: "This browser is signed out. Its session could not be removed, and ends by itself unused.",
			}
		}
	}
	if next := v.field("next"); next != "" {
		return to(v.ownPath(next)), nil
	}
	return to("/login"), nil
}

// ownPath is an address of ours to go on to; the tokens for anything else.
func (v *visit) ownPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") ||
		path.Clean(u.Path) != u.Path || strings.ContainsAny(next, "\\\x00") {
		return "/tokens"
	}
	asked := v.r.Clone(v.r.Context())
	asked.Method, asked.URL = http.MethodGet, u
	_, pattern := v.mux.Handler(asked)
	if found := v.handlers[pattern]; found.do == nil || found.open && !found.lands {
		return "/tokens"
	}
	return u.String()
}
