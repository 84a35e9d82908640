package authority

import (
	"context"
	"slices"
	"strings"

	"ostiary"
)

// A LogPage is a part of the log, with the names of everybody and everything in it.
type LogPage struct {
	Account ostiary.Account
	All     bool // the caller reads all of the account; others what concerns their own tokens
	Changes []ostiary.Change
	More    bool // beyond these
	Names   Names
	Tokens  map[ostiary.ID]TokenName // those that the caller may see
	People  []ostiary.User           // the account's members, by name
}

// A TokenName is how people know a token.
type TokenName struct {
	Description, Hint string
	Kind              ostiary.Kind
	Retired           bool
}

// mostEntries is how many entries a page of the log has, where it does not say.
const mostEntries = 100

// LogPage gives what Log gives, and names.
func (a *Authority) LogPage(ctx context.Context, c Caller, f ostiary.LogFilter) (out LogPage, err error) {
	if f.Limit <= 0 {
		f.Limit = mostEntries
	}
	err = a.look(ctx, c, func(v *view) error {
		if err := v.needSeat(); err != nil {
			return err
		}
		out = LogPage{Names: Names{}, Tokens: map[ostiary.ID]TokenName{}}
		return v.logPage(f, &out)
	})
	if err != nil {
		return LogPage{}, err
	}
	return out, nil
}

func (v *view) logPage(f ostiary.LogFilter, out *LogPage) (err error) {
	if out.Account, err = v.Reader.Account(v.account); err != nil {
		return err
	}
	if out.All, err = v.confine(&f); err != nil {
		return err
	}
	most := f.Limit
	f.Limit++
	if out.Changes, err = v.Reader.Log(f); err != nil {
		return err
	}
	if out.More = len(out.Changes) > most; out.More {
		out.Changes = out.Changes[:most]
	}
	for _, c := range out.Changes {
		if err := v.addStory(out, c.Story); err != nil {
			return err
		}
	}
	members, err := v.Members(v.account)
	if err != nil {
		return err
	}
	for _, m := range members {
		u, err := v.person(m.User)
		if err != nil {
			return err
		}
		out.People = append(out.People, u)
	}
	slices.SortStableFunc(out.People, func(a, b ostiary.User) int {
		return strings.Compare(strings.ToLower(Name(a)), strings.ToLower(Name(b)))
	})
	return nil
}

// confine makes a filter choose what the caller may read, and says whether that is all of the account.
func (v *view) confine(f *ostiary.LogFilter) (all bool, err error) {
	f.Account = v.account
	if ostiary.May(v.actor, ostiary.ReadLog, ostiary.Target{}) == nil {
		return true, nil
	}
	own, err := v.visible()
	f.Tokens = append([]ostiary.ID{0}, idsOf(own)...)
	return false, err
}

// addStory names everybody and everything in a story; an erased one has nobody.
func (v *view) addStory(out *LogPage, s *ostiary.Story) error {
	if s == nil {
		return nil
	}
	by := []ostiary.By{s.By, ostiary.By(s.Details["invited_by"])}
	for _, user := range []ostiary.ID{s.For, s.User} {
		if user != 0 {
			by = append(by, byUser(user))
		}
	}
	if err := out.Names.add(v, by...); err != nil {
		return err
	}
	tokens := []ostiary.ID{s.Token}
	if id, err := ostiary.ParseID(s.Details["like"]); err == nil {
		tokens = append(tokens, id)
	}
	for _, id := range tokens {
		if err := v.addTokenName(out, id); err != nil {
			return err
		}
	}
	return nil
}

func (v *view) addTokenName(out *LogPage, id ostiary.ID) error {
	if _, named := out.Tokens[id]; named || id == 0 {
		return nil
	}
	t, hint, err := v.hinted(id)
	if err != nil || ostiary.May(v.actor, ostiary.SeeToken, ostiary.TokenTarget(t)) != nil {
		return ignoreMissing(err)
	}
	out.Tokens[id] = TokenName{
		Description: t.Description, Hint: hint, Kind: t.Kind, Retired: !t.RetiredOn.IsZero(),
	}
	return nil
}
