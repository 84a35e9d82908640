package authority_test

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/authority"
)

// BenchmarkOverviewOfAThousandTokens draws what the page of the tokens shows: 25 cards in each of four
// sections, of an account with 1,000 tokens of 5 applications, all of them in use all week.
func BenchmarkOverviewOfAThousandTokens(b *testing.B) {
	w := openWorld(b, b.TempDir(), authority.Settings{})
	b.Cleanup(w.close)
	w.people(b)
	w.thousandTokens(b)
	part := authority.Range{Size: 25}
	for _, look := range []struct {
		name string
		text string
	}{
		{"all", ""}, {"by application", "terraform v0.3"}, {"by owner", "bob"}, {"by words", "export number 9"},
	} {
		b.Run(look.name, func(b *testing.B) {
			for b.Loop() {
				o, err := w.Overview(context.Background(), w.as(w.alice), authority.Look{
					Text: look.text, Apps: 6, Waiting: 50, Account: part, Own: part, Members: part, Retired: part,
				})
				if err != nil {
					b.Fatal(err)
				}
				if len(o.AccountTokens.Cards) == 0 && len(o.Members.Cards) == 0 {
					b.Fatalf("no card is drawn: %+v", o)
				}
			}
		})
	}
}

// thousandTokens puts 1,000 tokens on record in one change, with 5 applications each, one of which waits.
func (w *world) thousandTokens(tb testing.TB) {
	tb.Helper()
	ctx, now := context.Background(), time.Now()
	err := w.store.Update(ctx, func(t ostiary.Writer) error {
		for i := range 1000 {
			token := ostiary.Token{
				Account: w.account, Kind: ostiary.UserToken, Privilege: ostiary.Normal, Default: ostiary.Pending,
				Description: fmt.Sprintf("Export number %d", i), CreatedOn: now, CreatedBy: "/user/1",
				Owner: []ostiary.ID{0, w.alice, w.bob, w.carol}[i%4],
			}
			if token.Owner == 0 {
				token.Kind = ostiary.AccountToken
			}
			if token.Owner == w.carol {
				token.RetiredOn, token.RetiredBy = now, "/user/1"
			}
			if err := putToken(t, token); err != nil {
				return err
			}
		}
		_, err := t.Append(w.account, now, ostiary.Story{What: "token.create"}, nil)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	if err := w.dir.Load(ctx, w.store); err != nil {
		tb.Fatal(err)
	}
	w.useAll(tb, now)
}

func putToken(t ostiary.Writer, token ostiary.Token) (err error) {
	if token.ID, err = t.NewID("token"); err != nil {
		return err
	}
	if err := t.PutToken(token); err != nil {
		return err
	}
	secret := ostiary.SecretFormat{Prefix: ostiary.DefaultSecretPrefix}.New()
	s := ostiary.Secret{Account: token.Account, Token: token.ID, Hash: secret.Hash(), Hint: secret.Hint()}
	if s.ID, err = t.NewID("secret"); err != nil {
		return err
	}
	if err := t.PutSecret(s); err != nil {
		return err
	}
	for n := range 5 {
		app := ostiary.App{
			Account: token.Account, Token: token.ID, Name: fmt.Sprintf("Terraform v0.%d.0", n),
			State: ostiary.Allowed, DecidedBy: "/user/1", DecidedOn: token.CreatedOn,
		}
		if n == 0 {
			app.State, app.DecidedBy = ostiary.Waiting, ""
		}
		if app.ID, err = t.NewID("app"); err != nil {
			return err
		}
		if err := t.PutApp(app); err != nil {
			return err
		}
	}
	return nil
}

// useAll counts a request of every application in every second hour of the week.
func (w *world) useAll(tb testing.TB, now time.Time) {
	tb.Helper()
	apps, err := w.AllApps(context.Background(), w.as(w.alice))
	if err != nil {
		tb.Fatal(err)
	}
	from := netip.MustParseAddr("203.0.113.5")
	for hour := 166; hour >= 0; hour -= 2 {
		at := now.Add(-time.Duration(hour) * time.Hour)
		for _, app := range apps {
			k := ostiary.UseKey{Account: app.Account, Token: app.Token, App: app.ID}
			w.usage.Count(k, at, ostiary.OK, from, app.Name, "GET", "/v2/metrics", "Terraform/1.9")
		}
		if err := w.usage.Flush(context.Background()); err != nil {
			tb.Fatal(err)
		}
	}
}
