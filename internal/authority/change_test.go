package authority_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/authority"
	"ostiary/internal/directory"
	"ostiary/internal/follow"
)

func once(key, request string) *ostiary.Once {
	return &ostiary.Once{Key: ostiary.ReadSecret(key).Hash(), Request: ostiary.ReadSecret(request).Hash()}
}

func TestRepeatedCallChangesNothingAndShowsNoSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	c := w.as(w.bob)
	c.Once = once("k1", "create")
	n := authority.NewToken{Kind: ostiary.UserToken, Privilege: ostiary.Normal}
	first, rev, err := w.CreateToken(ctx, c, n)
	if err != nil || first.Repeated {
		t.Fatal(err, first.Repeated)
	}
	again, rev2, err := w.CreateToken(ctx, c, n)
	if err != nil || !again.Repeated || again.ID != first.ID || rev2 != rev || again.Secret.Reveal() != "" {
		t.Fatalf("repeated: token %d at %d, want %d at %d; %v", again.ID, rev2, first.ID, rev, err)
	}
	c.Once = once("k1", "something else")
	if _, _, err := w.Retire(ctx, c, first.ID); reason(err) != ostiary.Conflict {
		t.Errorf("the key with another request: %v", err)
	}
	c.Once = once("k2", "retire")
	for range 2 {
		if v, _, err := w.Retire(ctx, c, first.ID); err != nil || v.RetiredOn.IsZero() {
			t.Errorf("retire, repeated under its key: %v", err)
		}
	}
}

func TestValueThatStandsIsNoChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.newToken(t, w.as(w.bob), ostiary.UserToken, ostiary.Normal, ostiary.Pending)
	before := w.dir.Revision()
	p, d, text := ostiary.Normal, ostiary.Pending, ""
	_, rev, err := w.SetToken(context.Background(), w.as(w.bob), made.ID, authority.TokenPatch{Privilege: &p, Default: &d, Description: &text})
	if err != nil || rev != 0 || w.dir.Revision() != before {
		t.Errorf("revision %d → %d, %v", before, w.dir.Revision(), err)
	}
}

func TestLastAdminStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := &machine{world: w}
	p := m.members(w.alice, ostiary.Normal)
	if _, _, err := w.SetAccount(context.Background(), w.as(w.alice), p); reason(err) != ostiary.Conflict {
		t.Errorf("the last admin was lowered: %v", err)
	}
	p = m.members(w.alice, ostiary.NoRole)
	_, _, err := w.SetAccount(context.Background(), w.as(w.alice), p)
	if reason(err) != ostiary.Conflict || err.(*ostiary.Refusal).Detail != nil {
		t.Errorf("the last admin could be removed once that is confirmed: %v", err)
	}
	dora := w.newUser(t, authority.Caller{Operator: "root", Account: w.account}, "dora@example.com", ostiary.Admin)
	p = m.members(w.alice, ostiary.NoRole)
	p.Members = slices.DeleteFunc(p.Members, func(x authority.MemberRole) bool { return x.User == dora })
	_, _, err = w.SetAccount(context.Background(), w.as(w.alice), p)
	var both *ostiary.Refusal
	if !errors.As(err, &both) || both.Detail == nil {
		t.Fatalf("two admins leaving: %v", err)
	}
	p.Confirm = both.Detail.(authority.Leaving).Confirm
	if _, _, err := w.SetAccount(context.Background(), w.as(w.alice), p); reason(err) != ostiary.Conflict {
		t.Errorf("both admins were removed at once: %v", err)
	}
}

func TestTheLastAdminCanHandOverInOneCall(t *testing.T) {
	t.Parallel()
	for name, becomes := range map[string]ostiary.Role{"lowered": ostiary.Normal, "removed": ostiary.NoRole} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			m := &machine{world: w}
			p := m.members(w.alice, becomes)
			for i := range p.Members {
				if p.Members[i].User == w.bob {
					p.Members[i].Role = ostiary.Admin
				}
			}
			_, _, err := w.SetAccount(context.Background(), w.as(w.alice), p)
			var asks *ostiary.Refusal
			if errors.As(err, &asks) && asks.Detail != nil {
				p.Confirm = asks.Detail.(authority.Leaving).Confirm
				_, _, err = w.SetAccount(context.Background(), w.as(w.alice), p)
			}
			if err != nil {
				t.Errorf("the only admin makes another one and goes: %v", err)
			}
		})
	}
}

func TestLastAdminStaysAdminWhileDisabled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := &machine{world: w}
	if _, _, err := w.DisableUser(context.Background(), operator, w.alice, true); err != nil {
		t.Fatal(err)
	}
	c := operator
	c.Account = w.account
	if _, _, err := w.SetAccount(context.Background(), c, m.members(w.alice, ostiary.Normal)); reason(err) != ostiary.Conflict {
		t.Errorf("the only admin, disabled, was lowered: %v", err)
	}
	if _, _, err := w.SetAccount(context.Background(), c, m.members(w.bob, ostiary.Admin)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.SetAccount(context.Background(), c, m.members(w.alice, ostiary.Normal)); err != nil {
		t.Errorf("with another admin who can sign in: %v", err)
	}
}

func TestRemovalNamesWhatStopsAndNeedsExactlyThatConfirmed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	m := &machine{world: w}
	made := w.newToken(t, w.as(w.bob), ostiary.UserToken, ostiary.Normal, ostiary.Allow)
	w.ask(made.Secret, "nightly", ostiary.ReadOnly)
	p := m.members(w.bob, ostiary.NoRole)
	leaving := func() authority.Leaving {
		t.Helper()
		_, _, err := w.SetAccount(ctx, w.as(w.alice), p)
		var refusal *ostiary.Refusal
		if !errors.As(err, &refusal) || refusal.Reason != ostiary.Conflict {
			t.Fatal(err)
		}
		return refusal.Detail.(authority.Leaving)
	}
	list := leaving()
	if len(list.Stops) != 1 || len(list.Stops[0].Apps) != 1 || list.Stops[0].Apps[0].Name != "nightly" || list.Stops[0].LastUsedOn == nil {
		t.Errorf("what stops: %+v", list)
	}
	w.ask(made.Secret, "weekly", ostiary.ReadOnly)
	p.Confirm = list.Confirm
	list = leaving() // a new application came: what was confirmed is not what would stop
	p.Confirm = list.Confirm
	if _, _, err := w.SetAccount(ctx, w.as(w.alice), p); err != nil {
		t.Fatal(err)
	}
	if d := w.ask(made.Secret, "nightly", ostiary.ReadOnly); d.Reason != ostiary.BadToken {
		t.Errorf("a leaver's token: %s", d.Reason)
	}
}

func TestRemovalNamesTheAccountTokensThatTheLeaverWasShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dora := w.newUser(t, authority.Caller{Operator: "root", Account: w.account}, "dora@example.com", ostiary.Admin)
	account := func(c authority.Caller) string {
		return "/token/" + w.newToken(t, c, ostiary.AccountToken, ostiary.Admin, ostiary.Allow).ID.String()
	}
	account(w.as(w.alice))
	want := []string{account(w.as(dora))}
	hers := w.newToken(t, w.as(dora), ostiary.UserToken, ostiary.Admin, ostiary.Allow)
	byHand := w.newToken(t, w.with(hers.ID), ostiary.AccountToken, ostiary.Admin, ostiary.Allow)
	want = append(want, "/token/"+byHand.ID.String(), account(w.with(byHand.ID)))

	m := &machine{world: w}
	_, _, err := w.SetAccount(context.Background(), w.as(w.alice), m.members(dora, ostiary.NoRole))
	var refusal *ostiary.Refusal
	if !errors.As(err, &refusal) || refusal.Detail == nil {
		t.Fatal(err)
	}
	list := refusal.Detail.(authority.Leaving)
	if !slices.Equal(list.Knows, want) {
		t.Errorf("the leaver was shown %v; the list says %v", want, list.Knows)
	}
}

func TestPromotedTokenOutlivesItsOwnerAndIsNeverRaised(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	m := &machine{world: w}
	m.users = []ostiary.ID{w.alice, w.bob}
	c := operator
	c.Account = w.account
	dora := w.newUser(t, c, "dora@example.com", ostiary.Admin)
	made := w.newToken(t, w.as(dora), ostiary.UserToken, ostiary.Admin, ostiary.Allow)
	w.ask(made.Secret, "nightly", ostiary.ReadOnly)
	m.setRole(w.as(w.alice), dora, ostiary.Normal)
	v, _, err := w.Promote(ctx, w.as(w.alice), made.ID, ostiary.NoRole)
	if err != nil || v.Privilege != ostiary.Normal || v.Kind != ostiary.AccountToken {
		t.Fatalf("promoted to %s: %v", v.Privilege, err)
	}
	m.remove(w.as(w.alice), dora)
	if d := w.ask(made.Secret, "nightly", ostiary.Normal); !d.OK() {
		t.Errorf("the promoted token is told %s", d.Reason)
	}
	if _, _, err := w.Promote(ctx, w.as(w.alice), made.ID, ostiary.NoRole); reason(err) != ostiary.Conflict {
		t.Errorf("promoted twice: %v", err)
	}
}

func TestPromoteOfDisabledOwnersTokenAsksForAPrivilege(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	made := w.newToken(t, w.as(w.bob), ostiary.UserToken, ostiary.Normal, ostiary.Allow)
	if _, _, err := w.DisableUser(ctx, operator, w.bob, true); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Promote(ctx, w.as(w.alice), made.ID, ostiary.NoRole); reason(err) != ostiary.BadValue {
		t.Errorf("without a privilege: %v", err)
	}
	if _, _, err := w.Promote(ctx, w.as(w.alice), made.ID, ostiary.Admin); reason(err) != ostiary.LowRole {
		t.Errorf("above the token's own: %v", err)
	}
	if v, _, err := w.Promote(ctx, w.as(w.alice), made.ID, ostiary.ReadOnly); err != nil || v.Privilege != ostiary.ReadOnly {
		t.Errorf("with Read Only: %s, %v", v.Privilege, err)
	}
}

func TestWhatOneMayNotSeeLooksLikeWhatDoesNotExist(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	hidden := w.newToken(t, w.as(w.alice), ostiary.AccountToken, ostiary.Admin, ostiary.Allow)
	const nowhere = 999
	bob := w.as(w.bob)
	text := "x"
	calls := map[string]func(id ostiary.ID) error{
		"see":  func(id ostiary.ID) error { _, err := w.Token(ctx, bob, id); return err },
		"apps": func(id ostiary.ID) error { _, err := w.Apps(ctx, bob, id); return err },
		"change": func(id ostiary.ID) error {
			_, _, err := w.SetToken(ctx, bob, id, authority.TokenPatch{Description: &text})
			return err
		},
		"retire":  func(id ostiary.ID) error { _, _, err := w.Retire(ctx, bob, id); return err },
		"promote": func(id ostiary.ID) error { _, _, err := w.Promote(ctx, bob, id, 0); return err },
		"allow":   func(id ostiary.ID) error { _, _, err := w.DecideName(ctx, bob, id, "x", ostiary.Allowed); return err },
		"forget":  func(id ostiary.ID) error { _, err := w.ForgetApp(ctx, bob, id, 1); return err },
	}
	for name, call := range calls {
		a, b := call(hidden.ID), call(nowhere)
		if reason(a) != ostiary.Hidden || reason(b) != ostiary.Hidden {
			t.Errorf("%s: a hidden token answers %v, one that does not exist %v", name, a, b)
		}
	}
	if _, err := w.Which(ctx, bob, hidden.Secret); reason(err) != ostiary.Hidden {
		t.Errorf("which: %v", err)
	}
	if v, err := w.Which(ctx, w.as(w.alice), hidden.Secret); err != nil || v.ID != hidden.ID {
		t.Errorf("which, by an admin: %v", err)
	}
}

func TestTokenAtWorkOnItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	made := w.newToken(t, w.as(w.alice), ostiary.AccountToken, ostiary.Admin, ostiary.Allow)
	self := w.with(made.ID)
	p := ostiary.ReadOnly
	if _, _, err := w.SetToken(ctx, self, made.ID, authority.TokenPatch{Privilege: &p}); reason(err) != ostiary.Self {
		t.Errorf("changes itself: %v", err)
	}
	if _, _, err := w.DecideName(ctx, self, made.ID, "x", ostiary.Allowed); reason(err) != ostiary.Self {
		t.Errorf("decides about its own applications: %v", err)
	}
	child, _, err := w.CreateToken(ctx, self, authority.NewToken{Kind: ostiary.AccountToken, Privilege: ostiary.Normal})
	if err != nil || child.MadeWith != made.ID {
		t.Fatalf("makes an account token: %v", err)
	}
	if _, _, err := w.CreateToken(ctx, self, authority.NewToken{Kind: ostiary.UserToken, Privilege: ostiary.Normal}); reason(err) != ostiary.LowRole {
		t.Errorf("an account token makes a user token: %v", err)
	}
	made2, err := w.Descendants(ctx, w.as(w.alice), made.ID)
	if err != nil || len(made2) != 1 || made2[0].ID != child.ID {
		t.Errorf("descendants: %v, %v", made2, err)
	}
	if _, _, err := w.Retire(ctx, self, made.ID); err != nil {
		t.Errorf("retires itself: %v", err)
	}
	if _, err := w.Tokens(ctx, self); reason(err) != ostiary.BadToken {
		t.Errorf("works after it retired itself: %v", err)
	}
}

func TestInvitationJoinsOnlyTheAddressThatItNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	invite := func(email string) ostiary.SecretText {
		t.Helper()
		v, _, err := w.SetAccount(ctx, w.as(w.alice), authority.AccountPatch{
			SetInvites:  true,
			Invitations: []authority.Invitee{{Email: email, Role: ostiary.Normal}},
		})
		if err != nil || len(v.Links) != 1 {
			t.Fatal(err, v.Links)
		}
		for _, link := range v.Links {
			return link
		}
		return ostiary.SecretText{}
	}
	link := invite("erin@example.com")
	if _, _, err := w.Accept(ctx, authority.Caller{User: w.bob}, link); reason(err) != ostiary.LowRole {
		t.Errorf("Bob takes Erin's invitation: %v", err)
	}
	second, newer, _, err := w.NewLink(ctx, w.as(w.alice), "erin@example.com")
	if err != nil || second.Email != "erin@example.com" {
		t.Fatal(err)
	}
	if _, _, err := w.Join(ctx, authority.Caller{Operator: "login"}, link, "Erin", "", "hash"); reason(err) != ostiary.Hidden {
		t.Errorf("an old link: %v", err)
	}
	erin, _, err := w.Join(ctx, authority.Caller{Operator: "login"}, newer, "Erin", "", "hash")
	if err != nil || erin.Email != "erin@example.com" {
		t.Fatal(err)
	}
	if _, _, err := w.Join(ctx, authority.Caller{Operator: "login"}, newer, "Erin", "", "hash"); reason(err) != ostiary.Hidden {
		t.Errorf("a link used twice: %v", err)
	}
}

// A faulty store breaks one step of every transaction, on the way to a real database.
type faulty struct {
	ostiary.Store
	at int // the step that fails; zero: none
}

type faultyWriter struct {
	ostiary.Writer
	left *int
}

var errDisk = errors.New("disk I/O error")

func (f *faulty) Update(ctx context.Context, fn func(ostiary.Writer) error) error {
	left := f.at
	return f.Store.Update(ctx, func(w ostiary.Writer) error {
		err := fn(faultyWriter{w, &left})
		return err
	})
}

func (w faultyWriter) step() error {
	if *w.left--; *w.left == 0 {
		return fmt.Errorf("%w: %w", ostiary.ErrReadOnly, errDisk)
	}
	return nil
}

func (w faultyWriter) NewID(kind string) (ostiary.ID, error) {
	if err := w.step(); err != nil {
		return 0, err
	}
	return w.Writer.NewID(kind)
}

func (w faultyWriter) PutToken(t ostiary.Token) error {
	return errors.Join(w.step(), w.Writer.PutToken(t))
}

func (w faultyWriter) PutSecret(s ostiary.Secret) error {
	return errors.Join(w.step(), w.Writer.PutSecret(s))
}
func (w faultyWriter) PutApp(a ostiary.App) error { return errors.Join(w.step(), w.Writer.PutApp(a)) }
func (w faultyWriter) PutMember(m ostiary.Member) error {
	return errors.Join(w.step(), w.Writer.PutMember(m))
}

func (w faultyWriter) PutAccount(a ostiary.Account) error {
	return errors.Join(w.step(), w.Writer.PutAccount(a))
}

func (w faultyWriter) Append(a ostiary.ID, at time.Time, s ostiary.Story, o *ostiary.Once) (uint64, error) {
	rev, err := w.Writer.Append(a, at, s, o)
	return rev, errors.Join(w.step(), err)
}

func TestEveryFailureOnTheWayOfAChangeLeavesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.newToken(t, w.as(w.bob), ostiary.UserToken, ostiary.Normal, ostiary.Pending)
	broken := &faulty{Store: w.store}
	a := authority.New(broken, w.dir, follow.New(w.store, w.dir, nil), w.usage, authority.Settings{})
	ctx, off := context.Background(), ostiary.Allow
	changes := map[string]func() error{
		"create": func() error {
			_, _, err := a.CreateToken(ctx, w.as(w.bob), authority.NewToken{Kind: ostiary.UserToken, Privilege: ostiary.Normal})
			return err
		},
		"set": func() error {
			_, _, err := a.SetToken(ctx, w.as(w.bob), made.ID, authority.TokenPatch{Default: &off})
			return err
		},
		"allow":  func() error { _, _, err := a.DecideName(ctx, w.as(w.bob), made.ID, "x", ostiary.Allowed); return err },
		"retire": func() error { _, _, err := a.Retire(ctx, w.as(w.bob), made.ID); return err },
		"remove": func() error {
			p := (&machine{world: w}).members(w.bob, ostiary.NoRole)
			_, _, err := a.SetAccount(ctx, w.as(w.alice), p)
			var refusal *ostiary.Refusal
			if errors.As(err, &refusal) && refusal.Detail != nil {
				p.Confirm = refusal.Detail.(authority.Leaving).Confirm
				_, _, err = a.SetAccount(ctx, w.as(w.alice), p)
			}
			return err
		},
	}
	for name, change := range changes {
		failed := 0
		for broken.at = 1; broken.at < 20; broken.at++ {
			before := w.dir.State()
			err := change()
			if err == nil {
				break
			}
			failed++
			if reason(err) != ostiary.Unavailable {
				t.Errorf("%s, broken at step %d: %v", name, broken.at, err)
			}
			anew := directory.New()
			if err := anew.Load(ctx, w.store); err != nil {
				t.Fatal(err)
			}
			if w.dir.State() != before || anew.State() != before {
				t.Fatalf("%s, broken at step %d, left something behind", name, broken.at)
			}
		}
		if failed == 0 || broken.at == 20 {
			t.Errorf("%s failed %d times: the test breaks nothing, or never lets it through", name, failed)
		}
		if name == "retire" || name == "remove" {
			break // Bob's token is gone
		}
	}
}

// An uncertain store makes the change, and says that it does not know.
type uncertain struct{ ostiary.Store }

func (u uncertain) Update(ctx context.Context, fn func(ostiary.Writer) error) error {
	if err := u.Store.Update(ctx, fn); err != nil {
		return err
	}
	var facts []ostiary.Fact
	err := u.Changes(ctx, 0, func(c ostiary.Change) error { facts = c.Facts; return nil })
	return errors.Join(err, &ostiary.UncertainError{Facts: facts, Err: errDisk})
}

func TestRetirementWhoseOutcomeIsUnknownCountsAsDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	made := w.newToken(t, w.as(w.bob), ostiary.UserToken, ostiary.Normal, ostiary.Allow)
	other := w.newToken(t, w.as(w.bob), ostiary.UserToken, ostiary.Normal, ostiary.Pending)
	if d := w.ask(made.Secret, "x", ostiary.ReadOnly); !d.OK() {
		t.Fatal(d.Reason)
	}
	a := authority.New(uncertain{w.store}, w.dir, follow.New(w.store, w.dir, nil), w.usage, authority.Settings{})
	if _, _, err := a.Retire(ctx, w.as(w.bob), made.ID); reason(err) != ostiary.Unavailable {
		t.Errorf("retire: %v", err)
	}
	if d := w.ask(made.Secret, "x", ostiary.ReadOnly); d.Reason != ostiary.BadToken {
		t.Errorf("the token that may be retired is told %s", d.Reason)
	}
	if _, _, err := a.DecideName(ctx, w.as(w.bob), other.ID, "y", ostiary.Allowed); reason(err) != ostiary.Unavailable {
		t.Errorf("allow: %v", err)
	}
	if d := w.ask(other.Secret, "y", ostiary.ReadOnly); d.OK() {
		t.Error("an approval whose outcome is unknown lets in")
	}
}

func TestExplanationIsTheDecision(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	made := w.newToken(t, w.as(w.bob), ostiary.UserToken, ostiary.Normal, ostiary.Pending)
	d := w.ask(made.Secret, "x", ostiary.ReadOnly)
	e, err := w.Explain(ctx, w.as(w.bob), made.ID, "x", "GET", "/v2/x", operator.From)
	if err != nil || e.Reason != d.Reason || !strings.Contains(strings.Join(e.Facts, " "), "Pending") {
		t.Errorf("explained as %s, decided %s; %v", e.Reason, d.Reason, err)
	}
	before := w.dir.Revision()
	if e, err := w.Explain(ctx, w.as(w.bob), made.ID, "never seen", "DELETE", "/v2/x", operator.From); err != nil || e.Reason != ostiary.PendingApp {
		t.Errorf("%s, %v", e.Reason, err)
	}
	if w.dir.Revision() != before {
		t.Error("explaining put something on record")
	}
	if _, err := w.Explain(ctx, w.as(w.carol), made.ID, "x", "GET", "/", operator.From); reason(err) != ostiary.Hidden {
		t.Errorf("somebody else's token is explained: %v", err)
	}
}

func TestExplanationOfAPathThatCouldMeanTwoThings(t *testing.T) {
	t.Parallel()
	rules := []ostiary.Rule{{Path: "/admin/**", Role: ostiary.Admin}}
	w := openWorld(t, t.TempDir(), authority.Settings{Rules: rules})
	t.Cleanup(w.close)
	w.people(t)
	made := w.newToken(t, w.as(w.bob), ostiary.UserToken, ostiary.Normal, ostiary.Allow)
	e, err := w.Explain(context.Background(), w.as(w.bob), made.ID, "x", "GET", "/x/../admin", operator.From)
	if err != nil || e.Reason != ostiary.UnclearPath || !strings.Contains(strings.Join(e.Facts, " "), "two things") {
		t.Errorf("explained as %s, %q; %v", e.Reason, e.Facts, err)
	}
}

func TestLogIsReadAsFarAsItConcernsOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	bobs := w.newToken(t, w.as(w.bob), ostiary.UserToken, ostiary.Normal, ostiary.Pending)
	w.newToken(t, w.as(w.alice), ostiary.AccountToken, ostiary.Admin, ostiary.Pending)
	all, err := w.Log(ctx, w.as(w.alice), ostiary.LogFilter{})
	if err != nil || len(all) < 6 {
		t.Fatalf("an admin sees %d entries; %v", len(all), err)
	}
	some, err := w.Log(ctx, w.as(w.bob), ostiary.LogFilter{})
	if err != nil || len(some) != 1 || some[0].Story.Token != bobs.ID {
		t.Errorf("Bob sees %d entries; %v", len(some), err)
	}
	if none, err := w.Log(ctx, w.as(w.carol), ostiary.LogFilter{}); err != nil || len(none) != 0 {
		t.Errorf("Carol sees %d entries; %v", len(none), err)
	}
}

func TestTextThatHoldsATokenIsNotPutOnRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	made := w.newToken(t, w.as(w.bob), ostiary.UserToken, ostiary.Normal, ostiary.Allow)
	secret := made.Secret.Reveal()
	for _, text := range []string{secret, "see " + secret + ".", secret[:len(secret)-8], "a\u202eb", "a\u200bb", "a\x00b", "\xff"} {
		_, _, err := w.SetToken(ctx, w.as(w.bob), made.ID, authority.TokenPatch{Description: &text})
		if reason(err) != ostiary.BadValue || strings.Contains(err.Error(), secret[8:20]) {
			t.Errorf("a description of %d bytes: %v", len(text), err)
		}
		if _, _, err := w.DecideName(ctx, w.as(w.bob), made.ID, text, ostiary.Allowed); reason(err) != ostiary.BadValue {
			t.Errorf("a name of %d bytes: %v", len(text), err)
		}
		if _, _, err := w.SetUser(ctx, w.as(w.bob), w.bob, authority.UserPatch{FirstName: &text}); reason(err) != ostiary.BadValue {
			t.Errorf("a first name of %d bytes: %v", len(text), err)
		}
	}
}

func TestRemovedMembersTokensAreInTheLogEach(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := &machine{world: w}
	made := w.newToken(t, w.as(w.bob), ostiary.UserToken, ostiary.Normal, ostiary.Allow)
	m.remove(w.as(w.alice), w.bob)
	entries, err := w.Log(context.Background(), w.as(w.alice), ostiary.LogFilter{Token: made.ID})
	if err != nil || len(entries) != 2 || entries[0].Story.What != "token.retire" {
		t.Errorf("the log of the token: %d entries; %v", len(entries), err)
	}
}
