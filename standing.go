package ostiary

// How an application stands, and what a decision means, in the words of pages and command.

// LetsIn says that whoever is answered for this reason gets through.
func (r Reason) LetsIn() bool { return r == OK }

// Waits says that the application is told to wait for a person.
func (r Reason) Waits() bool { return r == PendingApp }

// KeepsAppOut says that it is the application that is kept out, so that to allow it helps.
func (r Reason) KeepsAppOut() bool { return r == PendingApp || r == DeniedApp }

// AppAnswer is what an application is told, in a word: "allowed", "pending" or "denied".
func (r Reason) AppAnswer() string {
	switch r {
	case OK:
		return "allowed"
	case PendingApp:
		return "pending"
	}
	return "denied"
}

// Standing is how an application stands as people read it, made of AppState.String and Reason.AppAnswer: what
// it is told now, and where no person has decided, that the token's default says so (contract 2.2). To wait
// is to be undecided, so "pending" says it alone.
func Standing(state, answer string) string {
	if state == Waiting.String() && answer != PendingApp.AppAnswer() {
		return answer + " (by default)"
	}
	return answer
}

// Forgotten is what an application is told once its record is forgotten. asks says that this is other than
// now, or stops one that gets through: then a person is asked before.
func Forgotten(state AppState, def DefaultAppState) (then Reason, asks bool) {
	now := AnswerApp(state, def)
	then = AnswerApp(Waiting, def)
	return then, now != then && (now == OK || then == OK)
}

// ActingRole is what a member with a role may do: nothing while the login is disabled (contract 2.1).
func ActingRole(role Role, disabled bool) Role {
	if disabled {
		return NoRole
	}
	return role
}

// Verdict is a decision in a line, behind the name of the application.
func (d Decision) Verdict() string {
	switch d.Reason {
	case OK:
		return "would be let through, as " + d.Role.Label()
	case PendingApp:
		return "would wait for a decision"
	}
	return "would be refused"
}

// Remedy is what to do about a decision; empty: nothing, or nothing that helps. decides says that the reader
// may decide about the token's applications.
func Remedy(f *Facts, d Decision, decides bool) string {
	switch d.Reason {
	case PendingApp, DeniedApp:
		if decides {
			return "If you know the application, allow it: its next request is let through."
		}
		return "You cannot decide about this application. An admin of the account can."
	case LowRole:
		if CanUse(f.Token, f.Owner) < f.Token.Privilege {
			return "The role of the token’s owner limits it. With a higher role the owner’s tokens can do more " +
				"at once; an admin changes it on the Team page."
		}
		return "The token needs a higher privilege. Whoever may change the token sets it on the token’s page."
	case BadToken:
		switch {
		case f.Token.Retired:
			return "A retired token never works again. Make a new one, and give it to the application."
		case CanUse(f.Token, f.Owner) == NoRole:
			return "It works again once its owner can sign in and is a member. " +
				"An admin can also promote it to an account token."
		}
		return "Its time is over. Make a new token, and give it to the application."
	case WrongNetwork:
		return "The request has to come from an address on the token’s list of networks."
	}
	return ""
}
