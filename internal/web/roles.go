package web

import (
	"ostiary"
	"ostiary/internal/authority"
)

// roleView is the page where a member's role is changed.
type roleView struct {
	authority.RoleEffect
	Roles  []choice
	Self   bool
	Asked  bool // a role was chosen: the page says what it does
	Same   bool // it is the one that the member has
	Direct bool // there is no token that it would do something to: nothing to look at first
	Wrong  string
}

// rolePage says what a role does to the member's tokens, before it is given.
func rolePage(v *visit) (reply, error) { return v.roleScreen("", 0) }

func (v *visit) roleScreen(wrong string, status int) (reply, error) {
	user, err := v.pathID("user")
	if err != nil {
		return nil, err
	}
	asked, _ := ostiary.ParseRole(v.field("role"))
	view := roleView{Wrong: wrong, Self: user == v.user.ID, Asked: asked != ostiary.NoRole}
	if view.RoleEffect, err = v.authority.RoleEffect(v.r.Context(), v.caller, user, asked); err != nil {
		return nil, err
	}
	view.Direct = len(view.Tokens) == 0
	view.Same = asked == view.Person.Role
	wanted := asked
	if !view.Asked {
		wanted = view.Person.Role
	}
	view.Roles = roles(wanted.Label())
	for i := range view.Roles {
		if view.Roles[i].Value == view.Person.Role.Label() {
			view.Roles[i].Label += " (now)"
		}
	}
	return screen{
		template: "role", title: "Change the role of " + view.Person.Name, nav: "/team", status: status, data: view,
	}, nil
}

// Changed are the tokens to which the role does something, and Stay how many are left as they are.
func (view roleView) Changed() (out []authority.TokenEffect) {
	for _, t := range view.Tokens {
		if t.Now != t.Then {
			out = append(out, t)
		}
	}
	return out
}

// Stay is how many tokens are left as they are.
func (view roleView) Stay() int { return len(view.Tokens) - len(view.Changed()) }

// Possessive is whose tokens they are: "Bob’s" or "your".
func (view roleView) Possessive() string {
	if view.Self {
		return "your"
	}
	return view.Person.Name + "’s"
}

func setRole(v *visit) (reply, error) {
	user, err := v.pathID("user")
	if err != nil {
		return nil, err
	}
	role, err := ostiary.ParseRole(v.field("role"))
	if err != nil {
		return v.roleScreen("Choose a role.", statusBad)
	}
	rev, err := v.authority.SetRole(v.r.Context(), v.caller, user, role)
	if say, status, ok := v.wrong(err); ok {
		return v.roleScreen(say, status)
	}
	if err != nil {
		return nil, err
	}
	return to(v.link("/team?done=" + doneAt(rev, rev))), nil
}

// The applications of a token that are let in, the first of them by last use.
const fewInUse = 4

// inUse are the applications that a change to their token stops or slows, the last used first, and how
// many more there are.
func inUse(c authority.Card) (out struct {
	Apps []authority.AppView
	More int
},
) {
	for _, app := range c.Apps {
		if !app.Answer.LetsIn() {
			continue
		}
		if len(out.Apps) == fewInUse {
			out.More++
			continue
		}
		out.Apps = append(out.Apps, app)
	}
	return out
}
