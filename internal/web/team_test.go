package web_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/authority"
)

// linkOn is the path of the invitation's link that a page shows.
func linkOn(p *page) string {
	p.w.Helper()
	link := regexp.MustCompile(regexp.QuoteMeta(p.w.URL) + `(/invite/[0-9a-f]{64})`)
	found := link.FindStringSubmatch(p.text())
	if found == nil {
		p.w.Fatalf("%s shows no link:\n%s", p.address, p.text())
	}
	return found[1]
}

// invites asks a person on the Team page, and gives the path of the link.
func (p *person) invites(email, role string) string {
	p.w.Helper()
	return linkOn(p.open("/team").press("Invite", "E-mail", email, "Role", role))
}

func TestTeamIsShownToEveryMember(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret := w.letIn(w.bob, "Deploys")
	w.ask(secret, "deploy", ostiary.ReadOnly)
	w.clock.pass(3 * time.Minute)
	w.newToken(w.bob, authority.NewToken{Privilege: ostiary.Normal})
	team := w.alice.open("/team").is("Team", 200).says("Alice (you) Admin", "Times are in America/New_York").
		has("Change role of Bob", "Remove Carol", "Invite")
	team.in("bob@example.com").says("Bob Normal", "2 tokens, last used 3 minutes ago")
	for _, p := range []*person{w.bob, w.carol} {
		p.open("/team").is("Team", 200).
			says("bob@example.com", "Admins invite people, change roles and remove members").
			lacks("Change role of Bob", "Remove Carol", "Invite", "Leave")
	}
	w.carol.open("/team").says("Your role is Read-Only").in("bob@example.com").silent("token")
}

func TestPagesOfTheTeamAreRefusedToOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, p := range []*person{w.bob, w.carol} {
		for _, path := range []string{"/team/1/role", "/team/3/role?role=Admin", "/team/1/remove"} {
			p.open(path).is("You may not do this", 403)
		}
		p.post("/team/invite", "email", "erin@example.com", "role", "Admin").is("You may not do this", 403)
		p.post("/team/3/role", "role", "Admin").is("You may not do this", 403)
		p.post("/team/1/remove").is("You may not do this", 403)
		p.post("/team/invitations/1/withdraw").is("You may not do this", 403)
		p.open("/team").silent("erin@example.com").in("carol@example.com").says("Read-Only")
	}
	w.alice.open("/team/99/role").is("There is nothing here", 404)
	w.alice.open("/team/x/remove").is("There is nothing here", 404)
}

func TestLinkOfAnInvitationIsShownOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	form := w.alice.open("/team")
	made := form.press("Invite", "E-mail", "erin@example.com", "Role", "Normal").
		is("A link for erin@example.com", 200).says("no mail is sent", "lasts 72 hours", "works once", "A new one ends it").has("Copy")
	link := linkOn(made)
	form.press("Invite", "E-mail", "erin@example.com", "Role", "Normal"). // a reload of the answer
										is("This link was made already", 200).silent(link)
	wrong := w.alice.open("/team").press("Invite", "E-mail", "erin@example.com", "Role", "Normal").
		says("This person is invited already, with this role").silent(link)
	if wrong.status != 409 {
		t.Errorf("to invite twice is answered with %d, want 409", wrong.status)
	}
	wrong.in("Invitations").
		says("erin@example.com Normal", "invited by Alice", "the link lasts until 7 March 2026 12:00")
	for _, e := range w.events.since(0) {
		if strings.Contains(e.Path, strings.TrimPrefix(link, "/invite/")) {
			t.Errorf("the log holds the link: %s", e.Path)
		}
	}
}

func TestOldPageOfTheTeamMakesNoSecondLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	team := w.alice.open("/team")
	w.clock.pass(11 * time.Hour)
	link := linkOn(team.press("Invite", "E-mail", "erin@example.com", "Role", "Normal"))
	waits := w.alice.open("/team")
	w.clock.pass(11 * time.Hour)
	w.alice.open("/team")
	w.clock.pass(11 * time.Hour)
	if page := team.press("Invite", "E-mail", "frank@example.com", "Role", "Normal").says("This form is old"); page.status != 409 {
		t.Errorf("it is answered with %d, want 409", page.status)
	}
	waits.press("New link for erin@example.com").is("This cannot be done now", 409).says("This form is old")
	w.stranger().open(link).is("Join Social Networks", 200)
	w.alice.open("/team").silent("frank@example.com")
}

func TestNewLinkEndsTheOldOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	erin := w.stranger()
	old := w.alice.invites("erin@example.com", "Normal")
	w.clock.pass(73 * time.Hour)
	erin.open(old).is("This link does not work any more", 404).says("older than 72 hours")
	w.alice.signIn() // the session of three days ago has ended
	team := w.alice.open("/team").says("the link is too old")
	again := team.press("New link for erin@example.com").says("The link before it has ended")
	link := linkOn(again)
	erin.open(link).is("Join Social Networks", 200)
	team.press("New link for erin@example.com").is("This link was made already", 200)
	erin.open(link).is("Join Social Networks", 200)
	newest := linkOn(w.alice.open("/team").press("New link for erin@example.com"))
	erin.open(link).is("This link does not work any more", 404)
	w.alice.open("/team").press("Withdraw the invitation of erin@example.com").at("/team?done=").
		lacks("New link for erin@example.com")
	erin.open(newest).is("This link does not work any more", 404).says("ask whoever invited you")
}

func TestInvitationSaysWhatIsWrongWithIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for email, want := range map[string]string{
		"nobody":          "This is not an e-mail address",
		"bob@example.com": "The person is a member already",
		"BOB@example.com": "The person is a member already",
	} {
		p := w.alice.open("/team").press("Invite", "E-mail", email, "Role", "Normal").is("Team", 400).says(want)
		if got := p.root.labelled("E-mail").attr["value"]; got != email {
			t.Errorf("the form that is drawn again holds %q, want %q", got, email)
		}
		if got, _ := p.root.labelled("Role").chosen(); got != "Normal" {
			t.Errorf("the form that is drawn again has the role %q, want Normal", got)
		}
	}
	if got, _ := w.alice.open("/team").root.labelled("Role").chosen(); got != "Read-Only" {
		t.Errorf("the role of an invitation is %q at first, want the lowest", got)
	}
}

func TestTeamSaysWhoIssuedAMembersFirstLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	erin := w.stranger()
	erin.open(w.alice.invites("erin@example.com", "Normal")).
		press("Join", "First name", "Erin", "Password", password).at("/tokens")
	w.carol.open("/team").in("erin@example.com").says("first link issued by Alice")
}

func TestLastAdminIsProtectedWithASentence(t *testing.T) {
	t.Parallel()
	const why = "An account always keeps at least one admin. Make somebody else an admin first."
	w := newWorld(t)
	w.alice.open("/team").in("alice@example.com").says(why).lacks("Change role of Alice", "Leave")
	w.alice.open("/team/1/role").says(why).lacks("Change role")
	w.alice.open("/team/1/remove").says(why).lacks("Leave")
	w.alice.post("/team/1/role", "role", "Normal").says(why)
	w.alice.post("/team/1/remove").says(why)
	w.alice.open("/team").in("alice@example.com").says("Admin")

	w.alice.open("/team").follow("Change role of Bob").press("Change role", "Admin", "")
	w.alice.open("/team").has("Change role of Alice", "Leave", "Remove Bob").silent(why)
}

func TestAdminChangesTheAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	form := []string{"Name", "Crowds", "Time zone", "Europe/Berlin", "Description", "All that is social"}
	w.alice.open("/team").press("Save the account", form...).is("Team", 200).
		says("You changed the account’s", "name to Crowds", "time zone to Europe/Berlin", "Times are in Europe/Berlin")
	w.bob.open("/team").says("Crowds").lacks("Save the account")
	w.alice.open("/team").press("Save the account").is("Team", 200).silent("You changed")
	w.alice.open("/team").press("Save the account", "Time zone", "Mars/Olympus").is("Team", 400).
		says("The time zone is not in the list of IANA").silent("Mars")
	w.bob.post("/team/account", "name", "Bob’s", "timezone", "UTC").is("You may not do this", 403)
	w.alice.open("/team").says("Crowds").silent("Bob’s")
}
