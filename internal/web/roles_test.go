package web_test

import (
	"testing"

	"ostiary"
	"ostiary/internal/authority"
)

func TestChangeOfRoleSaysWhatItDoesToTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	deploys := w.letIn(w.bob, "Deploys", "ship")
	w.newToken(w.bob, authority.NewToken{Privilege: ostiary.ReadOnly, Description: "Reads"})
	w.demand(deploys, "ship", ostiary.Normal, ostiary.OK)

	page := w.alice.open("/team").follow("Change role of Bob").is("Change Bob’s role", 200).
		says("bob@example.com is Normal", "Normal (now)").lacks("Make Bob Read-Only")
	page = page.press("See what it does", "Read-Only", "").at("/team/2/role?").
		says("It can use Normal now, and then Read-Only", "ship, 1 request", "1 other token goes on as now")
	w.demand(deploys, "ship", ostiary.Normal, ostiary.OK)
	page.press("Make Bob Read-Only").at("/team?").says("Revision").in("bob@example.com").says("Read-Only")
	w.demand(deploys, "ship", ostiary.Normal, ostiary.LowRole)
	w.demand(deploys, "ship", ostiary.ReadOnly, ostiary.OK)

	w.alice.open("/team/2/role").press("See what it does", "Normal", "").
		says("It can use Read-Only now, and then Normal").press("Make Bob Normal")
	w.demand(deploys, "ship", ostiary.Normal, ostiary.OK)
	w.alice.open("/team/2/role").press("See what it does", "Normal", "").
		says("has this role already").lacks("Make Bob Normal")
}

func TestRoleOfAMemberWithoutTokensIsChangedInOneStep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.alice.open("/team").follow("Change role of Carol").lacks("See what it does").
		press("Change role", "Normal", "").at("/team?").in("carol@example.com").says("Normal")
	w.alice.open("/team/3/role").press("Change role").at("/team").silent("Revision") // it was Normal
	w.alice.post("/team/3/role").says("Choose a role")
}

func TestAdminWhoLowersOneselfLooksOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.alice.post("/team/2/role", "role", "Admin")
	w.newToken(w.alice, authority.NewToken{Privilege: ostiary.Admin, Description: "Everything"})
	w.alice.open("/team/1/role?role=Normal").is("Change your role", 200).says("another admin has to").
		press("Become Normal").is("Team", 200).says("Your role is Normal").lacks("Invite")
}
