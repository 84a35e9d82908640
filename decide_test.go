package ostiary_test

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ostiary"
)

var (
	noon      = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)
	office    = netip.MustParseAddr("10.1.2.3")
	elsewhere = netip.MustParseAddr("192.0.2.1")
	offices   = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	roles     = []ostiary.Role{ostiary.NoRole, ostiary.ReadOnly, ostiary.Normal, ostiary.Admin}
)

func roleNames() []string {
	var names []string
	for _, r := range roles {
		names = append(names, r.String())
	}
	return names
}

var decisions = []choice{
	{"the node is", []string{"starting", "ready", "behind within its lease", "behind for longer than its lease"}},
	{"the request shows", []string{"nothing", "no token", "a token"}},
	{"the secret is", []string{"unknown", "known"}},
	{"the token is of kind", []string{"none", "user", "account"}},
	{"the token is", []string{"live", "live until later", "expired this moment", "retired"}},
	{"its owner's role is", roleNames()},
	{"its privilege is", roleNames()},
	{"the account header names", []string{"no account", "the token's account", "another account", "something unclear"}},
	{"the application name is", []string{"missing", "not valid", "valid"}},
	{"the application is", []string{"not on record", "waiting", "denied", "allowed"}},
	{"the default is", []string{"Deny", "Pending", "Allow"}},
	{"the network is", []string{"any", "on the list", "off the list"}},
	{"the rate is", []string{"under the limit", "over the limit"}},
	{"the path is", []string{"clear", "unclear"}},
	{"the request needs", roleNames()},
}

// situation makes the facts and the question of one combination.
func situation(at []int) (f ostiary.Facts, q ostiary.Question) {
	f = ostiary.Facts{Ready: at[0] > 0, Known: at[2] == 1, Revision: 7, AccountName: "acme", OwnerID: 3}
	if at[0] > 1 {
		f.Lease = time.Minute
		f.Behind = [...]time.Duration{time.Minute, time.Minute + 1}[at[0]-2]
	}
	f.Token = ostiary.TokenFact{Account: 5, ID: 11, Kind: ostiary.Kind(at[3]), Owner: 3, Privilege: roles[at[6]]}
	f.Token.Retired = at[4] == 3
	f.Token.ExpiresOn = [...]int64{0, noon.Unix() + 1, noon.Unix(), 0}[at[4]]
	f.Token.Default = ostiary.DefaultAppState(at[10])
	f.Owner = roles[at[5]]
	if at[9] > 0 {
		f.App = ostiary.AppFact{ID: 9, State: ostiary.AppState(at[9] - 1)}
	}
	if at[11] > 0 {
		f.Token.Networks = offices
	}
	q = ostiary.Question{At: noon, From: office, Need: roles[at[14]], OverRate: at[12] == 1, Unclear: at[13] == 1}
	q.Shown = ostiary.Shown(at[1])
	q.Account = [...]ostiary.ID{ostiary.AnyAccount, 5, 6, ostiary.UnclearAccount}[at[7]]
	q.App = [...]string{"", "a,b", "grafana"}[at[8]]
	if at[11] == 2 {
		q.From = elsewhere
	}
	return f, q
}

func TestPolicyPageShowsEveryAnswerForEveryCombination(t *testing.T) {
	t.Parallel()
	page := "What a request is answered. Every combination is here; what makes no difference is left out.\n\n" +
		tree(decisions, func(at []int) string {
			f, q := situation(at)
			d := ostiary.Decide(&f, &q)
			if d.Role == ostiary.NoRole && !d.Record {
				return d.Reason.String()
			}
			return say(d)
		}) + "\n" + needPage()
	golden(t, "policy.txt", page)
}

func say(d ostiary.Decision) string {
	s := d.Reason.String()
	if d.Role != ostiary.NoRole {
		s += " as " + d.Role.String()
	}
	if d.Record {
		s += ", recorded as " + d.RecordAs.String()
	}
	return s
}

// needPage shows the role that requests need.
func needPage() string {
	var b strings.Builder
	rules := []ostiary.Rule{
		{Methods: []string{"GET"}, Path: "/public/**", Role: ostiary.ReadOnly},
		{Methods: []string{"PUT", "PATCH"}, Path: "/team/*/role", Role: ostiary.Admin},
		{Path: "/admin/**", Role: ostiary.Admin},
		{Path: "/plan/*/**", Role: ostiary.Admin},
		{Methods: []string{"DELETE"}, Role: ostiary.Admin},
	}
	b.WriteString("The role that a request needs, without rules\n\n")
	for _, m := range []string{"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "get", ""} {
		fmt.Fprintf(&b, "%-10q %s\n", m, needed(nil, m, "/a//b"))
	}
	b.WriteString("\nThe role that a request needs, with the rules\n\n")
	for _, r := range rules {
		methods, path := strings.Join(r.Methods, ","), r.Path
		fmt.Fprintf(&b, "    %-10s %-14s %s\n", cmp.Or(methods, "any method"), cmp.Or(path, "any path"), r.Role)
	}
	b.WriteString("\n")
	for _, m := range []string{"GET", "PUT", "POST", "DELETE"} {
		for _, p := range []string{
			"/", "/public", "/public/a/b", "/team/7/role", "/team/7/role/x", "/team/7/8/role", "/team//role", "/admin", "/admin/",
			"/admin/x", "/admin/x/y", "/Admin/x", "/administer",
			"/plan", "/plan/7", "/plan/7/x", "/public/../admin/x", "/public/./a", "/public/%2e%2e/admin",
			"/public%2fa", "/public%5Ca", "/a%00", "/a;b", `/a\b`, "/a//b", "/..", "/a%20b",
			"/%61dmin/x", "/adm%69n/x", "/team/7/rol%65", "/%2561dmin/x", "/admin%3bx", "/a%", "/a%zz",
		} {
			fmt.Fprintf(&b, "%-7s %-22s %s\n", m, p, needed(rules, m, p))
		}
	}
	return b.String()
}

func needed(rules []ostiary.Rule, method, path string) string {
	role, err := ostiary.Need(rules, method, path)
	if err != nil {
		return "refused: " + err.Error()
	}
	return role.String()
}

// The page is read by people; these claims are what they look for in it.
func TestTokenNeverExceedsItsOwner(t *testing.T) {
	t.Parallel()
	for _, privilege := range roles {
		for _, owner := range roles {
			got := ostiary.CanUse(ostiary.TokenFact{Kind: ostiary.UserToken, Privilege: privilege}, owner)
			if got > owner || got > privilege {
				t.Errorf("a token with %s of an owner with %s can use %s", privilege, owner, got)
			}
		}
	}
}

func TestZeroValuesLetNothingThrough(t *testing.T) {
	t.Parallel()
	if d := ostiary.Decide(&ostiary.Facts{}, &ostiary.Question{}); d.OK() {
		t.Error("nothing known and nothing asked was let through")
	}
	if (ostiary.Decision{}).OK() {
		t.Error("the zero decision lets through")
	}
	f := ostiary.Facts{Ready: true, Known: true}
	q := ostiary.Question{}
	q.Shown, q.App = ostiary.ShownToken, "x"
	if d := ostiary.Decide(&f, &q); d.OK() {
		t.Error("a token without kind and privilege was let through")
	}
}

func TestDecisionAllocatesNothing(t *testing.T) {
	f, q := situation([]int{1, 2, 1, 1, 0, 3, 2, 0, 2, 3, 1, 1, 0, 0, 1})
	if n := testing.AllocsPerRun(100, func() { ostiary.Decide(&f, &q) }); n != 0 {
		t.Errorf("a decision allocates %v times", n)
	}
}

func TestExplanationNamesEveryCheck(t *testing.T) {
	t.Parallel()
	f, q := situation([]int{1, 2, 1, 1, 1, 2, 3, 0, 2, 1, 1, 2, 0, 0, 3})
	f.Email = "bob@example.com"
	got := strings.Join(ostiary.Explain(&f, &q), "\n")
	for _, want := range []string{
		"bob@example.com", "whose role on acme is Normal; it was granted Admin, so it can use Normal", "live until",
		`Nobody has decided about the application "grafana"`, "Pending", "192.0.2.1 is not on", "needs Admin", "revision 7",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the explanation does not say %q:\n%s", want, got)
		}
	}
}

func TestExplanationMarksTheFactThatDecides(t *testing.T) {
	t.Parallel()
	// Ready, a known token shown, of kind …, and the rest as in decisions.
	for _, c := range []struct {
		at   []int
		want string
	}{
		{[]int{1, 2, 1, 1, 0, 2, 2, 0, 2, 3, 1, 0, 0, 0, 2}, `The application "grafana" is allowed`},
		{[]int{1, 2, 1, 1, 0, 0, 2, 0, 2, 2, 1, 2, 0, 0, 3}, "who is disabled or no longer a member"},
		{[]int{1, 2, 1, 1, 3, 2, 2, 0, 2, 2, 1, 2, 0, 0, 3}, "The token is retired"},
		{[]int{1, 2, 1, 1, 0, 2, 2, 0, 1, 0, 1, 2, 0, 0, 3}, "The application name is not valid"},
		{[]int{1, 2, 1, 1, 0, 2, 2, 0, 2, 2, 1, 2, 0, 0, 3}, `The application "grafana" is denied`},
		{[]int{1, 2, 1, 1, 0, 2, 2, 0, 2, 3, 1, 2, 0, 1, 3}, "is not on the token's list"},
		{[]int{1, 2, 1, 1, 0, 2, 2, 0, 2, 3, 1, 1, 0, 1, 3}, "The path could mean two things"},
		{[]int{1, 2, 1, 1, 0, 1, 2, 0, 2, 3, 1, 1, 0, 0, 2}, "The request needs Normal; the token can use Read-Only"},
	} {
		f, q := situation(c.at)
		var marked []string
		for _, one := range ostiary.ExplainOnPage(&f, &q) {
			if one.Decides {
				marked = append(marked, one.Words)
			}
		}
		if got := strings.Join(marked, " and "); len(marked) != 1 || !strings.Contains(got, c.want) {
			t.Errorf("the request is answered %s because of %q, want one fact: %q", ostiary.Decide(&f, &q).Reason, got, c.want)
		}
	}
}
