package authority

import (
	"errors"
	"strings"

	"ostiary"
)

// Names says how people read who did something: "/user/2" → "Bob Miller" (else the e-mail),
// "/token/12" → its description and hint for who may see it, else "token 12", "operator:root" →
// "the operator root".
type Names map[ostiary.By]string

// Name is how people call a user: by first and last name, else by e-mail.
func Name(u ostiary.User) string {
	if name := strings.TrimSpace(u.FirstName + " " + u.LastName); name != "" {
		return name
	}
	return u.Email
}

// add names those that are not named yet.
func (n Names) add(v *view, all ...ostiary.By) error {
	for _, by := range all {
		if _, named := n[by]; named || by == "" {
			continue
		}
		name, err := v.name(by)
		if err != nil {
			return err
		}
		n[by] = name
	}
	return nil
}

// name is how people read one who did something.
func (v *view) name(by ostiary.By) (string, error) {
	text := string(by)
	if name, ok := strings.CutPrefix(text, "operator:"); ok {
		return "the operator " + name, nil
	}
	if id, err := ostiary.ParseID(strings.TrimPrefix(text, "/user/")); err == nil {
		u, err := v.person(id)
		if isMissing(err) {
			return "user " + id.String(), nil
		}
		if err != nil {
			return "", err
		}
		return v.calls(u)
	}
	if id, err := ostiary.ParseID(strings.TrimPrefix(text, "/token/")); err == nil {
		return v.nameToken(id)
	}
	return text, nil
}

// calls is a user's name, with the e-mail where another member is called the same: nobody stands in the log
// as somebody else.
func (v *view) calls(u ostiary.User) (string, error) {
	if v.namesakes == nil {
		members, err := v.Members(v.account)
		if err != nil {
			return "", err
		}
		v.namesakes = map[string]ostiary.ID{}
		for _, m := range members {
			other, err := v.person(m.User)
			if err != nil {
				return "", err
			}
			key := strings.ToLower(Name(other))
			if _, taken := v.namesakes[key]; taken {
				v.namesakes[key] = 0
				continue
			}
			v.namesakes[key] = m.User
		}
	}
	name := Name(u)
	if owner, taken := v.namesakes[strings.ToLower(name)]; taken && owner != u.ID && name != u.Email {
		return name + " (" + u.Email + ")", nil
	}
	return name, nil
}

// CheckName says whether a person may be called so.
func (a *Authority) CheckName(first, last string) error {
	return errors.Join(a.checkText("firstname", first), a.checkText("lastname", last),
		checkName(ostiary.User{FirstName: first, LastName: last, Email: "-"}))
}

// checkName refuses names that read as somebody who has none: sentences of the log begin with them.
func checkName(u ostiary.User) error {
	name := strings.ToLower(strings.Join(strings.Fields(Name(u)), " "))
	if name == "you" || name == "the operator" || name == "the token" ||
		strings.HasPrefix(name, "the operator ") || strings.HasPrefix(name, "the token ") {
		return ostiary.RefuseField("firstname", "Nobody can be called that: the log would mislead.")
	}
	return nil
}

func (v *view) nameToken(id ostiary.ID) (string, error) {
	plain := "token " + id.String()
	t, hint, err := v.hinted(id)
	if err != nil {
		return plain, ignoreMissing(err)
	}
	if ostiary.May(v.actor, ostiary.SeeToken, ostiary.TokenTarget(t)) != nil {
		return plain, nil
	}
	return strings.TrimSpace(t.Description + " " + hint), nil
}

// hinted gives a token of the account with how its secret begins and ends.
func (v *view) hinted(id ostiary.ID) (ostiary.Token, string, error) {
	t, err := v.Reader.Token(v.account, id)
	if err != nil {
		return t, "", err
	}
	secrets, err := v.Secrets(v.account, id)
	if err != nil || len(secrets) == 0 {
		return t, "", err
	}
	return t, secrets[len(secrets)-1].Hint, nil
}

func ignoreMissing(err error) error {
	if isMissing(err) {
		return nil
	}
	return err
}

// byUser and byToken are how the log names them.
func byUser(id ostiary.ID) ostiary.By  { return ostiary.Actor{User: id}.By() }
func byToken(id ostiary.ID) ostiary.By { return ostiary.Actor{Token: id}.By() }
