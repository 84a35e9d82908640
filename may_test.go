package ostiary_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"ostiary"
)

// People and tokens who act. Alice is user 1, Bob user 2; token 10 is Alice's, 20 Bob's, 30 the account's.
func actors() (names []string, all []ostiary.Actor) {
	add := func(name string, a ostiary.Actor) { names, all = append(names, name), append(all, a) }
	add("nobody", ostiary.Actor{})
	for _, r := range roles {
		add("Alice with "+r.String(), ostiary.Actor{User: 1, Role: r})
	}
	for _, r := range roles {
		add("Alice's token with "+r.String(), ostiary.Actor{User: 1, Token: 10, Kind: ostiary.UserToken, Role: r})
	}
	for _, r := range roles {
		add("an account token with "+r.String(), ostiary.Actor{Token: 30, Kind: ostiary.AccountToken, Role: r})
	}
	add("Alice on no account", ostiary.Actor{User: 1, Alone: true})
	add("the operator", ostiary.Actor{Operator: "root"})
	return names, all
}

var targets = []struct {
	name string
	t    ostiary.Target
}{
	{"token 10, Alice's", ostiary.Target{Kind: ostiary.UserToken, Token: 10, Owner: 1}},
	{"token 11, Alice's", ostiary.Target{Kind: ostiary.UserToken, Token: 11, Owner: 1}},
	{"token 20, Bob's", ostiary.Target{Kind: ostiary.UserToken, Token: 20, Owner: 2}},
	{"token 30, the account's", ostiary.Target{Kind: ostiary.AccountToken, Token: 30}},
	{"token 31, the account's", ostiary.Target{Kind: ostiary.AccountToken, Token: 31}},
	{"no token", ostiary.Target{}},
}

func TestMayPageShowsWhatEverybodyMayDo(t *testing.T) {
	t.Parallel()
	names, all := actors()
	var targetNames []string
	for _, x := range targets {
		targetNames = append(targetNames, x.name)
	}
	var b strings.Builder
	b.WriteString("What people, and tokens at work for them, may do. Every combination is here;\n" +
		"what makes no difference is left out. \"hidden\" looks like what does not exist.\n")
	for _, action := range []ostiary.Action{
		ostiary.SeeToken, ostiary.SetToken, ostiary.DecideApp, ostiary.RetireToken, ostiary.PromoteToken, ostiary.NoAction,
	} {
		fmt.Fprintf(&b, "\nTo %s\n\n", action)
		b.WriteString(tree([]choice{{"", names}, {"", targetNames}}, func(at []int) string {
			return verdict(ostiary.May(all[at[0]], action, targets[at[1]].t))
		}))
	}
	fmt.Fprintf(&b, "\nTo %s\n\n", ostiary.SetPrivilege)
	b.WriteString(tree([]choice{{"", names}, {"", targetNames}, {"asked for", roleNames()}}, func(at []int) string {
		target := targets[at[1]].t
		target.Privilege = roles[at[2]]
		return verdict(ostiary.May(all[at[0]], ostiary.SetPrivilege, target))
	}))
	fmt.Fprintf(&b, "\nTo %s\n\n", ostiary.CreateToken)
	b.WriteString(tree([]choice{
		{"", names},
		{"", []string{"a token of no kind", "a user token", "an account token"}},
		{"for", []string{"nobody", "Alice", "Bob"}},
		{"whose role is", roleNames()},
		{"with the privilege", roleNames()},
	}, func(at []int) string {
		return verdict(ostiary.May(all[at[0]], ostiary.CreateToken, ostiary.Target{
			Kind: ostiary.Kind(at[1]), Owner: ostiary.ID(at[2]), OwnerRole: roles[at[3]], Privilege: roles[at[4]],
		}))
	}))
	for _, action := range []ostiary.Action{ostiary.SeeAccount, ostiary.ChangeAccount, ostiary.ReadLog, ostiary.Operate} {
		fmt.Fprintf(&b, "\nTo %s\n\n", action)
		b.WriteString(tree([]choice{{"", names}}, func(at []int) string {
			return verdict(ostiary.May(all[at[0]], action, ostiary.Target{}))
		}))
	}
	for _, action := range []ostiary.Action{ostiary.ChangeUser, ostiary.ChangeLogin} {
		fmt.Fprintf(&b, "\nTo %s\n\n", action)
		b.WriteString(tree([]choice{{"", names}, {"", []string{"nobody", "Alice", "Bob"}}}, func(at []int) string {
			return verdict(ostiary.May(all[at[0]], action, ostiary.Target{User: ostiary.ID(at[1])}))
		}))
	}
	b.WriteString(offersTree())
	b.WriteString(otherRules())
	golden(t, "may.txt", b.String())
}

func verdict(err error) string {
	if err == nil {
		return "yes"
	}
	var refusal *ostiary.Refusal
	if errors.As(err, &refusal) {
		return refusal.Reason.String()
	}
	return err.Error()
}

// otherRules are the rules about what becomes of a token, an admin and a cap.
func otherRules() string {
	var b strings.Builder
	b.WriteString("\nThe privilege after Promote\n\n")
	b.WriteString(tree([]choice{{"the privilege is", roleNames()}, {"the owner's role", roleNames()}, {"asked for", roleNames()}},
		func(at []int) string {
			token := ostiary.TokenFact{Kind: ostiary.UserToken, Privilege: roles[at[0]]}
			got, err := ostiary.PromotedPrivilege(token, roles[at[1]], roles[at[2]])
			if err != nil {
				return verdict(err)
			}
			return got.String()
		}))
	b.WriteString("\nWhether an admin can be lost\n\n")
	b.WriteString(tree([]choice{{"other admins:", []string{"0", "1", "2"}}, {"was", roleNames()}, {"becomes", roleNames()}},
		func(at []int) string { return verdict(ostiary.KeepsAdmin(at[0], roles[at[1]], roles[at[2]])) }))
	b.WriteString("\nWhether a cap leaves room, with 2 waiting and 4 a token, 8 an account\n\n")
	caps := ostiary.Caps{WaitingPerToken: 2, AppsPerToken: 4, AppsPerAccount: 8}
	b.WriteString(tree([]choice{
		{"on the account", []string{"7", "8"}},
		{"on the token", []string{"3", "4"}},
		{"waiting", []string{"1", "2"}},
		{"the new one is", []string{"waiting", "denied", "allowed"}},
		{"the log says token:", []string{"no", "yes"}},
		{"account:", []string{"no", "yes"}},
	}, func(at []int) string {
		n := ostiary.AppCounts{AccountApps: 7 + at[0], Apps: 3 + at[1], Waiting: 1 + at[2], TokenCapMet: at[4] == 1, AccountCapMet: at[5] == 1}
		met := caps.Met(n, ostiary.AppState(at[3]))
		if n.Noted(met) {
			return []string{"room", "token full", "account full"}[met] + ", noted"
		}
		return []string{"room", "token full", "account full"}[met]
	}))
	b.WriteString("\nWhat counts while it is not known whether a change was made\n\n")
	states := []string{"waiting", "denied", "allowed"}
	b.WriteString(tree([]choice{{"the application was", states}, {"and may now be", append(states, "forgotten")}}, func(at []int) string {
		by := ostiary.AppFact{State: ostiary.AppState(at[1] % 3), Gone: at[1] == 3}
		return ostiary.AppFact{State: ostiary.AppState(at[0])}.Narrow(by).State.String()
	}))
	b.WriteString("\n" + tree([]choice{{"the role was", roleNames()}, {"and may now be", roleNames()}}, func(at []int) string {
		return ostiary.MemberFact{Role: roles[at[0]]}.Narrow(ostiary.MemberFact{Role: roles[at[1]]}).Role.String()
	}))
	b.WriteString("\n" + tree([]choice{{"the privilege was", roleNames()}, {"and may now be", roleNames()}}, func(at []int) string {
		return ostiary.TokenFact{Privilege: roles[at[0]]}.Narrow(ostiary.TokenFact{Privilege: roles[at[1]]}).Privilege.String()
	}))
	defaults := []string{"Deny", "Pending", "Allow"}
	b.WriteString("\n" + tree([]choice{{"the default was", defaults}, {"and may now be", defaults}}, func(at []int) string {
		is := ostiary.TokenFact{Default: ostiary.DefaultAppState(at[0])}.Narrow(ostiary.TokenFact{Default: ostiary.DefaultAppState(at[1])})
		return is.Default.String()
	}))
	times := []string{"never", "at 1", "at 2"}
	b.WriteString("\n" + tree([]choice{{"it expired", times}, {"and may now expire", times}}, func(at []int) string {
		return times[ostiary.TokenFact{ExpiresOn: int64(at[0])}.Narrow(ostiary.TokenFact{ExpiresOn: int64(at[1])}).ExpiresOn]
	}))
	lists := []string{"everywhere", "10.0.0.0/8", "10.1.0.0/16", "192.0.2.0/24"}
	b.WriteString("\n" + tree([]choice{{"the networks were", lists}, {"and may now be", lists}}, func(at []int) string {
		is := ostiary.TokenFact{Networks: networks(lists[at[0]])}.Narrow(ostiary.TokenFact{Networks: networks(lists[at[1]])})
		return fmt.Sprint(is.Networks)
	}))
	yesNo := []string{"no", "yes"}
	b.WriteString("\n" + tree([]choice{{"it was retired, or the user disabled:", yesNo}, {"and may now be:", yesNo}}, func(at []int) string {
		t := ostiary.TokenFact{Retired: at[0] == 1}.Narrow(ostiary.TokenFact{Retired: at[1] == 1})
		u := ostiary.UserFact{Disabled: at[0] == 1}.Narrow(ostiary.UserFact{Disabled: at[1] == 1})
		return fmt.Sprint(t.Retired, " ", u.Disabled)
	}))
	return b.String()
}

func networks(text string) []netip.Prefix {
	if text == "everywhere" {
		return nil
	}
	return []netip.Prefix{netip.MustParsePrefix(text)}
}
