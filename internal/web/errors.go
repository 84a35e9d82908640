package web

import (
	"errors"
	"net/http"

	"ostiary"
	"ostiary/internal/answer"
)

// Addresses that no page is served at.
var (
	errNotOurs = errors.New("this address is not one of Ostiary's")
	errPlain   = errors.New("a browser keeps no cookie here")
	errNoSeat  = errors.New("the person is not on this account")
)

// A trouble is what the page of an error says.
type trouble struct {
	Status  int
	Heading string
	Say     string
	Next    string // what to do
	Door    door   // where to go on
	Tag     string // of the line in the server's log
	Detail  any
}

// A door is a page that works, and what its button says; an address that is not ours has none.
type door struct{ Path, Words string }

// refuse draws the page of an error, and writes it into the log.
func (v *visit) refuse(err error) {
	a, t := v.trouble(err)
	v.event.Err = ownTrouble(err)
	t.Tag = v.record(a)
	if v.wrote {
		return // an answer that broke off in the middle
	}
	v.tellWait(a)
	v.status = a.Status
	out := screen{template: "error", title: t.Heading, data: t, bare: v.session.ID == 0}
	if err := out.write(v); err != nil && !v.wrote {
		http.Error(v.w, t.Say, a.Status)
	}
}

// ownTrouble is what the log is told besides: causes, never what a person typed.
func ownTrouble(err error) error {
	var refusal *ostiary.Refusal
	if errors.As(err, &refusal) {
		return refusal.Cause
	}
	if errors.Is(err, ostiary.ErrNotFound) || errors.Is(err, errNoSeat) {
		return nil
	}
	return err
}

func (v *visit) trouble(err error) (answer.Answer, trouble) {
	switch {
	case errors.Is(err, errNotOurs):
		a := answer.Answer{Status: http.StatusMisdirectedRequest, Code: "NotFound", Reason: ostiary.NoRoute}
		return a, trouble{
			Status: a.Status, Heading: "This is not the address of these pages",
			Say:  "Ostiary serves its pages at the address that it was told, and on this machine.",
			Next: plainAdvice,
		}
	case errors.Is(err, errPlain):
		a := answer.Answer{Status: http.StatusForbidden, Code: "Forbidden.Plain", Reason: ostiary.CrossSite}
		return a, trouble{
			Status: a.Status, Heading: "Signing in needs https",
			Say:  "On plain http anybody on the way could take the session, so browsers do not keep its cookie.",
			Next: plainAdvice,
		}
	case errors.Is(err, errNoSeat):
		a := v.answers.Error(ostiary.ErrNotFound)
		return a, trouble{
			Status: a.Status, Heading: "You are not on this account",
			Say:  "There is no such account, or you are not a member of it any more. Nothing was changed.",
			Next: "Your accounts stand on your profile.",
			Door: door{"/profile", "To the profile"},
		}
	}
	a := v.answers.Error(err)
	t := trouble{Status: a.Status, Say: sentence(a.Message), Next: sentence(a.Explanation), Detail: a.Detail}
	t.Door = door{"/tokens", "To the tokens"}
	var refusal *ostiary.Refusal
	if errors.As(err, &refusal) && refusal.Say != "" && a.Field == "" {
		t.Next = ""
	}
	t.Heading, t.Next = headingOf(a.Reason, t.Next)
	if a.Reason == ostiary.Hidden || a.Reason == ostiary.NoRoute {
		t.Say = "It does not exist, or it is not yours to see."
	}
	return a, t
}

const plainAdvice = "Whoever runs it sets --public-url https://… and puts a proxy in front that speaks TLS and " +
	"passes that name on, or gives Ostiary a certificate with --tls-cert and --tls-key. Then open that address."

// headingOf gives the heading for a reason, and what to do about it.
func headingOf(reason ostiary.Reason, next string) (string, string) {
	switch reason {
	case ostiary.Hidden, ostiary.NoRoute:
		return "There is nothing here", "Look for it on the page of the tokens."
	case ostiary.WrongMethod:
		return "This page cannot be called that way", ""
	case ostiary.LowRole, ostiary.Self:
		return "You may not do this", next
	case ostiary.CrossSite:
		return "The form did not come from here", ""
	case ostiary.BadValue, ostiary.TooLarge:
		return "Something is not right in the form", "Go back, and change it. Nothing was changed."
	case ostiary.Conflict:
		return "This cannot be done now", "Nothing was changed."
	case ostiary.TooMany:
		return "Too many tries", next
	case ostiary.Unavailable, ostiary.Undecided:
		return "This does not work at the moment", "Nothing was changed unless the page said so. " +
			"Try again in a moment. Requests are still answered."
	}
	return "This did not work", next
}

// sentence begins with a capital and ends with a full stop.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	if c := text[0]; c >= 'a' && c <= 'z' {
		text = string(c-'a'+'A') + text[1:]
	}
	if last := text[len(text)-1]; last != '.' && last != '!' && last != '?' {
		text += "."
	}
	return text
}
