package authority

import (
	"cmp"
	"context"
	"slices"
	"time"

	"ostiary"
)

// An Overview is what one caller may see of an account's tokens, at one revision.
type Overview struct {
	Revision uint64
	Account  ostiary.Account
	Actor    ostiary.Actor

	NewUser, NewAccount []ostiary.Role // privileges that a new token may get; empty: the caller may not make one

	Waiting     []Waiting // nobody has decided, and the caller may; on live tokens; latest contact first
	MoreWaiting int       // beyond those

	AccountTokens, Own, Members, Retired Section // latest first; who may not see any has a Total of 0

	Names Names
}

// A Section is a group of tokens.
type Section struct {
	Cards []Card // those asked for
	Total int    // all that the filter keeps
}

// Waiting is an application about which nobody has decided.
type Waiting struct {
	AppView
	Token     TokenView
	OwnerName string
	Offers    ostiary.Offers
	Like      *ostiary.App // of the same token, allowed, and of a name that differs in digits only; the latest
}

// A Look says what of the tokens is asked for.
type Look struct {
	// Text filters by description, hint, owner's name and e-mail, and application names, without regard
	// to case. Every word must be found. It does not filter what waits.
	Text string

	Apps, Waiting                  int // at most this many applications of a card, and of those that wait
	Account, Own, Members, Retired Range
	App                            ostiary.ID // its token is to be among the cards, whatever the ranges; 0: none
}

// A Range is a part of a list.
type Range struct{ From, Size int }

// Overview gives the tokens of the caller's account, those of Look's ranges with what is around them.
func (a *Authority) Overview(ctx context.Context, c Caller, l Look) (out Overview, err error) {
	err = a.look(ctx, c, func(v *view) error {
		out = Overview{Names: Names{}}
		if err := v.needSeat(); err != nil {
			return err
		}
		return v.overview(ctx, l, &out)
	})
	if err != nil {
		return Overview{}, err
	}
	return out, nil
}

// needSeat: to who has no role on the account, it does not exist.
func (v *view) needSeat() error {
	if err := v.needAccount(); err != nil {
		return err
	}
	if ostiary.May(v.actor, ostiary.SeeAccount, ostiary.Target{}) != nil {
		return ostiary.ErrNotFound
	}
	return nil
}

func (v *view) overview(ctx context.Context, l Look, out *Overview) error {
	head, err := v.Head()
	if err != nil {
		return err
	}
	if out.Account, err = v.Reader.Account(v.account); err != nil {
		return err
	}
	out.Revision, out.Actor = head.Revision, v.actor
	out.NewUser, out.NewAccount = ostiary.NewTokenOffers(v.actor)
	seen, err := v.visible()
	if err != nil {
		return err
	}
	slices.Reverse(seen)
	named, err := v.namedToken(l.App)
	if err != nil {
		return err
	}
	kept, err := v.filter(seen, l.Text)
	if err != nil {
		return err
	}
	d := &drawn{v: v, apps: l.Apps, named: l.App, names: out.Names}
	parts := v.parts(kept)
	sections := [...]*Section{&out.AccountTokens, &out.Own, &out.Members, &out.Retired}
	chosen := [len(sections)][]ostiary.Token{}
	for i, r := range []Range{l.Account, l.Own, l.Members, l.Retired} {
		sections[i].Total = len(parts[i])
		chosen[i] = r.of(parts[i])
	}
	addNamed(v, chosen[:], seen, named)
	for i, tokens := range chosen {
		sections[i].Cards = d.plan(tokens)
		if i != retiredPart {
			d.byHour = append(d.byHour, idsOf(tokens)...)
		}
	}
	if err := v.waiting(ctx, l.Waiting, seen, out); err != nil {
		return err
	}
	return d.draw(ctx)
}

// parts divides tokens into those of the account, one's own, those of other members, and retired ones,
// the last retired first.
func (v *view) parts(tokens []ostiary.Token) (parts [4][]ostiary.Token) {
	for _, t := range tokens {
		i := v.partOf(t)
		parts[i] = append(parts[i], t)
	}
	slices.SortStableFunc(parts[retiredPart], func(a, b ostiary.Token) int { return b.RetiredOn.Compare(a.RetiredOn) })
	return parts
}

const retiredPart = 3

func (v *view) partOf(t ostiary.Token) int {
	switch {
	case !t.RetiredOn.IsZero():
		return retiredPart
	case t.Owner == 0:
		return 0
	case t.Owner == v.actor.User:
		return 1
	}
	return 2
}

// of is the part of a list, which may lie beyond its end.
func (r Range) of(all []ostiary.Token) []ostiary.Token {
	from := min(max(r.From, 0), len(all))
	return all[from:min(from+max(r.Size, 0), len(all))]
}

// namedToken is the token of an application that was asked for, if it is on this account.
func (v *view) namedToken(app ostiary.ID) (ostiary.ID, error) {
	if app == 0 {
		return 0, nil
	}
	record, err := v.AppByID(app)
	if err != nil || record.Account != v.account {
		return 0, ignoreMissing(err)
	}
	return record.Token, nil
}

// addNamed puts a token that the caller may see before the others of its part, unless it is there.
func addNamed(v *view, chosen [][]ostiary.Token, seen []ostiary.Token, id ostiary.ID) {
	at := slices.IndexFunc(seen, func(t ostiary.Token) bool { return t.ID == id })
	if at < 0 {
		return
	}
	part := v.partOf(seen[at])
	if !slices.ContainsFunc(chosen[part], func(t ostiary.Token) bool { return t.ID == id }) {
		chosen[part] = append([]ostiary.Token{seen[at]}, chosen[part]...)
	}
}

// waiting gives the applications that wait on tokens that the caller may see and decide about.
func (v *view) waiting(ctx context.Context, most int, seen []ostiary.Token, out *Overview) error {
	apps, err := v.AppsWaiting(v.account)
	if err != nil || len(apps) == 0 {
		return err
	}
	decides := map[ostiary.ID]ostiary.Token{}
	for _, t := range seen {
		if ostiary.OffersFor(v.actor, t).Decide {
			decides[t.ID] = t
		}
	}
	apps = slices.DeleteFunc(apps, func(app ostiary.App) bool { return decides[app.Token].ID == 0 })
	last := v.a.lastOf(ctx, apps)
	slices.SortStableFunc(apps, func(a, b ostiary.App) int {
		return cmp.Or(last[b.ID].Compare(last[a.ID]), cmp.Compare(b.ID, a.ID))
	})
	shown := apps[:min(len(apps), most)]
	out.MoreWaiting = len(apps) - len(shown)
	return v.dressWaiting(ctx, shown, decides, out)
}

// lastOf is when each application was last used; where that cannot be read, it was never.
func (a *Authority) lastOf(ctx context.Context, apps []ostiary.App) map[ostiary.ID]time.Time {
	keys := make([]ostiary.UseKey, len(apps))
	for i, app := range apps {
		keys[i] = ostiary.UseKey{Account: app.Account, Token: app.Token, App: app.ID}
	}
	last, err := a.usage.LastOf(ctx, keys)
	if err != nil {
		a.set.Log.Warn("the record of use cannot be read", "err", err)
	}
	return last
}

func (v *view) dressWaiting(ctx context.Context, shown []ostiary.App, tokens map[ostiary.ID]ostiary.Token,
	out *Overview,
) error {
	views, records := map[ostiary.ID]TokenView{}, map[ostiary.ID][]ostiary.App{}
	var ids []ostiary.ID
	for _, app := range shown {
		if _, dressed := views[app.Token]; dressed {
			continue
		}
		view, err := v.tokenView(app.Token)
		if err != nil {
			return err
		}
		views[app.Token], ids = view, append(ids, app.Token)
		if records[app.Token], err = v.Reader.Apps(v.account, app.Token); err != nil {
			return err
		}
	}
	total, uses := v.a.usesOfAll(ctx, ids)
	for _, app := range shown {
		t := tokens[app.Token]
		w := Waiting{AppView: appView(t, app), Token: views[app.Token], Offers: ostiary.OffersFor(v.actor, t)}
		w.Use = uses[ostiary.UseKey{Account: app.Account, Token: app.Token, App: app.ID}]
		w.Token.Use = total[app.Token]
		w.Like = like(records[app.Token], app)
		if w.Like != nil {
			if err := out.Names.add(v, w.Like.DecidedBy); err != nil {
				return err
			}
		}
		var err error
		if w.OwnerName, err = v.ownerName(t); err != nil {
			return err
		}
		out.Waiting = append(out.Waiting, w)
	}
	return nil
}

// like is the application that was allowed last of those whose names differ from this one's in digits only.
func like(records []ostiary.App, app ostiary.App) *ostiary.App {
	var found *ostiary.App
	for i := range records {
		r := &records[i]
		if r.IsAllowed() && ostiary.LikeName(r.Name, app.Name) && (found == nil || r.DecidedOn.After(found.DecidedOn)) {
			found = r
		}
	}
	return found
}
