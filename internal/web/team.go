package web

import (
	"net/http"

	"ostiary"
	"ostiary/internal/authority"
)

// teamView is the page of the people.
type teamView struct {
	authority.Team
	Roles []choice // that an invitation can give
	Email string   // that was typed
	Wrong string   // about it
	Nonce string   // by which a form that is sent twice is known
	About accountForm
}

func teamPage(v *visit) (reply, error) { return v.teamScreen(teamView{}, 0) }

// teamScreen draws the page with a form as it was filled in.
func (v *visit) teamScreen(view teamView, status int) (reply, error) {
	var err error
	if view.Team, err = v.authority.Team(v.r.Context(), v.caller); err != nil {
		return nil, err
	}
	view.Nonce = v.newNonce()
	if view.Roles == nil {
		view.Roles = choose(roles(""), "", 0)
	}
	if of := view.Account; view.About.Wrong == "" {
		view.About = accountForm{Name: of.Name, Description: of.Description, Timezone: of.Timezone}
	}
	return screen{template: "team", title: "Team", nav: "/team", status: status, data: view}, nil
}

// Expired says that the link of an invitation is too old: a new one is needed.
func (view teamView) Expired(f *frame, i ostiary.Invitation) bool { return !i.ExpiresOn.After(f.now) }

// linkView shows the link of an invitation, this once.
type linkView struct {
	ostiary.Invitation
	Shown    string // the link's address
	Again    bool   // the form was sent before: the link was shown then
	Replaces bool   // an older link, which ended
}

// invite asks one person. The link stands in the answer alone.
func invite(v *visit) (reply, error) {
	role, _ := ostiary.ParseRole(v.field("role"))
	who := authority.Invitee{Email: v.field("email"), Role: role}
	var again bool
	v.caller.Repeated = &again
	var i ostiary.Invitation
	var link ostiary.SecretText
	err := v.once()
	if err == nil {
		i, link, _, err = v.authority.Invite(v.r.Context(), v.caller, who)
	}
	if say, status, ok := v.wrong(err); ok {
		view := teamView{Email: who.Email, Wrong: say, Roles: choose(roles(""), role.Label(), 0)}
		return v.teamScreen(view, status)
	}
	if err != nil {
		return nil, err
	}
	if again {
		i.Email, i.Role = who.Email, who.Role
	}
	return v.linkScreen(linkView{Invitation: i, Again: again}, link), nil
}

// withdraw takes an invitation back. Its link ends.
func withdraw(v *visit) (reply, error) {
	id, err := v.pathID("invitation")
	if err != nil {
		return nil, err
	}
	rev, err := v.authority.DropInvitation(v.r.Context(), v.caller, id)
	if err != nil {
		return nil, err
	}
	return to(v.link("/team?done=" + doneAt(rev, rev))), nil
}

// newLink gives a new link for an invitation that waits. The old one ends.
func newLink(v *visit) (reply, error) {
	i, err := v.invitation()
	if err != nil {
		return nil, err
	}
	if err := v.once(); err != nil {
		return nil, err
	}
	var again bool
	v.caller.Repeated = &again
	made, link, _, err := v.authority.NewLink(v.r.Context(), v.caller, i.Email)
	if err != nil {
		return nil, err
	}
	if again {
		made = i
	}
	return v.linkScreen(linkView{Invitation: made, Again: again, Replaces: true}, link), nil
}

// invitation is the one that the path names.
func (v *visit) invitation() (ostiary.Invitation, error) {
	id, err := v.pathID("invitation")
	if err != nil {
		return ostiary.Invitation{}, err
	}
	team, err := v.authority.Team(v.r.Context(), v.caller)
	if err != nil {
		return ostiary.Invitation{}, err
	}
	for _, i := range team.Invitations {
		if i.ID == id {
			return i, nil
		}
	}
	return ostiary.Invitation{}, ostiary.ErrNotFound
}

func (v *visit) linkScreen(view linkView, link ostiary.SecretText) screen {
	view.Shown = v.opt.PublicURL + "/invite/" + link.Reveal()
	if view.Again {
		view.Shown = ""
	}
	return screen{template: "link", title: "Invitation", nav: "/team", status: http.StatusOK, data: view}
}
