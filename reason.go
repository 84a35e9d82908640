package ostiary

import "errors"

// A Reason says why a request or a change was answered as it was. Package answer gives each its
// status, code and sentence. The zero Reason is a refusal.
type Reason uint8

const (
	Undecided Reason = iota
	OK
	Unavailable   // we cannot decide: starting, too far behind, broken
	NoToken       // no credential was shown
	BadToken      // unknown, malformed, retired, expired; its owner gone or disabled
	WrongAccount  // the account header names another account
	NoAppName     // no application name was shown
	BadAppName    // an application name that no application may have
	PendingApp    // the application waits for approval
	DeniedApp     // the application is denied
	WrongNetwork  // the caller's address is not on the token's list
	TooMany       // over the rate limit
	NoRoute       // nothing is served at this path
	WrongMethod   // the path does not serve this method
	UnclearPath   // the path could mean two things, and a rule could be dodged by it
	LowRole       // the role that can be used is too low
	Self          // a token at work on itself
	CrossSite     // another site's page in a browser sent the request
	Hidden        // does not exist, or may not be seen: nobody can tell which
	BadValue      // a body or value that is not valid
	TooLarge      // a body over the limit
	Conflict      // already retired, already an account token, last admin, …
	WrongPassword // a person who signs in, or confirms, is not let in: nobody can tell why
	NoUpstream    // the API behind the proxy cannot be reached, or does not answer in HTTP
	SlowUpstream  // the API behind the proxy does not answer in time
	reasonsEnd
)

var reasonNames = [...]string{
	"undecided", "ok", "unavailable", "no token", "bad token", "wrong account", "no app name", "bad app name",
	"pending app", "denied app", "wrong network", "too many", "no route", "wrong method", "unclear path",
	"low role", "self", "cross site", "hidden", "bad value", "too large", "conflict",
	"wrong password", "no upstream", "slow upstream",
}

// String is the reason in lower-case words: "pending app". Metrics and log lines use it.
func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return "undecided"
}

// Reasons are all of them, in order.
func Reasons() []Reason {
	all := make([]Reason, reasonsEnd)
	for i := range all {
		all[i] = Reason(i)
	}
	return all
}

// A Refusal is an error that its caller is told about: a reason, and what to do in words.
type Refusal struct {
	Reason     Reason
	Field      string // the field of the request that is wrong, if one is
	Say        string // a sentence for people; it never holds a secret
	Detail     any    // what a program needs to go on, as JSON; nil for nothing
	RetryAfter int    // seconds to wait, with TooMany; zero: the usual
	Cause      error  // our own trouble behind an Unavailable; for the log, never for the caller
}

func (r *Refusal) Error() string {
	if r.Cause != nil {
		return r.Say + ": " + r.Cause.Error()
	}
	if r.Say == "" {
		return r.Reason.String()
	}
	return r.Say
}

func (r *Refusal) Unwrap() error { return r.Cause }

// Refuse makes a Refusal.
func Refuse(reason Reason, say string) *Refusal { return &Refusal{Reason: reason, Say: say} }

// IsHidden says that an error tells its caller that something does not exist, or may not be seen.
func IsHidden(err error) bool {
	return errors.Is(err, ErrNotFound) || refusedFor(err, Hidden)
}

// IsConflict says that an error tells its caller that something has changed, or stands in the way.
func IsConflict(err error) bool { return refusedFor(err, Conflict) }

func refusedFor(err error, reason Reason) bool {
	var refusal *Refusal
	return errors.As(err, &refusal) && refusal.Reason == reason
}

// RefuseField makes a Refusal about one field's value.
func RefuseField(field, say string) *Refusal {
	return &Refusal{Reason: BadValue, Field: field, Say: say}
}
