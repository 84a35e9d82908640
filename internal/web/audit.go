package web

import (
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"ostiary"
	"ostiary/internal/authority"
)

// entriesOnPage is how many entries of the log a page shows.
const entriesOnPage = 50

// auditView is the page of the log.
type auditView struct {
	authority.LogPage
	Asked   lookup
	Tokens  tokenChoices
	Days    []logDay
	Wrong   string // what is not right in the form
	Secret  bool   // the form held a token
	Older   string // addresses; empty: there are none
	Newer   string
	CSV     string
	Lines   string
	AskedBy string // the person who is looked for, where that is no member
}

// A logDay is what happened on one day of the account's zone, newest first.
type logDay struct {
	At      time.Time
	Entries []said
}

func auditPage(v *visit) (reply, error) {
	return v.auditScreen(v.readLookup())
}

// auditScreen draws the entries that are looked for. What cannot be looked for is said in a sentence.
func (v *visit) auditScreen(asked lookup) (reply, error) {
	view := auditView{}
	s := screen{template: "audit", title: "Audit", nav: "/audit"}
	if v.r.Method == http.MethodPost {
		asked, view.Secret = v.withoutSecrets(asked)
	}
	f, wrong := asked.filter(v.zone)
	view.Asked, view.Wrong = asked, wrong
	if wrong != "" || view.Secret {
		s.status = http.StatusBadRequest
	}
	f.Limit = entriesOnPage
	newer := v.turnTo(&f)
	page, err := v.authority.LogPage(v.r.Context(), v.caller, f)
	if err != nil {
		return nil, err
	}
	if newer && !page.More {
		return to(v.link(asked.path("/audit"))), nil // the newest page is reached
	}
	if newer {
		slices.Reverse(page.Changes)
	}
	view.LogPage = page
	view.Days = v.byDay(tell(page, 0))
	if view.Tokens, err = v.tokenChoices(f.Token); err != nil {
		return nil, err
	}
	view.link(v, newer || page.More, f.Before != 0 || newer)
	view.AskedBy = view.stranger()
	s.data = view
	return s, nil
}

// turnTo reads which page of the entries is meant: those before a revision, or the next newer ones after one.
func (v *visit) turnTo(f *ostiary.LogFilter) (newer bool) {
	if v.r.Method != http.MethodGet {
		return false
	}
	q := v.r.URL.Query()
	f.Before, _ = strconv.ParseUint(q.Get("before"), 10, 63)
	if f.Before != 0 {
		return false
	}
	f.After, _ = strconv.ParseUint(q.Get("after"), 10, 63)
	f.Oldest = f.After != 0
	return f.Oldest
}

// link makes the addresses of the pages around, and of the downloads.
func (a *auditView) link(v *visit, older, newer bool) {
	a.CSV, a.Lines = v.link(a.Asked.path("/audit.csv")), v.link(a.Asked.path("/audit.jsonl"))
	if len(a.Changes) == 0 {
		return
	}
	first, last := a.Changes[0].Revision, a.Changes[len(a.Changes)-1].Revision
	if older {
		a.Older = v.link(a.Asked.path("/audit", "before", strconv.FormatUint(last, 10)))
	}
	if newer {
		a.Newer = v.link(a.Asked.path("/audit", "after", strconv.FormatUint(first, 10)))
	}
}

// stranger names the person who is looked for, where the list of members does not.
func (a *auditView) stranger() string {
	for _, u := range a.People {
		if u.ID.String() == a.Asked.Person {
			return ""
		}
	}
	id, err := ostiary.ParseID(a.Asked.Person)
	if err != nil {
		return ""
	}
	if name := a.Names[byUser(id)]; name != "" {
		return name
	}
	return "User " + id.String()
}

// byDay groups entries by the day in the account's zone.
func (v *visit) byDay(all []said) (days []logDay) {
	for _, s := range all {
		if n := len(days); n == 0 || !sameDay(days[n-1].At.In(v.zone), s.At.In(v.zone)) {
			days = append(days, logDay{At: s.At})
		}
		last := &days[len(days)-1]
		last.Entries = append(last.Entries, s)
	}
	return days
}

// Weekday is a day as a heading: "Today", "Wednesday, 4 March", with the year where it is another.
func (c clock) Weekday(t time.Time) string {
	local, now := t.In(c.zone), c.now.In(c.zone)
	switch {
	case sameDay(local, now):
		return "Today, " + local.Format("2 January")
	case sameDay(local, now.AddDate(0, 0, -1)):
		return "Yesterday, " + local.Format("2 January")
	case local.Year() == now.Year():
		return local.Format("Monday, 2 January")
	}
	return local.Format("Monday, 2 January 2006")
}

// Clock is the time of day: "09:41:07".
func (c clock) Clock(t time.Time) template.HTML {
	return c.element(t, t.In(c.zone).Format(time.TimeOnly))
}

// findEntries takes what was filled in. It comes by POST, because people paste secrets, and an address is
// written down in many places.
func findEntries(v *visit) (reply, error) {
	asked := v.readLookup()
	_, wrong := asked.filter(v.zone)
	if _, secret := v.withoutSecrets(asked); secret || wrong != "" {
		return v.auditScreen(asked)
	}
	return to(v.link(asked.path("/audit"))), nil
}

// A lookup is what is looked for in the log, as it stands in a form or an address.
type lookup struct{ Person, Token, App, Kind, From, To string }

// byOperator is what the form calls whoever runs the server.
const byOperator = "operator"

func (v *visit) readLookup() lookup {
	return lookup{
		Person: v.field("person"), Token: v.field("token"), App: v.field("app"), Kind: v.field("kind"),
		From: v.field("from"), To: v.field("to"),
	}
}

// Any says whether anything is looked for.
func (l lookup) Any() bool { return l != lookup{} }

// path is an address with what is looked for, and more names and values.
func (l lookup) path(path string, more ...string) string {
	q := url.Values{}
	all := append([]string{
		"person", l.Person, "token", l.Token, "app", l.App, "kind", l.Kind, "from", l.From, "to", l.To,
	}, more...)
	for i := 0; i < len(all); i += 2 {
		if all[i+1] != "" {
			q.Set(all[i], all[i+1])
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// withoutSecrets empties what holds a token.
func (v *visit) withoutSecrets(l lookup) (clean lookup, found bool) {
	for _, text := range []*string{&l.Person, &l.Token, &l.App, &l.Kind, &l.From, &l.To} {
		if v.holdsSecret(*text) {
			*text, found = "", true
		}
	}
	return l, found
}

// A logKind is a kind of entry to choose.
type logKind struct{ Key, Name string }

// Kinds are the kinds of entries that this reader can meet.
func (a auditView) Kinds() []logKind {
	kinds := []logKind{{"token", "Tokens"}, {"app", "Applications"}}
	if !a.All {
		return kinds
	}
	return append(kinds, logKind{"member", "Members"}, logKind{"invitation", "Invitations"},
		logKind{"account", "Account"}, logKind{"user", "Logins"}, logKind{"audit", "The log itself"})
}

// filter is what the log is asked for, or what is wrong. Dates are days of the account's zone; both are part
// of what is looked for.
func (l lookup) filter(zone *time.Location) (f ostiary.LogFilter, wrong string) {
	nothing := ostiary.LogFilter{Limit: 1, After: 1 << 62}
	var err error
	switch {
	case l.Person == byOperator:
		f.By = "operator:*"
	case l.Person != "":
		if f.Person, err = ostiary.ParseID(l.Person); err != nil {
			return nothing, "Choose a person from the list."
		}
	}
	if l.Token != "" {
		if f.Token, err = ostiary.ParseID(l.Token); err != nil {
			return nothing, "Choose a token from the list."
		}
	}
	if l.Kind != "" {
		f.What = l.Kind + ".*"
	}
	f.AppName = l.App
	if l.From != "" {
		if f.From, err = time.ParseInLocation(time.DateOnly, l.From, zone); err != nil {
			return nothing, "A date is written as year, month and day: 2026-03-04."
		}
	}
	if l.To != "" {
		if f.To, err = time.ParseInLocation(time.DateOnly, l.To, zone); err != nil {
			return nothing, "A date is written as year, month and day: 2026-03-04."
		}
		f.To = f.To.AddDate(0, 0, 1)
	}
	if l.From != "" && l.To != "" && !f.From.Before(f.To) {
		return nothing, "The first day comes after the last."
	}
	return f, ""
}
