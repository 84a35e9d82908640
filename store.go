package ostiary

import (
	"context"
	"errors"
	"time"
)

// ErrNotFound says that a record does not exist.
var ErrNotFound = errors.New("no such record")

// ErrReadOnly says that no change can be made now: the database is away, full, replaced, or no
// longer trusted after a failed sync. The text around it says which, and what to do.
var ErrReadOnly = errors.New("no changes can be made now")

// An UncertainError says that a commit failed in a way that leaves open whether it took place, and
// that it could not be looked up. Facts are those that it would have made, the last of them at a revision: once
// the log has that, it tells.
type UncertainError struct {
	Facts    []Fact
	Revision uint64 // zero: nobody knows
	Err      error
}

func (e *UncertainError) Error() string {
	return "it is not known whether the change was made: " + e.Err.Error()
}
func (e *UncertainError) Unwrap() []error { return []error{e.Err, ErrReadOnly} }

// A Store keeps the records. Every engine passes the same suite (internal/store/suite). It knows
// no rule: it says what is written, not what it means.
type Store interface {
	Viewer
	// Update makes a change: serializable, whole or not at all, durable when it returns nil. It may
	// run fn more than once. An error of fn is returned as it is, and nothing is changed. A fn that
	// puts records must Append an entry after them; one that puts nothing changes nothing.
	Update(ctx context.Context, fn func(Writer) error) error
	// Changes gives the log after a revision, in order, without a gap.
	Changes(ctx context.Context, after uint64, fn func(Change) error) error
	Close() error
}

// A Viewer shows fn one consistent snapshot.
type Viewer interface {
	View(ctx context.Context, fn func(Reader) error) error
}

// A Head is where the log ends: its last revision, and the chain there.
type Head struct {
	Revision uint64
	Chain    Hash
}

// A Reader reads one snapshot. A record that does not exist is ErrNotFound; lists are in order of
// id, and nil where there is nothing.
type Reader interface {
	AccountReader
	UserReader
	SessionReader
	TokenReader
	AppReader
	EdgeReader
	LogReader
}

type AccountReader interface {
	Account(id ID) (Account, error)
	AccountByName(shortName string) (Account, error)
	Accounts() ([]Account, error)
	Member(account, user ID) (Member, error)
	Members(account ID) ([]Member, error)
	Invitation(account, id ID) (Invitation, error)
	Invitations(account ID) ([]Invitation, error)
}

type UserReader interface {
	User(id ID) (User, error)
	UserByEmail(email string) (User, error) // without regard to case
	Users() ([]User, error)
	Memberships(user ID) ([]Member, error)
	Password(user ID) (hash string, err error) // ErrNotFound: none set
	Link(hash Hash) (Invitation, error)
}

// SessionReader reads who is signed in.
type SessionReader interface {
	Session(hash Hash) (Session, error)
	Sessions(user ID) ([]Session, error)
}

type TokenReader interface {
	Token(account, id ID) (Token, error)
	TokenByID(id ID) (Token, error) // whatever its account: for the operator
	Tokens(account ID) ([]Token, error)
	TokensOf(account, owner ID) ([]Token, error) // user tokens of one member
	TokensMade(account ID) ([]Token, error)      // those that were made with another token
	Secrets(account, token ID) ([]Secret, error)
	SecretsOf(account ID) ([]Secret, error) // all of the account's
}

type AppReader interface {
	App(account, token, id ID) (App, error)
	AppByID(id ID) (App, error) // whatever its account
	AppByName(account, token ID, name string) (App, error)
	Apps(account, token ID) ([]App, error)
	AppsOf(account ID) ([]App, error) // all of the account's
	// AppsWaiting gives the account's applications that wait, on retired tokens too.
	AppsWaiting(account ID) ([]App, error)
	// TokensWithApp gives the tokens with an application in whose name a text occurs, without regard to case.
	TokensWithApp(account ID, text string) ([]ID, error)
	// CountApps counts a token's applications, and those of them that wait; token 0: the account's.
	CountApps(account, token ID) (all, waiting int, err error)
}

// EdgeReader reads who may follow the log.
type EdgeReader interface {
	Edge(id ID) (Edge, error)
	Edges() ([]Edge, error)
}

// A LogFilter chooses entries. Zero fields choose everything.
type LogFilter struct {
	Account  ID
	What     string // exact, or with a trailing *: "token.*"
	By       By     // exact, or with a trailing *: "operator:*"
	Token    ID
	Tokens   []ID // any of these; used for what concerns own tokens
	User     ID   // the person it is about, or for whom a token was at work
	Person   ID   // the same, or the person who did it
	AppName  string
	From, To time.Time // From inclusive, To exclusive
	Before   uint64    // revisions below this one; zero: from the newest
	After    uint64    // revisions above this one
	Limit    int       // at most this many; zero: 100
	Oldest   bool      // oldest first, instead of newest first
}

type LogReader interface {
	Head() (Head, error)
	Log(filter LogFilter) ([]Change, error)
	// Once finds the entry that was made under an Idempotency-Key since a time.
	Once(key Hash, since time.Time) (Change, Once, error)
	// Snapshot gives every record as its fact, at this snapshot's revision: what a directory is
	// loaded from. Accounts come before users, members, tokens, secrets, applications and edges.
	Snapshot(fn func(Fact) error) error
}

// A Writer changes records inside one transaction. Whatever it puts becomes part of the next entry
// that is appended, so that no change can be made without its fact.
type Writer interface {
	Reader
	// NewID gives one that was never used before, of an "account", "user", "invitation", "token",
	// "secret", "app", "session" or "edge".
	NewID(kind string) (ID, error)

	PutAccount(Account) error
	PutUser(User) error
	PutMember(Member) error // NoRole: no longer a member
	PutToken(Token) error
	PutSecret(Secret) error
	PutApp(App) error
	DropApp(App) error
	PutEdge(Edge) error
	SessionWriter
	LogWriter
}

// SessionWriter changes who is signed in, outside the log.
type SessionWriter interface {
	PutSession(Session) error
	DropSession(hash Hash) error
	DropSessions(user ID, except Hash) error                   // zero except: all
	DropStaleSessions(seenBefore, begunBefore time.Time) error // of everybody: last seen or begun before
}

type LogWriter interface {
	// Append makes one entry of everything put since the last one, and gives its revision.
	Append(account ID, at time.Time, story Story, once *Once) (uint64, error)
	// EraseStories removes the stories of an account before a time, and says how many. The chain
	// still verifies. The caller appends an entry that says so.
	EraseStories(account ID, before time.Time) (int, error)

	// Outside the log: what only this database needs to know.
	PutInvitation(Invitation) error
	DropInvitation(account, id ID) error
	PutPassword(user ID, hash string) error          // empty: none
	PutLink(hash Hash, account, invitation ID) error // a new one ends the old
}
