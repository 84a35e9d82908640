package authority_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"ostiary"
	"ostiary/internal/authority"
	"ostiary/internal/directory"
)

// A machine does what people, tokens and requests do, at random, and remembers every decision.
type machine struct {
	*world
	mu      sync.Mutex
	users   []ostiary.ID
	secrets []ostiary.SecretText
	tokens  []ostiary.ID
	asked   []asked
	done    int // changes that were accepted
	turn    int
}

type asked struct {
	hash      ostiary.Hash
	app, need string
	got       ostiary.Decision
}

var appNames = []string{"grafana", "Terraform v0.10.0", "cron"}

// TestEveryDecisionAndEveryChangeIsThatOfTheModel drives a real authority on a real database with
// random changes and requests, alone and in pairs at the same moment. Then the log is replayed: every
// entry must have been acceptable at its place, and every decision must be the model's at the
// decision's revision.
func TestEveryDecisionAndEveryChangeIsThatOfTheModel(t *testing.T) {
	changes, decisions := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		path, err := os.MkdirTemp("", "machine")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(path)
		caps := ostiary.DefaultCaps()
		caps.NewAppsPerSecond = 1_000_000
		m := &machine{world: openWorld(t, path, authority.Settings{Caps: caps})}
		defer m.close()
		m.people(t)
		m.users = []ostiary.ID{m.alice, m.bob, m.carol}
		c := operator
		c.Account = m.account
		m.users = append(m.users, m.newUser(t, c, "dora@example.com", ostiary.Admin))
		m.create(m.as(m.alice), authority.NewToken{Kind: ostiary.UserToken, Privilege: ostiary.Admin, Default: ostiary.Allow})
		m.create(m.as(m.bob), authority.NewToken{Kind: ostiary.UserToken, Privilege: ostiary.Normal, Default: ostiary.Pending})
		m.create(m.as(m.alice), authority.NewToken{Kind: ostiary.AccountToken, Privilege: ostiary.Admin})
		for range rapid.IntRange(20, 80).Draw(t, "steps") {
			first := m.draw(t)
			if rapid.IntRange(0, 3).Draw(t, "alone") > 0 {
				first()
				m.request(t, ostiary.Normal, rapid.SampledFrom(appNames).Draw(t, "app"))()
				continue
			}
			pair := append(m.drawPair(t, first), m.request(t, ostiary.Normal, appNames[0]), m.request(t, ostiary.ReadOnly, appNames[1]))
			var together sync.WaitGroup
			for _, do := range pair {
				together.Go(do)
			}
			together.Wait()
		}
		m.replay(t)
		changes, decisions = changes+m.done, decisions+len(m.asked)
	})
	t.Logf("%d changes and %d decisions replayed", changes, decisions)
	if changes < 100 || decisions < 100 {
		t.Errorf("only %d changes and %d decisions: the machine does next to nothing", changes, decisions)
	}
}

// draw chooses one thing to be done by one caller.
func (m *machine) draw(t *rapid.T) func() {
	ctx := context.Background()
	c := m.caller(t)
	token, app := m.token(t), rapid.SampledFrom(appNames).Draw(t, "app")
	role := rapid.SampledFrom([]ostiary.Role{ostiary.ReadOnly, ostiary.Normal, ostiary.Admin}).Draw(t, "role")
	def := rapid.SampledFrom([]ostiary.DefaultAppState{ostiary.Deny, ostiary.Pending, ostiary.Allow}).Draw(t, "default")
	switch rapid.IntRange(0, 14).Draw(t, "what") {
	case 0, 1:
		kind := rapid.SampledFrom([]ostiary.Kind{ostiary.UserToken, ostiary.UserToken, ostiary.AccountToken}).Draw(t, "kind")
		n := authority.NewToken{Kind: kind, Privilege: role, Default: def}
		if c.Operator != "" && kind == ostiary.UserToken {
			n.Owner = m.user(t)
		}
		return func() { m.create(c, n) }
	case 2:
		return func() { _, _, err := m.SetToken(ctx, c, token, authority.TokenPatch{Privilege: &role}); m.note(err) }
	case 3:
		return func() { _, _, err := m.SetToken(ctx, c, token, authority.TokenPatch{Default: &def}); m.note(err) }
	case 4:
		return func() { _, _, err := m.Retire(ctx, c, token); m.note(err) }
	case 5:
		return func() { _, _, err := m.Promote(ctx, c, token, ostiary.NoRole); m.note(err) }
	case 6:
		return func() { _, _, err := m.Promote(ctx, c, token, role); m.note(err) }
	case 7, 8:
		state := rapid.SampledFrom([]ostiary.AppState{ostiary.Allowed, ostiary.Denied}).Draw(t, "state")
		return func() { _, _, err := m.DecideName(ctx, c, token, app, state); m.note(err) }
	case 9:
		return func() { m.forget(c, token, app) }
	case 14:
		state := rapid.SampledFrom([]ostiary.AppState{ostiary.Allowed, ostiary.Denied}).Draw(t, "state")
		return func() { m.decideAll(c, state) }
	case 10:
		user := m.user(t)
		return func() { m.setRole(c, user, role) }
	case 11:
		if user := m.user(t); rapid.IntRange(0, 4).Draw(t, "rarely") == 0 {
			return func() { m.remove(c, user) }
		}
	case 12:
		user, off := m.user(t), rapid.Bool().Draw(t, "off")
		if user != m.alice {
			return func() { _, _, err := m.DisableUser(ctx, operator, user, off); m.note(err) }
		}
	}
	return m.request(t, role, app)
}

// drawPair gives things that are known to hurt each other at the same moment, or any two.
func (m *machine) drawPair(t *rapid.T, first func()) []func() {
	ctx := context.Background()
	token, user := m.token(t), m.user(t)
	alice, other := m.as(m.alice), m.as(m.users[3])
	normal, allow := ostiary.Normal, ostiary.Allowed
	switch rapid.IntRange(0, 6).Draw(t, "pair") {
	case 0: // lower a role ‖ create a token
		return []func(){
			func() { m.setRole(alice, user, ostiary.ReadOnly) },
			func() { m.create(m.as(user), authority.NewToken{Kind: ostiary.UserToken, Privilege: normal}) },
		}
	case 1: // two admins demote each other
		return []func(){
			func() { m.setRole(alice, m.users[3], normal) }, func() { m.setRole(other, m.alice, normal) },
		}
	case 2: // two admins remove each other
		return []func(){func() { m.remove(alice, m.users[3]) }, func() { m.remove(other, m.alice) }}
	case 3: // retire ‖ promote
		return []func(){
			func() { _, _, err := m.Retire(ctx, alice, token); m.note(err) },
			func() { _, _, err := m.Promote(ctx, other, token, ostiary.NoRole); m.note(err) },
		}
	case 4: // retire ‖ allow, and a request between
		return []func(){
			func() { _, _, err := m.Retire(ctx, alice, token); m.note(err) },
			func() { _, _, err := m.DecideName(ctx, other, token, appNames[0], allow); m.note(err) },
			m.request(t, normal, appNames[0]),
		}
	case 5: // remove the owner ‖ promote
		return []func(){
			func() { m.remove(alice, user) },
			func() { _, _, err := m.Promote(ctx, other, token, ostiary.NoRole); m.note(err) },
		}
	}
	return []func(){first, m.draw(t), m.draw(t)}
}

func (m *machine) user(t *rapid.T) ostiary.ID { return rapid.SampledFrom(m.users).Draw(t, "user") }

func (m *machine) token(t *rapid.T) ostiary.ID {
	return m.tokens[rapid.IntRange(0, 999).Draw(t, "token")%len(m.tokens)]
}

func (m *machine) caller(t *rapid.T) authority.Caller {
	switch rapid.IntRange(0, 5).Draw(t, "who") {
	case 0:
		c := operator
		c.Account = m.account
		return c
	case 1:
		return m.with(m.token(t))
	}
	return m.as(m.user(t))
}

func (m *machine) note(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil {
		m.done++
	}
	if r := reason(err); r == ostiary.Undecided || r == ostiary.Unavailable {
		panic("a change failed, rather than being refused: " + err.Error())
	}
}

func (m *machine) create(c authority.Caller, n authority.NewToken) {
	made, _, err := m.CreateToken(context.Background(), c, n)
	m.note(err)
	if err == nil {
		m.mu.Lock()
		m.secrets, m.tokens = append(m.secrets, made.Secret), append(m.tokens, made.ID)
		m.mu.Unlock()
	}
}

func (m *machine) forget(c authority.Caller, token ostiary.ID, name string) {
	apps, err := m.Apps(context.Background(), c, token)
	if err != nil {
		return
	}
	for _, app := range apps {
		if app.Name == name {
			_, err := m.ForgetApp(context.Background(), c, token, app.ID)
			m.note(err)
		}
	}
}

// members gives the list to send for a change of one member; NoRole leaves the member out.
func (m *machine) members(user ostiary.ID, role ostiary.Role) authority.AccountPatch {
	p := authority.AccountPatch{SetMembers: true}
	account, err := m.Account(context.Background(), authority.Caller{Operator: "test", Account: m.account}, 0)
	if err != nil {
		panic(err)
	}
	for _, member := range account.Members {
		if member.User == user {
			member.Role = role
		}
		if member.Role != ostiary.NoRole {
			p.Members = append(p.Members, authority.MemberRole{User: member.User, Role: member.Role})
		}
	}
	return p
}

// setRole goes by the list of members, or by the one member: both ways must be one.
func (m *machine) setRole(c authority.Caller, user ostiary.ID, role ostiary.Role) {
	if m.other() {
		_, err := m.SetRole(context.Background(), c, user, role)
		m.note(err)
		return
	}
	_, _, err := m.SetAccount(context.Background(), c, m.members(user, role))
	m.note(err)
}

// other is true every second time.
func (m *machine) other() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turn++
	return m.turn%2 == 0
}

// removeOne promotes one of the leaver's tokens, and removes the member.
func (m *machine) removeOne(c authority.Caller, user ostiary.ID) {
	list, err := m.Leave(context.Background(), c, user)
	if err != nil {
		return
	}
	promote := map[ostiary.ID]ostiary.Role{}
	for _, card := range list.Tokens[:min(1, len(list.Tokens))] {
		promote[card.ID] = card.Privilege
		if card.CanUse < card.Privilege {
			promote[card.ID] = card.CanUse
		}
	}
	_, _, err = m.RemoveMember(context.Background(), c, user, promote, list.Confirm)
	m.note(err)
}

// decideAll decides about all that the caller is shown to wait.
func (m *machine) decideAll(c authority.Caller, state ostiary.AppState) {
	o, err := m.Overview(context.Background(), c, authority.Look{Waiting: 5})
	if err != nil {
		return
	}
	var refs []authority.AppRef
	for _, app := range o.Waiting {
		refs = append(refs, authority.AppRef{Token: app.App.Token, App: app.ID})
	}
	done, err := m.DecideApps(context.Background(), c, refs, state)
	m.note(err)
	made := 0
	if done.Last != 0 {
		made = int(done.Last-done.First) + 1
	}
	if err == nil && made+done.Left != len(refs) {
		panic("an application was neither decided about nor left")
	}
}

func (m *machine) remove(c authority.Caller, user ostiary.ID) {
	if m.other() {
		m.removeOne(c, user)
		return
	}
	p := m.members(user, ostiary.NoRole)
	_, _, err := m.SetAccount(context.Background(), c, p)
	var refusal *ostiary.Refusal
	if errors.As(err, &refusal) {
		if list, ok := refusal.Detail.(authority.Leaving); ok {
			p.Confirm = list.Confirm
			_, _, err = m.SetAccount(context.Background(), c, p)
		}
	}
	m.note(err)
}

// request shows a random token of those made so far.
func (m *machine) request(t *rapid.T, need ostiary.Role, app string) func() {
	n := rapid.IntRange(0, 999).Draw(t, "secret")
	secret := m.secrets[n%len(m.secrets)]
	return func() {
		d := m.ask(secret, app, need)
		m.mu.Lock()
		m.asked = append(m.asked, asked{secret.Hash(), app, need.String(), d})
		m.mu.Unlock()
	}
}

// replay walks the log with the model, and asks it every question at the revision of the answer.
func (m *machine) replay(t tb) {
	byRevision := map[uint64][]asked{}
	for _, a := range m.asked {
		byRevision[a.got.Revision] = append(byRevision[a.got.Revision], a)
	}
	model, anew := newModel(), directory.New()
	err := m.store.Changes(context.Background(), 0, func(c ostiary.Change) error {
		if err := model.apply(c); err != nil {
			return err
		}
		for _, a := range byRevision[c.Revision] {
			answer, role := model.decide(a.hash, a.app, a.need)
			if got := a.got; got.Reason.String() != answer || role != "" && got.Role.String() != role {
				t.Fatalf("at revision %d %s was told %q as %s; the model says %q as %s",
					c.Revision, a.app, got.Reason, got.Role, answer, role)
			}
		}
		return anew.Apply(c, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	if m.dir.Revision() != model.revision || anew.Digest() != m.dir.Digest() {
		t.Fatal("memory is not what the log says")
	}
	loaded := directory.New()
	if err := loaded.Load(context.Background(), m.store); err != nil {
		t.Fatal(err)
	}
	if loaded.Digest() != anew.Digest() {
		t.Fatal("the replayed facts are not the records")
	}
}
