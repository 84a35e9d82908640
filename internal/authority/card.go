package authority

import (
	"cmp"
	"context"
	"slices"
	"time"

	"ostiary"
)

// A Card is a token with what is shown around it.
type Card struct {
	TokenView
	Offers    ostiary.Offers
	OwnerName string
	OwnerRole ostiary.Role // on the account now; none for account tokens
	Apps      []AppView    // those that wait first, then by last use; of a retired token by last use alone
	MoreApps  int          // beyond those
	Hours     [168]uint64  // requests by hour, oldest first; of a retired token where it stands alone
}

// Card gives one token that the caller may see, with all its applications.
func (a *Authority) Card(ctx context.Context, c Caller, token ostiary.ID) (out Card, names Names, err error) {
	err = a.look(ctx, c, func(v *view) error {
		t, err := v.token(token)
		if err != nil {
			return err
		}
		names = Names{}
		cards, err := v.cards(ctx, []ostiary.Token{t}, names)
		if err == nil {
			out = cards[0]
		}
		return err
	})
	if err != nil {
		return Card{}, nil, err
	}
	return out, names, nil
}

// cards are those of tokens that the caller may see, with all their applications. Nil names: nobody is named.
func (v *view) cards(ctx context.Context, tokens []ostiary.Token, names Names) ([]Card, error) {
	d := &drawn{v: v, apps: allApps, names: names, byHour: idsOf(tokens)}
	cards := d.plan(tokens)
	return cards, d.draw(ctx)
}

const allApps = 1 << 30

// drawn are cards on their way: the record of use is read once for all of them.
type drawn struct {
	v      *view
	apps   int        // at most this many on a card …
	named  ostiary.ID // … with this one among them
	names  Names
	cards  []*Card
	ids    []ostiary.ID
	byHour []ostiary.ID // of those whose use is shown by hour, which takes the longest to read
}

// plan makes cards of tokens, to be filled by draw.
func (d *drawn) plan(tokens []ostiary.Token) []Card {
	if len(tokens) == 0 {
		return nil
	}
	cards := make([]Card, len(tokens))
	for i, t := range tokens {
		cards[i].Token = t
		d.cards, d.ids = append(d.cards, &cards[i]), append(d.ids, t.ID)
	}
	return cards
}

// draw fills the cards.
func (d *drawn) draw(ctx context.Context) error {
	if len(d.ids) == 0 {
		return nil
	}
	uses, byApp := d.v.a.usesOfAll(ctx, d.ids)
	now := d.v.a.set.Now()
	idle := func(id ostiary.ID) bool { return now.Sub(uses[id].Last) > 8*24*time.Hour }
	hours, err := d.v.a.usage.HoursOf(ctx, slices.DeleteFunc(d.byHour, idle), now)
	if err != nil {
		d.v.a.set.Log.Warn("the record of use cannot be read", "err", err)
	}
	for _, c := range d.cards {
		if err := d.fill(c, byApp); err != nil {
			return err
		}
		c.Use, c.Hours = uses[c.ID], hours[c.ID]
	}
	return nil
}

func (d *drawn) fill(c *Card, uses map[ostiary.UseKey]ostiary.Use) (err error) {
	v, t := d.v, c.Token
	secrets, err := v.Secrets(t.Account, t.ID)
	if err != nil {
		return err
	}
	if c.TokenView, err = v.dress(t, secrets); err != nil {
		return err
	}
	c.Offers = ostiary.OffersFor(v.actor, t)
	if c.OwnerRole, err = v.roleOf(t.Owner); err != nil {
		return err
	}
	if c.OwnerName, err = v.ownerName(t); err != nil {
		return err
	}
	apps, err := v.Reader.Apps(t.Account, t.ID)
	if err != nil {
		return err
	}
	for _, app := range apps {
		one := appView(t, app)
		one.Use = uses[ostiary.UseKey{Account: app.Account, Token: app.Token, App: app.ID}]
		c.Apps = append(c.Apps, one)
	}
	order := waitsFirst
	if !t.RetiredOn.IsZero() {
		order = lastUsed // nothing is decided any more, and what still tries must not be folded away
	}
	slices.SortStableFunc(c.Apps, order)
	c.fold(d.apps, d.named)
	return d.addNames(c)
}

// ownerName is how people call a token's owner; nobody owns an account token.
func (v *view) ownerName(t ostiary.Token) (string, error) {
	if t.Owner == 0 {
		return "", nil
	}
	u, err := v.person(t.Owner)
	return Name(u), err
}

// waitsFirst orders applications: those that wait, then the last used.
func waitsFirst(a, b AppView) int {
	switch {
	case a.Waits() && !b.Waits():
		return -1
	case b.Waits() && !a.Waits():
		return 1
	}
	return lastUsed(a, b)
}

func lastUsed(a, b AppView) int {
	return cmp.Or(b.Use.Last.Compare(a.Use.Last), cmp.Compare(a.Name, b.Name))
}

// fold keeps the first applications. One that was named takes the place of the last of them.
func (c *Card) fold(most int, named ostiary.ID) {
	most = max(most, 0)
	if len(c.Apps) <= most {
		return
	}
	at := slices.IndexFunc(c.Apps, func(app AppView) bool { return app.ID == named })
	if at >= most && most > 0 {
		c.Apps[most-1] = c.Apps[at]
	}
	c.MoreApps = len(c.Apps) - most
	c.Apps = c.Apps[:most:most]
}

// addNames names everybody who stands on a card.
func (d *drawn) addNames(c *Card) error {
	if d.names == nil {
		return nil
	}
	by := []ostiary.By{c.CreatedBy, c.RetiredBy, c.PromotedBy}
	if c.FormerOwner != 0 {
		by = append(by, byUser(c.FormerOwner))
	}
	if c.MadeWith != 0 {
		by = append(by, byToken(c.MadeWith))
	}
	for _, app := range c.Apps {
		by = append(by, app.DecidedBy)
	}
	return d.names.add(d.v, by...)
}

// usesOfAll is the use of several tokens, and by application. Where it cannot be read, there is none.
func (a *Authority) usesOfAll(ctx context.Context, tokens []ostiary.ID) (
	map[ostiary.ID]ostiary.Use, map[ostiary.UseKey]ostiary.Use,
) {
	uses, byApp, err := a.usage.TokensUse(ctx, tokens)
	if err != nil {
		a.set.Log.Warn("the record of use cannot be read", "err", err)
	}
	return uses, byApp
}
