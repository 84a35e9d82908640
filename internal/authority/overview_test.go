package authority_test

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ostiary"
	"ostiary/internal/authority"
)

var whole = authority.Range{Size: 100}

// everything asks for all that there is.
func everything(text string) authority.Look {
	return authority.Look{Text: text, Apps: 10, Waiting: 10, Account: whole, Own: whole, Members: whole, Retired: whole}
}

func (w *world) overview(t *testing.T, user ostiary.ID, l authority.Look) authority.Overview {
	t.Helper()
	o, err := w.Overview(context.Background(), w.as(user), l)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func (w *world) named(t *testing.T, c authority.Caller, kind ostiary.Kind, description string) authority.Made {
	t.Helper()
	made, _, err := w.CreateToken(context.Background(), c, authority.NewToken{
		Kind: kind, Privilege: ostiary.Normal, Default: ostiary.Pending, Description: description,
	})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func shown(s authority.Section) (out []string) {
	for _, c := range s.Cards {
		out = append(out, c.Description)
	}
	return out
}

func TestOverviewShowsEverybodyWhatTheyMaySee(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	w.named(t, w.as(w.alice), ostiary.AccountToken, "the account's")
	w.named(t, w.as(w.alice), ostiary.UserToken, "Alice's")
	w.named(t, w.as(w.bob), ostiary.UserToken, "Bob's")
	old := w.named(t, w.as(w.bob), ostiary.UserToken, "Bob's old one")
	if _, _, err := w.Retire(ctx, w.as(w.alice), old.ID); err != nil {
		t.Fatal(err)
	}
	type sections struct{ Account, Own, Members, Retired []string }
	for _, c := range []struct {
		who  string
		user ostiary.ID
		want sections
	}{
		{"Alice", w.alice, sections{[]string{"the account's"}, []string{"Alice's"}, []string{"Bob's"}, []string{"Bob's old one"}}},
		{"Bob", w.bob, sections{Own: []string{"Bob's"}, Retired: []string{"Bob's old one"}}},
		{"Carol", w.carol, sections{}},
	} {
		o := w.overview(t, c.user, everything(""))
		got := sections{shown(o.AccountTokens), shown(o.Own), shown(o.Members), shown(o.Retired)}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s sees (-want +got):\n%s", c.who, diff)
		}
		user, account := ostiary.NewTokenOffers(o.Actor)
		if !slices.Equal(o.NewUser, user) || !slices.Equal(o.NewAccount, account) {
			t.Errorf("%s is offered %v and %v", c.who, o.NewUser, o.NewAccount)
		}
	}
	stranger := w.newUser(t, operator, "erin@example.com", ostiary.NoRole)
	if _, err := w.Overview(ctx, w.as(stranger), everything("")); reason(err) != ostiary.Hidden {
		t.Errorf("a stranger is told %v", err)
	}
}

func TestOverviewPagesAndNamesTheTokenOfAnApplication(t *testing.T) {
	w := newWorld(t)
	var first authority.Made
	for _, name := range []string{"one", "two", "three", "four"} {
		made := w.named(t, w.as(w.alice), ostiary.UserToken, name)
		if first.ID == 0 {
			first = made
		}
	}
	app := w.ask(first.Secret, "cron", ostiary.ReadOnly).App
	look := authority.Look{Apps: 1, Own: authority.Range{From: 1, Size: 2}}
	o := w.overview(t, w.alice, look)
	if got := shown(o.Own); o.Own.Total != 4 || !slices.Equal(got, []string{"three", "two"}) {
		t.Errorf("the second and third of %d are %v", o.Own.Total, got)
	}
	look.App = app
	o = w.overview(t, w.alice, look)
	if got := shown(o.Own); !slices.Equal(got, []string{"one", "three", "two"}) || o.Own.Cards[0].Apps[0].ID != app {
		t.Errorf("with the application's token: %v", got)
	}
	look.Own.From = 1_000
	if o = w.overview(t, w.alice, look); len(o.Own.Cards) != 1 || o.Own.Total != 4 {
		t.Errorf("beyond the end: %v", shown(o.Own))
	}
	if o = w.overview(t, w.carol, look); len(o.Own.Cards) != 0 || len(o.Members.Cards) != 0 {
		t.Error("Carol is shown Alice's token by the id of its application")
	}
}

func TestOverviewFindsEveryWordAnywhere(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	export := w.named(t, w.as(w.alice), ostiary.AccountToken, "Nightly Export")
	w.named(t, w.as(w.bob), ostiary.UserToken, "Laptop")
	if _, _, err := w.DecideName(ctx, w.as(w.alice), export.ID, "report_cron 100%", ostiary.Allowed); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][]string{
		"":                  {"Nightly Export", "Laptop"},
		"NIGHT":             {"Nightly Export"},
		"export report":     {"Nightly Export"},
		"REPORT_":           {"Nightly Export"},
		"100%":              {"Nightly Export"},
		"reportXcron":       nil,
		"bob@":              {"Laptop"},
		"bob nightly":       nil,
		export.Hint:         {"Nightly Export"},
		"  laptop   bob  ":  {"Laptop"},
		"nothing like this": nil,
		"%":                 {"Nightly Export"},
	} {
		o := w.overview(t, w.alice, everything(text))
		got := append(shown(o.AccountTokens), shown(o.Members)...)
		if !slices.Equal(got, want) || o.AccountTokens.Total+o.Members.Total != len(want) {
			t.Errorf("%q finds %v, want %v", text, got, want)
		}
	}
}

func TestOverviewShowsWhatWaitsAndWhatItIsLike(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	bobs := w.named(t, w.as(w.bob), ostiary.UserToken, "Bob's")
	alices := w.named(t, w.as(w.alice), ostiary.UserToken, "Alice's")
	if _, _, err := w.DecideName(ctx, w.as(w.bob), bobs.ID, "Terraform v0.10.0", ostiary.Allowed); err != nil {
		t.Fatal(err)
	}
	w.ask(bobs.Secret, "Terraform v0.11.0", ostiary.ReadOnly)
	w.ask(alices.Secret, "cron", ostiary.ReadOnly)

	o := w.overview(t, w.bob, everything(""))
	if len(o.Waiting) != 1 || o.Waiting[0].Name != "Terraform v0.11.0" || o.MoreWaiting != 0 {
		t.Fatalf("Bob decides about %+v", o.Waiting)
	}
	one := o.Waiting[0]
	if one.Like == nil || one.Like.Name != "Terraform v0.10.0" || one.Use.Count != 1 || one.Use.Path != "/v2/x" ||
		one.OwnerName != "bob@example.com" || !one.Offers.Decide || one.Token.ID != bobs.ID {
		t.Errorf("what waits is shown as %+v", one)
	}
	look := everything("no token has this text")
	look.Waiting = 1
	if o = w.overview(t, w.alice, look); len(o.Waiting) != 1 || o.MoreWaiting != 1 || o.Waiting[0].Name != "cron" {
		t.Errorf("Alice decides first about what came last: %+v and %d more", o.Waiting, o.MoreWaiting)
	}
	c := operator
	c.Account = w.account
	if _, err := w.SetRole(ctx, c, w.bob, ostiary.ReadOnly); err != nil {
		t.Fatal(err)
	}
	if o = w.overview(t, w.bob, everything("")); len(o.Waiting) != 0 {
		t.Errorf("with Read Only, Bob is asked to decide about %+v", o.Waiting)
	}
	if _, _, err := w.Retire(ctx, w.as(w.alice), alices.ID); err != nil {
		t.Fatal(err)
	}
	if o = w.overview(t, w.alice, everything("")); len(o.Waiting) != 1 || o.Waiting[0].Token.ID != bobs.ID {
		t.Errorf("a retired token's applications wait: %+v", o.Waiting)
	}
}

func TestCardSaysWhoAndHowOften(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	maker := w.named(t, w.as(w.alice), ostiary.AccountToken, "Maker")
	if _, _, err := w.SetToken(ctx, w.as(w.alice), maker.ID, authority.TokenPatch{}); err != nil {
		t.Fatal(err)
	}
	made := w.named(t, w.as(w.bob), ostiary.UserToken, "Bob's")
	for _, name := range []string{"a", "b", "c"} {
		w.ask(made.Secret, name, ostiary.ReadOnly)
	}
	apps, err := w.Apps(ctx, w.as(w.bob), made.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.DecideApp(ctx, w.as(w.bob), made.ID, apps[0].ID, ostiary.Allowed); err != nil {
		t.Fatal(err)
	}
	card, names, err := w.Card(ctx, w.as(w.alice), made.ID)
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, app := range card.Apps {
		order = append(order, app.Name)
	}
	if !slices.Equal(order[2:], []string{"a"}) || card.Use.Count != 3 || card.Hours[167]+card.Hours[166] != 3 {
		t.Errorf("applications %v, %d requests, last hours %v", order, card.Use.Count, card.Hours[160:])
	}
	if card.OwnerName != "bob@example.com" || card.OwnerRole != ostiary.Normal || names["/user/2"] != "bob@example.com" {
		t.Errorf("the owner is %q as %s, named %v", card.OwnerName, card.OwnerRole, names)
	}
	if _, _, err := w.Card(ctx, w.as(w.carol), made.ID); reason(err) != ostiary.Hidden {
		t.Errorf("Carol is told %v", err)
	}
}

func TestSeatsAreAPersonsPlacesAndFindLooksAmongThem(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	other := w.newAccount(t, "another")
	token := w.named(t, w.as(w.bob), ostiary.UserToken, "Bob's")
	app := w.ask(token.Secret, "cron", ostiary.ReadOnly).App
	c := operator
	c.Account = other
	erin := w.newUser(t, c, "erin@example.com", ostiary.Admin)

	u, seats, err := w.Seats(ctx, w.bob)
	if err != nil || u.ID != w.bob || len(seats) != 1 || seats[0].Account.ID != w.account || seats[0].Role != ostiary.Normal {
		t.Errorf("Bob sits at %+v: %v", seats, err)
	}
	for user, want := range map[ostiary.ID]ostiary.Reason{
		w.bob: ostiary.OK, w.alice: ostiary.OK, w.carol: ostiary.Hidden, erin: ostiary.Hidden, 99: ostiary.Hidden,
	} {
		found, err := w.FindApp(ctx, user, app)
		account, err2 := w.FindToken(ctx, user, token.ID)
		if reason(err) != want || reason(err2) != want {
			t.Errorf("user %d finds the application: %v, the token: %v", user, err, err2)
		}
		if (want == ostiary.OK) != (found.ID == app && account == w.account) {
			t.Errorf("user %d finds %+v on account %d", user, found, account)
		}
	}
	if _, _, err := w.DisableUser(ctx, operator, w.bob, true); err != nil {
		t.Fatal(err)
	}
	for _, user := range []ostiary.ID{w.bob, 99, 0} {
		if _, _, err := w.Seats(ctx, user); reason(err) != ostiary.NoToken {
			t.Errorf("user %d sits, although disabled or unknown: %v", user, err)
		}
	}
	if _, err := w.FindApp(ctx, w.bob, app); reason(err) != ostiary.Hidden {
		t.Errorf("a disabled user finds an application: %v", err)
	}
}
