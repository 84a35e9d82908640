package ostiary_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ostiary"
)

// offered says in words what an actor is offered about a token.
func offered(o ostiary.Offers) string {
	var all []string
	for _, r := range o.Privileges {
		all = append(all, r.String())
	}
	words := []string{}
	for _, w := range []struct {
		word string
		is   bool
	}{{"change", o.Set}, {"decide", o.Decide}, {"forget", o.Forget}, {"retire", o.Retire}, {"promote", o.Promote}} {
		if w.is {
			words = append(words, w.word)
		}
	}
	if len(all) > 0 {
		words = append(words, "set "+strings.Join(all, "/"))
	}
	if len(words) == 0 {
		return "nothing"
	}
	return strings.Join(words, ", ")
}

func offersTree() string {
	names, all := actors()
	var targetNames []string
	for _, x := range targets {
		targetNames = append(targetNames, x.name)
	}
	var b strings.Builder
	b.WriteString("\nWhat a page offers about a token\n\n")
	b.WriteString(tree([]choice{{"", names}, {"", targetNames}, {"", []string{"live", "retired"}}}, func(at []int) string {
		return offered(ostiary.OffersFor(all[at[0]], tokenOf(targets[at[1]].t, at[2] == 1)))
	}))
	b.WriteString("\nWhat a page offers for a new token\n\n")
	b.WriteString(tree([]choice{{"", names}}, func(at []int) string {
		user, account := ostiary.NewTokenOffers(all[at[0]])
		return fmt.Sprint("user token ", user, ", account token ", account)
	}))
	return b.String()
}

func tokenOf(t ostiary.Target, retired bool) ostiary.Token {
	token := ostiary.Token{ID: t.Token, Kind: t.Kind, Owner: t.Owner}
	if retired {
		token.RetiredOn = time.Unix(1, 0)
	}
	return token
}

// What is offered is what May allows, for every actor and token; and nothing that cannot be done to a
// token as it stands.
func TestOffersAreWhatMayAllows(t *testing.T) {
	t.Parallel()
	names, all := actors()
	for i, a := range all {
		for _, x := range targets {
			live := ostiary.OffersFor(a, tokenOf(x.t, false))
			may := func(action ostiary.Action) bool { return ostiary.May(a, action, x.t) == nil }
			for what, pair := range map[string][2]bool{
				"set":     {live.Set, may(ostiary.SetToken)},
				"decide":  {live.Decide, may(ostiary.DecideApp)},
				"forget":  {live.Forget, may(ostiary.DecideApp)},
				"retire":  {live.Retire, may(ostiary.RetireToken)},
				"promote": {live.Promote, may(ostiary.PromoteToken) && x.t.Kind == ostiary.UserToken},
			} {
				if pair[0] != pair[1] {
					t.Errorf("%s on %s: %s is offered: %v, allowed: %v", names[i], x.name, what, pair[0], pair[1])
				}
			}
			for _, r := range roles {
				asked := x.t
				asked.Privilege = r
				allowed := ostiary.May(a, ostiary.SetPrivilege, asked) == nil
				if slices.Contains(live.Privileges, r) != allowed {
					t.Errorf("%s on %s: the privilege %s is allowed: %v, offered: %v", names[i], x.name, r, allowed, live.Privileges)
				}
			}
			gone := ostiary.OffersFor(a, tokenOf(x.t, true))
			if gone.Set || gone.Decide || gone.Retire || gone.Promote || gone.Privileges != nil ||
				gone.Forget != may(ostiary.DecideApp) {
				t.Errorf("%s on a retired %s is offered %s", names[i], x.name, offered(gone))
			}
		}
	}
}

func TestOffersForNewTokensAreWhatMayAllows(t *testing.T) {
	t.Parallel()
	names, all := actors()
	for i, a := range all {
		user, account := ostiary.NewTokenOffers(a)
		for _, r := range roles {
			own := ostiary.Target{Kind: ostiary.UserToken, Owner: a.User, Privilege: r}
			if got, want := slices.Contains(user, r), ostiary.May(a, ostiary.CreateToken, own) == nil; got != want {
				t.Errorf("%s: a user token with %s is offered: %v, allowed: %v", names[i], r, got, want)
			}
			accounts := ostiary.Target{Kind: ostiary.AccountToken, Privilege: r}
			if got, want := slices.Contains(account, r), ostiary.May(a, ostiary.CreateToken, accounts) == nil; got != want {
				t.Errorf("%s: an account token with %s is offered: %v, allowed: %v", names[i], r, got, want)
			}
		}
		if got, want := ostiary.Administers(a), ostiary.May(a, ostiary.ChangeAccount, ostiary.Target{}) == nil; got != want {
			t.Errorf("%s administers: %v, allowed: %v", names[i], got, want)
		}
	}
}

func TestNamesAreLikeEachOtherThatDifferInDigitsOnly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		like bool
	}{
		{"Terraform v0.10.0", "Terraform v0.11.0", true},
		{"Terraform v0.9.0", "Terraform v0.10.0", true},
		{"Terraform v0.10.0", "Terraform v0.10.0", false},
		{"Terraform v0.10.0", "terraform v0.10.1", false},
		{"Terraform v0.10.0", "Terraform v0.10", false},
		{"agent7", "agent", false},
		{"7", "8", true},
		{"agent", "agents", false},
		{"a1b", "a1c", false},
		{"1", "", false},
		{"", "", false},
	} {
		if ostiary.LikeName(c.a, c.b) != c.like || ostiary.LikeName(c.b, c.a) != c.like {
			t.Errorf("%q is like %q: not %v", c.a, c.b, c.like)
		}
	}
}
