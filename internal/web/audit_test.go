package web_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/authority"
)

func TestLogReadsAsSentencesNewestFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, secret := w.dashboards(ostiary.Normal, ostiary.Pending)
	w.demand(secret, "grafana-sync", ostiary.ReadOnly, ostiary.PendingApp)
	w.clock.pass(24 * time.Hour)
	_, _, err := w.authority.DecideName(ctx, w.alice.on(w.account), id, "grafana-sync", ostiary.Allowed)
	w.ok(err)
	page := w.alice.open(w.audit()).is("Audit", http.StatusOK)
	page.says("Today, 5 March",
		"12:00:00 Alice allowed grafana-sync to use Bob’s token Dashboards. 192.0.2.7 · Revision 10",
		"Yesterday, 4 March",
		"grafana-sync turned up with Dashboards, and waits for a decision.", "GET /v2/x", "203.0.113.5",
		"Bob made the user token Dashboards: Normal, Pending.", "Times are in America/New_York")
	if text := page.text(); strings.Index(text, "Alice allowed") > strings.Index(text, "turned up") {
		t.Errorf("the older entry comes first:\n%s", text)
	}
	page.in("turned up").follow("Why?").at("/why?").says("grafana-sync would be let through, as Normal")
	page.in("Alice allowed").follow("Dashboards").at("/tokens/" + id.String())
}

func TestMemberReadsWhatConcernsOwnTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.dashboards(ostiary.ReadOnly, ostiary.Deny)
	w.newToken(w.alice, authority.NewToken{Privilege: ostiary.Admin, Description: "Payroll"})
	account, _ := w.newToken(w.alice, authority.NewToken{
		Kind: ostiary.AccountToken, Privilege: ostiary.Admin, Description: "Deploys",
	})
	page := w.bob.open("/audit").is("Audit", http.StatusOK)
	page.says("What concerns your own tokens", "Bob made the user token Dashboards")
	page.silent("Payroll", "Deploys", "Alice", "made a login")
	w.bob.open("/audit?token=" + account.String()).says("Nothing matches.").silent("Deploys")
	for _, file := range []string{"/audit.csv", "/audit.jsonl"} {
		if got := w.bob.open(file).body; strings.Contains(got, "Payroll") || !strings.Contains(got, "Dashboards") {
			t.Errorf("%s for Bob holds\n%s", file, got)
		}
	}
	w.carol.open("/audit").says("Nothing has happened to your tokens yet.")
}

func TestLogIsLookedThroughByPersonTokenApplicationKindAndTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, secret := w.dashboards(ostiary.Normal, ostiary.Allow)
	w.ask(secret, "grafana", ostiary.ReadOnly)
	w.clock.pass(12 * time.Hour) // to midnight in New York
	w.newToken(w.alice, authority.NewToken{Privilege: ostiary.Normal, Description: "Nightly export"})
	made, came, late, login := "token Dashboards", "grafana turned up", "Nightly export", "made a login for bob"
	all := []string{made, came, late, login}
	page := w.alice.open(w.audit())
	for _, c := range []struct {
		fields []string
		want   []string
	}{
		{nil, all},
		{[]string{"Person", "Bob"}, []string{made, login}},
		{[]string{"Person", "The operator"}, []string{login}},
		{[]string{"Kind", "Applications"}, []string{came}},
		{[]string{"Kind", "Logins"}, []string{login}},
		{[]string{"Application", "grafana"}, []string{came}},
		{[]string{"Application", "Grafana"}, nil},
		{[]string{"First day", "2026-03-05"}, []string{late}},
		{[]string{"Last day", "2026-03-04"}, []string{made, came, login}},
		{[]string{"First day", "2026-03-04", "Last day", "2026-03-04", "Kind", "Tokens"}, []string{made}},
	} {
		got := page.press("Show", c.fields...)
		got.is("Audit", http.StatusOK)
		log := strings.Join(got.entries(), "\n")
		for _, text := range all {
			if found, want := strings.Contains(log, text), slices.Contains(c.want, text); found != want {
				t.Errorf("looking for %q: %q is found: %v, want %v\n%s", c.fields, text, found, want, log)
			}
		}
		if c.want == nil {
			got.says("Nothing matches.").follow("Show everything").says(made)
		}
	}
	w.alice.open("/audit?account="+w.account.String()+"&token="+id.String()).says(made, came).silent(late)
	page.press("Show", "First day", "yesterday").is("Audit", http.StatusBadRequest).
		says("A date is written as", "Nothing matches.")
	page.press("Show", "First day", "2026-03-05", "Last day", "2026-03-04").
		says("The first day comes after the last.")
	w.alice.open("/audit?person=99").says("Nothing matches.")
}

// entries are the sentences of a page of the log.
func (p *page) entries() (out []string) {
	for _, li := range p.root.all(func(n *node) bool { return n.name == "li" && n.parent.name == "ol" }) {
		out = append(out, li.text())
	}
	return out
}

// dashboards is a user token of Bob's.
func (w *world) dashboards(privilege ostiary.Role, def ostiary.DefaultAppState) (ostiary.ID, ostiary.SecretText) {
	w.Helper()
	return w.newToken(w.bob, authority.NewToken{Privilege: privilege, Default: def, Description: "Dashboards"})
}

// audit is the address of the log of the first account.
func (w *world) audit() string { return "/audit?account=" + w.account.String() }

func TestPastedTokenGetsIntoNoAddressOfTheLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, secret := w.newToken(w.bob, authority.NewToken{Privilege: ostiary.Normal})
	before := len(w.events.since(0))
	page := w.bob.open("/audit").press("Show", "Application", secret.Reveal())
	page.is("Audit", http.StatusBadRequest).says("That holds a token.").has("Which token is this?")
	why := w.bob.open("/why").press("Ask", "Application", secret.Reveal())
	why.is("Why?", http.StatusBadRequest).says("That holds a token.")
	for _, p := range []string{page.address, page.body, why.address, why.body, fmt.Sprint(w.events.since(before))} {
		if strings.Contains(p, secret.Reveal()) {
			t.Errorf("the secret stands in\n%s", p)
		}
	}
}

func TestLogIsReadPageByPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, _ := w.dashboards(ostiary.Normal, ostiary.Deny)
	for i := range 120 {
		_, _, err := w.authority.DecideName(ctx, w.bob.on(w.account), id, fmt.Sprintf("app-%03d", i), ostiary.Allowed)
		w.ok(err)
	}
	first := w.bob.open("/audit?kind=app")
	second := first.lacks("Newer").follow("Older")
	third := second.follow("Older").lacks("Older")
	for i, c := range []struct {
		page             *page
		from, to, number int
	}{{first, 119, 70, 50}, {second, 69, 20, 50}, {third, 19, 0, 20}} {
		all := c.page.entries()
		if len(all) != c.number || !strings.Contains(all[0], fmt.Sprintf("app-%03d", c.from)) ||
			!strings.Contains(all[len(all)-1], fmt.Sprintf("app-%03d", c.to)) {
			t.Errorf("page %d has %d entries, want app-%03d to app-%03d:\n%s", i+1, len(all), c.from, c.to, strings.Join(all, "\n"))
		}
	}
	back := third.follow("Newer")
	if got, want := back.entries(), second.entries(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the page before the third is not the second:\n%s", strings.Join(got, "\n"))
	}
	if got, want := back.follow("Newer").entries(), first.entries(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the page before the second is not the first:\n%s", strings.Join(got, "\n"))
	}
}
