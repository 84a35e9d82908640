package authority

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ostiary"
)

// A TokenPatch changes the fields that are set. Was, where given, is what the caller was shown of them: one
// that is to be changed, and that somebody else has changed since, is a Conflict.
type TokenPatch struct {
	Privilege   *ostiary.Role
	Default     *ostiary.DefaultAppState
	Description *string
	ExpiresOn   *time.Time
	Networks    *[]netip.Prefix
	Was         *TokenPatch // privilege, default and description alone
}

// SetToken changes what the patch names. A value that stands already is no change.
func (a *Authority) SetToken(ctx context.Context, c Caller, id ostiary.ID, p TokenPatch) (TokenView, uint64, error) {
	return a.tokenChange(ctx, c, id, func(t *tx, token ostiary.Token) (ostiary.Story, error) {
		story := ostiary.Story{What: "token.change", Token: id, User: token.Owner, Details: map[string]string{}}
		if err := t.patchToken(&token, p, story.Details); err != nil || len(story.Details) == 0 {
			return story, err
		}
		if err := t.PutToken(token); err != nil {
			return story, err
		}
		return t.append(story)
	})
}

func (t *tx) patchToken(token *ostiary.Token, p TokenPatch, told map[string]string) error {
	target := ostiary.TokenTarget(*token)
	if err := ostiary.May(t.actor, ostiary.SetToken, target); err != nil {
		return err
	}
	if !token.RetiredOn.IsZero() {
		return ostiary.Refuse(ostiary.Conflict, "The token is retired.")
	}
	if err := p.isOld(token); err != nil {
		return err
	}
	if p.Privilege != nil && *p.Privilege != token.Privilege {
		target.Privilege = *p.Privilege
		if err := ostiary.May(t.actor, ostiary.SetPrivilege, target); err != nil {
			return err
		}
		told["privilege"] = token.Privilege.String() + " → " + p.Privilege.String()
		token.Privilege = *p.Privilege
	}
	if p.Default != nil && *p.Default != token.Default {
		told["default_app_state"] = token.Default.String() + " → " + p.Default.String()
		token.Default = *p.Default
	}
	if p.Description != nil && *p.Description != token.Description {
		if err := t.a.checkText("description", *p.Description); err != nil {
			return err
		}
		told["description"] = *p.Description
		token.Description = *p.Description
	}
	if p.ExpiresOn != nil && !p.ExpiresOn.Equal(token.ExpiresOn) {
		told["expires_on"] = "never"
		if !p.ExpiresOn.IsZero() {
			told["expires_on"] = p.ExpiresOn.UTC().Format(time.RFC3339)
		}
		token.ExpiresOn = *p.ExpiresOn
	}
	if p.Networks != nil && !slices.Equal(*p.Networks, token.Networks) {
		told["networks"] = networksText(*p.Networks)
		token.Networks = *p.Networks
	}
	return nil
}

// isOld refuses a change by somebody who saw another value than stands now. To lower a privilege that has
// been lowered further would raise it.
func (p TokenPatch) isOld(is *ostiary.Token) error {
	switch {
	case p.Was == nil:
		return nil
	case differs(p.Privilege, p.Was.Privilege, is.Privilege):
		return changedMeanwhile("privilege")
	case differs(p.Default, p.Was.Default, is.Default):
		return changedMeanwhile("default app state")
	case differs(p.Description, p.Was.Description, is.Description):
		return changedMeanwhile("description")
	}
	return nil
}

// differs says that a value is to be changed, and is neither as it is to be nor as it was seen.
func differs[T comparable](becomes, was *T, is T) bool {
	return becomes != nil && was != nil && *becomes != is && *was != is
}

func changedMeanwhile(what string) error {
	return ostiary.Refuse(ostiary.Conflict,
		"Somebody has changed the "+what+" meanwhile. Nothing was saved: look at how it is now.")
}

func networksText(networks []netip.Prefix) string {
	texts := make([]string, len(networks))
	for i, n := range networks {
		texts[i] = n.String()
	}
	return strings.Join(texts, ", ")
}
