package web_test

import (
	"net/http"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/authority"
)

func TestTokenIsChangedWhereItStands(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, secret := w.newToken(w.bob, authority.NewToken{Privilege: ostiary.ReadOnly, Default: ostiary.Pending, Description: "Dashboards"})
	page := w.bob.tokens("&q=dash").in("Dashboards").press("Save", "Privileges", "Normal", "Default App State", "Allow")
	page.at("/tokens?").says("Dashboards", "Read-Only", "Normal", "Pending", "Allow", "Revision")
	w.demand(secret, "grafana", ostiary.Normal, ostiary.OK)
	w.bob.tokens("").in("Dashboards").press("Save").silent("Revision") // nothing was changed
	w.bob.token(id, "").press("Save", "Description", "Wall of graphs").is("Wall of graphs", http.StatusOK).says("Revision")
	w.bob.token(id, "").press("Save", "Description", "zero\u200bwidth").is("Something is not right in the form", http.StatusBadRequest)
	w.bob.post("/tokens/"+id.String(), "privilege", "Admin").is("You may not do this", http.StatusForbidden)
	w.bob.post("/tokens/"+id.String(), "privilege", "Owner").is("Something is not right in the form", http.StatusBadRequest)
	w.carol.post("/tokens/"+id.String(), "privilege", "Read-Only").is("There is nothing here", http.StatusNotFound)
}

func TestPrivilegeAboveOnesOwnStaysUnlessItIsChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.setRole(w.bob, ostiary.Admin)
	id, _ := w.newToken(w.bob, authority.NewToken{Privilege: ostiary.Admin, Default: ostiary.Pending, Description: "Dashboards"})
	w.setRole(w.bob, ostiary.Normal)
	w.bob.tokens("").in("Dashboards").says("Granted Admin, limited to Normal").press("Save", "Default App State", "Deny").says("Deny")
	got, err := w.authority.Token(ctx, w.alice.on(w.account), id)
	w.ok(err)
	if got.Privilege != ostiary.Admin || got.Default != ostiary.Deny {
		t.Errorf("the token has %s and %s, want Admin and Deny", got.Privilege, got.Default)
	}
}

func TestOldPageTakesNothingBackThatItsReaderDidNotTouch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.setRole(w.bob, ostiary.Admin)
	id, _ := w.newToken(w.bob, authority.NewToken{Privilege: ostiary.Admin, Default: ostiary.Pending, Description: "Dashboards"})
	list, token := w.bob.tokens("").in("Dashboards"), w.bob.token(id, "")
	lowered := ostiary.ReadOnly
	_, _, err := w.authority.SetToken(ctx, w.alice.on(w.account), id, authority.TokenPatch{Privilege: &lowered})
	w.ok(err)
	has := func(privilege ostiary.Role, state ostiary.DefaultAppState, description string) {
		t.Helper()
		got, err := w.authority.Token(ctx, w.alice.on(w.account), id)
		w.ok(err)
		if got.Privilege != privilege || got.Default != state || got.Description != description {
			t.Errorf("the token has %s, %s and %q, want %s, %s and %q",
				got.Privilege, got.Default, got.Description, privilege, state, description)
		}
	}
	list.press("Save", "Default App State", "Deny").at("/tokens?").says("Revision")
	has(ostiary.ReadOnly, ostiary.Deny, "Dashboards")
	token.press("Save", "Description", "Graphs").is("Graphs", http.StatusOK)
	has(ostiary.ReadOnly, ostiary.Deny, "Graphs")

	// What was touched on both sides is not saved: to Bob, Normal was less than the token had.
	anew := list.press("Save", "Privileges", "Normal").is("Graphs", http.StatusConflict)
	anew.says("Somebody has changed the privilege meanwhile. Nothing was saved")
	has(ostiary.ReadOnly, ostiary.Deny, "Graphs")
	token.press("Save", "Description", "Walls").is("Graphs", http.StatusConflict).says("changed the description meanwhile")
	token.press("Save", "Default App State", "Allow").is("Graphs", http.StatusConflict).says("changed the default app state")
	token.press("Save", "Privileges", "Read-Only", "Default App State", "Deny", "Description", "Graphs").
		is("Graphs", http.StatusOK).silent("meanwhile")
	anew.press("Save", "Privileges", "Normal").is("Graphs", http.StatusOK)
	has(ostiary.Normal, ostiary.Deny, "Graphs")
}

func TestTokenPageSaysAllThereIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, secret := w.newToken(w.alice, authority.NewToken{
		Kind: ostiary.AccountToken, Privilege: ostiary.Admin, Default: ostiary.Allow, Description: "Terraform",
		ExpiresOn: noon.Add(48 * time.Hour),
	})
	w.turnUp(id, 129, "runner-")
	w.demand(secret, "first", ostiary.ReadOnly, ostiary.OK)
	maker := authority.Caller{Token: id, Account: w.account}
	made, _, err := w.authority.CreateToken(ctx, maker, authority.NewToken{
		Kind: ostiary.AccountToken, Privilege: ostiary.ReadOnly, Description: "Probe",
	})
	w.ok(err)
	page := w.alice.token(id, "").is("Terraform", http.StatusOK).says("Account token", "Can do now Admin", "the account Social Networks",
		"Made", "by Alice", "Expires", "1 request in the last 7 days", "203.0.113.5", "1 to 100 of 130",
		"One live token was made with it", "Probe", "America/New_York").has("What happened to it", "Why?", "Retire").lacks("Promote")
	page.follow("After").says("101 to 130 of 130", "runner-99").follow("Before").says("1 to 100 of 130")
	w.alice.token(id, "?from=100000").says("130 to 130 of 130")
	w.alice.token(made.ID, "").says("It was made with Terraform", "It was never used", "No application has shown it yet")
	w.clock.pass(50 * time.Hour)
	w.alice.again().token(id, "").says("can do nothing any more: it expired", "Expired")
}

func TestNameIsDecidedBeforeItTurnsUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, secret := w.newToken(w.bob, authority.NewToken{Privilege: ostiary.Normal, Default: ostiary.Deny, Description: "Dashboards"})
	page := w.bob.token(id, "")
	const label = "Decide about a name before it turns up"
	page.press("Allow this name", label, "backup-agent").is("Dashboards", http.StatusOK).says("backup-agent", "has not turned up yet")
	w.demand(secret, "backup-agent", ostiary.Normal, ostiary.OK)
	page.press("Deny this name", label, "spy").says("spy")
	w.demand(secret, "spy", ostiary.Normal, ostiary.DeniedApp)
	page.press("Allow this name", label, "a,b").is("Dashboards", http.StatusBadRequest).says("without a comma")
	page.press("Allow this name", label, secret.Reveal()).is("Dashboards", http.StatusBadRequest).says("holds a token")
}

func TestDenyingSaysWhatStops(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, secret := w.newToken(w.bob, authority.NewToken{Privilege: ostiary.Normal, Default: ostiary.Allow, Description: "Dashboards"})
	d := w.ask(secret, "grafana", ostiary.Normal)
	w.clock.pass(time.Minute)
	ask := w.bob.tokens("").in("grafana by the default").follow("Deny")
	ask.is("Deny grafana?", http.StatusOK).says("It stops at once", "1 minute ago from 203.0.113.5", "GET /v2/x", "can be allowed again")
	ask.press("Deny it").at("/tokens?").says("denied grafana the use of Dashboards", "Revision")
	w.demand(secret, "grafana", ostiary.Normal, ostiary.DeniedApp)
	app := "/tokens/" + id.String() + "/apps/" + d.App.String()
	w.bob.open(app).is("grafana", http.StatusOK).press("Allow it").says("allowed grafana")
	w.demand(secret, "grafana", ostiary.Normal, ostiary.OK)
	w.bob.open(app).press("Forget it").says("forgot the application grafana")
	w.bob.open(app).is("There is nothing here", http.StatusNotFound)
	w.demand(secret, "grafana", ostiary.Normal, ostiary.OK) // the default answers
	w.carol.open(app).is("There is nothing here", http.StatusNotFound)
}

func TestForgettingSaysWhatItChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, secret := w.newToken(w.bob, authority.NewToken{Privilege: ostiary.Normal, Default: ostiary.Pending, Description: "Dashboards"})
	decide := func(name string, state ostiary.AppState) {
		t.Helper()
		_, _, err := w.authority.DecideName(ctx, w.bob.on(w.account), id, name, state)
		w.ok(err)
	}
	decide("grafana", ostiary.Allowed)
	w.demand(secret, "grafana", ostiary.Normal, ostiary.OK)
	w.bob.tokens("").in("grafana by Bob").lacks("Allow").follow("Forget").is("Forget grafana?", http.StatusOK).
		says("default app state of the token, Pending, answers it: it is told to wait with 401, and stops until somebody allows it again.")
	w.demand(secret, "grafana", ostiary.Normal, ostiary.OK)
	w.bob.token(id, "").in("grafana by Bob").follow("Deny").follow("Forget it").is("Forget grafana?", http.StatusOK).
		press("Forget it").at("/tokens/" + id.String()).says("forgot the application grafana")
	w.demand(secret, "grafana", ostiary.Normal, ostiary.PendingApp)

	decide("spy", ostiary.Denied)
	w.bob.tokens("").in("spy by Bob").press("Forget").at("/tokens?").says("forgot the application spy") // it stays out
	decide("spy", ostiary.Denied)
	w.bob.token(id, "").press("Save", "Default App State", "Allow")
	w.bob.tokens("").in("spy by Bob").follow("Forget").is("Forget spy?", http.StatusOK).
		says("default app state of the token, Allow, answers it: it is let in.").press("Forget it").says("forgot the application spy")
	w.demand(secret, "spy", ostiary.Normal, ostiary.OK)
}

func TestRetiringSaysWhatStopsAndTakesAlongWhatWasMade(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, secret := w.newToken(w.alice, authority.NewToken{
		Kind: ostiary.AccountToken, Privilege: ostiary.Admin, Default: ostiary.Pending, Description: "Terraform",
	})
	w.alice.token(id, "/retire").is("Retire Terraform?", http.StatusOK).says("It was never used. Nothing stops.")
	_, _, err := w.authority.DecideName(ctx, w.alice.on(w.account), id, "ci", ostiary.Allowed)
	w.ok(err)
	for range 3 {
		w.demand(secret, "ci", ostiary.ReadOnly, ostiary.OK)
	}
	w.ask(secret, "stranger", ostiary.ReadOnly)
	maker := authority.Caller{Token: id, Account: w.account}
	made := map[string]authority.Made{}
	for _, name := range []string{"Probe west", "Probe east"} {
		made[name], _, err = w.authority.CreateToken(ctx, maker, authority.NewToken{
			Kind: ostiary.AccountToken, Privilege: ostiary.ReadOnly, Default: ostiary.Allow, Description: name,
		})
		w.ok(err)
	}
	w.clock.pass(2 * time.Minute)
	ask := w.alice.token(id, "/retire").says("4 requests came in the last 7 days", "1 application stops at once", "never works again",
		"ci last used 2 minutes ago · 3 requests · the last from 203.0.113.5", "2 live tokens were made with it").silent("stranger")
	ask.press("Retire it", "Probe west", "").at("/tokens?").says("retired Terraform", "retired Probe west", "Revision")
	w.demand(secret, "ci", ostiary.ReadOnly, ostiary.BadToken)
	w.demand(made["Probe west"].Secret, "probe", ostiary.ReadOnly, ostiary.BadToken)
	w.demand(made["Probe east"].Secret, "probe", ostiary.ReadOnly, ostiary.OK)
	ask.press("Retire it").is("This cannot be done now", http.StatusConflict)
}

func TestPromotingSaysWhatItIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.setRole(w.bob, ostiary.Admin)
	id, secret := w.newToken(w.bob, authority.NewToken{Privilege: ostiary.Admin, Default: ostiary.Allow, Description: "Dashboards"})
	gone, _ := w.newToken(w.bob, authority.NewToken{Privilege: ostiary.Normal, Default: ostiary.Allow, Description: "Pager"})
	w.setRole(w.bob, ostiary.Normal)
	w.ask(secret, "grafana", ostiary.ReadOnly)
	w.bob.token(id, "/promote").is("You may not do this", http.StatusForbidden)
	w.bob.post("/tokens/"+id.String()+"/promote").is("You may not do this", http.StatusForbidden)
	ask := w.alice.tokens("").follow("Promote Dashboards").is("Promote Dashboards?", http.StatusOK)
	ask.says("This cannot be undone", "Its privilege will be Normal", "limited by Bob’s role", "grafana", "Bob may know the secret")
	ask.press("Promote it").at("/tokens?").says("promoted Bob’s token Dashboards to an account token", "Revision").in("Account API Tokens").says("Dashboards")
	w.demand(secret, "grafana", ostiary.Normal, ostiary.OK)
	w.alice.token(id, "").says("Promoted", "It was Bob’s, who may know the secret").lacks("Promote")
	w.alice.token(id, "/promote").is("This cannot be done now", http.StatusConflict)

	_, _, err := w.authority.DisableUser(ctx, operator, w.bob.id, true)
	w.ok(err)
	ask = w.alice.token(gone, "/promote").says("Bob can do nothing on this account now").silent("Its privilege will be")
	ask.press("Promote it", "Privileges", "Choose").is("Something is not right in the form", http.StatusBadRequest)
	w.alice.post("/tokens/"+gone.String()+"/promote", "privilege", "Admin").is("You may not do this", http.StatusForbidden)
	ask.press("Promote it", "Privileges", "Read-Only").says("promoted Bob’s token Pager", "Read-Only")
}

func TestLinkOfAColleagueOpensTheTokensAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, _ := w.newToken(w.bob, authority.NewToken{Privilege: ostiary.Normal, Description: "Dashboards"})
	w.alice.open("/tokens?account=" + w.press.String()).silent("Dashboards")
	page := w.alice.token(id, "").is("Dashboards", http.StatusOK).says("America/New_York")
	page.press("Save", "Description", "Graphs").is("Graphs", http.StatusOK).says("Revision")
}
