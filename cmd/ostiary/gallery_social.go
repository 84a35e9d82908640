package main

import (
	"fmt"
	"net/netip"
	"time"

	"ostiary"
	"ostiary/internal/authority"
)

// look is what programs ask when they want to know whether they may.
const look = "GET /v2/account/current"

// socialNetworks is the account of the manual, after a winter of use.
func (g *gallery) socialNetworks() {
	g.at("2026-01-12 09:00")
	g.account("social_networks", "Social Networks", "America/New_York", "Monitoring for The Social Network.")
	g.person("Alice", "Adler", ostiary.Admin)
	g.person("Bob", "Baker", ostiary.Admin)
	g.person("Carol", "Chen", ostiary.Normal)
	g.person("Dan", "Diaz", ostiary.Normal)
	g.person("Frank", "Fox", ostiary.Normal)
	g.socialTokens()
	g.socialWinter()
	g.socialSpring()
	g.socialWeek()
}

// socialTokens are those that were there from the beginning.
func (g *gallery) socialTokens() {
	g.at("2026-01-12 09:20")
	g.accountToken("Alice", "Fleet", ostiary.ReadOnly, ostiary.Pending)
	g.userToken("Alice", "", ostiary.ReadOnly, ostiary.Pending)
	g.userToken("Alice", "Alice’s laptop", ostiary.Admin, ostiary.Allow)
	g.at("2026-01-14 15:02")
	g.userToken("Bob", "Old scripts", ostiary.Normal, ostiary.Pending)
	g.userToken("Carol", "Weekly report", ostiary.Normal, ostiary.Pending)
	g.userToken("Dan", "On-call pager", ostiary.Normal, ostiary.Pending)
	g.userToken("Frank", "Brokers", ostiary.Normal, ostiary.Pending)
	g.userToken("Frank", "Frank’s notebook", ostiary.Normal, ostiary.Allow)
	g.at("2026-01-15 10:00")
	g.accountToken("Alice", "Terraform", ostiary.Admin, ostiary.Pending)
	g.expires("Terraform", time.Date(2026, time.May, 1, 4, 0, 0, 0, time.UTC))
	g.accountToken("Alice", "Contractors", ostiary.ReadOnly, ostiary.Pending)
	g.expires("Contractors", time.Date(2026, time.March, 31, 22, 0, 0, 0, time.UTC))
	g.madeWith("Terraform", "Probe west", "Probe east")
	g.at("2026-01-20 11:40")
	g.accountToken("Bob", "Nightly export", ostiary.ReadOnly, ostiary.Deny)
	networks := []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16"), netip.MustParsePrefix("2001:db8:20::/48")}
	g.changes("Bob", "Nightly export", authority.TokenPatch{Networks: &networks})
	g.userToken("Bob", "Dashboards", ostiary.Admin, ostiary.Pending)
	g.at("2026-01-22 16:05")
	g.accountToken("Alice", "Infrastructure", ostiary.Normal, ostiary.Pending)
}

func (g *gallery) expires(token string, on time.Time) {
	g.changes("Alice", token, authority.TokenPatch{ExpiresOn: &on})
}

// madeWith makes account tokens with a token, as a program does.
func (g *gallery) madeWith(token string, descriptions ...string) {
	for _, description := range descriptions {
		g.clock.on(time.Second)
		g.token(authority.Caller{
			Token: g.tokens[token].id, Account: g.on,
			From: netip.MustParseAddr("10.20.0.31"), Agent: "Go-http-client/2.0",
		}, authority.NewToken{
			Kind: ostiary.AccountToken, Privilege: ostiary.ReadOnly, Default: ostiary.Allow, Description: description,
		})
	}
}

// socialWinter: Bob is no admin any more, Frank leaves, and what he made is kept.
func (g *gallery) socialWinter() {
	g.at("2026-02-02 10:00")
	g.role("Alice", "Bob", ostiary.Normal)
	g.at("2026-02-06 09:00")
	g.invites("Alice", authority.Invitee{Email: "erin@example.com", Role: ostiary.Admin})
	g.follows("Erin", "Evans")
	g.at("2026-02-09 08:30")
	for _, h := range []habit{
		{"Infrastructure", "Terraform v0.10.0", look},
		{"Infrastructure", "old-cron", look},
		{"Nightly export", "export-job", look},
		{"Dashboards", "grafana", look},
		{"Old scripts", "cron-report", look},
		{"Weekly report", "spreadsheet", look},
		{"On-call pager", "pager", look},
		{"Brokers", "broker-west", look},
		{"Brokers", "broker-east", look},
		{"Alice’s laptop", "curl", look},
		{"Frank’s notebook", "jupyter", look},
	} {
		g.asks(h, 1)
	}
	g.at("2026-02-09 10:10")
	g.decides("Alice", "Nightly export", "export-job", ostiary.Allowed)
	g.decides("Bob", "Old scripts", "cron-report", ostiary.Allowed)
	g.decides("Carol", "Weekly report", "spreadsheet", ostiary.Allowed)
	g.decides("Dan", "On-call pager", "pager", ostiary.Allowed)
	g.decides("Frank", "Brokers", "broker-west", ostiary.Allowed)
	g.decides("Frank", "Brokers", "broker-east", ostiary.Allowed)
	g.at("2026-03-02 16:00")
	g.promotes("Alice", "Brokers")
	g.removes("Alice", "Frank")
}

// socialSpring: the month before today.
func (g *gallery) socialSpring() {
	g.at("2026-03-03 09:14")
	g.decides("Alice", "Infrastructure", "Terraform v0.10.0", ostiary.Allowed)
	g.at("2026-03-09 14:30")
	g.decides("Alice", "Infrastructure", "old-cron", ostiary.Denied)
	g.at("2026-03-10 10:00")
	g.decides("Erin", "Terraform", "terraform-ci", ostiary.Allowed)
	g.asks(habit{"Contractors", "audit-firm", look}, 3)
	g.decides("Erin", "Contractors", "audit-firm", ostiary.Allowed)
	g.at("2026-03-10 12:00")
	g.asks(habit{"Probe west", "probe", look}, 1)
	g.at("2026-03-15 17:45")
	g.retires("Bob", "Old scripts")
	g.at("2026-03-20 09:05")
	g.role("Alice", "Carol", ostiary.ReadOnly)
	g.at("2026-03-23 12:00")
	_, _, err := g.DisableUser(g.ctx, g.operator(), g.people["Dan"], true)
	g.fail("disabling Dan", err)
	g.at("2026-04-02 11:20")
	g.decides("Bob", "Dashboards", "grafana", ostiary.Allowed)
	g.userToken("Bob", "Bob’s laptop", ostiary.Normal, ostiary.Allow)
	for i := range 36 {
		state := ostiary.Allowed
		if i%12 == 7 {
			state = ostiary.Denied
		}
		g.decides("Alice", "Fleet", fmt.Sprintf("agent-%02d.example.com", i+1), state)
	}
	g.asks(habit{"Bob’s laptop", "bob-scripts", look}, 1)
}

// socialWeek is who asked what in the week before today, and who waits since this morning.
func (g *gallery) socialWeek() {
	g.at("2026-04-08 15:00")
	g.person("Heidi", "Hahn", ostiary.NoRole)
	g.invites("Alice", authority.Invitee{Email: "grace@example.com", Role: ostiary.Normal},
		authority.Invitee{Email: "heidi@example.com", Role: ostiary.ReadOnly})
	g.at("2026-04-08 21:25")
	g.asks(habit{"Nightly export", "backup-test", look}, 2)
	g.at("2026-04-08 22:17")
	g.asks(habit{"Terraform", "jenkins", look}, 3)
	g.at("2026-04-09 09:41")
	g.asks(habit{"Dashboards", "grafana-sync", look}, 14)
	g.at("2026-04-09 09:58")
	g.asks(habit{"Infrastructure", "Terraform v0.11.0", "PUT /v2/check_bundle/12"}, 1)
	for _, w := range []struct {
		habit
		days, perHour int
		minutesAgo    time.Duration
	}{
		{habit{"Infrastructure", "Terraform v0.10.0", "PUT /v2/check_bundle/12"}, 7, 11, 2},
		{habit{"Infrastructure", "old-cron", look}, 1, 3, 245},
		{habit{"Dashboards", "grafana", "GET /v2/metric"}, 7, 1100, 6},
		{habit{"Nightly export", "export-job", look}, 7, 2, 480},
		{habit{"Terraform", "terraform-ci", "POST /v2/check_bundle"}, 5, 6, 31},
		{habit{"Brokers", "broker-west", "GET /v2/broker"}, 7, 60, 1},
		{habit{"Brokers", "broker-east", "GET /v2/broker"}, 7, 60, 1},
		{habit{"Probe west", "probe", look}, 3, 12, 3},
		{habit{"Weekly report", "spreadsheet", "GET /v2/metric"}, 7, 1, 62},
		{habit{"Alice’s laptop", "curl", "GET /v2/user/current"}, 4, 1, 25},
		{habit{"Bob’s laptop", "bob-scripts", "GET /v2/metric"}, 4, 3, 95},
		{habit{"Old scripts", "cron-report", "POST /v2/annotation"}, 7, 1, 5},
		{habit{"Frank’s notebook", "jupyter", "GET /v2/metric"}, 2, 1, 1300},
		{habit{"On-call pager", "pager", "GET /v2/alert"}, 7, 2, 11},
		{habit{"Fleet", "agent-01.example.com", look}, 7, 9, 1},
		{habit{"Fleet", "agent-02.example.com", look}, 7, 9, 1},
	} {
		g.works(w.habit, w.days, w.perHour, w.minutesAgo)
	}
}

// A program is where an application runs, and how it calls itself.
type program struct{ from, agent string }

// clients are the applications that are known; others are strangers.
func clients() map[string]program {
	return map[string]program{
		"Terraform v0.10.0":    {"10.20.0.31", "Go-http-client/2.0"},
		"old-cron":             {"10.20.0.9", "Wget/1.21"},
		"export-job":           {"10.20.4.2", "export/2.4"},
		"grafana":              {"10.20.0.7", "Grafana/12.0"},
		"cron-report":          {"10.20.0.12", "Python-urllib/3.11"},
		"spreadsheet":          {"10.20.0.44", "LibreOffice/24.8"},
		"pager":                {"10.20.0.15", "pager/7"},
		"broker-west":          {"10.20.8.1", "broker/1.9"},
		"broker-east":          {"10.20.9.1", "broker/1.9"},
		"curl":                 {"10.20.0.5", "curl/8.5.0"},
		"jupyter":              {"203.0.113.9", "python-requests/2.28"},
		"audit-firm":           {"198.51.100.24", "curl/8.5.0"},
		"probe":                {"10.20.8.4", "probe/0.3"},
		"bob-scripts":          {"10.20.0.6", "python-requests/2.32"},
		"backup-test":          {"192.0.2.77", "curl/8.5.0"},
		"jenkins":              {"203.0.113.80", "curl/8.5.0"},
		"grafana-sync":         {"10.20.0.7", "python-requests/2.32"},
		"Terraform v0.11.0":    {"10.20.0.31", "Go-http-client/2.0"},
		"terraform-ci":         {"10.20.0.31", "Go-http-client/2.0"},
		"agent-01.example.com": {"10.20.16.1", "agent/3.1"},
		"agent-02.example.com": {"10.20.16.2", "agent/3.1"},
	}
}
