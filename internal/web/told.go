package web

import (
	"strings"
	"time"

	"ostiary"
)

// tell finds the words by the kind of entry.
func (t *teller) tell() {
	group, _, _ := strings.Cut(t.s.What, ".")
	told := false
	switch group {
	case "app":
		told = t.tellApp()
	case "token":
		told = t.tellToken()
	case "member":
		told = t.tellMember()
	case "invitation":
		told = t.tellInvitation()
	case "user":
		told = t.tellUser()
	default:
		told = t.tellAccount()
	}
	if told {
		return
	}
	if t.s.By == "" {
		t.say("A change was made that this page has no words for: ", part{Kind: aValue, Text: t.s.What}, ".")
		return
	}
	t.say(t.who(), " made a change that this page has no words for: ", part{Kind: aValue, Text: t.s.What}, ".")
}

func (t *teller) tellApp() bool {
	switch t.s.What {
	case "app.new":
		t.say(t.app(), " turned up with ", t.token(), t.firstAnswer(), ".")
	case "app.settle":
		t.say(t.app(), " came back with ", t.token(), ", and was let in: the token’s default had become Allow.")
	case "app.allowed":
		t.say(t.who(), " allowed ", t.app(), " to use ", t.token(), ".")
	case "app.denied":
		t.say(t.who(), " denied ", t.app(), " the use of ", t.token(), ".")
	case "app.forget":
		t.say(t.who(), " forgot the application ", t.app(), " of ", t.token(), ".")
	case "app.cap":
		t.tellCap()
	default:
		return false
	}
	return true
}

// firstAnswer is what became of an application that turned up. Whether it was let in stands in the fact;
// what it was told while it waits is up to its token.
func (t *teller) firstAnswer() string {
	for _, f := range t.change.Facts {
		if f.App == nil {
			continue
		}
		if (ostiary.App{State: f.App.State}).Waits() {
			return ", and waits for a decision"
		}
		return ", and was let in by its default"
	}
	return ""
}

func (t *teller) tellCap() {
	switch met := t.s.Details["cap"]; met {
	case "applications of the token":
		t.say("A new application turned up with ", t.token(), ", which has no room for more")
	case "applications of the account":
		t.say("A new application turned up with ", t.token(), ", and the account has no room for more")
	case "new applications a second on the account":
		t.say("Too many new applications turned up within a second, one of them with ", t.token())
	default:
		t.say("A cap was met with ", t.token(), " (", part{Kind: aValue, Text: met}, ")")
	}
	t.say(". Such names are answered as ever, and not recorded.")
}

func (t *teller) tellToken() bool {
	switch t.s.What {
	case "token.create":
		t.tellMade()
	case "token.change":
		t.tellChanged()
	case "token.retire":
		t.tellRetired()
	case "token.promote":
		t.say(t.who(), " promoted ", t.token(), " to an account token")
		for _, f := range t.change.Facts {
			if f.Token != nil && f.Token.ID == t.s.Token {
				t.say(" with the privilege ", f.Token.Privilege.Label())
			}
		}
		t.say(".")
	default:
		return false
	}
	return true
}

// tellMade: "Bob made the user token Dashboards: Normal, Pending."
func (t *teller) tellMade() {
	kind := t.s.Details["kind"]
	if kind == "" {
		kind = ostiary.AccountToken.String()
		if t.s.User != 0 {
			kind = ostiary.UserToken.String()
		}
	}
	name := t.named(t.s.Token)
	t.say(t.who(), " made the ", kind, " token ", name[len(name)-1])
	if t.s.User != 0 && !t.oneself() {
		t.say(" for ", t.about())
	}
	now, seen := t.page.Tokens[t.s.Token]
	if was := t.s.Details["description"]; seen && was != "" && was != now.Description {
		t.say(" (at first called ", t.detail("description"), ")")
	}
	if like, err := ostiary.ParseID(t.s.Details["like"]); err == nil {
		t.say(" like ", t.named(like))
	}
	if privilege := t.s.Details["privilege"]; privilege != "" {
		t.say(": "+label(privilege)+", ", t.s.Details["default_app_state"])
	}
	t.say(".")
}

// tellRetired: what a backup did not know is retired again by nobody in particular.
func (t *teller) tellRetired() {
	if t.s.By == "operator:rollback" {
		t.say("The server retired ", t.token(), " again")
	} else {
		t.say(t.who(), " retired ", t.token())
	}
	switch because := t.s.Details["because"]; because {
	case "":
	case "its owner is removed":
		t.say(", because its owner was removed")
	default:
		t.say(", because ", part{Kind: aValue, Text: because})
	}
	t.say(".")
}

// tellChanged tells one change as "the privilege of Dashboards from Normal to Read-Only", and lists several.
func (t *teller) tellChanged() {
	d := t.s.Details
	if len(d) == 1 {
		for name, text := range d {
			if t.tellOneChange(name, text) {
				return
			}
		}
	}
	var told [][]any
	for _, name := range []string{"privilege", "default_app_state", "description", "expires_on", "networks"} {
		text, ok := d[name]
		if !ok {
			continue
		}
		switch {
		case name == "description":
			told = append(told, []any{"description to ", aValue.orNothing(text)})
		case name == "expires_on" && text == "never":
			told = append(told, []any{"it never expires"})
		case name == "expires_on":
			told = append(told, []any{"it expires on ", t.when(text)})
		case name == "networks" && text == "":
			told = append(told, []any{"it may be used from every network"})
		case name == "networks":
			told = append(told, []any{"it may be used from ", aValue.or(text, ""), " alone"})
		default:
			told = append(told, []any{strings.ReplaceAll(name, "_", " "), fromTo(text)})
		}
	}
	t.say(t.who(), " changed ", t.token())
	t.list(": ", told)
	t.say(".")
}

func (t *teller) tellOneChange(name, text string) bool {
	switch name {
	case "privilege", "default_app_state":
		t.say(t.who(), " changed the "+strings.ReplaceAll(name, "_", " ")+" of ", t.token(), fromTo(text), ".")
	case "description":
		switch text {
		case "":
			t.say(t.who(), " took the description of ", t.token(), " away.")
		case t.page.Tokens[t.s.Token].Description:
			t.say(t.who(), " gave ", t.token(), " this description.")
		default:
			t.say(t.who(), " changed the description of ", t.token(), " to ", t.detail("description"), ".")
		}
	default:
		return false
	}
	return true
}

// or is a text that somebody wrote, or words of ours where it is empty.
func (k kind) or(text, empty string) part {
	if text == "" {
		return part{Text: empty}
	}
	return part{Kind: k, Text: text}
}

func (k kind) orNothing(text string) part { return k.or(text, "(none)") }

// list says several things: ": a, b and c".
func (t *teller) list(before string, all [][]any) {
	for i, one := range all {
		switch {
		case i == 0:
			t.say(before)
		case i == len(all)-1:
			t.say(" and ")
		default:
			t.say(", ")
		}
		t.say(one...)
	}
}

// fromTo reads "Normal → Read Only" as " from Normal to Read-Only".
func fromTo(text string) string {
	was, is, both := strings.Cut(text, " → ")
	if !both {
		return " to " + label(text)
	}
	return " from " + label(was) + " to " + label(is)
}

// label is a role as pages write it; anything else as it is.
func label(text string) string {
	if role, err := ostiary.ParseRole(text); err == nil {
		return role.Label()
	}
	return text
}

// when reads a time of the details.
func (t *teller) when(text string) string {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return text
	}
	return at.In(t.zone).Format("2 January 2006, 15:04")
}
