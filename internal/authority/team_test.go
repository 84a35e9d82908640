package authority_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"ostiary"
	"ostiary/internal/authority"
)

func (w *world) team(t *testing.T, user ostiary.ID) authority.Team {
	t.Helper()
	team, err := w.Team(context.Background(), w.as(user))
	if err != nil {
		t.Fatal(err)
	}
	return team
}

func TestAdminWhoCannotSignInIsNotCounted(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	if _, err := w.SetRole(ctx, w.as(w.alice), w.bob, ostiary.Admin); err != nil {
		t.Fatal(err)
	}
	kept := func() string {
		t.Helper()
		return fmt.Sprint(w.team(t, w.alice).People[0].Kept)
	}
	if got := kept(); got != "<nil>" {
		t.Errorf("beside another admin Alice is kept: %s", got)
	}
	if _, _, err := w.DisableUser(ctx, operator, w.bob, true); err != nil {
		t.Fatal(err)
	}
	_, err := w.SetRole(ctx, w.as(w.alice), w.alice, ostiary.Normal)
	if reason(err) != ostiary.Conflict || kept() != err.Error() {
		t.Errorf("beside one who is disabled Alice is kept: %s; lowering her is told %v", kept(), err)
	}
}

func TestTeamShowsPeopleToAllAndTheRestToAdmins(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	token := w.newToken(t, w.as(w.bob), ostiary.UserToken, ostiary.Normal, ostiary.Allow)
	w.ask(token.Secret, "cron", ostiary.ReadOnly)
	if _, _, _, err := w.Invite(ctx, w.as(w.alice), authority.Invitee{Email: "erin@example.com", Role: ostiary.Normal}); err != nil {
		t.Fatal(err)
	}
	for user, wantTokens := range map[ostiary.ID]int{w.alice: 1, w.bob: 1, w.carol: 0} {
		team := w.team(t, user)
		bob := team.People[1]
		if len(team.People) != 3 || bob.Name != "bob@example.com" || bob.Tokens != wantTokens {
			t.Errorf("user %d sees %+v", user, team.People)
		}
		if bob.LastUsed.IsZero() != (wantTokens == 0) {
			t.Errorf("user %d sees when Bob's tokens were used: %v", user, bob.LastUsed)
		}
		if admin := user == w.alice; team.Administers != admin || (len(team.Invitations) == 1) != admin {
			t.Errorf("user %d administers: %v, sees %d invitations", user, team.Administers, len(team.Invitations))
		}
	}
}

func TestRoleEffectSaysWhatTheChangeThenDoes(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	token := w.newToken(t, w.as(w.bob), ostiary.UserToken, ostiary.Normal, ostiary.Allow)
	effect, err := w.RoleEffect(ctx, w.as(w.alice), w.bob, ostiary.ReadOnly)
	if err != nil || len(effect.Tokens) != 1 || effect.Refused != nil {
		t.Fatalf("%+v: %v", effect, err)
	}
	if e := effect.Tokens[0]; e.ID != token.ID || e.Now != ostiary.Normal || e.Then != ostiary.ReadOnly {
		t.Errorf("token %d: %s becomes %s", e.ID, e.Now, e.Then)
	}
	if got := w.ask(token.Secret, "cron", ostiary.Normal); !got.OK() {
		t.Errorf("asking what a change would do does it: %s", got.Reason)
	}
	rev, err := w.SetRole(ctx, w.as(w.alice), w.bob, ostiary.ReadOnly)
	if err != nil || rev == 0 {
		t.Fatal(rev, err)
	}
	if got := w.ask(token.Secret, "cron", ostiary.Normal); got.Reason != ostiary.LowRole {
		t.Errorf("after the change: %s", got.Reason)
	}
	if rev, err := w.SetRole(ctx, w.as(w.alice), w.bob, ostiary.ReadOnly); rev != 0 || err != nil {
		t.Errorf("the role that stands: revision %d, %v", rev, err)
	}
	if effect, _ := w.RoleEffect(ctx, w.as(w.alice), w.alice, ostiary.Normal); reason(effect.Refused) != ostiary.Conflict {
		t.Errorf("the last admin: %v", effect.Refused)
	}
	for want, do := range map[ostiary.Reason]func() error{
		ostiary.Conflict: func() error { _, err := w.SetRole(ctx, w.as(w.alice), w.alice, ostiary.Normal); return err },
		ostiary.BadValue: func() error { _, err := w.SetRole(ctx, w.as(w.alice), w.bob, ostiary.NoRole); return err },
		ostiary.LowRole:  func() error { _, err := w.SetRole(ctx, w.as(w.bob), w.bob, ostiary.Admin); return err },
		ostiary.Hidden:   func() error { _, err := w.SetRole(ctx, w.as(w.alice), 99, ostiary.Normal); return err },
	} {
		if err := do(); reason(err) != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestRemovingAMemberTakesExactlyWhatWasConfirmed(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	c := operator
	c.Account = w.account
	if _, err := w.SetRole(ctx, c, w.bob, ostiary.Admin); err != nil {
		t.Fatal(err)
	}
	knows := w.newToken(t, w.as(w.bob), ostiary.AccountToken, ostiary.Normal, ostiary.Allow)
	kept := w.newToken(t, w.as(w.bob), ostiary.UserToken, ostiary.Normal, ostiary.Allow)
	lost := w.newToken(t, w.as(w.bob), ostiary.UserToken, ostiary.Normal, ostiary.Allow)
	alices := w.newToken(t, w.as(w.alice), ostiary.UserToken, ostiary.Normal, ostiary.Allow)
	list, err := w.Leave(ctx, w.as(w.alice), w.bob)
	if err != nil || len(list.Tokens) != 2 || len(list.Knows) != 1 || list.Knows[0].ID != knows.ID || list.Refused != nil {
		t.Fatalf("%+v: %v", list, err)
	}
	remove := func(promote map[ostiary.ID]ostiary.Role, confirm string) (uint64, uint64, error) {
		return w.RemoveMember(ctx, w.as(w.alice), w.bob, promote, confirm)
	}
	w.ask(kept.Secret, "turned up", ostiary.ReadOnly)
	before := w.dir.Revision()
	for _, confirm := range []string{"", list.Confirm} {
		if _, _, err := remove(nil, confirm); reason(err) != ostiary.Conflict {
			t.Errorf("confirmed by %q although an application turned up: %v", confirm, err)
		}
	}
	if list, err = w.Leave(ctx, w.as(w.alice), w.bob); err != nil {
		t.Fatal(err)
	}
	if _, _, err := remove(map[ostiary.ID]ostiary.Role{kept.ID: 0, alices.ID: 0}, list.Confirm); reason(err) != ostiary.BadValue {
		t.Errorf("with a token of somebody else: %v", err)
	}
	if w.dir.Revision() != before {
		t.Fatal("a removal that was refused changed something")
	}
	first, last, err := remove(map[ostiary.ID]ostiary.Role{kept.ID: ostiary.ReadOnly}, list.Confirm)
	if err != nil || first != before+1 || last != before+3 {
		t.Fatalf("entries %d to %d after %d: %v", first, last, before, err)
	}
	if got := w.ask(kept.Secret, "turned up", ostiary.ReadOnly); !got.OK() || got.Role != ostiary.ReadOnly {
		t.Errorf("the promoted token: %s as %s", got.Reason, got.Role)
	}
	if got := w.ask(lost.Secret, "cron", ostiary.ReadOnly); got.Reason != ostiary.BadToken {
		t.Errorf("the other token: %s", got.Reason)
	}
	if _, err := w.Overview(ctx, w.as(w.bob), everything("")); reason(err) != ostiary.Hidden {
		t.Errorf("the member who was removed looks: %v", err)
	}
	if list, err := w.Leave(ctx, w.as(w.alice), w.alice); err != nil || reason(list.Refused) != ostiary.Conflict {
		t.Errorf("the last admin leaves: %v, %v", list.Refused, err)
	}
}

func TestOfTwoAdminsWhoRemoveEachOtherOneIsToldWhyNot(t *testing.T) {
	for range 10 {
		w := newWorld(t)
		ctx := context.Background()
		c := operator
		c.Account = w.account
		if _, err := w.SetRole(ctx, c, w.bob, ostiary.Admin); err != nil {
			t.Fatal(err)
		}
		lists := [2]authority.Leave{}
		people := [2]ostiary.ID{w.alice, w.bob}
		for i := range people {
			var err error
			if lists[i], err = w.Leave(ctx, w.as(people[i]), people[1-i]); err != nil {
				t.Fatal(err)
			}
		}
		var errs [2]error
		var both sync.WaitGroup
		begin := make(chan struct{})
		for i := range people {
			both.Go(func() {
				<-begin
				_, _, errs[i] = w.RemoveMember(ctx, w.as(people[i]), people[1-i], nil, lists[i].Confirm)
			})
		}
		close(begin)
		both.Wait()
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Fatalf("the two are told %v and %v", errs[0], errs[1])
		}
		refused := errs[0]
		if refused == nil {
			refused = errs[1]
		}
		if reason(refused) != ostiary.LowRole || !strings.Contains(refused.Error(), "no role on the account, or none any more") {
			t.Errorf("the one who came second is told %v", refused)
		}
		c.Account = w.account
		team, err := w.Team(ctx, c)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(slices.DeleteFunc(team.People, func(p authority.Person) bool { return !p.Role.IsAdmin() })); n != 1 {
			t.Fatalf("the account has %d admins, want 1", n)
		}
	}
}

func TestInvitationIsShownByItsLinkAndLeavesWhoIssuedIt(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	asked := authority.Invitee{Email: "erin@example.com", Role: ostiary.Normal}
	i, link, rev, err := w.Invite(ctx, w.as(w.alice), asked)
	if err != nil || i.Email != asked.Email || rev != w.dir.Revision() {
		t.Fatalf("%+v at %d: %v", i, rev, err)
	}
	for want, do := range map[ostiary.Reason]authority.Invitee{
		ostiary.Conflict: asked, ostiary.BadValue: {Email: "bob@example.com", Role: ostiary.Normal},
	} {
		if _, _, _, err := w.Invite(ctx, w.as(w.alice), do); reason(err) != want {
			t.Errorf("inviting %s: %v", do.Email, err)
		}
	}
	if _, _, _, err := w.Invite(ctx, w.as(w.bob), asked); reason(err) != ostiary.LowRole {
		t.Errorf("Bob invites: %v", err)
	}
	said, err := w.Invited(ctx, link)
	if err != nil || said.Account.ID != w.account || said.InvitedByName != "alice@example.com" || said.HasLogin {
		t.Errorf("the link says %+v: %v", said, err)
	}
	c := operator
	c.Account = w.account
	_, newer, rev, err := w.NewLink(ctx, c, asked.Email)
	if err != nil || rev != w.dir.Revision() {
		t.Fatal(rev, err)
	}
	if _, err := w.Invited(ctx, link); reason(err) != ostiary.Hidden {
		t.Errorf("the link that was replaced: %v", err)
	}
	erin, rev, err := w.Join(ctx, authority.Caller{Operator: "login"}, newer, "Erin", "Jones", "a hash")
	if err != nil {
		t.Fatal(err)
	}
	team := w.team(t, w.alice)
	at := slices.IndexFunc(team.People, func(p authority.Person) bool { return p.User.ID == erin.ID })
	if p := team.People[at]; p.InvitedBy != "operator:root" || p.InvitedByName != "the operator root" || p.Name != "Erin Jones" {
		t.Errorf("Erin was invited by %q (%q)", p.InvitedBy, p.InvitedByName)
	}
	page, err := w.LogPage(ctx, w.as(w.alice), ostiary.LogFilter{After: rev - 1})
	if err != nil || page.Changes[0].Story.Details["invited_by"] != "operator:root" {
		t.Errorf("the log says %+v: %v", page.Changes, err)
	}
	i, link, _, err = w.Invite(ctx, w.as(w.alice), authority.Invitee{Email: "frank@example.com", Role: ostiary.Normal})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, err = w.DropInvitation(ctx, w.as(w.alice), i.ID)
	}
	if _, gone := w.Invited(ctx, link); reason(err) != ostiary.Hidden || reason(gone) != ostiary.Hidden {
		t.Errorf("withdrawn twice: %v; its link: %v", err, gone)
	}
}
