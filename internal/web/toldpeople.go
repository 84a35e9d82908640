package web

import (
	"maps"
	"slices"

	"ostiary"
)

func (t *teller) tellMember() bool {
	switch t.s.What {
	case "member.role":
		own := " role"
		if t.oneself() {
			own = " own role"
		}
		t.say(t.who(), " changed ", t.own(), own, fromTo(t.s.Details["role"]), ".")
	case "member.remove":
		if t.oneself() {
			t.say(t.who(), " left the account.")
			break
		}
		t.say(t.who(), " removed ", t.about(), " from the account.")
	default:
		return false
	}
	return true
}

func (t *teller) tellInvitation() bool {
	email, role := t.detail("email"), label(t.s.Details["role"])
	switch t.s.What {
	case "invitation.create":
		t.say(t.who(), " invited ", email, " with the role ", role, ".")
	case "invitation.drop":
		t.say(t.who(), " withdrew the invitation of ", email, ".")
	case "invitation.link":
		t.say(t.who(), " made a new link for ", email, ". The old link ended.")
	case "invitation.accept":
		t.say(t.who(), " accepted an invitation")
		if by := ostiary.By(t.s.Details["invited_by"]); by != "" {
			t.say(" by ", t.person(by, "you"))
		}
		t.say(", with the role ", role, ".")
	default:
		return false
	}
	return true
}

func (t *teller) tellUser() bool {
	switch t.s.What {
	case "user.create":
		t.say(t.who(), " made a login for ", t.detail("email"))
		if role := t.s.Details["role"]; role != "" {
			t.say(", a member with the role ", label(role))
		}
		t.say(".")
	case "user.change":
		t.tellOwnChange()
	case "user.disable":
		t.say(t.who(), " disabled ", t.of(), " login: it stops, with the user tokens, on every account.")
	case "user.enable":
		t.say(t.who(), " enabled ", t.of(), " login again.")
	case "user.reset":
		t.say(t.who(), " set a new password for ", t.about(), ".")
	case "user.password":
		t.say(t.who(), " changed ", t.own(), " password.")
	case "user.email":
		t.say(t.who(), " changed ", t.own(), " e-mail address to ", t.detail("email"), ".")
	default:
		return false
	}
	return true
}

// tellOwnChange tells names as they became, and of contacts only that they changed.
func (t *teller) tellOwnChange() {
	var told [][]any
	contacts := false
	for _, name := range slices.Sorted(maps.Keys(t.s.Details)) {
		switch name {
		case "firstname":
			told = append(told, []any{"first name to ", aValue.orNothing(t.s.Details[name])})
		case "lastname":
			told = append(told, []any{"last name to ", aValue.orNothing(t.s.Details[name])})
		default:
			contacts = true
		}
	}
	if contacts || len(told) == 0 {
		told = append(told, []any{"contacts"})
	}
	t.say(t.who(), " changed ", t.own(), " ")
	t.list("", told)
	t.say(".")
}

// accountFields are how people call what an account has.
var accountFields = map[string]string{
	"name": "name", "description": "description", "timezone": "time zone", "address1": "first line of the address",
	"address2": "second line of the address", "cc_email": "address for copies", "city": "city",
	"country_code": "country", "state_prov": "state or province",
}

func (t *teller) tellAccount() bool {
	switch t.s.What {
	case "account.create":
		t.say(t.who(), " made the account ", t.detail("name"), ".")
	case "account.change":
		var told [][]any
		for _, name := range slices.Sorted(maps.Keys(t.s.Details)) {
			called := accountFields[name]
			if called == "" {
				called = name
			}
			told = append(told, []any{called + " to ", aValue.orNothing(t.s.Details[name])})
		}
		t.say(t.who(), " changed the account’s ")
		t.list("", told)
		t.say(".")
	case "audit.erase":
		changes := " changes"
		if t.s.Details["erased"] == "1" {
			changes = " change"
		}
		t.say(t.who(), " erased the stories of ", aValue.or(t.s.Details["erased"], "some"), changes, " from before ",
			t.when(t.s.Details["before"]), ".")
	case "restore":
		t.say(t.who(), " restored a backup of revision ", t.detail("backup_revision"),
			". The database before it stood at ", t.detail("previous_revision"), ".")
	case "edge.revoke": // told of a restore alone: it belongs to no account
		t.say("The server revoked the credential ", t.detail("name"), " again, because ", t.detail("because"), ".")
	default:
		return false
	}
	return true
}
