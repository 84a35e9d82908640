package authority_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/authority"
)

func TestStoryOfTheManual(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	made := w.newToken(t, w.as(w.bob), ostiary.UserToken, ostiary.Normal, ostiary.Pending)

	if d := w.ask(made.Secret, "testapp", ostiary.ReadOnly); d.Reason != ostiary.PendingApp || d.App == 0 {
		t.Fatalf("first contact: %s, application %d; want pending and on record", d.Reason, d.App)
	}
	waiting, err := w.Apps(ctx, w.as(w.bob), made.ID)
	if err != nil || len(waiting) != 1 || waiting[0].Name != "testapp" || waiting[0].Answer != ostiary.PendingApp {
		t.Fatalf("what waits: %+v, %v", waiting, err)
	}
	if _, _, err := w.DecideApp(ctx, w.as(w.bob), made.ID, waiting[0].ID, ostiary.Allowed); err != nil {
		t.Fatal(err)
	}
	if d := w.ask(made.Secret, "testapp", ostiary.Normal); !d.OK() || d.Role != ostiary.Normal || d.Email != "bob@example.com" {
		t.Fatalf("after approval: %+v", d)
	}
	if d := w.ask(made.Secret, "testapp", ostiary.Admin); d.Reason != ostiary.LowRole {
		t.Fatalf("more than the owner may: %s", d.Reason)
	}
	if _, _, err := w.DecideApp(ctx, w.as(w.bob), made.ID, waiting[0].ID, ostiary.Denied); err != nil {
		t.Fatal(err)
	}
	if d := w.ask(made.Secret, "testapp", ostiary.ReadOnly); d.Reason != ostiary.DeniedApp {
		t.Fatalf("after denial: %s", d.Reason)
	}
	if _, _, err := w.Retire(ctx, w.as(w.bob), made.ID); err != nil {
		t.Fatal(err)
	}
	if d := w.ask(made.Secret, "testapp", ostiary.ReadOnly); d.Reason != ostiary.BadToken {
		t.Fatalf("after retirement: %s", d.Reason)
	}
	if _, _, err := w.Retire(ctx, w.as(w.bob), made.ID); reason(err) != ostiary.Conflict {
		t.Fatalf("retired twice: %v", err)
	}
}

func TestTwoHundredFirstRequestsMakeOneRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.newToken(t, w.as(w.bob), ostiary.UserToken, ostiary.Normal, ostiary.Pending)
	before := w.dir.Revision()
	var together sync.WaitGroup
	answers := make([]ostiary.Decision, 200)
	for i := range answers {
		together.Go(func() { answers[i] = w.ask(made.Secret, "new one", ostiary.ReadOnly) })
	}
	together.Wait()
	for _, d := range answers {
		if d.Reason != ostiary.PendingApp {
			t.Fatalf("one of the two hundred was told %s", d.Reason)
		}
	}
	if got := w.dir.Revision() - before; got != 1 {
		t.Errorf("%d entries in the log, want 1", got)
	}
	apps, err := w.Apps(context.Background(), w.as(w.bob), made.ID)
	if err != nil || len(apps) != 1 {
		t.Fatalf("%d records, want 1; %v", len(apps), err)
	}
	if apps[0].Use.Count != 200 {
		t.Errorf("%d requests counted, want 200", apps[0].Use.Count)
	}
}

func TestApplicationThatWasLetInStaysInWhenTheDefaultIsTightened(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.newToken(t, w.as(w.bob), ostiary.UserToken, ostiary.Normal, ostiary.Deny)
	ctx := context.Background()
	set := func(d ostiary.DefaultAppState) {
		t.Helper()
		if _, _, err := w.SetToken(ctx, w.as(w.bob), made.ID, authority.TokenPatch{Default: &d}); err != nil {
			t.Fatal(err)
		}
	}
	want := func(app string, r ostiary.Reason) {
		t.Helper()
		if d := w.ask(made.Secret, app, ostiary.ReadOnly); d.Reason != r {
			t.Errorf("%s is told %s, want %s", app, d.Reason, r)
		}
	}
	want("early", ostiary.DeniedApp)
	set(ostiary.Pending)
	want("early", ostiary.PendingApp) // nobody decided, so it follows the default
	set(ostiary.Allow)
	want("early", ostiary.OK)
	want("late", ostiary.OK)
	set(ostiary.Deny)
	want("early", ostiary.OK)
	want("late", ostiary.OK)
	want("later", ostiary.DeniedApp)
}

func TestLoweredOwnerLowersTheTokenAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	made := w.newToken(t, w.as(w.bob), ostiary.UserToken, ostiary.Normal, ostiary.Allow)
	roles := func(bob ostiary.Role) {
		t.Helper()
		_, _, err := w.SetAccount(ctx, w.as(w.alice), authority.AccountPatch{SetMembers: true, Members: []authority.MemberRole{
			{User: w.alice, Role: ostiary.Admin}, {User: w.bob, Role: bob}, {User: w.carol, Role: ostiary.ReadOnly},
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct{ bob, can ostiary.Role }{
		{ostiary.Normal, ostiary.Normal}, {ostiary.ReadOnly, ostiary.ReadOnly}, {ostiary.Normal, ostiary.Normal}, {ostiary.Admin, ostiary.Normal},
	} {
		roles(step.bob)
		if d := w.ask(made.Secret, "x", ostiary.ReadOnly); d.Role != step.can {
			t.Errorf("with Bob %s the token can use %s, want %s", step.bob, d.Role, step.can)
		}
	}
	if _, _, err := w.DisableUser(ctx, operator, w.bob, true); err != nil {
		t.Fatal(err)
	}
	if d := w.ask(made.Secret, "x", ostiary.ReadOnly); d.Reason != ostiary.BadToken {
		t.Errorf("with Bob disabled: %s", d.Reason)
	}
	if _, _, err := w.DisableUser(ctx, operator, w.bob, false); err != nil {
		t.Fatal(err)
	}
	if d := w.ask(made.Secret, "x", ostiary.ReadOnly); !d.OK() {
		t.Errorf("with Bob enabled again: %s", d.Reason)
	}
}

func TestCapOnWaitingApplicationsKeepsTheAnswerAndTellsTheLogOnce(t *testing.T) {
	t.Parallel()
	set := authority.Settings{Caps: ostiary.DefaultCaps()}
	set.Caps.WaitingPerToken, set.Caps.NewAppsPerSecond = 5, 1_000_000
	w := openWorld(t, t.TempDir(), set)
	t.Cleanup(w.close)
	w.people(t)
	ctx := context.Background()
	made := w.newToken(t, w.as(w.bob), ostiary.UserToken, ostiary.Normal, ostiary.Pending)
	if _, _, err := w.DecideName(ctx, w.as(w.bob), made.ID, "known", ostiary.Allowed); err != nil {
		t.Fatal(err)
	}
	before := w.dir.Revision()
	for i := range 200 {
		if d := w.ask(made.Secret, fmt.Sprint("app ", i), ostiary.ReadOnly); d.Reason != ostiary.PendingApp {
			t.Fatalf("application %d is told %s", i, d.Reason)
		}
	}
	if got := w.dir.Revision() - before; got != 6 {
		t.Errorf("%d entries, want 5 records and one that says the cap was met", got)
	}
	if d := w.ask(made.Secret, "known", ostiary.ReadOnly); !d.OK() {
		t.Errorf("an allowed application is told %s", d.Reason)
	}
	// A person decides about a name beforehand outside the cap, and Forget makes room again.
	if _, _, err := w.DecideName(ctx, w.as(w.bob), made.ID, "another", ostiary.Denied); err != nil {
		t.Errorf("deciding beforehand: %v", err)
	}
	apps, err := w.Apps(ctx, w.as(w.bob), made.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, app := range apps[:3] {
		if _, err := w.ForgetApp(ctx, w.as(w.bob), made.ID, app.ID); err != nil {
			t.Fatal(err)
		}
	}
	if w.ask(made.Secret, "after", ostiary.ReadOnly); w.dir.Counts(made.ID).TokenCapMet {
		t.Error("the cap still counts as met after Forget")
	}
	if d := w.ask(made.Secret, "after", ostiary.ReadOnly); d.App == 0 {
		t.Error("nothing is recorded after Forget made room")
	}
}

func TestPaceOfNewApplicationsIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.newToken(t, w.as(w.bob), ostiary.UserToken, ostiary.Normal, ostiary.Allow)
	begun, before := time.Now(), w.dir.Revision()
	for i := range 500 {
		if d := w.ask(made.Secret, fmt.Sprint("app ", i), ostiary.ReadOnly); !d.OK() {
			t.Fatalf("application %d is told %s", i, d.Reason)
		}
	}
	most := 10 + uint64(10*time.Since(begun).Seconds()) + 2
	if got := w.dir.Revision() - before; got > most {
		t.Errorf("%d entries, want at most %d", got, most)
	}
}

func TestRequestCanAskForARevision(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.newToken(t, w.as(w.bob), ostiary.UserToken, ostiary.Normal, ostiary.Allow)
	q := &ostiary.Question{At: time.Now(), AtLeast: w.dir.Revision()}
	q.Shown, q.Token, q.App = ostiary.ShownToken, made.Secret, "x"
	if d := w.Check(context.Background(), q); !d.OK() {
		t.Errorf("at the revision that is there: %s", d.Reason)
	}
	q.AtLeast = w.dir.Revision() + 1
	begun := time.Now()
	if d := w.Check(context.Background(), q); d.Reason != ostiary.Unavailable {
		t.Errorf("at a revision to come: %s", d.Reason)
	}
	if took := time.Since(begun); took < 90*time.Millisecond || took > 2*time.Second {
		t.Errorf("waited %s, want 100ms", took)
	}
}

func TestRateLimitRefusesWithTooMany(t *testing.T) {
	t.Parallel()
	w := openWorld(t, t.TempDir(), authority.Settings{RatePerSec: 3})
	t.Cleanup(w.close)
	w.people(t)
	made := w.newToken(t, w.as(w.bob), ostiary.UserToken, ostiary.Normal, ostiary.Allow)
	reasons := map[ostiary.Reason]int{}
	for range 20 {
		reasons[w.ask(made.Secret, "x", ostiary.ReadOnly).Reason]++
	}
	if reasons[ostiary.OK] < 3 || reasons[ostiary.OK] > 6 || reasons[ostiary.TooMany] < 14 {
		t.Errorf("answers %v", reasons)
	}
}

func TestCapThatWasRaisedIsToldAgainWhenItIsMet(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	caps := ostiary.DefaultCaps()
	told := func(w *world) (n int) {
		all, err := w.Log(context.Background(), operator, ostiary.LogFilter{What: "app.cap"})
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	var secret ostiary.SecretText
	for round := 1; round <= 2; round++ {
		caps.WaitingPerToken = 2 * round
		w := openWorld(t, dir, authority.Settings{Caps: caps})
		if round == 1 {
			w.people(t)
			secret = w.newToken(t, w.as(w.bob), ostiary.UserToken, ostiary.Normal, ostiary.Pending).Secret
		}
		for i := range 6 {
			w.ask(secret, fmt.Sprint("app ", i), ostiary.ReadOnly)
		}
		if n := told(w); n != round {
			t.Errorf("with room for %d the log says %d times that the cap was met, want %d", 2*round, n, round)
		}
		w.close()
	}
}
