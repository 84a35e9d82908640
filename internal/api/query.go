package api

import (
	"cmp"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"ostiary"
)

// A property is a field that lists can be filtered and ordered by.
type property struct {
	number bool // it holds numbers: counts, and times in epoch seconds
	list   bool
}

// A query chooses from a list: which objects, in which order, which page.
type query struct {
	filters    []filter
	order      string
	descending bool
	from, size int
}

// A filter keeps the objects whose field stands so to any of the values.
type filter struct {
	field, op string
	values    []string
}

const (
	defaultSize = 20
	maxSize     = 1000
)

// readQuery reads the query of a list. What it does not know is refused: a filter that is passed
// over in silence gives a wrong answer.
func readQuery(raw string, known map[string]property) (query, error) {
	q := query{size: defaultSize}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return q, ostiary.Refuse(ostiary.BadValue, "The query is not encoded well.")
	}
	for name, given := range values {
		if f, ok := strings.CutPrefix(name, "f_"); ok {
			err = q.addFilter(f, given, known)
		} else {
			err = q.set(name, given, known)
		}
		if err != nil {
			return q, err
		}
	}
	return q, nil
}

func (q *query) set(name string, given []string, known map[string]property) (err error) {
	value := given[0]
	if len(given) > 1 {
		return ostiary.RefuseField(join("", name), "This is given once.")
	}
	switch name {
	case "size":
		q.size, err = number(name, value, 1, maxSize)
	case "from":
		q.from, err = number(name, value, 0, 1<<31-1)
	case "order":
		if p, ok := known[value]; !ok || p.list {
			err = ostiary.RefuseField(name, "The list cannot be ordered by this field.")
		}
		q.order = value
	case "dir":
		if value != "asc" && value != "desc" {
			err = ostiary.RefuseField(name, "This is asc or desc.")
		}
		q.descending = value == "desc"
	default:
		err = ostiary.RefuseField(join("", name),
			"A list knows size, from, order, dir, and f_FIELD for its fields.")
	}
	return err
}

func number(name, value string, least, most int) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < least || n > most {
		return 0, ostiary.RefuseField(name, fmt.Sprintf("This is a number from %d to %d.", least, most))
	}
	return n, nil
}

func (q *query) addFilter(text string, given []string, known map[string]property) error {
	name := join("", "f_"+text)
	f := filter{field: text, values: given}
	if _, exact := known[text]; !exact {
		for _, op := range []string{"_wildcard", "_has", "_gt", "_ge", "_lt", "_le"} {
			if field, ok := strings.CutSuffix(text, op); ok {
				f.field, f.op = field, op
			}
		}
	}
	p, ok := known[f.field]
	if !ok {
		return ostiary.RefuseField(name, "The objects of this list have no such field.")
	}
	for _, value := range given {
		n, err := strconv.ParseFloat(value, 64)
		bad := err != nil || math.IsNaN(n)
		if null := f.op == "" && value == "null"; bad && p.number && f.compares() && !null {
			return ostiary.RefuseField(name, "This field holds numbers; times are epoch seconds.")
		}
	}
	q.filters = append(q.filters, f)
	return nil
}

// compares says whether the filter takes its value as a whole, rather than as a text to look for.
func (f filter) compares() bool { return f.op != "_wildcard" && f.op != "_has" }

// keeps says whether every filter has an object.
func (q *query) keeps(o object) bool {
	for _, f := range q.filters {
		has := func(value string) bool { return f.fits(o[f.field], value) }
		if !slices.ContainsFunc(f.values, has) {
			return false
		}
	}
	return true
}

// fits compares one value of an object. Letters count as they are written.
func (f filter) fits(v any, value string) bool {
	if v == nil {
		return f.op == "" && value == "null"
	}
	switch f.op {
	case "":
		return plain(v) == value
	case "_wildcard":
		return wildcard(value, plain(v))
	case "_has":
		if list, ok := v.([]string); ok {
			return slices.Contains(list, value)
		}
		return strings.Contains(plain(v), value)
	}
	order := compare(v, value)
	switch f.op {
	case "_gt":
		return order > 0
	case "_ge":
		return order >= 0
	case "_lt":
		return order < 0
	}
	return order <= 0
}

// plain is a value as a filter writes it.
func plain(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case nil:
		return "null"
	}
	return fmt.Sprint(v)
}

func compare(v any, value string) int {
	n, ok := v.(int64)
	if !ok {
		return cmp.Compare(plain(v), value)
	}
	other, _ := strconv.ParseFloat(value, 64)
	return cmp.Compare(float64(n), other)
}

// wildcard matches a text against a pattern in which * stands for any characters.
func wildcard(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	last := len(parts) - 1
	if last == 0 {
		return pattern == text
	}
	if !strings.HasPrefix(text, parts[0]) {
		return false
	}
	text = text[len(parts[0]):]
	for _, part := range parts[1:last] {
		at := strings.Index(text, part)
		if at < 0 {
			return false
		}
		text = text[at+len(part):]
	}
	return strings.HasSuffix(text, parts[last])
}

// page orders what was kept, and cuts the page out of it.
func (q *query) page(all []object) (page []object, more bool) {
	if q.order != "" {
		slices.SortStableFunc(all, func(a, b object) int { return compareValues(a[q.order], b[q.order]) })
	}
	if q.descending {
		slices.Reverse(all)
	}
	all = all[min(q.from, len(all)):]
	if len(all) > q.size {
		return all[:q.size], true
	}
	return all, false
}

// compareValues puts null first.
func compareValues(a, b any) int {
	if a == nil || b == nil {
		return cmp.Compare(boolInt(a != nil), boolInt(b != nil))
	}
	x, okX := a.(int64)
	y, okY := b.(int64)
	if okX && okY {
		return cmp.Compare(x, y)
	}
	return cmp.Compare(plain(a), plain(b))
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
