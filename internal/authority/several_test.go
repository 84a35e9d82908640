package authority_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/authority"
)

func (w *world) waiting(t *testing.T, token authority.Made, names ...string) (refs []authority.AppRef) {
	t.Helper()
	for _, name := range names {
		d := w.ask(token.Secret, name, ostiary.ReadOnly)
		for range 50 { // on a busy machine memory answers, and the record follows
			if d.App == 0 {
				time.Sleep(20 * time.Millisecond)
				d = w.ask(token.Secret, name, ostiary.ReadOnly)
			}
		}
		refs = append(refs, authority.AppRef{Token: token.ID, App: d.App})
	}
	return refs
}

func TestSeveralApplicationsAreDecidedAtOnceAndOthersLeft(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	bobs, alices := w.named(t, w.as(w.bob), ostiary.UserToken, ""), w.named(t, w.as(w.alice), ostiary.UserToken, "")
	refs := w.waiting(t, bobs, "one", "two", "denied meanwhile", "forgotten")
	refs = append(refs, w.waiting(t, alices, "not to be seen")...)
	if _, _, err := w.DecideApp(ctx, w.as(w.alice), bobs.ID, refs[2].App, ostiary.Denied); err != nil {
		t.Fatal(err)
	}
	if _, err := w.ForgetApp(ctx, w.as(w.alice), bobs.ID, refs[3].App); err != nil {
		t.Fatal(err)
	}
	done, err := w.DecideApps(ctx, w.as(w.bob), refs, ostiary.Allowed)
	if err != nil {
		t.Fatal(err)
	}
	if done.Left != 3 || done.Last != done.First+1 || done.Last != w.dir.Revision() {
		t.Errorf("%+v", done)
	}
	for name, want := range map[string]ostiary.Reason{
		"one": ostiary.OK, "two": ostiary.OK, "denied meanwhile": ostiary.DeniedApp, "forgotten": ostiary.PendingApp,
	} {
		if got := w.ask(bobs.Secret, name, ostiary.ReadOnly).Reason; got != want {
			t.Errorf("%q is told %s, not %s", name, got, want)
		}
	}
	again, err := w.DecideApps(ctx, w.as(w.bob), refs[:2], ostiary.Denied)
	if err != nil || again.Left != 2 || again.First != 0 || again.Last != 0 {
		t.Errorf("what is decided is decided again: %+v, %v", again, err)
	}
	if _, err := w.DecideApps(ctx, w.as(w.carol), refs, ostiary.Allowed); err != nil {
		t.Errorf("Carol, who sees none of them, is told %v", err)
	}
}

func TestForgettingSeveralLeavesWhatSomebodyDecidedMeanwhile(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	bobs := w.named(t, w.as(w.bob), ostiary.UserToken, "")
	refs := w.waiting(t, bobs, "waits", "allowed meanwhile", "denied meanwhile")
	for i, state := range []ostiary.AppState{ostiary.Allowed, ostiary.Denied} {
		if _, _, err := w.DecideApp(ctx, w.as(w.alice), bobs.ID, refs[i+1].App, state); err != nil {
			t.Fatal(err)
		}
	}
	done, err := w.ForgetApps(ctx, w.as(w.bob), refs)
	if err != nil || done.Left != 2 || done.First != done.Last || done.Last != w.dir.Revision() {
		t.Errorf("got %+v and %v, want two left, and one entry", done, err)
	}
	for name, want := range map[string]ostiary.Reason{
		"waits": ostiary.PendingApp, "allowed meanwhile": ostiary.OK, "denied meanwhile": ostiary.DeniedApp,
	} {
		if got := w.ask(bobs.Secret, name, ostiary.ReadOnly).Reason; got != want {
			t.Errorf("%q is told %s, not %s", name, got, want)
		}
	}
}

func TestRetireWithTakesTheNamedDescendantsOrNone(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	root := w.newToken(t, w.as(w.alice), ostiary.AccountToken, ostiary.Admin, ostiary.Allow)
	child := w.newToken(t, w.with(root.ID), ostiary.AccountToken, ostiary.Admin, ostiary.Allow)
	grandchild := w.newToken(t, w.with(child.ID), ostiary.AccountToken, ostiary.Normal, ostiary.Allow)
	spared := w.newToken(t, w.with(root.ID), ostiary.AccountToken, ostiary.Normal, ostiary.Allow)
	alien := w.newToken(t, w.as(w.alice), ostiary.AccountToken, ostiary.Normal, ostiary.Allow)

	before := w.dir.Revision()
	_, _, _, err := w.RetireWith(ctx, w.as(w.alice), root.ID, []ostiary.ID{child.ID, alien.ID})
	if reason(err) != ostiary.BadValue || w.dir.Revision() != before {
		t.Errorf("a token that was not made with it: %v", err)
	}
	view, first, last, err := w.RetireWith(ctx, w.as(w.alice), root.ID, []ostiary.ID{grandchild.ID, child.ID})
	if err != nil || view.ID != root.ID || view.RetiredOn.IsZero() || first != before+1 || last != before+3 {
		t.Errorf("%+v, entries %d to %d: %v", view, first, last, err)
	}
	for _, m := range []struct {
		made authority.Made
		want ostiary.Reason
	}{{root, ostiary.BadToken}, {child, ostiary.BadToken}, {grandchild, ostiary.BadToken}, {spared, ostiary.OK}, {alien, ostiary.OK}} {
		if got := w.ask(m.made.Secret, "cron", ostiary.ReadOnly).Reason; got != m.want {
			t.Errorf("token %d answers %s, not %s", m.made.ID, got, m.want)
		}
	}
}

func TestDescendantThatIsHiddenReadsAsOneThatDoesNotExist(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	root := w.named(t, w.as(w.bob), ostiary.UserToken, "")
	made := w.named(t, w.with(root.ID), ostiary.UserToken, "")
	if _, _, err := w.Promote(ctx, w.as(w.alice), made.ID, ostiary.NoRole); err != nil {
		t.Fatal(err)
	}
	_, _, _, hidden := w.RetireWith(ctx, w.as(w.bob), root.ID, []ostiary.ID{made.ID})
	_, _, _, missing := w.RetireWith(ctx, w.as(w.bob), root.ID, []ostiary.ID{4711})
	if reason(missing) != ostiary.BadValue || fmt.Sprint(hidden) != fmt.Sprint(missing) {
		t.Errorf("one that is hidden is answered with %v (%s), one that does not exist with %v (%s)",
			hidden, reason(hidden), missing, reason(missing))
	}
	if _, _, _, err := w.RetireWith(ctx, w.as(w.alice), root.ID, []ostiary.ID{made.ID}); err != nil {
		t.Errorf("Alice, who sees it, is told %v", err)
	}
}

func TestNewTokenLikeAnotherAllowsWhatIsAllowedThere(t *testing.T) {
	w := openWorld(t, t.TempDir(), authority.Settings{Caps: func() ostiary.Caps {
		c := ostiary.DefaultCaps()
		c.AppsPerAccount = 7
		return c
	}()})
	t.Cleanup(w.close)
	w.people(t)
	ctx := context.Background()
	source := w.named(t, w.as(w.bob), ostiary.UserToken, "source")
	w.waiting(t, source, "waits")
	for name, state := range map[string]ostiary.AppState{
		"grafana": ostiary.Allowed, "cron": ostiary.Allowed, "bad": ostiary.Denied,
	} {
		if _, _, err := w.DecideName(ctx, w.as(w.alice), source.ID, name, state); err != nil {
			t.Fatal(err)
		}
	}
	like := authority.NewToken{
		Kind: ostiary.UserToken, Privilege: ostiary.Normal, Default: ostiary.Pending, Like: source.ID,
	}
	before := w.dir.Revision()
	made, rev, err := w.CreateToken(ctx, w.as(w.bob), like)
	if err != nil || rev != before+1 {
		t.Fatalf("entry %d after %d: %v", rev, before, err)
	}
	apps, err := w.Apps(ctx, w.as(w.bob), made.ID)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, app := range apps {
		names = append(names, fmt.Sprint(app.Name, " ", app.State, " ", app.DecidedBy))
	}
	slices.Sort(names)
	if !slices.Equal(names, []string{"cron allowed /user/2", "grafana allowed /user/2"}) {
		t.Errorf("the new token has %v", names)
	}
	if got := w.ask(made.Secret, "grafana", ostiary.ReadOnly); !got.OK() {
		t.Errorf("an application that was copied is told %s", got.Reason)
	}
	if _, _, err := w.CreateToken(ctx, w.as(w.bob), like); reason(err) != ostiary.Conflict {
		t.Errorf("past the cap of the account: %v", err)
	}
	like.Like = w.named(t, w.as(w.alice), ostiary.UserToken, "Alice's").ID
	if _, _, err := w.CreateToken(ctx, w.as(w.bob), like); reason(err) != ostiary.Hidden {
		t.Errorf("like a token that Bob may not see: %v", err)
	}
}
