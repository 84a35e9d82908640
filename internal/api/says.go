package api

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"ostiary"
)

// names gives the people in entries a name: that of a user whom the caller may see.
func (c *call) names(entries []ostiary.Change) (map[ostiary.By]string, error) {
	names := map[ostiary.By]string{}
	if len(entries) == 0 {
		return names, nil
	}
	all, err := users(c)
	var refusal *ostiary.Refusal
	if errors.As(err, &refusal) && refusal.Reason != ostiary.Unavailable {
		return names, nil
	}
	for _, u := range all {
		name := strings.TrimSpace(u.FirstName + " " + u.LastName)
		if name == "" {
			name = u.Email
		}
		names[userBy(u.ID)] = name
	}
	return names, err
}

func userBy(id ostiary.ID) ostiary.By { return ostiary.Actor{User: id}.By() }

// says is an entry as a sentence: "Alice allowed grafana on token 12."
func says(s *ostiary.Story, names map[ostiary.By]string) string {
	if s == nil {
		return "The story of this change was erased."
	}
	token := "token " + s.Token.String()
	switch s.What {
	case "app.new":
		return "The application " + s.AppName + " turned up on " + token + "."
	case "app.settle":
		return "The application " + s.AppName + " was let in for good by the default of " + token + "."
	case "app.cap":
		return "There is no room for more applications on " + token + ": " + s.Details["cap"] + "."
	}
	who := who(names, s.By)
	if names[s.By] == "" {
		who = strings.ToUpper(who[:1]) + who[1:]
	}
	return who + " " + did(s, names) + "."
}

func did(s *ostiary.Story, names map[ostiary.By]string) string {
	token, person := "token "+s.Token.String(), who(names, userBy(s.User))
	switch s.What {
	case "app.allowed":
		return "allowed " + s.AppName + " on " + token
	case "app.denied":
		return "denied " + s.AppName + " on " + token
	case "app.forget":
		return "forgot " + s.AppName + " on " + token
	case "token.create":
		return "made " + token
	case "token.change":
		return "changed " + token + fromTo(s.Details)
	case "token.retire":
		return "retired " + token
	case "token.promote":
		return "promoted " + token + " to an account token"
	case "account.create":
		return "made the account " + s.Details["name"]
	case "account.change":
		return "changed the account"
	case "edge.issue":
		return "let the edge " + s.Details["name"] + " follow the log"
	case "edge.revoke":
		return "revoked the credential of the edge " + s.Details["name"]
	case "user.create":
		return "made the user " + s.Details["email"]
	case "user.change":
		return "changed names or contacts of " + person
	case "user.disable":
		return "disabled " + person
	case "user.enable":
		return "enabled " + person
	case "user.reset":
		return "set a new password for " + person
	case "member.role":
		return "changed the role of " + person + fromTo(s.Details)
	case "member.remove":
		return "removed " + person
	case "invitation.create":
		return "invited " + s.Details["email"]
	case "invitation.drop":
		return "withdrew the invitation of " + s.Details["email"]
	case "invitation.link":
		return "made a new link for " + s.Details["email"]
	case "invitation.accept":
		return "accepted an invitation"
	}
	return "did " + s.What
}

// fromTo tells what changed, where the log says from what to what.
func fromTo(details map[string]string) string {
	var told []string
	for _, name := range slices.Sorted(maps.Keys(details)) {
		if strings.Contains(details[name], " → ") {
			told = append(told, strings.ReplaceAll(name, "_", " ")+" "+details[name])
		}
	}
	if len(told) == 0 {
		return ""
	}
	return ": " + strings.Join(told, ", ")
}

// who names whoever stands in an entry: "Alice", "user 2", "token 12", "the operator root".
func who(names map[ostiary.By]string, by ostiary.By) string {
	if name := names[by]; name != "" {
		return name
	}
	if name, ok := strings.CutPrefix(string(by), "operator:"); ok {
		return "the operator " + name
	}
	kind, id, ok := strings.Cut(strings.TrimPrefix(string(by), "/"), "/")
	if !ok {
		return "somebody"
	}
	return kind + " " + id
}
