package web_test

import (
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/authority"
)

// letIn makes a token that lets every application in. Those that are named are on record from the beginning:
// on a busy machine memory answers before the record of a new one stands.
func (w *world) letIn(p *person, description string, apps ...string) ostiary.SecretText {
	w.Helper()
	id, secret := w.newToken(p, authority.NewToken{
		Privilege: ostiary.Normal, Default: ostiary.Allow, Description: description,
	})
	for _, app := range apps {
		_, _, err := w.authority.DecideName(ctx, p.on(w.account), id, app, ostiary.Allowed)
		w.ok(err)
	}
	return secret
}

// leavers gives Bob two tokens: one in use, and one that was used long ago.
func leavers(w *world) (used, old ostiary.SecretText) {
	used, old = w.letIn(w.bob, "Used", "ship"), w.letIn(w.bob, "Old", "relic")
	w.demand(old, "relic", ostiary.ReadOnly, ostiary.OK)
	w.clock.pass(8 * 24 * time.Hour)
	w.demand(used, "ship", ostiary.ReadOnly, ostiary.OK)
	return used, old
}

func TestLeaversTokenThatIsUsedHasToBeChosen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	used, old := leavers(w)
	page := w.alice.open("/team").follow("Remove Bob").is("Remove Bob?", 200).
		says("2 user tokens stop at once and for good, unless you promote some").
		says("ship, 1 request, just now", "relic, 1 request")
	if got := page.in("Used").root.values(); len(got) != 0 {
		t.Errorf("a token in use is chosen to be %v before a person chose", got)
	}
	page = page.press("Remove Bob").is("Remove Bob?", 400).says("choose for each token")
	page.in("Used").says("It was used in the last 7 days")
	w.demand(used, "ship", ostiary.ReadOnly, ostiary.OK)

	form := page.in("Remove Bob")
	form.in("Used").says("It goes on working with Normal", "Bob may still know the secret")
	values := form.root.values()
	for _, field := range form.in("Used").root.all(isField) {
		values.Set(field.attr["name"], "promote")
	}
	w.alice.sendForm(form.root.attr["action"], values).at("/team?").says("Revision").silent("bob@example.com")
	w.demand(used, "ship", ostiary.ReadOnly, ostiary.OK)
	w.demand(old, "relic", ostiary.ReadOnly, ostiary.BadToken)
}

func TestRemovalDoesWhatWasShownAndNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	page := w.alice.open("/team/2/remove").says("no user tokens here, so nothing stops")
	secret := w.letIn(w.bob, "Meanwhile")
	page = page.press("Remove Bob").is("Remove Bob?", 409).
		says("Nothing was changed. What would stop is not what was shown", "Meanwhile")
	_, _, err := w.authority.DecideName(ctx, w.bob.on(w.account), 1, "ship", ostiary.Allowed)
	w.ok(err)
	page.press("Remove Bob", "Let it go", "").is("Remove Bob?", 409).says("ship")
	w.alice.open("/team/2/remove").press("Remove Bob", "Let it go", "").at("/team?")
	w.demand(secret, "ship", ostiary.ReadOnly, ostiary.BadToken)
}

func TestPromotedTokenOfADisabledLeaverNeedsAPrivilege(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret := w.letIn(w.bob, "Ships", "ship")
	_, _, err := w.authority.DisableUser(ctx, operator, w.bob.id, true)
	w.ok(err)
	page := w.alice.open("/team/2/remove").says("It can do nothing now. Choose below")
	page = page.press("Remove Bob", "Promote to the account", "").is("Remove Bob?", 400).
		says("Choose its privilege")
	page.press("Remove Bob", "Privilege as an account token", "Read-Only").at("/team?")
	w.demand(secret, "ship", ostiary.ReadOnly, ostiary.OK)
	w.demand(secret, "ship", ostiary.Normal, ostiary.LowRole)
}

func TestLeaversListNamesAccountTokensThatTheLeaverWasShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.alice.post("/team/2/role", "role", "Admin")
	account := authority.NewToken{Kind: ostiary.AccountToken, Privilege: ostiary.Normal, Description: "Infrastructure"}
	w.newToken(w.bob, account)
	account.Description = "Unseen"
	w.newToken(w.alice, account)
	w.alice.open("/team/2/remove").silent("Unseen").in("Secrets that are known").says("shown to Bob").
		follow("Infrastructure").says("Infrastructure")
}

func TestAdminLeavesByOneself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.alice.post("/team/2/role", "role", "Admin")
	w.alice.open("/team").follow("Leave").is("Leave Social Networks?", 200).press("Leave").
		is("You have left Social Networks", 200).says("Revision").
		follow("Go on with The Press").is("API Tokens", 200)
	w.alice.open("/team").says("The Press")
	w.bob.open("/team").silent("alice@example.com")

	w.alice.post("/team/1/role", "role", "Admin")
	erin := w.stranger()
	erin.open(w.bob.invites("erin@example.com", "Admin")).
		press("Join", "First name", "Erin", "Password", password)
	erin.open("/team").follow("Leave").press("Leave").lacks("API Tokens").follow("Profile").
		is("Profile", 200).says("You are on no account now")
	erin.open("/tokens").at("/profile")
}

func TestAdminsWhoRemoveEachOtherAreNotBothRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.alice.post("/team/2/role", "role", "Admin")
	of, by := w.alice.open("/team/2/remove"), w.bob.open("/team/1/remove")
	of.press("Remove Bob").at("/team?")
	by.press("Remove Alice").is("You are not on this account", 404).
		says("Nothing was changed").silent("Revision")
	w.bob.open("/team").at("/profile").says("You are on no account now")
	w.alice.open("/team").says("alice@example.com").silent("bob@example.com")
}
