package web

import "ostiary"

// promoteView asks before a user token becomes the account's.
type promoteView struct {
	tokenCard
	Becomes ostiary.Role   // the privilege that it will have
	Asks    []ostiary.Role // of which one must be chosen, because the owner can do nothing now
	LetIn   []appRow
	Back    string
}

func promotePage(v *visit) (reply, error) {
	card, err := v.pathCard()
	if err != nil {
		return nil, err
	}
	if !card.Offers.Promote {
		return nil, v.notPromoted(card)
	}
	view := promoteView{tokenCard: card, LetIn: v.letIn(card), Back: v.returnTo("/tokens")}
	view.Becomes, view.Asks = promotion(card.Card)
	return screen{template: "promote", title: "Promote " + card.Title(), nav: "/tokens", data: view}, nil
}

func (v *visit) notPromoted(c tokenCard) error {
	if c.Live() && !c.IsUser() {
		return ostiary.Refuse(ostiary.Conflict, "The token is an account token already.")
	}
	return v.notOffered(c, "promote this token")
}

func promoteToken(v *visit) (reply, error) {
	card, err := v.pathCard()
	if err != nil {
		return nil, err
	}
	var asked ostiary.Role
	if text := v.field("privilege"); text != "" {
		if asked, err = ostiary.ParseRole(text); err != nil {
			return nil, ostiary.RefuseField("privilege", "Choose a privilege.")
		}
	}
	_, rev, err := v.authority.Promote(v.r.Context(), v.caller, card.ID, asked)
	if err != nil {
		return nil, err
	}
	return v.back("/tokens", rev, rev), nil
}
