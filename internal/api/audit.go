package api

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"ostiary"
)

// maxFrom bounds how many entries are passed over; f__revision_lt goes on from any entry.
const maxFrom = 100_000

// audit gives entries of the log, newest first. The records do the filtering.
func audit(c *call) (any, error) {
	f, from, err := readLogQuery(c.r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	size := f.Limit
	f.Limit = from + size + 1
	entries, err := c.authority.Log(c.r.Context(), c.caller, f)
	if err != nil {
		return nil, err
	}
	entries = entries[min(from, len(entries)):]
	if len(entries) > size {
		entries, c.more = entries[:size], true
	}
	names, err := c.names(entries)
	if err != nil {
		return nil, err
	}
	out := make([]object, len(entries))
	for i, e := range entries {
		out[i] = encodeEntry(e, names)
	}
	return out, nil
}

func readLogQuery(raw string) (f ostiary.LogFilter, from int, err error) {
	f.Limit = defaultSize
	values, err := url.ParseQuery(raw)
	if err != nil {
		return f, 0, ostiary.Refuse(ostiary.BadValue, "The query is not encoded well.")
	}
	for name, given := range values {
		value := given[0]
		switch {
		case len(given) > 1:
			err = ostiary.RefuseField(join("", name), "This is given once.")
		case name == "size":
			f.Limit, err = number(name, value, 1, maxSize)
		case name == "from":
			from, err = number(name, value, 0, maxFrom)
		case name == "order" && value != "_revision":
			err = ostiary.RefuseField(name, "The log is ordered by _revision.")
		case name == "order":
		case name == "dir" && value != "asc" && value != "desc":
			err = ostiary.RefuseField(name, "This is asc or desc.")
		case name == "dir":
			f.Oldest = value == "asc"
		default:
			err = filterLog(&f, name, value)
		}
		if err != nil {
			return f, 0, err
		}
	}
	return f, from, nil
}

// logFilters are the filters that the log knows.
func logFilters() []string {
	return []string{
		"f_what", "f_what_wildcard", "f_by", "f_token", "f_user", "f_app_name",
		"f__at_ge", "f__at_gt", "f__at_le", "f__at_lt",
		"f__revision", "f__revision_ge", "f__revision_gt", "f__revision_le", "f__revision_lt",
	}
}

// filterLog takes one filter. They narrow each other.
func filterLog(f *ostiary.LogFilter, name, value string) (err error) {
	switch name {
	case "f_what":
		f.What = value
	case "f_what_wildcard":
		if strings.Contains(strings.TrimSuffix(value, "*"), "*") {
			return ostiary.RefuseField(name, "Here a * can stand at the end alone.")
		}
		f.What = value
	case "f_by":
		f.By = ostiary.By(value)
	case "f_token":
		f.Token, err = logID(name, "/token/", value)
	case "f_user":
		f.User, err = logID(name, "/user/", value)
	case "f_app_name":
		f.AppName = value
	case "f__at_ge", "f__at_gt", "f__at_lt", "f__at_le":
		err = filterTime(f, name, value)
	case "f__revision", "f__revision_ge", "f__revision_gt", "f__revision_lt", "f__revision_le":
		err = filterRevision(f, name, value)
	default:
		known := strings.Join(logFilters(), ", ")
		err = ostiary.RefuseField(join("", name), "The log knows size, from, order, dir, "+known+".")
	}
	return err
}

func logID(name, prefix, value string) (ostiary.ID, error) {
	id, err := reference(prefix)(value)
	if err != nil {
		return 0, ostiary.RefuseField(name, err.Error())
	}
	return id, nil
}

// filterTime: entries stand in whole milliseconds, and _at shows the second that one is in.
func filterTime(f *ostiary.LogFilter, name, value string) error {
	s, err := strconv.ParseInt(value, 10, 64)
	if err != nil || s < 0 || s > lastSecond {
		return ostiary.RefuseField(name, "This is a time in whole seconds since 1970.")
	}
	at, next := time.Unix(s, 0).UTC(), time.Unix(s+1, 0).UTC()
	switch {
	case strings.HasSuffix(name, "_ge") && at.After(f.From):
		f.From = at
	case strings.HasSuffix(name, "_gt") && next.After(f.From):
		f.From = next
	case strings.HasSuffix(name, "_lt") && (f.To.IsZero() || at.Before(f.To)):
		f.To = at
	case strings.HasSuffix(name, "_le") && (f.To.IsZero() || next.Before(f.To)):
		f.To = next
	}
	return nil
}

func filterRevision(f *ostiary.LogFilter, name, value string) error {
	n, err := strconv.ParseUint(value, 10, 62)
	if err != nil || n == 0 {
		return ostiary.RefuseField(name, "This is a revision: a decimal number from 1.")
	}
	below := func(n uint64) {
		if f.Before == 0 || n < f.Before {
			f.Before = n
		}
	}
	switch {
	case name == "f__revision":
		f.After = max(f.After, n-1)
		below(n + 1)
	case strings.HasSuffix(name, "_ge"):
		f.After = max(f.After, n-1)
	case strings.HasSuffix(name, "_gt"):
		f.After = max(f.After, n)
	case strings.HasSuffix(name, "_lt"):
		below(n)
	case strings.HasSuffix(name, "_le"):
		below(n + 1)
	}
	return nil
}

// encodeEntry is one entry of the log. One whose story was erased keeps its place in the chain.
func encodeEntry(e ostiary.Change, names map[ostiary.By]string) object {
	s := ostiary.Story{}
	if e.Story != nil {
		s = *e.Story
	}
	chain, _ := e.Chain.MarshalText()
	details := s.Details
	if details == nil {
		details = map[string]string{}
	}
	return object{
		"_revision": e.Revision, "_at": epoch(e.At), "_account": cid("account", e.Account),
		"_chain": string(chain),
		"what":   known(s.What), "by": by(s.By), "for": cid("user", s.For), "from": known(s.From),
		"agent": known(s.Agent), "tag": known(s.Tag), "token": cid("token", s.Token),
		"app": appCID(s.Token, s.App), "app_name": known(s.AppName), "user": cid("user", s.User),
		"details": details, "says": says(e.Story, names),
	}
}
