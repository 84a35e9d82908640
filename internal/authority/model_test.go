package authority_test

import (
	"fmt"
	"strings"

	"ostiary"
)

// A model is the rules told again, slowly and from the contract's tables, to check the real ones by.
// It is moved from entry to entry of the log.
type model struct {
	revision uint64
	members  map[[2]ostiary.ID]string // account, user → role
	disabled map[ostiary.ID]bool
	tokens   map[ostiary.ID]*modelToken
	hashes   map[ostiary.Hash]ostiary.ID

	// Who removes its own owner acts to the end of that change with the role that it had when it began: the
	// entries before the last one retire the tokens, its own among them.
	removing ostiary.By
	began    string
}

type modelToken struct {
	account, owner ostiary.ID // owner 0: an account token
	privilege, def string
	retired        bool
	apps           map[string]*modelApp
}

type modelApp struct {
	id    ostiary.ID
	state string
}

func newModel() *model {
	return &model{
		members: map[[2]ostiary.ID]string{}, disabled: map[ostiary.ID]bool{},
		tokens: map[ostiary.ID]*modelToken{}, hashes: map[ostiary.Hash]ostiary.ID{},
	}
}

var ladder = map[string]int{"": 0, "None": 0, "Read Only": 1, "Normal": 2, "Admin": 3}

func lower(a, b string) string {
	if ladder[a] < ladder[b] {
		return a
	}
	return b
}

func (m *model) role(account, user ostiary.ID) string {
	if m.disabled[user] {
		return ""
	}
	return m.members[[2]ostiary.ID{account, user}]
}

func (m *model) canUse(t *modelToken) string {
	if t.retired {
		return ""
	}
	if t.owner == 0 {
		return t.privilege
	}
	return lower(t.privilege, m.role(t.account, t.owner))
}

// decide is contract 3.2 for a token that was shown with a valid application name.
func (m *model) decide(hash ostiary.Hash, app, need string) (answer, role string) {
	t := m.tokens[m.hashes[hash]]
	if t == nil || m.canUse(t) == "" {
		return "bad token", ""
	}
	state := "waiting"
	if a := t.apps[app]; a != nil {
		state = a.state
	}
	switch {
	case state == "denied", state == "waiting" && t.def == "Deny":
		return "denied app", ""
	case state == "waiting" && t.def == "Pending":
		return "pending app", ""
	case ladder[m.canUse(t)] < ladder[need]:
		return "low role", m.canUse(t)
	}
	return "ok", m.canUse(t)
}

// apply checks that an entry was acceptable where it stands, and that its facts are what follows
// from its story; then the model stands after it.
func (m *model) apply(c ostiary.Change) error {
	if c.Revision != m.revision+1 {
		return fmt.Errorf("entry %d follows %d", c.Revision, m.revision)
	}
	m.revision = c.Revision
	if err := m.accept(c); err != nil {
		return fmt.Errorf("entry %d (%s by %s): %w", c.Revision, c.Story.What, c.Story.By, err)
	}
	for _, f := range c.Facts {
		m.take(f)
	}
	return m.invariants(c)
}

// take makes a fact so.
func (m *model) take(f ostiary.Fact) {
	switch {
	case f.User != nil:
		m.disabled[f.User.ID] = f.User.Disabled
	case f.Member != nil:
		key := [2]ostiary.ID{f.Member.Account, f.Member.User}
		m.members[key] = f.Member.Role.String()
		if f.Member.Role == ostiary.NoRole {
			delete(m.members, key)
		}
	case f.Token != nil:
		t := m.tokens[f.Token.ID]
		if t == nil {
			t = &modelToken{account: f.Token.Account, apps: map[string]*modelApp{}}
			m.tokens[f.Token.ID] = t
		}
		t.owner, t.privilege, t.def, t.retired = f.Token.Owner, f.Token.Privilege.String(), f.Token.Default.String(), f.Token.Retired
	case f.Secret != nil:
		m.hashes[f.Secret.Hash] = f.Secret.Token
	case f.App != nil && f.App.Gone:
		delete(m.tokens[f.App.Token].apps, f.App.Name)
	case f.App != nil:
		m.tokens[f.App.Token].apps[f.App.Name] = &modelApp{f.App.ID, f.App.State.String()}
	}
}

// who is the actor of an entry: the role it acts with, the user it acts for, the token at work.
func (m *model) who(c ostiary.Change) (role string, user, token ostiary.ID) {
	by := string(c.Story.By)
	if strings.HasPrefix(by, "operator:") {
		return "operator", 0, 0
	}
	if text, ok := strings.CutPrefix(by, "/user/"); ok {
		user, _ = ostiary.ParseID(text)
		return m.role(c.Account, user), user, 0
	}
	if text, ok := strings.CutPrefix(by, "/token/"); ok {
		token, _ = ostiary.ParseID(text)
		t := m.tokens[token]
		if t == nil || t.account != c.Account {
			return "", 0, token
		}
		return m.canUse(t), t.owner, token
	}
	return "", 0, 0
}

func atLeast(role, need string) bool { return role == "operator" || ladder[role] >= ladder[need] }

// accept is contract 2.2 and 2.3 for one entry.
func (m *model) accept(c ostiary.Change) error {
	role, user, at := m.who(c)
	s := c.Story
	if m.removing == s.By && m.removing != "" {
		role = m.began
	}
	m.removing, m.began = "", role
	if s.Details["because"] == "its owner is removed" {
		m.removing = s.By
	}
	old := m.tokens[s.Token]
	own := old != nil && user != 0 && old.owner == user
	admin := atLeast(role, "Admin")
	mayTouch := old != nil && old.account == c.Account && !old.retired && at != s.Token && (admin || own && atLeast(role, "Normal"))
	switch s.What {
	case "account.create", "user.create", "user.disable", "user.enable":
		if role != "operator" {
			return fmt.Errorf("only the operator may")
		}
	case "token.create":
		return m.acceptCreate(c, role, user)
	case "token.change":
		return m.acceptTokenChange(c, old, mayTouch, role)
	case "token.retire":
		if old.retired || !(admin || own && role != "" || at == s.Token && role != "") {
			return fmt.Errorf("a %q may not retire it", role)
		}
		return wantToken(c, s.Token, func(f *ostiary.TokenFact) bool { return f.Retired && f.Owner == old.owner })
	case "token.promote":
		return m.acceptPromote(c, old, admin && at != s.Token)
	case "app.allowed", "app.denied":
		if !mayTouch {
			return fmt.Errorf("a %q may not decide", role)
		}
		return wantApp(c, s, strings.TrimPrefix(s.What, "app."))
	case "app.forget":
		if !(old != nil && at != s.Token && (admin || own && atLeast(role, "Normal"))) {
			return fmt.Errorf("a %q may not forget", role)
		}
	case "app.new":
		if old.apps[s.AppName] != nil {
			return fmt.Errorf("recorded twice")
		}
		return wantApp(c, s, map[string]string{"Allow": "allowed"}[old.def])
	case "app.settle":
		if old.def != "Allow" || old.apps[s.AppName].state != "waiting" {
			return fmt.Errorf("nothing to settle")
		}
		return wantApp(c, s, "allowed")
	case "member.role", "member.remove", "account.change", "invitation.create", "invitation.drop":
		if !admin {
			return fmt.Errorf("a %q may not", role)
		}
	case "invitation.accept", "user.change", "app.cap":
	default:
		return fmt.Errorf("unknown kind of entry")
	}
	return nil
}

func (m *model) acceptCreate(c ostiary.Change, role string, user ostiary.ID) error {
	return wantToken(c, c.Story.Token, func(f *ostiary.TokenFact) bool {
		limit := role
		switch {
		case f.Kind == ostiary.UserToken && role == "operator":
			limit = m.role(f.Account, f.Owner)
		case f.Kind == ostiary.UserToken:
			if f.Owner != user || !atLeast(role, "Normal") {
				return false
			}
		case role == "operator":
			limit = "Admin"
		default:
			if role != "Admin" {
				return false
			}
		}
		return f.Privilege != 0 && ladder[f.Privilege.String()] <= ladder[limit] && f.Account == c.Account
	})
}

func (m *model) acceptTokenChange(c ostiary.Change, old *modelToken, mayTouch bool, role string) error {
	if !mayTouch {
		return fmt.Errorf("a %q may not change it", role)
	}
	return wantToken(c, c.Story.Token, func(f *ostiary.TokenFact) bool {
		p := f.Privilege.String()
		return !f.Retired && f.Owner == old.owner && (p == old.privilege || atLeast(role, p))
	})
}

func (m *model) acceptPromote(c ostiary.Change, old *modelToken, admin bool) error {
	if !admin || old.retired || old.owner == 0 {
		return fmt.Errorf("may not be promoted")
	}
	most := m.canUse(old)
	if most == "" {
		most = old.privilege
	}
	return wantToken(c, c.Story.Token, func(f *ostiary.TokenFact) bool {
		return f.Kind == ostiary.AccountToken && f.Owner == 0 && ladder[f.Privilege.String()] <= ladder[most] && f.Privilege != 0
	})
}

func wantToken(c ostiary.Change, id ostiary.ID, ok func(*ostiary.TokenFact) bool) error {
	for _, f := range c.Facts {
		if f.Token != nil && f.Token.ID == id {
			if !ok(f.Token) {
				return fmt.Errorf("the token became %+v", *f.Token)
			}
			return nil
		}
	}
	return fmt.Errorf("the entry has no such token")
}

func wantApp(c ostiary.Change, s *ostiary.Story, state string) error {
	if state == "" {
		state = "waiting"
	}
	for _, f := range c.Facts {
		if f.App != nil && f.App.ID == s.App && f.App.State.String() == state && !f.App.Gone {
			return nil
		}
	}
	return fmt.Errorf("the application did not become %s", state)
}

// invariants hold after every entry: an account that has members has an admin who can sign in,
// unless the operator disabled the last one; who is no member has no live user token.
func (m *model) invariants(c ostiary.Change) error {
	admins, people := map[ostiary.ID]int{}, map[ostiary.ID]int{}
	for key, role := range m.members {
		people[key[0]]++
		if role == "Admin" {
			admins[key[0]]++
		}
	}
	for account, n := range people {
		if admins[account] == 0 && n > 0 {
			return fmt.Errorf("entry %d leaves account %d without an admin", c.Revision, account)
		}
	}
	for id, t := range m.tokens {
		if _, member := m.members[[2]ostiary.ID{t.account, t.owner}]; t.owner != 0 && !t.retired && !member {
			return fmt.Errorf("entry %d leaves token %d live, whose owner is no member", c.Revision, id)
		}
	}
	return nil
}
