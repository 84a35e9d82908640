package main

import (
	"fmt"
	"strings"

	"ostiary"
	"ostiary/internal/authority"
)

// strangeNames is an account on which strangers and members have chosen names that a page, a script,
// a spreadsheet or a layout could stumble over. A script that runs sets a variable that tests look at.
func (g *gallery) strangeNames() {
	g.at("2026-04-02 09:00")
	name := `<script>strangeNames=1</script>{{.}}"&amp;'`
	g.account("strange_names", name, "Asia/Kathmandu", `</title><b>bold</b>`)
	g.person("Sam", "Smith", ostiary.Admin)
	for i, name := range []string{
		`"><img src=x onerror=strangeNames=1>`, "משה כהן", "عبد الرحمن بن محمد",
		strings.Repeat("Wolfeschlegelsteinhausen", 4), "=HYPERLINK(\"http://192.0.2.1\")",
		"Robert'); DROP TABLE tokens;--",
	} {
		g.strangePerson(fmt.Sprintf("strange%d", i), name)
	}
	for i, text := range strangeTexts() {
		g.accountToken("Sam", text, ostiary.ReadOnly, ostiary.Pending)
		for n, app := range strangeApps(i) {
			g.asks(habit{text, app, "GET /v2/" + app}, 1)
			if n%3 != 0 {
				g.decides("Sam", text, app, []ostiary.AppState{ostiary.Allowed, ostiary.Denied}[n%2])
			}
		}
	}
}

func (g *gallery) strangePerson(mailbox, name string) {
	if g.err != nil {
		return
	}
	_, _, err := g.CreateUser(g.ctx, g.operator(), authority.NewUser{
		Email: mailbox + "@example.com", FirstName: name, LastName: name, Role: ostiary.Normal,
	})
	g.fail("the login of "+mailbox, err)
}

// strangeTexts are descriptions.
func strangeTexts() []string {
	return []string{
		`<script>strangeNames=1</script>`,
		`<img src=x onerror="strangeNames=1">`,
		`"><svg onload=strangeNames=1>`,
		`' onmouseover='strangeNames=1`,
		`{{printf "%s" .}} ${7*7} #{7*7} <%= 7*7 %> [[${7*7}]]`,
		`=cmd|' /C calc'!A1`,
		`@SUM(1+1)*cmd|' /C calc'!A0`,
		"אסימון של צוות הניטור",
		"رمز فريق المراقبة (Monitoring) ١٢٣",
		"Überwachung 監視 мониторинг 🔑🚪🧑",
		strings.Repeat("unbreakable", 45),
		strings.Repeat("many short words ", 29),
		`'; DROP TABLE tokens; --`,
		`</textarea></select></title></style><h1>Out</h1>`,
		`<a href="javascript:strangeNames=1">click</a>`,
		"Z̸͙͗a̴͎͝l̶̥̿g̷̱̈o̵͉͐ " + strings.Repeat("a\u0301\u0302\u0303", 20),
	}
}

// strangeApps are names of applications: printable ASCII without a comma, and different for each token.
func strangeApps(token int) []string {
	names := []string{
		`<script>strangeNames=%d</script>`, `<img src=x onerror=strangeNames=%d>`, `"><svg/onload=strangeNames=%d>`,
		`{{strangeNames=%d}}`, `=1+%d`, `+1+%d`, `-1+%d`, `@SUM(%d)`, `=HYPERLINK("http://192.0.2.1/%d")`,
		`' OR %d=1 --`, `javascript:strangeNames=%d`, `../../%d/..%%2f`, `</script></li></ul></main>%d`,
		strings.Repeat("W", 97) + `%03d`, strings.Repeat("i ", 40) + `%d`,
	}
	for i, name := range names {
		names[i] = fmt.Sprintf(name, token)
	}
	return names
}
