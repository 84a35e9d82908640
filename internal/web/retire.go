package web

import (
	"ostiary"
	"ostiary/internal/authority"
)

// retireView asks before a token is retired, and says what stops.
type retireView struct {
	tokenCard
	LetIn []appRow              // the applications that stop
	Made  []authority.TokenView // live tokens that were made with it
	Back  string
}

func retirePage(v *visit) (reply, error) {
	card, err := v.pathCard()
	if err != nil {
		return nil, err
	}
	if !card.Offers.Retire {
		return nil, v.notOffered(card, "retire this token")
	}
	view := retireView{tokenCard: card, LetIn: v.letIn(card), Back: v.returnTo("/tokens")}
	if view.Made, err = v.authority.Descendants(v.r.Context(), v.caller, card.ID); err != nil {
		return nil, err
	}
	return screen{template: "retire", title: "Retire " + card.Title(), nav: "/tokens", data: view}, nil
}

// retireToken retires the token, and those that were chosen of the ones that were made with it.
func retireToken(v *visit) (reply, error) {
	card, err := v.pathCard()
	if err != nil {
		return nil, err
	}
	var also []ostiary.ID
	for _, text := range v.r.PostForm["also"] {
		id, err := ostiary.ParseID(text)
		if err != nil {
			return nil, ostiary.ErrNotFound
		}
		also = append(also, id)
	}
	_, first, last, err := v.authority.RetireWith(v.r.Context(), v.caller, card.ID, also)
	if err != nil {
		return nil, err
	}
	return v.back("/tokens", first, last), nil
}
