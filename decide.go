package ostiary

import (
	"net/netip"
	"time"
)

// A Credential is what a request shows, as package credential reads it from the headers.
type Credential struct {
	Shown   Shown
	Token   SecretText // only with ShownToken
	App     string     // the application name as sent; CheckAppName judges it
	Account ID         // the account that the request names: AnyAccount where it names none
}

// Accounts that a Credential can name besides a real one.
const (
	AnyAccount     ID = 0
	UnclearAccount ID = 1<<64 - 1 // a header that cannot be read as an account
)

// Shown says what was found where a token belongs.
type Shown uint8

const (
	ShownNothing Shown = iota
	ShownBad           // something that is no token, or two that differ
	ShownToken
)

// Facts is everything on record about one credential at one revision.
type Facts struct {
	Ready       bool          // this node has loaded the records
	Behind      time.Duration // since memory was last known to hold every change; zero where it always does
	Lease       time.Duration // how far behind it may be
	Known       bool          // a secret with this hash is on record
	Token       TokenFact
	Owner       Role // the owner's role on the account now; NoRole for one who is gone or disabled
	OwnerID     ID
	App         AppFact // zero ID: not on record
	AccountName string  // short name
	Email       string  // the owner's; empty for account tokens
	Revision    uint64
}

// A Question is what is asked about a request: what it shows, the role it needs, when, and from
// where it comes.
type Question struct {
	Credential
	Need     Role // NoRole where only the credential is asked about
	At       time.Time
	From     netip.Addr // the caller; not valid where it is not known
	OverRate bool       // the token is over its rate limit; the authority fills it in
	AtLeast  uint64     // the oldest revision that may answer
	Unclear  bool       // the path could mean two things, and a rule could be dodged by it

	// For the record of use. Decide does not look at them.
	Method, Path, Agent string
}

// A Decision is the answer to one request. Its zero value is a refusal.
type Decision struct {
	Reason      Reason
	Role        Role // what the token can use; only where the application was let in
	Need        Role
	Revision    uint64
	Account     ID
	AccountName string
	Token       ID
	Kind        Kind
	User        ID     // the owner of a user token
	Email       string // the owner's
	App         ID     // zero: not on record
	AppName     string
	Behind      time.Duration // memory may lack the changes of this time; zero while it is fresh
	Record      bool          // the application must be put on record, or its record changed …
	RecordAs    AppState      // … to this state
}

// OK says that the request is let through.
func (d Decision) OK() bool { return d.Reason == OK }

// CanUse is the role that a token can use: never more than its owner can do now.
func CanUse(t TokenFact, owner Role) Role {
	switch t.Kind {
	case UserToken:
		return min(t.Privilege, owner)
	case AccountToken:
		return t.Privilege
	}
	return NoRole
}

// CanUseNow is CanUse for a token that may be retired or expired by then: then it may do nothing.
func CanUseNow(t TokenFact, owner Role, at time.Time) Role {
	if t.Retired || Expired(t, at) {
		return NoRole
	}
	return CanUse(t, owner)
}

// Expired says whether a token's time is over.
func Expired(t TokenFact, at time.Time) bool { return t.ExpiresOn != 0 && at.Unix() >= t.ExpiresOn }

// AnswerApp is what an application is told: OK, PendingApp or DeniedApp. One that is not on
// record waits. While nobody has decided, the token's default answers.
func AnswerApp(state AppState, def DefaultAppState) Reason {
	switch state {
	case Allowed:
		return OK
	case Waiting:
		switch def {
		case Allow:
			return OK
		case Pending:
			return PendingApp
		}
	}
	return DeniedApp
}

// FirstState is the state of a record that nobody decided about: an application that the default
// lets in is allowed from then on, any other waits.
func FirstState(def DefaultAppState) AppState {
	if def == Allow {
		return Allowed
	}
	return Waiting
}

// Settles says whether a request changes the record of an application that nobody decided about: a
// default that was opened since lets it in for good.
func Settles(state, first AppState) bool { return state == Waiting && first == Allowed }

// Decide answers a request, in the order in which a caller learns what is wrong (contract 3.2).
func Decide(f *Facts, q *Question) Decision {
	d := Decision{Revision: f.Revision, Need: q.Need, AppName: q.App}
	if !f.MayDecide() {
		d.Reason = Unavailable
		return d
	}
	if f.Behind > FreshFor {
		d.Behind = f.Behind
	}
	if q.Shown == ShownNothing {
		d.Reason = NoToken
		return d
	}
	if q.Shown != ShownToken || !f.Known {
		d.Reason = BadToken
		return d
	}
	d.Account, d.AccountName, d.Token, d.Kind = f.Token.Account, f.AccountName, f.Token.ID, f.Token.Kind
	d.User, d.Email, d.App = f.OwnerID, f.Email, f.App.ID
	role := CanUseNow(f.Token, f.Owner, q.At)
	if role == NoRole {
		d.Reason = BadToken
		return d
	}
	if q.Account != AnyAccount && q.Account != f.Token.Account {
		d.Reason = WrongAccount
		return d
	}
	if reason := CheckAppName(q.App); reason != OK {
		d.Reason = reason
		return d
	}

	// From here on the application is put on record, also when a later check refuses.
	first := FirstState(f.Token.Default)
	d.Record = f.App.ID == 0 || Settles(f.App.State, first)
	d.RecordAs = first

	if d.Reason = AnswerApp(f.App.State, f.Token.Default); d.Reason != OK {
		return d
	}
	d.Role = role
	switch {
	case !onNetwork(f.Token.Networks, q.From):
		d.Reason = WrongNetwork
	case q.OverRate:
		d.Reason = TooMany
	case q.Unclear:
		d.Reason = UnclearPath
	case role < q.Need:
		d.Reason = LowRole
	}
	return d
}

// FreshFor is how far behind a node may be without saying so.
const FreshFor = 2 * time.Second

// MayDecide says whether decisions can be made from what this node has in memory. Beyond its lease it
// may lack a retirement that was acknowledged long ago.
func (f *Facts) MayDecide() bool { return f.Ready && f.Behind <= f.Lease }

// onNetwork says whether the address is on the list; an empty list holds every address.
func onNetwork(networks []netip.Prefix, from netip.Addr) bool {
	for _, n := range networks {
		if n.Contains(from.Unmap()) {
			return true
		}
	}
	return len(networks) == 0
}
