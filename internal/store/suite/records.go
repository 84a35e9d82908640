package suite

import (
	"errors"
	"net/netip"
	"time"

	"github.com/google/go-cmp/cmp"

	"ostiary"
)

var netipEqual = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })

func accountsAreKept(w *world) {
	a := ostiary.Account{
		ID: 1, ShortName: "one", Name: "Öne", Description: "d\x00d", Timezone: "UTC", UUID: "u", CreatedOn: noon, Owner: 7,
		MetricLimit: 500, MetricsUsed: 3, Address1: "a1", Address2: "a2", CCEmail: "cc", City: "c", CountryCode: "CH",
		StateProv: "ZH", CapMet: true,
	}
	b := ostiary.Account{ID: 2, ShortName: "two"}
	w.change(func(tx ostiary.Writer) error { return errors.Join(tx.PutAccount(b), tx.PutAccount(a)) })
	w.same("account", read(w, func(r ostiary.Reader) (ostiary.Account, error) { return r.Account(1) }), a)
	w.same("by name", read(w, func(r ostiary.Reader) (ostiary.Account, error) { return r.AccountByName("two") }), b)
	w.same("all", read(w, ostiary.Reader.Accounts), []ostiary.Account{a, b})

	a = ostiary.Account{ID: 1, ShortName: "uno", Name: "Uno"}
	w.change(func(tx ostiary.Writer) error { return tx.PutAccount(a) })
	w.same("changed", read(w, func(r ostiary.Reader) (ostiary.Account, error) { return r.AccountByName("uno") }), a)
	missing(w, "old name", func(r ostiary.Reader) (ostiary.Account, error) { return r.AccountByName("one") })
	w.fails("a short name given twice", func(tx ostiary.Writer) error {
		return tx.PutAccount(ostiary.Account{ID: 3, ShortName: "uno"})
	})
}

func usersAreKept(w *world) {
	u := ostiary.User{
		ID: 1, Email: "Ann@Example.com", FirstName: "Ann", LastName: "Öz", Disabled: true, CreatedOn: noon.Add(time.Millisecond),
		Contact: ostiary.ContactInfo{SMS: "+41", VictorOps: "v", XMPP: "x"},
	}
	w.change(func(tx ostiary.Writer) error { return tx.PutUser(u) })
	w.same("user", read(w, func(r ostiary.Reader) (ostiary.User, error) { return r.User(1) }), u)
	w.same("by e-mail", read(w, func(r ostiary.Reader) (ostiary.User, error) { return r.UserByEmail("aNN@example.COM") }), u)
	u.Email, u.Disabled = "ann@example.org", false
	w.change(func(tx ostiary.Writer) error { return tx.PutUser(u) })
	w.same("all", read(w, ostiary.Reader.Users), []ostiary.User{u})
	missing(w, "old e-mail", func(r ostiary.Reader) (ostiary.User, error) { return r.UserByEmail("ann@example.com") })
}

func emailsAreUnique(w *world) {
	w.people()
	w.fails("an e-mail given twice", func(tx ostiary.Writer) error {
		return tx.PutUser(ostiary.User{ID: 9, Email: "ANN@example.com"})
	})
	missing(w, "the second user", func(r ostiary.Reader) (ostiary.User, error) { return r.User(9) })
}

func membersAreKept(w *world) {
	w.people()
	ann := ostiary.Member{Account: 1, User: 1, Role: ostiary.Admin, Since: noon}
	bob := ostiary.Member{Account: 1, User: 2, Role: ostiary.ReadOnly, Since: noon, InvitedBy: "/user/1"}
	far := ostiary.Member{Account: 2, User: 1, Role: ostiary.Normal, Since: noon}
	w.change(func(tx ostiary.Writer) error {
		return errors.Join(tx.PutMember(far), tx.PutMember(bob), tx.PutMember(ann))
	})
	w.same("member", read(w, func(r ostiary.Reader) (ostiary.Member, error) { return r.Member(1, 2) }), bob)
	w.same("members", read(w, func(r ostiary.Reader) ([]ostiary.Member, error) { return r.Members(1) }),
		[]ostiary.Member{ann, bob})
	w.same("memberships", read(w, func(r ostiary.Reader) ([]ostiary.Member, error) { return r.Memberships(1) }),
		[]ostiary.Member{ann, far})
	bob.Role, bob.InvitedBy = ostiary.Normal, "operator:x"
	gone := ostiary.Member{Account: 1, User: 1}
	w.change(func(tx ostiary.Writer) error { return errors.Join(tx.PutMember(gone), tx.PutMember(bob)) })
	w.same("members", read(w, func(r ostiary.Reader) ([]ostiary.Member, error) { return r.Members(1) }), []ostiary.Member{bob})
	missing(w, "who is gone", func(r ostiary.Reader) (ostiary.Member, error) { return r.Member(1, 1) })
}

func invitationsAreKept(w *world) {
	w.people()
	one := ostiary.Invitation{
		Account: 1, ID: 1, Email: "x@y", Role: ostiary.Normal, InvitedBy: "/user/1", InvitedOn: noon, ExpiresOn: noon.Add(time.Hour),
	}
	two := ostiary.Invitation{Account: 1, ID: 2, Email: "z@y", Role: ostiary.Admin, InvitedOn: noon}
	first, second := ostiary.Hash{1}, ostiary.Hash{2}
	before := w.head()
	w.ok(w.s.Update(w.Context(), func(tx ostiary.Writer) error {
		return errors.Join(tx.PutInvitation(two), tx.PutInvitation(one), tx.PutLink(first, 1, 1))
	}))
	w.same("head, which invitations lie outside of", w.head(), before)
	link := func(h ostiary.Hash) (i ostiary.Invitation, err error) {
		err = w.s.View(w.Context(), func(r ostiary.Reader) (err error) {
			i, err = r.Link(h)
			return err
		})
		return i, err
	}
	missing(w, "a link of nothing", func(r ostiary.Reader) (ostiary.Invitation, error) { return r.Link(ostiary.Hash{9}) })
	got, err := link(first)
	w.ok(err)
	w.same("by link", got, one)
	w.same("invitation", read(w, func(r ostiary.Reader) (ostiary.Invitation, error) { return r.Invitation(1, 2) }), two)
	w.same("all", read(w, func(r ostiary.Reader) ([]ostiary.Invitation, error) { return r.Invitations(1) }),
		[]ostiary.Invitation{one, two})

	w.ok(w.s.Update(w.Context(), func(tx ostiary.Writer) error { return tx.PutLink(second, 1, 1) }))
	if _, err := link(first); !errors.Is(err, ostiary.ErrNotFound) {
		w.Fatalf("a new link does not end the old one: %v", err)
	}
	w.ok(w.s.Update(w.Context(), func(tx ostiary.Writer) error { return tx.DropInvitation(1, 1) }))
	if _, err := link(second); !errors.Is(err, ostiary.ErrNotFound) {
		w.Fatalf("an invitation's end does not end its link: %v", err)
	}
	missing(w, "dropped", func(r ostiary.Reader) (ostiary.Invitation, error) { return r.Invitation(1, 1) })
}

func passwordsAreKept(w *world) {
	w.people()
	missing(w, "no password", func(r ostiary.Reader) (string, error) { return r.Password(1) })
	set := func(hash string) {
		w.ok(w.s.Update(w.Context(), func(tx ostiary.Writer) error { return tx.PutPassword(1, hash) }))
	}
	set("first")
	set("second")
	w.same("password", read(w, func(r ostiary.Reader) (string, error) { return r.Password(1) }), "second")
	set("")
	missing(w, "removed", func(r ostiary.Reader) (string, error) { return r.Password(1) })
	w.same("entries", len(w.changes()), 1)
}

func tokensAreKept(w *world) {
	w.tokens()
	t := ostiary.Token{
		Account: 1, ID: 4, Kind: ostiary.AccountToken, Owner: 2, Privilege: ostiary.Admin, Default: ostiary.Allow,
		Description: "d", CreatedOn: noon, CreatedBy: "/user/1", MadeWith: 2, ExpiresOn: noon.Add(time.Hour),
		Networks:  []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")},
		RetiredOn: noon.Add(1), RetiredBy: "operator:x", PromotedOn: noon, PromotedBy: "/token/2", FormerOwner: 3, CapMet: true,
	}
	w.change(func(tx ostiary.Writer) error { return tx.PutToken(t) })
	t.RetiredOn = noon // whole milliseconds
	w.same("token", read(w, func(r ostiary.Reader) (ostiary.Token, error) { return r.Token(1, 4) }), t)
	w.same("by id", read(w, func(r ostiary.Reader) (ostiary.Token, error) { return r.TokenByID(4) }), t)
	ids := func(all []ostiary.Token) (out []ostiary.ID) {
		for _, t := range all {
			out = append(out, t.ID)
		}
		return out
	}
	all := read(w, func(r ostiary.Reader) ([]ostiary.Token, error) { return r.Tokens(1) })
	w.same("all of the account", ids(all), []ostiary.ID{1, 2, 4})
	own := read(w, func(r ostiary.Reader) ([]ostiary.Token, error) { return r.TokensOf(1, 1) })
	w.same("of one member", ids(own), []ostiary.ID{1})
	t = ostiary.Token{Account: 1, ID: 4, Kind: ostiary.UserToken, Owner: 1, Privilege: ostiary.ReadOnly}
	w.change(func(tx ostiary.Writer) error { return tx.PutToken(t) })
	w.same("changed", read(w, func(r ostiary.Reader) (ostiary.Token, error) { return r.Token(1, 4) }), t)
	own = read(w, func(r ostiary.Reader) ([]ostiary.Token, error) { return r.TokensOf(1, 1) })
	w.same("of one member", ids(own), []ostiary.ID{1, 4})
	t.ID, t.MadeWith = 5, 4
	w.change(func(tx ostiary.Writer) error { return tx.PutToken(t) })
	made := read(w, func(r ostiary.Reader) ([]ostiary.Token, error) { return r.TokensMade(1) })
	w.same("made with another token", ids(made), []ostiary.ID{5})
}

func secretsAreKept(w *world) {
	w.tokens()
	a := ostiary.Secret{Account: 1, ID: 1, Token: 2, Hash: ostiary.Hash{0xff, 1}, Hint: "k3X…9fQ2", CreatedOn: noon}
	b := ostiary.Secret{Account: 1, ID: 2, Token: 1, Hash: ostiary.Hash{2}}
	c := ostiary.Secret{Account: 1, ID: 3, Token: 2, Hash: ostiary.Hash{3}}
	w.change(func(tx ostiary.Writer) error { return errors.Join(tx.PutSecret(c), tx.PutSecret(b), tx.PutSecret(a)) })
	w.same("of a token", read(w, func(r ostiary.Reader) ([]ostiary.Secret, error) { return r.Secrets(1, 2) }),
		[]ostiary.Secret{a, c})
	w.same("of the account", read(w, func(r ostiary.Reader) ([]ostiary.Secret, error) { return r.SecretsOf(1) }),
		[]ostiary.Secret{a, b, c})
	w.fails("a secret of two tokens", func(tx ostiary.Writer) error {
		return tx.PutSecret(ostiary.Secret{Account: 2, ID: 4, Token: 3, Hash: a.Hash})
	})
	w.fails("a secret of no token", func(tx ostiary.Writer) error {
		return tx.PutSecret(ostiary.Secret{Account: 2, ID: 4, Token: 1, Hash: ostiary.Hash{4}})
	})
}

func appsAreKept(w *world) {
	w.tokens()
	a := ostiary.App{
		Account: 1, Token: 1, ID: 1, Name: "monitor", State: ostiary.Allowed, DecidedBy: "/user/1", DecidedOn: noon,
		FirstSeenOn: noon.Add(-time.Hour),
	}
	b := ostiary.App{Account: 1, Token: 1, ID: 2, Name: "Monitor", FirstSeenOn: noon}
	c := ostiary.App{Account: 1, Token: 2, ID: 3, Name: "monitor", State: ostiary.Denied}
	w.change(func(tx ostiary.Writer) error { return errors.Join(tx.PutApp(c), tx.PutApp(b), tx.PutApp(a)) })
	w.same("app", read(w, func(r ostiary.Reader) (ostiary.App, error) { return r.App(1, 1, 1) }), a)
	w.same("by id", read(w, func(r ostiary.Reader) (ostiary.App, error) { return r.AppByID(3) }), c)
	w.same("by name", read(w, func(r ostiary.Reader) (ostiary.App, error) { return r.AppByName(1, 1, "Monitor") }), b)
	w.same("of a token", read(w, func(r ostiary.Reader) ([]ostiary.App, error) { return r.Apps(1, 1) }), []ostiary.App{a, b})
	w.same("of the account", read(w, func(r ostiary.Reader) ([]ostiary.App, error) { return r.AppsOf(1) }),
		[]ostiary.App{a, b, c})
	count := func(token ostiary.ID) [2]int {
		return read(w, func(r ostiary.Reader) (out [2]int, err error) {
			out[0], out[1], err = r.CountApps(1, token)
			return out, err
		})
	}
	waiting := func() []ostiary.App {
		return read(w, func(r ostiary.Reader) ([]ostiary.App, error) { return r.AppsWaiting(1) })
	}
	w.same("those that wait", waiting(), []ostiary.App{b})
	w.same("count of a token", count(1), [2]int{2, 1})
	w.same("count of the account", count(0), [2]int{3, 1})
	b.State = ostiary.Denied
	w.change(func(tx ostiary.Writer) error { return errors.Join(tx.DropApp(a), tx.PutApp(b)) })
	w.same("count after", count(1), [2]int{1, 0})
	w.same("those that wait, after", waiting(), []ostiary.App(nil))
	missing(w, "dropped", func(r ostiary.Reader) (ostiary.App, error) { return r.AppByName(1, 1, "monitor") })
	missing(w, "dropped, by id", func(r ostiary.Reader) (ostiary.App, error) { return r.AppByID(1) })
	last := w.changes()
	w.same("the fact of a dropped record", last[len(last)-1].Facts[0].App,
		&ostiary.AppFact{Account: 1, Token: 1, ID: 1, Name: "monitor", State: ostiary.Allowed, Gone: true})
	w.fails("a name given twice", func(tx ostiary.Writer) error {
		return tx.PutApp(ostiary.App{Account: 1, Token: 1, ID: 9, Name: "Monitor"})
	})
}

func appsAreFoundByAPartOfTheirName(w *world) {
	w.tokens()
	w.change(func(tx ostiary.Writer) error {
		return errors.Join(
			tx.PutApp(ostiary.App{Account: 1, Token: 1, ID: 1, Name: "Terraform v0_1"}),
			tx.PutApp(ostiary.App{Account: 1, Token: 1, ID: 2, Name: "terraform 100%"}),
			tx.PutApp(ostiary.App{Account: 1, Token: 2, ID: 3, Name: `back\slash`}),
			tx.PutApp(ostiary.App{Account: 2, Token: 3, ID: 4, Name: "Terraform"}))
	})
	for text, want := range map[string][]ostiary.ID{
		"TERRA": {1}, "v0_1": {1}, "v0x1": nil, "0%": {1}, "%": {1}, "_": {1}, `K\S`: {2}, "": {1, 2}, "cron": nil,
	} {
		w.same("tokens with an application like "+text,
			read(w, func(r ostiary.Reader) ([]ostiary.ID, error) { return r.TokensWithApp(1, text) }), want)
	}
}

func accountsAreApart(w *world) {
	w.tokens()
	w.change(func(tx ostiary.Writer) error {
		return errors.Join(
			tx.PutSecret(ostiary.Secret{Account: 1, ID: 1, Token: 1, Hash: ostiary.Hash{1}}),
			tx.PutApp(ostiary.App{Account: 1, Token: 1, ID: 1, Name: "a"}),
			tx.PutInvitation(ostiary.Invitation{Account: 1, ID: 1}))
	})
	missing(w, "token", func(r ostiary.Reader) (ostiary.Token, error) { return r.Token(2, 1) })
	missing(w, "app", func(r ostiary.Reader) (ostiary.App, error) { return r.App(2, 1, 1) })
	missing(w, "app by name", func(r ostiary.Reader) (ostiary.App, error) { return r.AppByName(2, 1, "a") })
	missing(w, "invitation", func(r ostiary.Reader) (ostiary.Invitation, error) { return r.Invitation(2, 1) })
	w.same("secrets", read(w, func(r ostiary.Reader) ([]ostiary.Secret, error) { return r.Secrets(2, 1) }), []ostiary.Secret(nil))
	w.same("apps", read(w, func(r ostiary.Reader) ([]ostiary.App, error) { return r.AppsOf(2) }), []ostiary.App(nil))
}

func whatIsMissing(w *world) {
	missing(w, "account", func(r ostiary.Reader) (ostiary.Account, error) { return r.Account(1) })
	missing(w, "user", func(r ostiary.Reader) (ostiary.User, error) { return r.User(1) })
	missing(w, "user by e-mail", func(r ostiary.Reader) (ostiary.User, error) { return r.UserByEmail("") })
	missing(w, "member", func(r ostiary.Reader) (ostiary.Member, error) { return r.Member(1, 1) })
	missing(w, "token", func(r ostiary.Reader) (ostiary.Token, error) { return r.Token(1, 1) })
	missing(w, "token by id", func(r ostiary.Reader) (ostiary.Token, error) { return r.TokenByID(1) })
	missing(w, "app", func(r ostiary.Reader) (ostiary.App, error) { return r.App(1, 1, 1) })
	missing(w, "session", func(r ostiary.Reader) (ostiary.Session, error) { return r.Session(ostiary.Hash{}) })
	w.same("accounts", read(w, ostiary.Reader.Accounts), []ostiary.Account(nil))
	w.same("users", read(w, ostiary.Reader.Users), []ostiary.User(nil))
	w.same("head", w.head(), ostiary.Head{})
	w.same("changes", w.changes(), []ostiary.Change(nil))
	w.same("log", read(w, func(r ostiary.Reader) ([]ostiary.Change, error) { return r.Log(ostiary.LogFilter{}) }),
		[]ostiary.Change(nil))
}

func idsAreNeverUsedTwice(w *world) {
	kinds := []string{"account", "user", "invitation", "token", "secret", "app", "session"}
	take := func() (out []ostiary.ID) {
		w.ok(w.s.Update(w.Context(), func(tx ostiary.Writer) error {
			out = nil
			for _, kind := range kinds {
				id, err := tx.NewID(kind)
				if err != nil {
					return err
				}
				out = append(out, id)
			}
			return nil
		}))
		return out
	}
	w.same("first", take(), []ostiary.ID{1, 1, 1, 1, 1, 1, 1})
	w.same("second", take(), []ostiary.ID{2, 2, 2, 2, 2, 2, 2})
	err := w.s.Update(w.Context(), func(tx ostiary.Writer) error {
		_, err := tx.NewID("nonsense")
		return err
	})
	if err == nil {
		w.Fatal("an id of no kind was given")
	}
}

// fails demands that a record is refused, that nothing of it stays, and that the store goes on.
func (w *world) fails(what string, fn func(ostiary.Writer) error) {
	w.Helper()
	before := w.head()
	err := w.s.Update(w.Context(), func(tx ostiary.Writer) error {
		if err := fn(tx); err != nil {
			return err
		}
		_, err := tx.Append(1, noon, story, nil)
		return err
	})
	if err == nil || errors.Is(err, ostiary.ErrReadOnly) {
		w.Fatalf("%s: got %v, want an error of the record alone", what, err)
	}
	w.same("head after "+what, w.head(), before)
}
