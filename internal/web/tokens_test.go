package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/authority"
)

// tokens opens the page of the tokens of social_networks, with more in its address.
func (p *person) tokens(more string) *page {
	p.w.Helper()
	return p.open("/tokens?account="+p.w.account.String()+more).is("API Tokens", http.StatusOK)
}

// token opens the page of one.
func (p *person) token(id ostiary.ID, more string) *page {
	p.w.Helper()
	return p.open("/tokens/" + id.String() + more)
}

func TestEverybodySeesTheirTokensAndAdminsAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shared, _ := w.newToken(w.alice, authority.NewToken{Kind: ostiary.AccountToken, Privilege: ostiary.Normal, Description: "Infrastructure"})
	w.newToken(w.alice, authority.NewToken{Privilege: ostiary.Admin, Description: "Laptop"})
	dashboards, _ := w.newToken(w.bob, authority.NewToken{Privilege: ostiary.Normal, Description: "Dashboards"})

	page := w.alice.tokens("")
	page.in("Account API Tokens").says("Infrastructure")
	page.in("My User Tokens").says("Laptop", "yours")
	page.in("Members’ User Tokens").says("Dashboards", "Bob’s")
	page.has("New User Token", "New Account Token", "Promote Dashboards", "Retire Dashboards")
	page.in("Infrastructure").lacks("Promote Infrastructure")

	page = w.bob.tokens("")
	page.in("My User Tokens").says("Dashboards")
	page.silent("Infrastructure", "Laptop", "Account API Tokens 1", "Members’").says("are shown to admins alone")
	page.has("New User Token", "Retire Dashboards").lacks("New Account Token", "Promote Dashboards")
	w.bob.token(shared, "").is("There is nothing here", http.StatusNotFound)

	page = w.carol.tokens("")
	page.lacks("New User Token", "New Account Token")
	page.says("You have no token on this account", "With the role Read-Only", "Team", "X-Circonus-App-Name: my-script")
	w.carol.token(dashboards, "").is("There is nothing here", http.StatusNotFound)
}

func TestLoweredOwnersTokenSaysWhy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, secret := w.newToken(w.bob, authority.NewToken{Privilege: ostiary.Normal, Default: ostiary.Allow, Description: "Dashboards"})
	w.setRole(w.bob, ostiary.ReadOnly)
	w.demand(secret, "grafana", ostiary.Normal, ostiary.LowRole)
	w.alice.tokens("").in("Dashboards").says("Granted Normal, limited to Read-Only by Bob’s role.")
	page := w.bob.tokens("").says("Granted Normal, limited to Read-Only by your role.")
	page.lacks("Save").has("Retire Dashboards")
	w.bob.token(id, "").says("limited to Read-Only by your role", "An admin can change it").lacks("Save", "Allow this name", "New token like this")
	w.setRole(w.bob, ostiary.Normal)
	w.demand(secret, "grafana", ostiary.Normal, ostiary.OK)
	w.bob.tokens("").silent("limited").has("Save")
}

func (w *world) setRole(p *person, role ostiary.Role) {
	w.Helper()
	patch := authority.AccountPatch{SetMembers: true}
	for _, one := range []authority.MemberRole{{User: w.alice.id, Role: ostiary.Admin}, {User: w.carol.id, Role: ostiary.ReadOnly}} {
		if one.User != p.id {
			patch.Members = append(patch.Members, one)
		}
	}
	patch.Members = append(patch.Members, authority.MemberRole{User: p.id, Role: role})
	_, _, err := w.authority.SetAccount(ctx, w.alice.on(w.account), patch)
	w.ok(err)
}

func TestWaitingApplicationShowsItsEvidence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, secret := w.newToken(w.bob, authority.NewToken{Privilege: ostiary.Normal, Default: ostiary.Pending, Description: "Dashboards"})
	w.demand(secret, "Terraform v0.10.0", ostiary.Normal, ostiary.PendingApp)
	w.bob.tokens("").in("1 application waits for you").in("Terraform v0.10.0").press("Allow Terraform v0.10.0").
		says("allowed Terraform v0.10.0 to use Dashboards", "Revision")
	w.demand(secret, "Terraform v0.10.0", ostiary.Normal, ostiary.OK)
	w.clock.pass(time.Hour)
	for range 3 {
		w.demand(secret, "Terraform v0.11.0", ostiary.Normal, ostiary.PendingApp)
		w.clock.pass(time.Minute)
	}
	page := w.alice.tokens("")
	page.in("1 application waits for you").says("Terraform v0.11.0 with Dashboards of Bob", "3 requests since 3 minutes ago, the last 1 minute ago",
		"203.0.113.5", "curl/8", "GET /v2/x", "like Terraform v0.10.0, allowed today")
	if !strings.Contains(page.body, "<title>(1) API Tokens · Social Networks · Ostiary</title>") {
		t.Error("the title does not begin with how many wait")
	}
	page.in("1 application waits for you").press("Deny Terraform v0.11.0").at("/tokens?").says("denied Terraform v0.11.0")
	w.demand(secret, "Terraform v0.11.0", ostiary.Normal, ostiary.DeniedApp)
	w.alice.tokens("").silent("waits for you")
}

func TestSeveralAreDecidedAtOnceAndOnlyThoseThatWereShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, secret := w.newToken(w.bob, authority.NewToken{Privilege: ostiary.Normal, Default: ostiary.Pending})
	for _, name := range []string{"one", "two", "three"} {
		w.ask(secret, name, ostiary.ReadOnly)
	}
	page := w.bob.tokens("")
	page.press("Allow chosen").says("no application was chosen", "3 applications wait for you")
	w.ask(secret, "late", ostiary.ReadOnly)
	w.alice.tokens("").press("Deny two")
	page.press("Allow chosen", "Choose one", "", "Choose two", "").
		says("allowed one", "1 application of those chosen was left as it is", "2 applications wait for you").silent("allowed two")
	for name, want := range map[string]ostiary.Reason{
		"one": ostiary.OK, "two": ostiary.DeniedApp, "three": ostiary.PendingApp, "late": ostiary.PendingApp,
	} {
		w.demand(secret, name, ostiary.ReadOnly, want)
	}
	w.carol.post("/apps", "state", "allowed", "app", "1.3").says("left as it is") // hidden ones, too
	w.demand(secret, "three", ostiary.ReadOnly, ostiary.PendingApp)
	w.bob.post("/apps", "state", "allowed", "app", "1").is("There is nothing here", http.StatusNotFound)
	w.bob.post("/apps", "state", "waiting", "app", "1.3").is("Something is not right in the form", http.StatusBadRequest)
}

func TestAddressesThatSomebodyMadeUpSayNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, secret := w.newToken(w.bob, authority.NewToken{Privilege: ostiary.Normal, Default: ostiary.Pending})
	w.ask(secret, "one", ostiary.ReadOnly)
	said := w.bob.tokens("").press("Allow chosen").says("no application was chosen").address
	w.bob.open(said).says("no application was chosen")
	w.alice.open(said).silent("no application was chosen")
	for _, more := range []string{"&chosen=none", "&left=9", "&said=9%20applications%20were%20left", "&said=x"} {
		w.bob.tokens(more).silent("was chosen", "of those chosen", "9 applications")
	}
	w.stranger().open("/login?ended=1").is("Sign in", http.StatusOK).silent("signed out")
}

func TestAddressOfA401LeadsToTheDecision(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, secret := w.newToken(w.bob, authority.NewToken{Privilege: ostiary.Normal, Default: ostiary.Pending, Description: "Dashboards"})
	d := w.ask(secret, "first", ostiary.ReadOnly)
	w.turnUp(d.Token, 60, "later-")
	address := "/tokens?app=" + d.App.String()
	for _, p := range []*person{w.alice, w.bob} { // Alice's first account is another
		page := p.open(address).is("API Tokens", http.StatusOK)
		row := page.in("61 applications wait for you").root.first(func(n *node) bool { return n.name == "li" })
		if !strings.HasPrefix(row.text(), "first with Dashboards") || row.attr["class"] != "marked" {
			t.Errorf("the first of those that wait is %q, want the one that the address names, marked", row.text())
		}
		page.in("first with").has("Why does first wait?", "Allow first")
	}
	w.bob.open(address).press("Allow first").silent("nothing to decide")
	w.alice.open(address).says("first is allowed with Dashboards, by Bob, just now. There is nothing to decide about it.")
	w.setRole(w.bob, ostiary.ReadOnly)
	d = w.ask(secret, "later-59", ostiary.ReadOnly)
	w.bob.open("/tokens?app=" + d.App.String()).says("later-59 waits, with Dashboards. With the role Read-Only you cannot decide").
		lacks("Allow later-59")
	w.carol.open(address).is("There is nothing here", http.StatusNotFound)
	w.bob.open("/tokens?app=999").is("There is nothing here", http.StatusNotFound)
	w.bob.open("/tokens?app=x").is("API Tokens", http.StatusOK)
}

// turnUp puts names on record as they are when they have turned up, faster than the door would.
func (w *world) turnUp(token ostiary.ID, n int, name string) {
	w.Helper()
	w.ok(w.store.Update(ctx, func(t ostiary.Writer) error {
		for i := range n {
			id, err := t.NewID("app")
			if err != nil {
				return err
			}
			app := ostiary.App{Account: w.account, Token: token, ID: id, Name: fmt.Sprint(name, i), FirstSeenOn: w.clock.Now()}
			if err := t.PutApp(app); err != nil {
				return err
			}
		}
		_, err := t.Append(w.account, w.clock.Now(), ostiary.Story{What: "app.new", Token: token}, nil)
		return err
	}))
	_, _, err := w.authority.SetUser(ctx, w.bob.on(w.account), w.bob.id, authority.UserPatch{}) // memory follows a change
	w.ok(err)
}

func TestFullTokenOffersToForgetWhatWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, secret := w.newToken(w.bob, authority.NewToken{Privilege: ostiary.Normal, Default: ostiary.Pending, Description: "Kiosk"})
	w.turnUp(id, 100, "scan-")
	w.demand(secret, "scan-last", ostiary.ReadOnly, ostiary.PendingApp)
	page := w.bob.tokens("").says("100 applications wait for you", "There is no room for further applications of Kiosk",
		"40 further applications", "50 more applications wait")
	w.bob.token(id, "").says("There is no room for further applications of this token", "Applications 100")
	page = page.press("Forget chosen", "Choose scan-99", "", "Choose scan-98", "").says("forgot the application scan-99", "forgot the application scan-98",
		"98 applications wait for you").silent("no room")
	page.lacks("Forget chosen")
	w.demand(secret, "scan-last", ostiary.ReadOnly, ostiary.PendingApp)
	w.bob.tokens("").says("99 applications wait for you", "scan-last")
}

func TestFilterFindsTokensAndSaysWhenItFindsNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, secret := w.newToken(w.bob, authority.NewToken{Privilege: ostiary.Normal, Default: ostiary.Allow, Description: "Dashboards"})
	w.ask(secret, "grafana", ostiary.ReadOnly)
	w.newToken(w.alice, authority.NewToken{Privilege: ostiary.Normal, Description: "Laptop"})
	for _, text := range []string{"dash", "GRAFANA", "bob@example.com", secret.Hint()[:3]} {
		page := w.alice.tokens("").press("Filter", "Filter tokens", text)
		page.at("/tokens?").says("Dashboards").silent("Laptop")
	}
	w.alice.tokens("").press("Filter", "Filter tokens", "<b>nothing</b>").
		says("No token matches “<b>nothing</b>”").silent("Laptop").has("Show all tokens").follow("Show all tokens").says("Laptop")
}

func TestRetiredTokensStandApartWithWhoStillTries(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, secret := w.newToken(w.bob, authority.NewToken{Privilege: ostiary.Normal, Default: ostiary.Allow, Description: "Old scripts"})
	w.ask(secret, "cron-report", ostiary.ReadOnly)
	w.ask(secret, "gone", ostiary.ReadOnly)
	w.clock.pass(time.Minute)
	w.bob.token(id, "/retire").press("Retire it").at("/tokens?").says("retired Old scripts", "No application has tried it since")
	w.clock.pass(time.Hour)
	w.demand(secret, "cron-report", ostiary.ReadOnly, ostiary.BadToken)
	w.demand(secret, "cron-report", ostiary.ReadOnly, ostiary.BadToken)
	w.clock.pass(5 * time.Minute)
	page := w.alice.tokens("")
	page.in("Retired tokens").in("Old scripts").says("Bob’s", "retired by Bob, today",
		"cron-report refused twice, last 5 minutes ago from 203.0.113.5 · curl/8", "still tries").silent("gone")
	page.lacks("Save", "Retire Old scripts", "Promote Old scripts")
	w.alice.token(id, "").says("Retired by Bob", "1 application still tries it", "gone", "stopped").
		lacks("Save", "Retire", "Promote", "Allow this name").has("New token like this")
	w.bob.post("/tokens/"+id.String(), "privilege", "Read-Only").is("This cannot be done now", http.StatusConflict)
	w.bob.token(id, "/retire").is("This cannot be done now", http.StatusConflict)
}

func TestWhatStillTriesARetiredTokenIsNotFoldedAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, secret := w.newToken(w.bob, authority.NewToken{Privilege: ostiary.Normal, Default: ostiary.Pending, Description: "Old scripts"})
	_, _, err := w.authority.DecideName(ctx, w.alice.on(w.account), id, "cron-report", ostiary.Allowed)
	w.ok(err)
	w.turnUp(id, 9, "scan-") // more than a card shows, and waiting
	w.clock.pass(time.Minute)
	w.bob.token(id, "/retire").press("Retire it")
	w.clock.pass(time.Minute)
	w.demand(secret, "cron-report", ostiary.Normal, ostiary.BadToken)
	w.alice.tokens("").in("Retired tokens").in("Old scripts").says("cron-report", "still tries").silent("No application has tried it since")
}

func TestSectionsAreTurnedLikePages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 62 {
		w.newToken(w.bob, authority.NewToken{Privilege: ostiary.ReadOnly, Description: fmt.Sprintf("Export %02d", i)})
	}
	page := w.alice.tokens("").says("62 tokens", "1 to 12 of 62", "Export 61", "Export 50").silent("Export 49")
	page = page.follow("All 62").says("1 to 25 of 62", "Export 37").silent("Export 36").lacks("Before")
	page = page.follow("After").follow("After").says("51 to 62 of 62", "Export 11", "Export 00").lacks("After")
	page.in("Export 11").press("Save", "Privileges", "Normal").says("Revision", "51 to 62 of 62")
	page.follow("Before").says("26 to 50 of 62")
	page.follow("All sections").says("1 to 12 of 62")
	w.alice.tokens("&show=members&from=500").says("1 to 25 of 62")
	w.alice.tokens("&show=retired").says("There is no token of this kind")
	w.alice.tokens("&show=everything&from=-3").says("1 to 12 of 62")
}

func TestWhoDecidesComesBackToTheSamePageAndToNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, _ := w.newToken(w.bob, authority.NewToken{Privilege: ostiary.Normal, Description: "Dashboards"})
	path := "/tokens/" + id.String()
	for _, from := range []string{"https://evil.example.com/tokens", "//evil.example.com/tokens", "/logout", "/tokens/1/retire", "tokens", "%"} {
		w.bob.post(path, "description", "by "+from, "back", from).at("/tokens")
	}
	w.bob.open("/tokens?q=by&show=own")
	w.bob.post(path, "description", "by list").at("/tokens?done=").says("Revision")
	if got := w.bob.page; !strings.Contains(got, "q=by") || !strings.Contains(got, "show=own") {
		t.Errorf("back at %s, want the filter and the section kept", got)
	}
}
