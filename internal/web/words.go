package web

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"
)

// A clock tells times in the account's zone.
type clock struct {
	now  time.Time
	zone *time.Location
}

// Zone is the name of the zone that the page's times are in: "America/New_York".
func (c clock) Zone() string { return c.zone.String() }

// Time is a moment as people say it, with the whole of it for those who point at it: "2 minutes ago",
// "today 09:41", "3 March 09:41".
func (c clock) Time(t time.Time) template.HTML {
	if t.IsZero() {
		return "never"
	}
	return c.element(t, c.spoken(t))
}

// Moment is the same with the exact time always: "3 March 2026, 09:41:07".
func (c clock) Moment(t time.Time) template.HTML {
	return c.element(t, t.In(c.zone).Format("2 January 2006, 15:04:05"))
}

func (c clock) element(t time.Time, text string) template.HTML {
	local := t.In(c.zone)
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s">%s</time>`,
		t.UTC().Format(time.RFC3339), template.HTMLEscapeString(local.Format("Monday, 2 January 2006, 15:04:05 MST")),
		template.HTMLEscapeString(text)))
}

func (c clock) spoken(t time.Time) string {
	local, now := t.In(c.zone), c.now.In(c.zone)
	switch ago := c.now.Sub(t); {
	case ago < -time.Minute:
		return local.Format("2 January 2006 15:04")
	case ago < time.Minute:
		return "just now"
	case ago < time.Hour:
		return plural(int(ago/time.Minute), "minute") + " ago"
	case sameDay(local, now):
		return "today " + local.Format("15:04")
	case sameDay(local, now.AddDate(0, 0, -1)):
		return "yesterday " + local.Format("15:04")
	case local.Year() == now.Year():
		return local.Format("2 January 15:04")
	}
	return local.Format("2 January 2006")
}

// Day is a date without the time: "3 March", or "3 March 2025" in another year.
func (c clock) Day(t time.Time) template.HTML {
	local := t.In(c.zone)
	switch now := c.now.In(c.zone); {
	case t.IsZero():
		return "never"
	case sameDay(local, now):
		return c.element(t, "today")
	case sameDay(local, now.AddDate(0, 0, -1)):
		return c.element(t, "yesterday")
	case local.Year() == now.Year():
		return c.element(t, local.Format("2 January"))
	}
	return c.element(t, local.Format("2 January 2006"))
}

func sameDay(a, b time.Time) bool { return a.Format(time.DateOnly) == b.Format(time.DateOnly) }

// plural counts things: "1 request", "1,204 requests".
func plural(n any, what string) string {
	if count(n) == 1 {
		return "1 " + what
	}
	return number(n) + " " + what + "s"
}

// number writes thousands apart: "88,310".
func number(n any) string {
	digits := strconv.FormatUint(count(n), 10)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// times says how often: "once", "twice", "31 times".
func times(n uint64) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return plural(n, "time")
}

// count reads a number of things, of either type that numbers of things have.
func count(n any) uint64 {
	switch n := n.(type) {
	case int:
		return uint64(max(n, 0))
	case uint64:
		return n
	}
	return 0
}

// initial is the first letter of a name, in capitals.
func initial(name string) string {
	for _, r := range name {
		return strings.ToUpper(string(r))
	}
	return "?"
}

// revisions reads "812" or "812-815".
func revisions(text string) (first, last uint64, ok bool) {
	a, b, many := strings.Cut(text, "-")
	if !many {
		b = a
	}
	first, err := strconv.ParseUint(a, 10, 63)
	last, err2 := strconv.ParseUint(b, 10, 63)
	return first, last, err == nil && err2 == nil && first > 0 && first <= last
}

// doneAt is what revisions reads, for an address.
func doneAt(first, last uint64) string {
	if first == last || first == 0 {
		return strconv.FormatUint(last, 10)
	}
	return strconv.FormatUint(first, 10) + "-" + strconv.FormatUint(last, 10)
}
