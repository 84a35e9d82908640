package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"ostiary"
)

// Docs are the pages about the API: the document, for people.
type docs struct {
	Title, Summary, Description, API string
	Parts                            []docsPart
	Objects                          []docsObject
	Errors                           []docsError
}

type docsPart struct {
	Name, Says string
	Calls      []docsCall
}

type docsCall struct {
	ID, Method, Path, Also, Says, Need string
	Operator, List, Changes            bool
	Gives                              string // name of the object
	Filters                            []string
	Takes                              []docsField
	Curl                               string
}

type docsObject struct {
	Name   string
	Fields []docsField
}

type docsField struct {
	Name, Kind, Says string
	Needed           bool
}

type docsError struct {
	Code, Message, Explanation string
	Status                     int
}

func (a *API) newDocs() docs {
	d := docs{
		Title: a.document.info.Title, Summary: a.document.info.Summary, Description: a.document.info.Description,
		API: a.opt.APIURL, Errors: a.docsErrors(),
	}
	shown := map[string]bool{}
	for _, tag := range a.document.tags {
		part := docsPart{Name: tag.Name, Says: tag.Description}
		for _, r := range a.routes {
			if r.tag() != tag.Name {
				continue
			}
			part.Calls = append(part.Calls, a.docsCall(r))
			if !shown[r.gives] {
				shown[r.gives] = true
				d.Objects = append(d.Objects, docsObject{r.gives, a.document.docsFields(r.gives)})
			}
		}
		d.Parts = append(d.Parts, part)
	}
	return d
}

func (a *API) docsCall(r route) docsCall {
	c := docsCall{
		ID: operationID(r.method, r.path), Method: r.method, Path: r.path, Says: r.says, Operator: r.operator,
		List: r.list, Changes: r.changes(), Gives: r.gives, Filters: r.filters, Curl: a.curl(r),
	}
	if r.plain {
		c.Also = strings.TrimPrefix(r.path, "/v2")
	}
	if r.takes != "" {
		c.Takes = a.document.docsFields(r.takes)
	}
	need := r.need
	if need == ostiary.NoRole {
		need, _ = ostiary.Need(nil, r.method, "")
	}
	c.Need = need.Label()
	return c
}

// curl is an example that can be pasted.
func (a *API) curl(r route) string {
	ids := strings.NewReplacer("{account}", "current", "{user}", "current", "{token}", "12", "{app}", "34")
	path := ids.Replace(r.path)
	var b strings.Builder
	switch {
	case r.operator:
		path = strings.ReplaceAll(path, "/user/current/", "/user/2/")
		fmt.Fprint(&b, "curl --unix-socket \"$OSTIARY_SOCKET\"")
	default:
		fmt.Fprint(&b, `curl --user "$APP:$TOKEN"`)
	}
	if r.method != "GET" {
		fmt.Fprintf(&b, " --request %s", r.method)
	}
	if example := a.document.example(r.takes); example != "" {
		fmt.Fprintf(&b, " \\\n  --data-binary '%s'", example)
	}
	base := a.opt.APIURL
	if r.operator {
		base = "http://socket"
	}
	fmt.Fprintf(&b, " \\\n  '%s%s'", base, path)
	return b.String()
}

// example is an example of a body; empty where none is needed.
func (d *document) example(name string) string {
	s := d.schemas[name]
	if len(s.Examples) == 0 {
		return ""
	}
	text, err := json.Marshal(s.Examples[0])
	sure(err)
	return string(text)
}

// docsFields are the fields of an object, what can be set before what is told.
func (d *document) docsFields(name string) []docsField {
	s := d.schemas[name]
	fields := d.fields(schema{Ref: "#/components/schemas/" + name})
	var set, told []docsField
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		f := fields[name]
		needed := slices.Contains(s.Required, name)
		field := docsField{Name: name, Kind: d.kindOf(f), Says: d.says(f), Needed: needed}
		if strings.HasPrefix(name, "_") {
			told = append(told, field)
			continue
		}
		set = append(set, field)
	}
	return append(set, told...)
}

// kindOf says in words what a value is.
func (d *document) kindOf(s schema) string {
	name, isRef := strings.CutPrefix(s.Ref, "#/components/schemas/")
	switch {
	case name == "Time":
		return "time or null"
	case name == "ID" || name == "By":
		return "text"
	case isRef:
		return d.kindOf(d.schemas[name])
	case len(s.Enum) > 0:
		words := make([]string, len(s.Enum))
		for i, v := range s.Enum {
			words[i] = plain(v)
		}
		return strings.Join(words, " · ")
	case s.Items != nil:
		return "list of " + d.kindOf(*s.Items)
	case len(s.AnyOf) > 0:
		var kinds []string
		for _, one := range s.AnyOf {
			kinds = append(kinds, d.kindOf(one))
		}
		return strings.Join(kinds, " · ")
	case len(s.Properties) > 0:
		return "{" + strings.Join(slices.Sorted(maps.Keys(s.Properties)), ", ") + "}"
	}
	words := strings.NewReplacer("string", "text", "integer", "number")
	return words.Replace(strings.Join(d.types(s), " or "))
}

func (d *document) says(s schema) string {
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok && s.Description == "" {
		return d.says(d.schemas[name])
	}
	return s.Description
}

// docsErrors are the rows of the table of answers, by code. Links from error bodies lead to them.
func (a *API) docsErrors() []docsError {
	var out []docsError
	seen := map[string]bool{"OK": true}
	for _, reason := range ostiary.Reasons() {
		row := a.answers.Route(reason, "")
		if seen[row.Code] {
			continue
		}
		seen[row.Code] = true
		out = append(out, docsError{row.Code, row.Message, row.Explanation, row.Status})
	}
	slices.SortStableFunc(out, func(a, b docsError) int { return a.Status - b.Status })
	return out
}
