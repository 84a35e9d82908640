package authority

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"ostiary"
)

// setMembers changes roles, and removes who is left out once that is confirmed. It never adds.
func (t *tx) setMembers(p AccountPatch) error {
	if !p.SetMembers {
		return nil
	}
	members, err := t.Members(t.account)
	if err != nil {
		return err
	}
	becomes, err := wantedRoles(members, p.Members)
	if err != nil {
		return err
	}
	slices.SortStableFunc(members, func(a, b ostiary.Member) int {
		return ostiary.HigherFirst(becomes[a.User], becomes[b.User])
	})
	var leaving []ostiary.Member
	for _, m := range members {
		role, stays := becomes[m.User]
		if !stays {
			if err := t.keepsAdmin(m, ostiary.NoRole); err != nil {
				return err
			}
			leaving = append(leaving, m)
			continue
		}
		if err := t.setRole(m, role); err != nil {
			return err
		}
	}
	if len(leaving) == 0 {
		return nil
	}
	list, err := t.leaving(leaving)
	if err != nil {
		return err
	}
	if p.Confirm != list.Confirm {
		t.addLastUse(&list)
		return &ostiary.Refusal{Reason: ostiary.Conflict, Detail: list, Say: "Members who are left out are removed, " +
			"and their tokens retired. Repeat the request with ?confirm=" + list.Confirm + " if that is meant."}
	}
	for _, m := range leaving {
		if err := t.remove(m); err != nil {
			return err
		}
	}
	return nil
}

// wantedRoles reads the list of members that stay: each once, none who is no member.
func wantedRoles(members []ostiary.Member, want []MemberRole) (map[ostiary.ID]ostiary.Role, error) {
	is := map[ostiary.ID]bool{}
	for _, m := range members {
		is[m.User] = true
	}
	becomes := map[ostiary.ID]ostiary.Role{}
	for _, w := range want {
		if _, twice := becomes[w.User]; twice {
			return nil, ostiary.RefuseField("users", fmt.Sprintf("/user/%s is listed twice.", w.User))
		}
		if !is[w.User] {
			return nil, ostiary.RefuseField("users",
				fmt.Sprintf("/user/%s is not a member. People are added by invites.", w.User))
		}
		becomes[w.User] = w.Role
	}
	return becomes, nil
}

// setRole changes one member's role. The tokens follow by themselves.
func (t *tx) setRole(m ostiary.Member, role ostiary.Role) error {
	if m.Role == role {
		return nil
	}
	if err := t.keepsAdmin(m, role); err != nil {
		return err
	}
	was := m.Role
	m.Role = role
	if err := t.PutMember(m); err != nil {
		return err
	}
	_, err := t.append(ostiary.Story{What: "member.role", User: m.User, Details: map[string]string{
		"role": was.String() + " → " + role.String(),
	}})
	return err
}

// keepsAdmin counts the other admins who can sign in, at this point of the transaction.
func (v *view) keepsAdmin(m ostiary.Member, becomes ostiary.Role) error {
	members, err := v.Members(v.account)
	if err != nil {
		return err
	}
	all, err := v.admins(members)
	if err != nil {
		return err
	}
	return ostiary.KeepsAdmin(all.but(m.User), m.Role, becomes)
}

// An admins is who of an account's members is an admin, and can sign in.
type admins map[ostiary.ID]bool

func (v *view) admins(members []ostiary.Member) (admins, error) {
	all := admins{}
	for _, m := range members {
		u, err := v.person(m.User)
		if err != nil {
			return nil, err
		}
		if ostiary.ActingRole(m.Role, u.Disabled).IsAdmin() {
			all[m.User] = true
		}
	}
	return all, nil
}

// but is how many they are without one.
func (a admins) but(user ostiary.ID) int {
	if a[user] {
		return len(a) - 1
	}
	return len(a)
}

// remove ends a membership, and retires the user tokens that the member has on the account.
func (t *tx) remove(m ostiary.Member) error {
	if err := t.keepsAdmin(m, ostiary.NoRole); err != nil {
		return err
	}
	tokens, err := t.liveTokensOf(m.User)
	if err != nil {
		return err
	}
	for _, token := range tokens {
		if err := t.retire(token); err != nil {
			return err
		}
		story := ostiary.Story{
			What: "token.retire", Token: token.ID, User: m.User, Details: map[string]string{"because": "its owner is removed"},
		}
		if _, err := t.append(story); err != nil {
			return err
		}
	}
	m.Role = ostiary.NoRole
	if err := t.PutMember(m); err != nil {
		return err
	}
	_, err = t.append(ostiary.Story{What: "member.remove", User: m.User})
	return err
}

// Leaving says what stops when members are removed, and what they may still know.
type Leaving struct {
	Confirm string   `json:"confirm"` // for exactly this
	Users   []string `json:"users"`
	Stops   []Stop   `json:"stops"`
	Knows   []string `json:"knows"` // account tokens whose secret a leaver was shown

	stops, knows []ostiary.Token
}

// A Stop is a token that stops, with its applications.
type Stop struct {
	Token       string    `json:"_cid"`
	Description string    `json:"description"`
	LastUsedOn  *int64    `json:"_last_used_on"`
	Apps        []StopApp `json:"apps"`
}

// A StopApp is an application that stops.
type StopApp struct {
	Name       string `json:"name"`
	State      string `json:"state"`
	LastSeenOn *int64 `json:"_last_seen_on"`

	id ostiary.ID
}

// leaving lists what stops. The value to confirm covers members, tokens and applications, but not
// their use, which goes on while a person reads.
func (v *view) leaving(members []ostiary.Member) (Leaving, error) {
	list := Leaving{Users: []string{}, Stops: []Stop{}, Knows: []string{}}
	all, err := v.Reader.Tokens(v.account)
	if err != nil {
		return list, err
	}
	for _, m := range members {
		list.Users = append(list.Users, "/user/"+m.User.String())
		if err := v.addLeaving(&list, m.User, all); err != nil {
			return list, err
		}
	}
	list.Confirm, err = confirmation(list)
	return list, err
}

// addLeaving adds one member's tokens. Whoever knows a token's secret was shown those of the tokens that
// were made with it.
func (v *view) addLeaving(list *Leaving, user ostiary.ID, all []ostiary.Token) error {
	by := byUser(user)
	shown := map[ostiary.ID]bool{}
	for _, token := range all { // in order of id, so a maker comes before what it made
		own := token.Owner == user
		shown[token.ID] = own || token.FormerOwner == user || token.CreatedBy == by || shown[token.MadeWith]
		switch {
		case !shown[token.ID] || !token.RetiredOn.IsZero():
		case own:
			stop, err := v.stop(token)
			if err != nil {
				return err
			}
			list.Stops, list.stops = append(list.Stops, stop), append(list.stops, token)
		case token.Owner == 0:
			list.Knows, list.knows = append(list.Knows, "/token/"+token.ID.String()), append(list.knows, token)
		}
	}
	return nil
}

func (v *view) stop(token ostiary.Token) (Stop, error) {
	s := Stop{Token: "/token/" + token.ID.String(), Description: token.Description, Apps: []StopApp{}}
	apps, err := v.Reader.Apps(token.Account, token.ID)
	for _, app := range apps {
		s.Apps = append(s.Apps, StopApp{Name: app.Name, State: app.State.String(), id: app.ID})
	}
	return s, err
}

// addLastUse adds when what stops was last used.
func (v *view) addLastUse(list *Leaving) {
	uses, byApp := v.a.usesOfAll(context.Background(), idsOf(list.stops))
	for i, token := range list.stops {
		stop := &list.Stops[i]
		stop.LastUsedOn = epoch(uses[token.ID].Last)
		for j := range stop.Apps {
			key := ostiary.UseKey{Account: token.Account, Token: token.ID, App: stop.Apps[j].id}
			stop.Apps[j].LastSeenOn = epoch(byApp[key].Last)
		}
	}
}

func confirmation(list Leaving) (string, error) {
	stops := make([]Stop, len(list.Stops))
	for i, s := range list.Stops {
		stops[i] = Stop{Token: s.Token}
		for _, app := range s.Apps {
			stops[i].Apps = append(stops[i].Apps, StopApp{Name: app.Name, State: app.State})
		}
	}
	list.Stops, list.Confirm = stops, ""
	text, err := json.Marshal(list)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8]), nil
}
