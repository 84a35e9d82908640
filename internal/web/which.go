package web

import (
	"slices"
	"strings"

	"ostiary"
	"ostiary/internal/authority"
)

// whichView names the token of a secret that somebody pasted. The secret stands nowhere in it.
type whichView struct {
	Found bool
	Card  tokenCard
}

func whichToken(v *visit) (reply, error) { return v.which(v.field("secret")) }

// which looks through a text for a secret, on every account of the person: people paste whole lines of curl.
func (v *visit) which(text string) (reply, error) {
	found := screen{template: "which", title: "Which token is this?", nav: "/tokens", data: whichView{}}
	for _, secret := range v.shapedIn(text) {
		for _, seat := range v.fromHere() {
			c := v.caller
			c.Account = seat.Account.ID
			t, err := v.authority.Which(v.r.Context(), c, secret)
			if ostiary.IsHidden(err) {
				continue
			}
			if err != nil {
				return nil, err
			}
			v.sitAt(seat)
			card, err := v.tokenCard(t.ID)
			if err != nil {
				return nil, err
			}
			card.fold(fewApps)
			found.data = whichView{Found: true, Card: card}
			return found, nil
		}
	}
	return found, nil
}

// maxShaped is how many secrets of one text are looked up.
const maxShaped = 4

// shapedIn are the words of a text that look like a secret of ours, or all of it where none does.
func (v *visit) shapedIn(text string) (out []ostiary.SecretText) {
	text = strings.TrimSpace(text)
	for _, word := range strings.FieldsFunc(text, betweenSecrets) {
		if v.isShaped(word) && len(out) < maxShaped {
			out = append(out, ostiary.ReadSecret(word))
		}
	}
	if len(out) == 0 && text != "" {
		out = append(out, ostiary.ReadSecret(text))
	}
	return out
}

func betweenSecrets(r rune) bool {
	return r != '_' && r != '-' && (r < '0' || r > '9') && (r|0x20 < 'a' || r|0x20 > 'z')
}

// isShaped says whether a word looks like a secret, or most of one. Those of other formats may be in use.
func (v *visit) isShaped(word string) bool {
	return v.read.Conceal(word, ostiary.SecretText{}) != word || ostiary.SecretFormat{}.HasShape(word)
}

// holdsSecret says whether a text must not stand in an address.
func (v *visit) holdsSecret(text string) bool {
	return slices.ContainsFunc(strings.FieldsFunc(text, betweenSecrets), v.isShaped)
}

// fromHere are the person's accounts, this one first.
func (v *visit) fromHere() []authority.Seat {
	seats := []authority.Seat{v.seat}
	for _, s := range v.seats {
		if s.Account.ID != v.seat.Account.ID {
			seats = append(seats, s)
		}
	}
	return seats
}

// fold keeps the first applications.
func (c *tokenCard) fold(most int) {
	if more := len(c.Apps) - most; more > 0 {
		c.Apps, c.MoreApps = c.Apps[:most], more
	}
}
