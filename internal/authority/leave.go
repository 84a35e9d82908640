package authority

import (
	"context"
	"maps"
	"slices"

	"ostiary"
)

// A Leave is what stops when a member is removed, and what the member may still know.
type Leave struct {
	Person  Person
	Confirm string      // for RemoveMember: for exactly this
	Tokens  []Card      // live ones, which stop
	Knows   []TokenView // account tokens whose secret the member was shown
	Refused error       // why the removal would be refused; nil: it would not
}

// Leave says what it would do to remove a member.
func (a *Authority) Leave(ctx context.Context, c Caller, user ostiary.ID) (out Leave, err error) {
	err = a.look(ctx, c, func(v *view) error {
		m, err := v.administered(user)
		if err != nil {
			return err
		}
		out = Leave{}
		if out.Refused = v.keepsAdmin(m, ostiary.NoRole); out.Refused != nil && !isRefusal(out.Refused) {
			return out.Refused
		}
		people, err := v.people(ctx, []ostiary.Member{m})
		if err != nil {
			return err
		}
		list, err := v.leaving([]ostiary.Member{m})
		if err != nil {
			return err
		}
		out.Person, out.Confirm = people[0], list.Confirm
		if out.Tokens, err = v.cards(ctx, list.stops, nil); err != nil {
			return err
		}
		for _, t := range list.knows {
			view, err := v.tokenView(t.ID)
			if err != nil {
				return err
			}
			out.Knows = append(out.Knows, view)
		}
		uses, _ := a.usesOfAll(ctx, idsOf(list.knows))
		for i := range out.Knows {
			out.Knows[i].Use = uses[out.Knows[i].ID]
		}
		return nil
	})
	if err != nil {
		return Leave{}, err
	}
	return out, nil
}

func idsOf(tokens []ostiary.Token) []ostiary.ID {
	ids := make([]ostiary.ID, len(tokens))
	for i, t := range tokens {
		ids[i] = t.ID
	}
	return ids
}

// RemoveMember promotes some of a leaver's tokens, each to the privilege that is given with it (none:
// what it can use now), and removes the member, whose other tokens retire: in one transaction. confirm
// is that of Leave. Where anything that it covers has changed, or it is empty, nothing is done. The
// revisions are those of the first and last entry.
func (a *Authority) RemoveMember(ctx context.Context, c Caller, user ostiary.ID,
	promote map[ostiary.ID]ostiary.Role, confirm string,
) (first, last uint64, err error) {
	last, err = a.change(ctx, c, func(t *tx) (ostiary.Story, error) {
		first = 0
		m, err := t.administered(user)
		if err != nil {
			return ostiary.Story{}, err
		}
		if err := t.keepsAdmin(m, ostiary.NoRole); err != nil {
			return ostiary.Story{}, err
		}
		list, err := t.leaving([]ostiary.Member{m})
		if err != nil {
			return ostiary.Story{}, err
		}
		if confirm != list.Confirm {
			return ostiary.Story{}, ostiary.Refuse(ostiary.Conflict,
				"What would stop is not what was shown. Look at it again, and confirm that.")
		}
		before, err := t.Head()
		if err != nil {
			return ostiary.Story{}, err
		}
		first = before.Revision + 1
		if err := t.promoteSome(user, promote); err != nil {
			return ostiary.Story{}, err
		}
		return ostiary.Story{}, t.remove(m)
	}, nil)
	if err != nil {
		return 0, 0, err
	}
	return first, last, nil
}

// promoteSome makes account tokens of some of a leaver's, in order of id.
func (t *tx) promoteSome(user ostiary.ID, promote map[ostiary.ID]ostiary.Role) error {
	for _, id := range slices.Sorted(maps.Keys(promote)) {
		token, err := t.token(id)
		if err != nil {
			return err
		}
		if token.Owner != user {
			return ostiary.RefuseField("promote", "Only the leaver's own tokens can be promoted here.")
		}
		if err := t.promote(token, promote[id]); err != nil {
			return err
		}
		if _, err := t.append(ostiary.Story{What: "token.promote", Token: id, User: user}); err != nil {
			return err
		}
	}
	return nil
}
