package api

import (
	_ "embed"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

//go:embed openapi.json
var parts []byte

// A document is the OpenAPI document: openapi.json has the words and the schemas, the routes have the
// paths, so that neither can say what the API does not do.
type document struct {
	text    []byte
	schemas map[string]schema
	tags    []tag
	info    info
}

type info struct {
	Title, Summary, Description string
}

type tag struct{ Name, Description string }

// A schema is as much of a JSON Schema as lists and pages need.
type schema struct {
	Ref         string            `json:"$ref"`
	Type        any               `json:"type"`
	Description string            `json:"description"`
	Enum        []any             `json:"enum"`
	Required    []string          `json:"required"`
	Properties  map[string]schema `json:"properties"`
	Items       *schema           `json:"items"`
	AllOf       []schema          `json:"allOf"`
	AnyOf       []schema          `json:"anyOf"`
	Examples    []any             `json:"examples"`
}

func newDocument(routes []route) *document {
	var whole map[string]any
	var known struct {
		Info       info
		Tags       []tag
		Components struct{ Schemas map[string]schema }
	}
	sure(json.Unmarshal(parts, &whole))
	sure(json.Unmarshal(parts, &known))
	d := &document{schemas: known.Components.Schemas, tags: known.Tags, info: known.Info}

	paths := map[string]object{}
	add := func(path string, r route) {
		if paths[path] == nil {
			paths[path] = object{}
		}
		paths[path][strings.ToLower(r.method)] = d.operation(path, r)
	}
	for _, r := range routes {
		add(r.path, r)
		if r.plain {
			add(strings.TrimPrefix(r.path, "/v2"), r)
		}
	}
	whole["paths"] = paths
	text, err := json.Marshal(whole)
	sure(err)
	d.text = text
	return d
}

// sure is for the parts of the program itself: they are right, or no test passes.
func sure(err error) {
	if err != nil {
		panic("the OpenAPI document: " + err.Error())
	}
}

func (d *document) operation(path string, r route) object {
	content := func(schema any) object { return object{"application/json": object{"schema": schema}} }
	gives := any(ref("schemas", r.gives))
	if r.list || r.gives == "ListedAccount" {
		gives = object{"type": "array", "items": gives}
	}
	headers := object{"X-Ostiary-Revision": ref("headers", "revision"), "X-Ostiary-Tag": ref("headers", "tag")}
	if r.list {
		headers["X-Circonus-More-Items"] = ref("headers", "more")
	}
	if r.changes() {
		headers["X-Ostiary-Repeated"] = ref("headers", "repeated")
	}
	answers := object{"200": object{"description": "Done.", "headers": headers, "content": content(gives)}}
	for _, status := range r.refusals() {
		answers[status] = ref("responses", status)
		if r.tag() == "First API" {
			answers[status] = object{"description": "Refused.", "content": content(ref("schemas", "FirstError"))}
		}
	}
	op := object{
		"operationId": operationID(r.method, path), "summary": r.says, "tags": []string{r.tag()},
		"parameters": d.parameters(r), "responses": answers,
	}
	if r.takes != "" {
		op["requestBody"] = object{
			"required": len(d.schemas[r.takes].Required) > 0, "content": content(ref("schemas", r.takes)),
		}
	}
	if r.operator {
		op["security"] = []object{{}}
	}
	return op
}

func ref(kind, name string) object { return object{"$ref": "#/components/" + kind + "/" + name} }

func operationID(method, path string) string {
	return strings.ToLower(method) + strings.NewReplacer("/", "_", "{", "", "}", "").Replace(path)
}

// changes says whether the route makes a change, which an Idempotency-Key can bind.
func (r route) changes() bool { return r.method != "GET" && !r.asks }

// refusals are the statuses with which the route can refuse.
func (r route) refusals() []string {
	codes := []string{"400", "401", "403", "404", "429", "503"}
	if r.method != "GET" {
		codes = append(codes, "409", "413")
	}
	return codes
}

// tag is the part of the document in which the route stands.
func (r route) tag() string {
	switch {
	case r.operator:
		return "Operator"
	case strings.Contains(r.path, "/api/json/"):
		return "First API"
	case strings.Contains(r.path, "/app"):
		return "Applications"
	case strings.HasPrefix(r.path, "/v2/token"):
		return "Tokens"
	case strings.HasPrefix(r.path, "/v2/account"):
		return "Accounts"
	case strings.HasPrefix(r.path, "/v2/user"):
		return "Users"
	}
	return "Log"
}

func (d *document) parameters(r route) []object {
	var out []object
	for segment := range strings.SplitSeq(r.path, "/") {
		if name, ok := strings.CutPrefix(segment, "{"); ok {
			says := "The decimal id."
			if strings.HasSuffix(r.path, "{account}") || strings.HasSuffix(r.path, "{user}") {
				says = "The decimal id, or current."
			}
			out = append(out, object{
				"name": strings.TrimSuffix(name, "}"), "in": "path", "required": true,
				"description": says, "schema": object{"type": "string"},
			})
		}
	}
	if r.list {
		for _, name := range []string{"size", "from", "order", "dir"} {
			out = append(out, ref("parameters", name))
		}
		out = append(out, d.filters(r)...)
	}
	if r.takes == "AccountChange" {
		out = append(out, ref("parameters", "confirm"))
	}
	if r.changes() {
		out = append(out, ref("parameters", "onceKey"))
	}
	return append(out, ref("parameters", "account"), ref("parameters", "minRevision"))
}

// filters are what a list can be filtered by: any of its fields, in any of the ways that it compares.
func (d *document) filters(r route) []object {
	var out []object
	add := func(name, says string, schema object) {
		out = append(out, object{"name": name, "in": "query", "description": says, "schema": schema})
	}
	for _, name := range r.filters {
		add(name, "Only entries for which this is so. Given once.", object{"type": "string"})
	}
	if r.filters != nil {
		return out
	}
	for _, name := range slices.Sorted(maps.Keys(d.properties(r.gives))) {
		add("f_"+name, "Only objects whose field is this. Given more than once: is one of these. "+
			"With _wildcard, _has, _gt, _ge, _lt or _le behind the name it compares so.",
			object{"type": "array", "items": object{"type": "string"}})
	}
	return out
}

// properties are the fields of a schema that lists can be filtered by: texts, numbers, lists of texts.
func (d *document) properties(name string) map[string]property {
	out := map[string]property{}
	for field, s := range d.fields(schema{Ref: "#/components/schemas/" + name}) {
		types := d.types(s)
		list := slices.Contains(types, "array") && slices.Equal(d.types(*s.Items), []string{"string"})
		if list || !slices.Contains(types, "array") && !slices.Contains(types, "object") {
			out[field] = property{number: slices.Contains(types, "integer"), list: list}
		}
	}
	return out
}

// fields are the properties of a schema, those it takes over among them.
func (d *document) fields(s schema) map[string]schema {
	out := map[string]schema{}
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		maps.Copy(out, d.fields(d.schemas[name]))
	}
	for _, part := range s.AllOf {
		maps.Copy(out, d.fields(part))
	}
	maps.Copy(out, s.Properties)
	return out
}

// types are the types that a value can have.
func (d *document) types(s schema) []string {
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		return d.types(d.schemas[name])
	}
	switch t := s.Type.(type) {
	case string:
		return []string{t}
	case []any:
		var out []string
		for _, one := range t {
			name, _ := one.(string)
			out = append(out, name)
		}
		return out
	}
	var out []string
	for _, one := range s.AnyOf {
		out = append(out, d.types(one)...)
	}
	return out
}
