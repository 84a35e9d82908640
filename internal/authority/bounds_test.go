package authority_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"ostiary"
	"ostiary/internal/authority"
)

func TestSeveralApplicationsAreForgottenAtOnceAndOthersLeft(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	bobs, alices := w.named(t, w.as(w.bob), ostiary.UserToken, ""), w.named(t, w.as(w.alice), ostiary.UserToken, "")
	refs := w.waiting(t, bobs, "one", "two", "forgotten before")
	refs = append(refs, w.waiting(t, alices, "not to be seen")...)
	if _, err := w.ForgetApp(ctx, w.as(w.alice), bobs.ID, refs[2].App); err != nil {
		t.Fatal(err)
	}
	before := w.dir.Revision()
	done, err := w.ForgetApps(ctx, w.as(w.bob), refs)
	if err != nil {
		t.Fatal(err)
	}
	if done.Left != 2 || done.First != before+1 || done.Last != before+2 || w.dir.Revision() != before+2 {
		t.Errorf("after revision %d it was done as %+v", before, done)
	}
	o, err := w.Overview(ctx, w.as(w.alice), authority.Look{Waiting: 10})
	if err != nil || len(o.Waiting) != 1 || o.Waiting[0].Name != "not to be seen" {
		t.Errorf("there still wait %+v (%v)", o.Waiting, err)
	}
	if _, err := w.ForgetApps(ctx, w.as(w.bob), slices.Repeat(refs[:1], 1001)); reason(err) != ostiary.BadValue {
		t.Errorf("1,001 at once: %v", err)
	}
}

func TestNoWordIsTooLongForTheFilter(t *testing.T) {
	w := newWorld(t)
	made := w.named(t, w.as(w.bob), ostiary.UserToken, "dashboards")
	w.waiting(t, made, "grafana")
	for _, text := range []string{strings.Repeat("a", 60_000), "dash " + strings.Repeat("%", 60_000)} {
		o, err := w.Overview(context.Background(), w.as(w.bob), authority.Look{Text: text, Own: authority.Range{Size: 9}})
		if err != nil || o.Own.Total != 0 {
			t.Errorf("%d tokens hold a word of %d bytes (%v)", o.Own.Total, len(text), err)
		}
	}
}

// A form that comes again tells its sender nothing that its sender may not see any more.
func TestRepeatedCallDoesNotShowATokenThatIsHiddenNow(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	c := w.as(w.alice)
	c.Once = &ostiary.Once{Key: [32]byte{1}, Request: [32]byte{1}}
	n := authority.NewToken{Kind: ostiary.AccountToken, Privilege: ostiary.Normal, Default: ostiary.Pending}
	made, _, err := w.CreateToken(ctx, c, n)
	if err != nil {
		t.Fatal(err)
	}
	if again, _, err := w.CreateToken(ctx, c, n); err != nil || !again.Repeated || again.ID != made.ID {
		t.Fatalf("sent again: %+v, %v", again, err)
	}
	if _, err := w.SetRole(ctx, w.as(w.bob), w.alice, ostiary.ReadOnly); err == nil {
		t.Fatal("Bob is no admin")
	}
	operator := authority.Caller{Operator: "root", Account: c.Account}
	if _, err := w.SetRole(ctx, operator, w.bob, ostiary.Admin); err != nil {
		t.Fatal(err)
	}
	if _, err := w.SetRole(ctx, operator, w.alice, ostiary.Normal); err != nil {
		t.Fatal(err)
	}
	again, _, err := w.CreateToken(ctx, c, n)
	if reason(err) != ostiary.Hidden || again.Hint != "" {
		t.Errorf("sent again by one who is no admin any more: %q, %v", again.Hint, err)
	}
}
