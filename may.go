package ostiary

import "cmp"

// An Actor is who asks to see or change something, with the role on the account at that moment.
type Actor struct {
	User     ID     // the person; for a user token at work, its owner
	Token    ID     // the token at work; zero for a person or the operator
	Kind     Kind   // the token's
	Operator string // the operator's system user; empty for everybody else
	Role     Role   // of the person, or what the token can use; the operator's is Admin
	Alone    bool   // a person who can sign in, at work on no account
}

// By is how the log and the records name the actor.
func (a Actor) By() By {
	switch {
	case a.Operator != "":
		return By("operator:" + a.Operator)
	case a.Token != 0:
		return By("/token/" + a.Token.String())
	case a.User != 0:
		return By("/user/" + a.User.String())
	}
	return ""
}

// An Action is what an actor asks to do.
type Action uint8

const (
	NoAction Action = iota
	SeeToken
	CreateToken
	SetPrivilege
	SetToken // default app state, description, expiry, networks
	DecideApp
	RetireToken
	PromoteToken
	SeeAccount
	ChangeAccount // also roles, members, invitations
	ReadLog       // all of the account; what concerns own tokens everybody may read
	ChangeUser    // names and contacts
	ChangeLogin   // e-mail and password
	Operate       // what only the operator may: make accounts and users, reset, disable
	actionsEnd
)

var actionNames = [...]string{
	"nothing", "see a token", "create a token", "set a privilege", "change a token",
	"decide about an application", "retire a token", "promote a token", "see the account",
	"change the account", "read the whole log", "change a user", "change a login", "operate",
}

func (a Action) String() string {
	if int(a) < len(actionNames) {
		return actionNames[a]
	}
	return actionNames[0]
}

// A Target is what the action is about. Each action reads the fields that concern it.
type Target struct {
	Kind      Kind // of the token
	Token     ID
	Owner     ID   // of a user token
	OwnerRole Role // of that owner on the account now
	Privilege Role // the privilege that is asked for
	User      ID   // the user to be changed
}

// TokenTarget is a token as the target of an action.
func TokenTarget(t Token) Target { return Target{Kind: t.Kind, Token: t.ID, Owner: t.Owner} }

// May says whether the actor may do this (contract 2.3). It returns nil or a *Refusal: Hidden for
// what the actor may not even see, Self for a token at work on itself, LowRole for the rest.
func May(a Actor, action Action, t Target) error {
	operator := a.Operator != ""
	if operator {
		a.Role = Admin
	}
	switch action {
	case SeeAccount:
		return need(a, ReadOnly, action)
	case ChangeAccount, ReadLog:
		return need(a, Admin, action)
	case ChangeUser:
		if operator || isOneself(a, t) {
			return nil
		}
		return Refuse(LowRole, "Only the user may change this.")
	case ChangeLogin:
		// Not with a token: whoever has one would become its owner.
		if !operator && a.Token == 0 && isOneself(a, t) {
			return nil
		}
		return Refuse(LowRole, "Only the user may change this, on the pages, with the password.")
	case Operate:
		if operator {
			return nil
		}
		return Refuse(LowRole, "Only the operator may do this.")
	case CreateToken:
		return mayCreate(a, t)
	}

	itself := a.Token != 0 && a.Token == t.Token
	own := t.Kind == UserToken && a.User != 0 && a.User == t.Owner
	if a.Role == NoRole || !(own || itself || a.Role == Admin) {
		return Refuse(Hidden, "There is no such token.")
	}
	switch action {
	case SeeToken:
		return nil
	case RetireToken:
		return nil
	case SetPrivilege, SetToken, DecideApp, PromoteToken:
		if itself {
			return Refuse(Self, "A token may not do this to itself.")
		}
	default:
		return Refuse(LowRole, "Nobody may do this.")
	}
	if action == PromoteToken {
		return need(a, Admin, action)
	}
	if err := need(a, Normal, action); err != nil {
		return err
	}
	if action == SetPrivilege && (t.Privilege == NoRole || t.Privilege > a.Role) {
		return tooHigh(t.Privilege, a.Role)
	}
	return nil
}

// isOneself: a person on an account, or on none, and a token at work for one.
func isOneself(a Actor, t Target) bool {
	return a.User != 0 && a.User == t.User && (a.Role > NoRole || a.Alone)
}

// mayCreate: a user token for oneself, with Normal; an account token with Admin; up to one's own
// role. The operator makes user tokens for others, never above their owner.
func mayCreate(a Actor, t Target) error {
	limit := a.Role
	switch t.Kind {
	case UserToken:
		if a.Operator != "" {
			limit = t.OwnerRole
			break
		}
		if err := need(a, Normal, CreateToken); err != nil {
			return err
		}
		if a.User == 0 || a.User != t.Owner {
			return Refuse(LowRole, "A user token is made by its owner or by the operator.")
		}
	case AccountToken:
		if err := need(a, Admin, CreateToken); err != nil {
			return err
		}
	default:
		return Refuse(LowRole, "A token belongs to a user or to the account.")
	}
	if t.Privilege == NoRole || t.Privilege > limit {
		return tooHigh(t.Privilege, limit)
	}
	return nil
}

func need(a Actor, role Role, action Action) error {
	if a.Role >= role {
		return nil
	}
	if a.Role == NoRole {
		return Refuse(LowRole, "You have no role on the account, or none any more: to "+action.String()+
			" needs "+role.String()+".")
	}
	return Refuse(LowRole,
		"The role "+a.Role.String()+" is too low to "+action.String()+": it needs "+role.String()+".")
}

func tooHigh(asked, limit Role) error {
	return Refuse(LowRole,
		"The privilege "+asked.String()+" is above "+limit.String()+", the most that can be given here.")
}

// PromotedPrivilege is the privilege of a token after Promote: what it could use at that moment,
// so that promoting never raises. Where its owner can do nothing, asked stands in, at most the
// token's own privilege.
func PromotedPrivilege(t TokenFact, owner, asked Role) (Role, error) {
	now := CanUse(t, owner)
	if now == NoRole {
		if asked == NoRole {
			return NoRole, RefuseField("privilege", "The owner can do nothing now, so say which privilege the "+
				"account token gets, at most "+t.Privilege.String()+". The former owner may know the secret.")
		}
		now = t.Privilege
	}
	if asked > now {
		return NoRole, tooHigh(asked, now)
	}
	if asked != NoRole {
		return asked, nil
	}
	return now, nil
}

// KeepsAdmin says whether a member may stop being an admin (contract 2.3): others is how many other
// admins of the account can sign in. Without any, also one who is disabled stays an admin.
func KeepsAdmin(others int, was, becomes Role) error {
	if was == Admin && becomes < Admin && others == 0 {
		return Refuse(Conflict, "An account always keeps at least one admin. Make somebody else an admin first.")
	}
	return nil
}

// HigherFirst orders roles from Admin down. Changed in this order, roles can be handed over in one
// call without an account being left without an admin on the way.
func HigherFirst(a, b Role) int { return cmp.Compare(b, a) }
