package web_test

import (
	"net/http"
	"testing"

	"ostiary"
	"ostiary/internal/authority"
)

func TestWhySaysTheDecisionAndWhatLedToIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, secret := w.dashboards(ostiary.Normal, ostiary.Pending)
	w.ask(secret, "grafana", ostiary.ReadOnly)
	why := "/why?token=" + id.String()
	page := w.bob.open(why+"&app=grafana").is("Why?", http.StatusOK)
	page.says("grafana would wait for a decision: 401.", "With Dashboards.", "Unauthorized.PendingApp", "invalid api application")
	page.in("this decides").says("Nobody has decided about the application")
	page.in("On record").says("tried once", "203.0.113.5")

	page.press("Allow it").at("/tokens/" + id.String()).says("You allowed grafana to use Dashboards.")
	w.demand(secret, "grafana", ostiary.Normal, ostiary.OK)
	page = w.bob.open(why + "&app=grafana").says("grafana would be let through, as Normal.").lacks("Allow it")
	page.follow("Deny it").press("Deny it")
	w.demand(secret, "grafana", ostiary.Normal, ostiary.DeniedApp)
	w.bob.open(why+"&app=grafana").says("grafana would be refused: 403.", "App 'grafana' not allowed").has("Allow it").lacks("Deny it")
}

func TestWhyAnswersAboutACertainRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.dashboards(ostiary.ReadOnly, ostiary.Allow)
	page := w.bob.open("/why").press("Ask",
		"Token", w.choice("/why", "Dashboards"), "Application", "grafana", "Method", "PUT", "Path", "https://api.example.com/v2/x?y=z")
	page.at("/why?").says("grafana would be refused: 403.", "asking for PUT /v2/x.", "Forbidden.Privilege")
	page.in("this decides").says("The request needs Normal; the token can use Read-Only.")
	page.press("Ask", "Method", "GET").says("grafana would be let through, as Read-Only.")
	page.press("Ask", "Address", "not one").is("Why?", http.StatusBadRequest).says("An address is written like 192.0.2.1")
	page.press("Ask", "Application", "a,b").says("a,b would be refused: 401.", "Unauthorized.BadAppName")
	w.bob.open("/why").press("Ask", "Application", "x").is("Why?", http.StatusBadRequest).says("Choose a token.")
}

// choice is the option of a drop-down that begins so, as Bob reads it.
func (w *world) choice(path, begins string) string {
	w.Helper()
	option := w.bob.open(path).root.first(func(n *node) bool {
		return n.name == "option" && len(n.text()) > len(begins) && n.text()[:len(begins)] == begins
	})
	if option == nil {
		w.Fatalf("%s has no choice %q", path, begins)
	}
	return option.text()
}

func TestAskingWhyPutsNothingOnRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, _ := w.dashboards(ostiary.Normal, ostiary.Allow)
	before := w.head()
	w.bob.open("/why?token="+id.String()+"&app=never-seen").says("never-seen would be let through", "is not on record").
		has("Deny it before it turns up")
	apps, err := w.authority.Apps(ctx, w.bob.on(w.account), id)
	w.ok(err)
	if after := w.head(); after != before || len(apps) != 0 {
		t.Errorf("asking made %d changes and %d applications", after-before, len(apps))
	}
}

func (w *world) head() (rev uint64) {
	w.Helper()
	w.ok(w.store.View(ctx, func(r ostiary.Reader) error {
		head, err := r.Head()
		rev = head.Revision
		return err
	}))
	return rev
}

func TestWhyHidesTokensAsIfTheyDidNotExist(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own, _ := w.dashboards(ostiary.Normal, ostiary.Deny)
	hidden, _ := w.newToken(w.alice, authority.NewToken{Kind: ostiary.AccountToken, Privilege: ostiary.Normal, Description: "Deploys"})
	for _, id := range []string{hidden.String(), "9999", "x", "0"} {
		w.bob.open("/why?token="+id+"&app=grafana").is("There is nothing here", http.StatusNotFound).silent("Deploys")
	}
	w.bob.open("/why?token="+own.String()).is("Why?", http.StatusOK).silent("Deploys")
	// Alice looks at another account; the address that Bob sends her leads to his.
	w.alice.open("/why?account=" + w.press.String())
	w.alice.open("/why?token=" + own.String() + "&app=grafana").says("grafana would be refused: 403.")
}

func TestWhySaysWhatBecameOfTheToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, _ := w.dashboards(ostiary.Normal, ostiary.Allow)
	w.newToken(w.bob, authority.NewToken{Privilege: ostiary.Normal, Description: "Other"})
	why := "/why?token=" + id.String() + "&app=grafana"
	_, _, err := w.authority.DisableUser(ctx, operator, w.bob.id, true)
	w.ok(err)
	w.alice.open(why).says("grafana would be refused: 401.", "It works again once its owner can sign in").
		in("this decides").says("disabled or no longer a member")
	_, _, err = w.authority.DisableUser(ctx, operator, w.bob.id, false)
	w.ok(err)
	_, _, err = w.authority.Retire(ctx, w.bob.on(w.account), id)
	w.ok(err)
	page := w.bob.open(why).says("A retired token never works again.", "Unauthorized.BadToken").lacks("Allow it", "Deny it")
	page.in("this decides").says("The token is retired.")
}

func TestReaderIsToldWhoDecides(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, secret := w.dashboards(ostiary.Normal, ostiary.Pending)
	w.ask(secret, "grafana", ostiary.ReadOnly)
	_, _, err := w.authority.SetAccount(ctx, w.alice.on(w.account), authority.AccountPatch{SetMembers: true, Members: []authority.MemberRole{
		{User: w.alice.id, Role: ostiary.Admin}, {User: w.bob.id, Role: ostiary.ReadOnly}, {User: w.carol.id, Role: ostiary.ReadOnly},
	}})
	w.ok(err)
	w.bob.open("/why?token="+id.String()+"&app=grafana").says("You cannot decide about this application.").lacks("Allow it", "Deny it")
}
