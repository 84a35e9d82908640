package web

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ostiary"
	"ostiary/internal/authority"
)

var update = flag.Bool("update", false, "write the golden pages anew")

// toldNames and toldTokens are whom and what the entries below are about. Token 9 has no description, and
// token 12 is hidden from the reader.
var (
	toldNames = authority.Names{
		"/user/1": "Alice", "/user/2": "Bob", "/user/4": "dave@example.com", "operator:root": "the operator root",
		"/token/7": "CI maker q1W…3eRt", "/token/8": "Deploys a9S…8dFg", "/token/12": "token 12",
	}
	toldTokens = map[ostiary.ID]authority.TokenName{
		3: {Description: "Dashboards", Hint: "Qw7…mZ40", Kind: ostiary.UserToken},
		5: {Description: "Infrastructure", Hint: "k3X…9fQ2", Kind: ostiary.AccountToken},
		9: {Hint: "zz9…PlZa", Kind: ostiary.UserToken},
	}
)

const (
	byAlice = ostiary.By("/user/1")
	byBob   = ostiary.By("/user/2")
	byRoot  = ostiary.By("operator:root")
)

func details(pairs ...string) map[string]string {
	out := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = pairs[i+1]
	}
	return out
}

// toldStories is every kind of entry, in several forms. Each is told to nobody in particular, and to Bob where
// that reads otherwise.
var toldStories = []ostiary.Change{
	entry(story{What: "app.new", Token: 3, AppName: "grafana-sync"}, appIs(ostiary.Waiting)...),
	entry(story{What: "app.new", Token: 5, AppName: "Terraform v0.11.0"}, appIs(ostiary.Allowed)...),
	entry(story{What: "app.new", Token: 12, AppName: "x"}),
	entry(story{What: "app.settle", Token: 3, AppName: "grafana"}),
	entry(story{What: "app.allowed", By: byAlice, Token: 5, AppName: "Terraform v0.11.0"}),
	entry(story{What: "app.allowed", By: byAlice, Token: 3, User: 2, AppName: "grafana"}),
	entry(story{What: "app.allowed", By: byBob, Token: 3, User: 2, AppName: "grafana"}),
	entry(story{What: "app.allowed", By: "/token/7", For: 2, Token: 3, User: 2, AppName: "grafana"}),
	entry(story{What: "app.denied", By: "/token/8", Token: 5, AppName: "old-cron"}),
	entry(story{What: "app.denied", By: byAlice, Token: 9, User: 2, AppName: "old-cron"}),
	entry(story{What: "app.denied", By: byRoot, Token: 12, User: 1, AppName: "old-cron"}),
	entry(story{What: "app.forget", By: byBob, Token: 9, User: 2, AppName: "old-cron"}),
	entry(story{What: "app.cap", Token: 5, Details: details("cap", "applications of the token")}),
	entry(story{What: "app.cap", Token: 5, Details: details("cap", "applications of the account")}),
	entry(story{
		What: "app.cap", Token: 5,
		Details: details("cap", "new applications a second on the account"),
	}),
	entry(story{What: "app.cap", Token: 5, Details: details("cap", "something new")}),

	entry(story{What: "token.create", By: byBob, Token: 3, User: 2, Details: made("user", "Dashboards")}),
	entry(story{What: "token.create", By: byBob, Token: 3, User: 2, Details: made("user", "Grafana")}),
	entry(story{What: "token.create", By: byBob, Token: 9, User: 2, Details: made("user", "")}),
	entry(story{What: "token.create", By: byRoot, Token: 3, User: 2, Details: made("user", "Dashboards")}),
	entry(story{What: "token.create", By: byAlice, Token: 5, Details: made("account", "Infrastructure")}),
	entry(story{
		What: "token.create", By: byAlice, Token: 5,
		Details: made("account", "Infrastructure", "like", "3"),
	}),
	entry(story{
		What: "token.create", By: "/token/7", For: 2, Token: 3, User: 2,
		Details: made("user", "Dashboards"),
	}),
	entry(story{What: "token.create", By: "/token/8", Token: 12, Details: made("account", "Secret")}),
	entry(story{What: "token.create", By: byAlice, Token: 5}),
	entry(story{
		What: "token.change", By: byBob, Token: 3, User: 2,
		Details: details("privilege", "Normal → Read Only"),
	}),
	entry(story{
		What: "token.change", By: byAlice, Token: 3, User: 2,
		Details: details("default_app_state", "Pending → Deny"),
	}),
	entry(story{What: "token.change", By: byAlice, Token: 5, Details: details("description", "Grafana")}),
	entry(story{
		What: "token.change", By: byAlice, Token: 5,
		Details: details("description", "Infrastructure"),
	}),
	entry(story{What: "token.change", By: byBob, Token: 9, User: 2, Details: details("description", "")}),
	entry(story{
		What: "token.change", By: byAlice, Token: 5,
		Details: details("expires_on", "2026-12-24T17:00:00Z"),
	}),
	entry(story{What: "token.change", By: byAlice, Token: 5, Details: details("expires_on", "never")}),
	entry(story{
		What: "token.change", By: byAlice, Token: 5,
		Details: details("networks", "10.0.0.0/8, 192.0.2.0/24"),
	}),
	entry(story{What: "token.change", By: byAlice, Token: 5, Details: details("networks", "")}),
	entry(story{
		What: "token.change", By: byAlice, Token: 3, User: 2,
		Details: details("privilege", "Read Only → Admin", "default_app_state", "Deny → Allow", "description", "Grafana"),
	}),
	entry(story{What: "token.retire", By: byBob, Token: 3, User: 2}),
	entry(story{What: "token.retire", By: byAlice, Token: 9, User: 2}),
	entry(story{
		What: "token.retire", By: byAlice, Token: 3, User: 2,
		Details: details("because", "its owner is removed"),
	}),
	entry(story{
		What: "token.retire", By: "operator:rollback", Token: 5,
		Details: details("because", "a backup was restored"),
	}),
	entry(story{What: "token.promote", By: byAlice, Token: 3, User: 2}, tokenCan(ostiary.ReadOnly)...),
	entry(story{What: "token.promote", By: byAlice, Token: 3, User: 2}),

	entry(story{
		What: "member.role", By: byAlice, User: 2,
		Details: details("role", "Normal → Read Only"),
	}),
	entry(story{What: "member.role", By: byBob, User: 2, Details: details("role", "Admin → Normal")}),
	entry(story{What: "member.remove", By: byAlice, User: 2}),
	entry(story{What: "member.remove", By: byBob, User: 2}),
	entry(story{What: "member.remove", By: byAlice, User: 77}),

	entry(story{
		What: "invitation.create", By: byAlice,
		Details: details("email", "dave@example.com", "role", "Read Only"),
	}),
	entry(story{What: "invitation.link", By: byAlice, Details: details("email", "dave@example.com")}),
	entry(story{What: "invitation.drop", By: byAlice, Details: details("email", "dave@example.com")}),
	entry(story{What: "invitation.accept", By: "/user/4", User: 4, Details: details("role", "Normal")}),
	entry(story{
		What: "invitation.accept", By: byBob, User: 2,
		Details: details("role", "Normal", "invited_by", "/user/1"),
	}),
	entry(story{
		What: "invitation.accept", By: "/user/4", User: 4,
		Details: details("role", "Admin", "invited_by", "/user/2"),
	}),
	entry(story{
		What: "invitation.accept", By: byBob, User: 2,
		Details: details("role", "Admin", "invited_by", "operator:root"),
	}),

	entry(story{
		What: "user.create", By: byRoot, User: 2,
		Details: details("email", "bob@example.com", "role", "Normal"),
	}),
	entry(story{What: "user.create", By: byRoot, User: 2, Details: details("email", "bob@example.com")}),
	entry(story{
		What: "user.change", By: byBob, User: 2,
		Details: details("firstname", "Robert", "lastname", ""),
	}),
	entry(story{
		What: "user.change", By: byBob, User: 2,
		Details: details("contact_info.sms", "+1 555", "firstname", "Robert"),
	}),
	entry(story{What: "user.change", By: byRoot, User: 2, Details: details("contact_info.xmpp", "x")}),
	entry(story{What: "user.disable", By: byRoot, User: 2}),
	entry(story{What: "user.enable", By: byRoot, User: 2}),
	entry(story{What: "user.reset", By: byRoot, User: 2}),
	entry(story{What: "user.password", By: byBob, User: 2}),
	entry(story{What: "user.email", By: byBob, User: 2, Details: details("email", "bob@example.org")}),

	entry(story{What: "account.create", By: byRoot, Details: details("name", "social_networks")}),
	entry(story{What: "account.change", By: byAlice, Details: details("timezone", "America/New_York")}),
	entry(story{
		What: "account.change", By: byAlice,
		Details: details("city", "", "name", "Social", "state_prov", "NY"),
	}),
	entry(story{
		What: "audit.erase", By: byRoot,
		Details: details("before", "2026-01-01T05:00:00Z", "erased", "12"),
	}),
	entry(story{
		What: "audit.erase", By: byRoot,
		Details: details("before", "2026-01-01T05:00:00Z", "erased", "1"),
	}),
	entry(story{
		What: "restore", By: byRoot,
		Details: details("backup_revision", "500", "previous_revision", "812"),
	}),
	entry(story{
		What: "edge.revoke", By: "operator:rollback",
		Details: details("edge", "2", "name", "lathe", "hint", "ost…", "because", "a backup was restored"),
	}),

	{},
	entry(story{What: "token.rotate", By: byAlice, Token: 5}),
	entry(story{What: "weather", By: "/token/12"}),
	entry(story{What: "weather"}),
	entry(story{What: "token.retire", By: "/user/77", Token: 5}),
	entry(story{What: "token.retire", By: "/token/77", For: 78, Token: 77, User: 78}),
	entry(story{What: "app.allowed", By: "somebody else", Token: 5, AppName: "x to use y. Bob denied z"}),
}

// A story is short here, since there are so many.
type story = ostiary.Story

func entry(s story, facts ...ostiary.Fact) ostiary.Change {
	return ostiary.Change{Story: &s, Facts: facts}
}

func appIs(state ostiary.AppState) []ostiary.Fact {
	return []ostiary.Fact{{App: &ostiary.AppFact{State: state}}}
}

func tokenCan(role ostiary.Role) []ostiary.Fact {
	return []ostiary.Fact{{Token: &ostiary.TokenFact{ID: 3, Privilege: role}}}
}

func made(kind, description string, more ...string) map[string]string {
	return details(append(more, "kind", kind, "privilege", "Read Only", "default_app_state", "Pending",
		"description", description)...)
}

func toldPage() authority.LogPage {
	return authority.LogPage{
		Account: ostiary.Account{Timezone: "America/New_York"}, Names: toldNames, Tokens: toldTokens, Changes: toldStories,
	}
}

func TestSentencesPageShowsEveryKindOfEntry(t *testing.T) {
	t.Parallel()
	page := bytes.NewBufferString("What the log tells people. A second line is how Bob is told of it.\n")
	toBob, kind := tell(toldPage(), 2), "-"
	for i, s := range tell(toldPage(), 0) {
		if s.What != kind {
			kind = s.What
			fmt.Fprintf(page, "\n%s\n", strings.TrimSpace("["+kind+"]"))
		}
		fmt.Fprintf(page, "    %s\n", s)
		if bob := toBob[i].String(); bob != s.String() {
			fmt.Fprintf(page, "        %s\n", bob)
		}
	}
	path := filepath.Join("testdata", "sentences.txt")
	if *update {
		if err := os.WriteFile(path, page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(page.String(), "\n")); diff != "" {
		t.Errorf("the sentences are not those of %s; if that is meant, run make golden and review it (-page +now):\n%s",
			path, diff)
	}
}

// Kinds stand in the source as What: "token.retire", and where a word of the kind is chosen, in what := "…".
var kindInSource = regexp.MustCompile(`(?i)\bwhat(?::| :?=) "([a-z]+(?:\.[a-z]+)?)"`)

func TestEveryKindOfEntryHasWords(t *testing.T) {
	t.Parallel()
	told := map[string]bool{}
	for _, c := range toldStories {
		if c.Story != nil {
			told[c.Story.What] = true
		}
	}
	found := 0
	for _, folder := range []string{"../authority", "../store", "../../cmd/ostiary"} {
		files, err := fs.Glob(os.DirFS(folder), "*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			text, err := os.ReadFile(filepath.Join(folder, name))
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			for _, kind := range kindInSource.FindAllStringSubmatch(string(text), -1) {
				found++
				if !told[kind[1]] {
					t.Errorf("%s/%s makes entries of the kind %q, of which the golden page has no sentence", folder, name, kind[1])
				}
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d kinds are found in the source: the pattern is out of date", found)
	}
}

func TestSentenceLinksOnlyTokensThatTheReaderMaySee(t *testing.T) {
	t.Parallel()
	for _, s := range tell(toldPage(), 0) {
		for _, p := range s.Parts {
			if p.Token == 12 || p.Token == 77 || s.Token == 12 || s.Token == 77 {
				t.Errorf("%q links to a token that is hidden from the reader", s)
			}
		}
	}
}

func TestWhatStrangersWroteIsAPartOfItsOwn(t *testing.T) {
	t.Parallel()
	const hostile = "\u202e<script>"
	page := toldPage()
	page.Names = authority.Names{"/user/1": hostile, "/user/2": hostile}
	page.Tokens = map[ostiary.ID]authority.TokenName{3: {Description: hostile}, 5: {Description: hostile}}
	page.Changes = nil
	for _, c := range toldStories {
		if c.Story == nil || strings.Contains(c.Story.What, "weather") {
			continue
		}
		s := *c.Story
		s.AppName, s.Details = hostile, map[string]string{}
		for name, text := range c.Story.Details {
			s.Details[name] = text
			if slices.Contains([]string{"description", "email", "firstname", "name", "because", "cap"}, name) {
				s.Details[name] = hostile
			}
		}
		page.Changes = append(page.Changes, ostiary.Change{At: time.Unix(0, 0), Story: &s})
	}
	for _, s := range tell(page, 0) {
		for _, p := range s.Parts {
			if p.Kind == ourWords && strings.Contains(p.Text, hostile) {
				t.Errorf("%q stands among our own words in %q", p.Text, s)
			}
		}
	}
}
