// Package ostiary says what an account, a token and an application are, and holds every rule about them.
//
// The rules are pure functions: [Decide] answers a request, [May] a person or a token at work for
// one, [Need] says which role a request needs. Nothing outside this package compares a role or a state.
package ostiary

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// An ID names a record. IDs start at 1; the zero ID names nothing.
type ID uint64

func (id ID) String() string { return strconv.FormatUint(uint64(id), 10) }

// ParseID reads a decimal ID without sign, leading zeros or spaces.
func ParseID(s string) (ID, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil || n == 0 || s != strconv.FormatUint(n, 10) {
		return 0, fmt.Errorf("not an id: %q", clip(s))
	}
	return ID(n), nil
}

// A Role is what a member may do on an account, or a token for it. Roles are ordered; the zero Role
// may do nothing.
type Role uint8

const (
	NoRole Role = iota
	ReadOnly
	Normal
	Admin
)

// String is the role as the API writes it: "Read Only", "Normal", "Admin".
func (r Role) String() string {
	switch r {
	case ReadOnly:
		return "Read Only"
	case Normal:
		return "Normal"
	case Admin:
		return "Admin"
	}
	return "None"
}

// Label is the role as pages and the command write it: "Read-Only", "Normal", "Admin".
func (r Role) Label() string { return strings.ReplaceAll(r.String(), " ", "-") }

// IsAdmin says whether the role administers the account.
func (r Role) IsAdmin() bool { return r == Admin }

// ParseRole reads a role in any of its spellings: "Read Only", "Read-Only", "read-only", "Normal", "Admin".
func ParseRole(s string) (Role, error) {
	switch strings.ReplaceAll(strings.ToLower(s), " ", "-") {
	case "read-only":
		return ReadOnly, nil
	case "normal":
		return Normal, nil
	case "admin":
		return Admin, nil
	}
	return NoRole, fmt.Errorf("not a role: %q; the roles are Read-Only, Normal and Admin", clip(s))
}

// A Kind says to whom a token belongs. The zero Kind belongs to nobody.
type Kind uint8

const (
	NoKind Kind = iota
	UserToken
	AccountToken
)

// String is "user" or "account".
func (k Kind) String() string {
	switch k {
	case UserToken:
		return "user"
	case AccountToken:
		return "account"
	}
	return "none"
}

// ParseKind reads "user" or "account".
func ParseKind(s string) (Kind, error) {
	switch s {
	case "user":
		return UserToken, nil
	case "account":
		return AccountToken, nil
	}
	return NoKind, fmt.Errorf("not a kind of token: %q; the kinds are user and account", clip(s))
}

// A DefaultAppState is what a token answers to an application that nobody has decided about.
type DefaultAppState uint8

const (
	Deny DefaultAppState = iota
	Pending
	Allow
)

// String is "Deny", "Pending" or "Allow".
func (d DefaultAppState) String() string {
	switch d {
	case Pending:
		return "Pending"
	case Allow:
		return "Allow"
	}
	return "Deny"
}

// ParseDefaultAppState reads "Allow", "Pending" or "Deny", in any case.
func ParseDefaultAppState(s string) (DefaultAppState, error) {
	switch strings.ToLower(s) {
	case "allow":
		return Allow, nil
	case "pending":
		return Pending, nil
	case "deny":
		return Deny, nil
	}
	return Deny, fmt.Errorf("not a default app state: %q; the states are Allow, Pending and Deny", clip(s))
}

// An AppState is what a person decided about an application. Waiting means that nobody has.
type AppState uint8

const (
	Waiting AppState = iota
	Denied
	Allowed
)

// String is "waiting", "denied" or "allowed".
func (s AppState) String() string {
	switch s {
	case Denied:
		return "denied"
	case Allowed:
		return "allowed"
	}
	return "waiting"
}

// ParseAppState reads a decision: "allowed" or "denied". Nobody decides that an application waits.
func ParseAppState(s string) (AppState, error) {
	switch s {
	case "allowed":
		return Allowed, nil
	case "denied":
		return Denied, nil
	}
	return Waiting, fmt.Errorf("not a decision about an application: %q; it is allowed or denied", clip(s))
}

// By names who did something: "/user/2", "/token/12", "operator:NAME", or empty for nobody.
type By string

// An Account is a tenant: an organisation whose API is being used.
type Account struct {
	ID          ID
	ShortName   string // "social_networks": lower-case letters, digits and _
	Name        string
	Description string
	Timezone    string // IANA
	UUID        string
	CreatedOn   time.Time
	Owner       ID // the user who was its first admin
	MetricLimit int64
	MetricsUsed int64
	Address1    string
	Address2    string
	CCEmail     string
	City        string
	CountryCode string // ISO 3166 alpha-2
	StateProv   string
	CapMet      bool // the cap on applications was met, and the log says so
}

// A User is a person with a login, one over all accounts.
type User struct {
	ID        ID
	Email     string
	FirstName string
	LastName  string
	Contact   ContactInfo
	Disabled  bool
	CreatedOn time.Time
}

// ContactInfo says how to reach a user besides e-mail.
type ContactInfo struct {
	SMS       string `json:"sms,omitempty"`
	VictorOps string `json:"victorops,omitempty"`
	XMPP      string `json:"xmpp,omitempty"`
}

// A Member is a user on an account, with a role.
type Member struct {
	Account   ID
	User      ID
	Role      Role
	Since     time.Time
	InvitedBy By // who issued the link with which the member came, and may know it; empty: there was none
}

// An Invitation asks a person to become a member. Its link is kept apart, as a hash.
type Invitation struct {
	Account   ID
	ID        ID
	Email     string
	Role      Role
	InvitedBy By
	InvitedOn time.Time
	ExpiresOn time.Time
}

// A Session is a person at a browser. The browser knows it by a cookie, of which the hash is kept.
type Session struct {
	ID      ID
	Hash    Hash
	User    ID
	BeganOn time.Time
	SeenOn  time.Time // a few minutes behind at most
	From    string    // address, where it began
	Agent   string
}

// A Token lets applications in, for its owner. Its secrets are records of their own.
type Token struct {
	Account     ID
	ID          ID
	Kind        Kind
	Owner       ID   // the user; zero for an account token
	Privilege   Role // the role granted; what it can use is CanUse
	Default     DefaultAppState
	Description string
	CreatedOn   time.Time
	CreatedBy   By
	MadeWith    ID // the token that made it; zero if a person or the operator did
	ExpiresOn   time.Time
	Networks    []netip.Prefix // from where it may be used; empty: from everywhere
	RetiredOn   time.Time
	RetiredBy   By
	PromotedOn  time.Time
	PromotedBy  By
	FormerOwner ID // whose user token it was before it was promoted
	CapMet      bool
}

// A Secret is what a request shows for a token. Only its hash is kept.
type Secret struct {
	Account   ID
	ID        ID
	Token     ID
	Hash      Hash
	Hint      string // how it begins and ends: "k3X…9fQ2"
	CreatedOn time.Time
}

// An App is a name under which a token is presented.
type App struct {
	Account     ID
	Token       ID
	ID          ID
	Name        string
	State       AppState
	DecidedBy   By // empty: nobody
	DecidedOn   time.Time
	FirstSeenOn time.Time // zero: decided about before it turned up
}

// An Edge is a program that follows the log from afar and decides by itself. The operator issues its
// credential, of which only the hash is kept.
type Edge struct {
	ID        ID
	Name      string
	Hash      Hash
	Hint      string // how the credential begins and ends
	CreatedOn time.Time
	CreatedBy By
	RevokedOn time.Time
	RevokedBy By
}

// Limits of names and texts.
const (
	MaxAppName = 100 // bytes
	MaxText    = 500 // bytes: descriptions, names, addresses
	MaxEmail   = 254 // bytes
)

// CheckAppName says whether an application may have this name: 1 to 100 printable ASCII
// characters, no comma, no space at either end. It returns OK, NoAppName or BadAppName.
func CheckAppName(name string) Reason {
	if name == "" {
		return NoAppName
	}
	if len(name) > MaxAppName || name[0] == ' ' || name[len(name)-1] == ' ' {
		return BadAppName
	}
	for i := range len(name) {
		if c := name[i]; c < ' ' || c > '~' || c == ',' {
			return BadAppName
		}
	}
	return OK
}

// clip shortens what somebody sent, for a message.
func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}
