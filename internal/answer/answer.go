// Package answer is the one table from a reason or an error to a status, a code and a sentence
// (contract 3.2), for every door, the API and the pages.
package answer

import (
	"errors"
	"time"

	"ostiary"
)

// Settings are what answers say about the server that gives them.
type Settings struct {
	Server    string // the host name, for the key "server"
	Realm     string // of WWW-Authenticate
	PublicURL string // of the pages, without a slash at the end
	Reference string // what a code is put behind for the key "reference"; empty: no reference
}

// A Table turns reasons and errors into answers.
type Table struct {
	set       Settings
	challenge string
}

// New makes the table.
func New(s Settings) *Table {
	return &Table{set: s, challenge: `Basic realm="` + quotedText(s.Realm) + `"`}
}

// An Answer is what the caller is told. It never holds a secret or our own trouble.
type Answer struct {
	Status      int
	Code        string
	Message     string
	Explanation string
	Field       string // the field of the request that is wrong, if one is
	Reason      ostiary.Reason
	RetryAfter  int           // seconds; zero: not said
	Allow       string        // the methods that are served, with WrongMethod
	ApprovalURL string        // where a pending application can be approved
	Revision    uint64        // at which the decision was made; zero: there was none
	Behind      time.Duration // the node may lack the changes of this time; zero while it is fresh
	Detail      any           // what a program needs to go on, as JSON
}

// Decision is the answer to a request that was refused.
func (t *Table) Decision(d *ostiary.Decision) Answer {
	a := row(d.Reason)
	if a.Code != unavailable {
		a.Revision, a.Behind = d.Revision, d.Behind
	}
	switch d.Reason {
	case ostiary.PendingApp:
		a.ApprovalURL = t.set.PublicURL + "/tokens"
		if d.App != 0 {
			a.ApprovalURL += "?app=" + d.App.String()
		}
		a.Message += " '" + d.AppName + "'"
		a.Explanation += " Approve it at " + a.ApprovalURL
	case ostiary.DeniedApp:
		a.Message = "App '" + d.AppName + "' not allowed"
	case ostiary.LowRole:
		a.Message = "the token can use " + d.Role.String() + ", and the request needs " + d.Need.String()
	}
	return a
}

// Error is the answer to a call that failed. A Refusal answers with its row, its field, its words
// and its detail; a record that does not exist exactly like one that may not be seen; anything
// else, our own trouble first of all, is Unavailable. Causes are for the log.
func (t *Table) Error(err error) Answer {
	var refusal *ostiary.Refusal
	if errors.As(err, &refusal) {
		return refused(refusal)
	}
	if errors.Is(err, ostiary.ErrNotFound) {
		return row(ostiary.Hidden)
	}
	return row(ostiary.Unavailable)
}

// Route is the answer where no call was reached: NoRoute, WrongMethod, TooLarge, CrossSite. With
// WrongMethod, allow lists the methods that are served: "GET, PUT".
func (t *Table) Route(reason ostiary.Reason, allow string) Answer {
	a := row(reason)
	a.Allow = allow
	return a
}

// refused keeps the message where clients compare it.
func refused(r *ostiary.Refusal) Answer {
	a := row(r.Reason)
	switch r.Reason {
	case ostiary.OK:
		return row(ostiary.Unavailable) // an error that says OK lets nothing through
	case ostiary.Hidden, ostiary.BadToken:
		// Words of its own would tell what is hidden from what does not exist, and one bad token
		// from another.
		return a
	case ostiary.NoToken, ostiary.PendingApp, ostiary.DeniedApp:
		if r.Say != "" {
			a.Explanation = r.Say
		}
		return a
	}
	a.Field, a.Detail = r.Field, r.Detail
	if r.Reason == ostiary.TooMany && r.RetryAfter > 0 {
		a.RetryAfter = r.RetryAfter
	}
	if r.Say != "" {
		a.Message = r.Say
	}
	if r.Field != "" {
		a.Message = r.Field + ": " + a.Message
	}
	return a
}
