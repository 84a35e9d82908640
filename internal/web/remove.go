package web

import (
	"net/http"
	"time"

	"ostiary"
	"ostiary/internal/authority"
)

const statusBad = http.StatusBadRequest

// removeView is the leaver's list: what stops when a member is removed.
type removeView struct {
	authority.Leave
	Leaves []leaver
	Self   bool
	Wrong  string
}

// A leaver is a token of the member, with what is to become of it.
type leaver struct {
	authority.Card
	Choice  string         // "promote", "go", or nothing: a person has to choose
	Becomes ostiary.Role   // the privilege that it has as an account token
	Ask     []ostiary.Role // where the owner can do nothing, it has to be chosen from these
	Asked   ostiary.Role   // that was chosen
	Missing bool           // no choice was made
}

func removePage(v *visit) (reply, error) {
	view, err := v.leavers()
	if err != nil {
		return nil, err
	}
	return v.removeScreen(view, 0), nil
}

// lately is the time within which a token that was used is not let go without a word.
const lately = 7 * 24 * time.Hour

// leavers reads what would stop, with the choices of the form. What was used lately has none until a
// person makes it.
func (v *visit) leavers() (view removeView, err error) {
	user, err := v.pathID("user")
	if err != nil {
		return view, err
	}
	if view.Leave, err = v.authority.Leave(v.r.Context(), v.caller, user); err != nil {
		return view, err
	}
	view.Self = user == v.user.ID
	for _, card := range view.Tokens {
		l := leaver{Card: card}
		l.Becomes, l.Ask = promotion(card)
		switch choice := v.field("token." + card.ID.String()); {
		case choice == "promote" || choice == "go":
			l.Choice = choice
		case card.Use.Last.Before(v.now.Add(-lately)):
			l.Choice = "go"
		}
		l.Asked, _ = ostiary.ParseRole(v.field("privilege." + card.ID.String()))
		view.Leaves = append(view.Leaves, l)
	}
	return view, nil
}

// promotion says which privilege a token would have as an account token; where its owner can do nothing,
// which ones could be chosen.
func promotion(c authority.Card) (becomes ostiary.Role, ask []ostiary.Role) {
	token := *c.Fact().Token
	becomes, err := ostiary.PromotedPrivilege(token, c.OwnerRole, ostiary.NoRole)
	if err == nil {
		return becomes, nil
	}
	for _, role := range []ostiary.Role{ostiary.ReadOnly, ostiary.Normal, ostiary.Admin} {
		if _, err := ostiary.PromotedPrivilege(token, c.OwnerRole, role); err == nil {
			ask = append(ask, role)
		}
	}
	return ostiary.NoRole, ask
}

func (v *visit) removeScreen(view removeView, status int) screen {
	title := "Remove " + view.Person.Name
	if view.Self {
		title = "Leave " + v.seat.Account.Name
	}
	return screen{template: "remove", title: title, nav: "/team", status: status, data: view}
}

// removeMember does what the list said, and nothing else: if anything on it has changed since, the page is
// drawn anew.
func removeMember(v *visit) (reply, error) {
	view, err := v.leavers()
	if err != nil {
		return nil, err
	}
	promote := map[ostiary.ID]ostiary.Role{}
	for i := range view.Leaves {
		l := &view.Leaves[i]
		if l.Choice == "promote" {
			promote[l.ID] = l.Asked
		}
		l.Missing = l.Choice == "" || l.Choice == "promote" && l.Ask != nil && l.Asked == ostiary.NoRole
		if l.Missing {
			view.Wrong = "Nothing was changed: choose for each token whether it stays. " +
				"Those that miss a choice are marked."
		}
	}
	if view.Wrong != "" {
		return v.removeScreen(view, statusBad), nil
	}
	user, confirm := view.Person.User.ID, v.field("confirm")
	first, last, err := v.authority.RemoveMember(v.r.Context(), v.caller, user, promote, confirm)
	if say, status, ok := v.wrong(err); ok {
		view.Wrong = "Nothing was changed. " + say
		return v.removeScreen(view, status), nil
	}
	if err != nil {
		return nil, err
	}
	if view.Self {
		return v.hasLeft(last)
	}
	return to(v.link("/team?done=" + doneAt(first, last))), nil
}

// leftView says that the person is no member any more. The account's log is no longer theirs to read, so
// the answer says it itself.
type leftView struct {
	Account  ostiary.Account
	Revision uint64
	Seats    int // that remain
}

func (v *visit) hasLeft(revision uint64) (reply, error) {
	view := leftView{Account: v.seat.Account, Revision: revision}
	var err error
	if v.user, v.seats, err = v.authority.Seats(v.r.Context(), v.user.ID); err != nil {
		return nil, err
	}
	v.seat, view.Seats = authority.Seat{}, len(v.seats)
	if view.Seats > 0 {
		v.sitAt(v.seats[0])
	}
	title := "You have left " + view.Account.Name
	return screen{template: "left", title: title, nav: "/profile", data: view}, nil
}
