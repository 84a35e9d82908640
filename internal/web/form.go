package web

import (
	"cmp"
	"errors"

	"ostiary"
)

// wrong is what a form says that is drawn again, with its status. An error that no change of the form
// would mend has a page of its own: ok is false.
func (v *visit) wrong(err error) (say string, status int, ok bool) {
	var refusal *ostiary.Refusal
	if !errors.As(err, &refusal) {
		return "", 0, false
	}
	switch refusal.Reason {
	case ostiary.BadValue, ostiary.Conflict, ostiary.WrongPassword, ostiary.TooMany:
		a := v.answers.Error(err)
		v.reason = a.Reason
		v.tellWait(a)
		return sentence(cmp.Or(refusal.Say, a.Message)), v.statusOfForm(a.Status), true
	}
	return "", 0, false
}

// roles are those that a member can have, lowest first, with what they let a person do.
func roles(wanted string) []choice {
	all := []ostiary.Role{ostiary.ReadOnly, ostiary.Normal, ostiary.Admin}
	out := make([]choice, len(all))
	for i, role := range all {
		out[i] = choice{Value: role.Label(), Label: role.Label(), Says: roleSays[role]}
	}
	return choose(out, wanted, -1)
}

var roleSays = map[ostiary.Role]string{
	ostiary.ReadOnly: "Looks at the account and at own tokens, and can retire them.",
	ostiary.Normal:   "Makes user tokens, and decides about the applications that use them.",
	ostiary.Admin:    "Everything: all tokens, account tokens, the team and the account itself.",
}
