package web

import (
	"slices"
	"strings"

	"ostiary"
	"ostiary/internal/authority"
)

// mostChoices is how many tokens a drop-down offers.
const mostChoices = 300

// tokenChoices are tokens to choose from.
type tokenChoices struct {
	All    []authority.TokenView // live ones first, then by name
	Chosen ostiary.ID
	More   int // tokens for which there was no room
}

// tokenChoices are the tokens of the account that the person may see.
func (v *visit) tokenChoices(chosen ostiary.ID) (tokenChoices, error) {
	all, err := v.authority.Tokens(v.r.Context(), v.caller)
	if err != nil {
		return tokenChoices{}, err
	}
	names := make(map[ostiary.ID]string, len(all))
	for _, t := range all {
		names[t.ID] = strings.ToLower(titleOf(t))
	}
	slices.SortStableFunc(all, func(a, b authority.TokenView) int {
		if retired := a.RetiredOn.IsZero(); retired != b.RetiredOn.IsZero() {
			if retired {
				return -1
			}
			return 1
		}
		return strings.Compare(names[a.ID], names[b.ID])
	})
	at := slices.IndexFunc(all, func(t authority.TokenView) bool { return t.ID == chosen })
	out := tokenChoices{All: all, Chosen: chosen}
	if len(all) > mostChoices {
		if at >= mostChoices {
			all[mostChoices-1] = all[at]
		}
		out.All, out.More = all[:mostChoices], len(all)-mostChoices
	}
	return out, nil
}

// Name is how a token stands in a drop-down: "Dashboards k3X…9fQ2".
func (tokenChoices) Name(t authority.TokenView) string {
	name := strings.TrimSpace(strings.TrimSpace(t.Description) + " " + t.Hint)
	if !t.RetiredOn.IsZero() {
		name += " (retired)"
	}
	return name
}
