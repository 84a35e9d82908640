package api

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEveryRouteStandsInTheDocumentAndTheOtherWayRound(t *testing.T) {
	t.Parallel()
	all := routes()
	var doc struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(newDocument(all).text, &doc); err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, r := range all {
		want = append(want, r.method+" "+r.path)
		if r.plain {
			want = append(want, r.method+" "+strings.TrimPrefix(r.path, "/v2"))
		}
	}
	for path, methods := range doc.Paths {
		for method := range methods {
			got = append(got, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("routes (-) and document (+):\n%s", diff)
	}
	if once := slices.Compact(slices.Clone(want)); len(once) != len(want) {
		t.Errorf("a route stands twice in the list: %v", want)
	}
}

func TestBodiesHaveTheFieldsOfTheDocument(t *testing.T) {
	t.Parallel()
	d := newDocument(routes())
	for _, r := range routes() {
		if r.takes == "" {
			continue
		}
		r.early = nil
		c := &call{
			door: &door{API: &API{document: d}, operator: "root"}, route: &r, args: []string{"1", "1"},
			r: httptest.NewRequest(r.method, "/", nil), body: &fields{err: errors.New("stop")},
		}
		if _, err := r.do(c); err == nil {
			t.Errorf("%s %s: a body that is wrong is accepted", r.method, r.path)
		}
		want := slices.Sorted(maps.Keys(d.fields(d.schemas[r.takes])))
		got := slices.Sorted(slices.Values(c.body.asked))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s %s: fields of %s (-) and of the code (+):\n%s", r.method, r.path, r.takes, diff)
		}
	}
}

func TestEverySchemaIsUsed(t *testing.T) {
	t.Parallel()
	d := newDocument(routes())
	for name := range d.schemas {
		if !strings.Contains(string(d.text), `"#/components/schemas/`+name+`"`) {
			t.Errorf("nothing uses %s", name)
		}
	}
}

func FuzzBody(f *testing.F) {
	for _, text := range []string{
		`{"kind":"user","privilege":"Normal","networks":["10.0.0.0/8"],"expires_on":4102444800}`, `{"a":{"a":[1,{"b":null}]}}`,
		`{"a":1,"a":2}`, `{"\ud800":1}`, `[[[[[[[[[[[[[[[[[[[[[[[[[`, `{} {}`, "\xff", `{"users":[{"user":"/user/1","role":"Admin"}]}`, ``,
	} {
		f.Add([]byte(text))
	}
	d := newDocument(routes())
	f.Fuzz(func(t *testing.T, text []byte) {
		values, err := parseObject(text)
		if err == nil && len(values) > 0 && !json.Valid(text) {
			t.Fatalf("%q is not JSON, and was read", text)
		}
		for _, r := range routes() {
			if r.takes == "" {
				continue
			}
			// The object is decoded as a request of each route would be; the call itself is kept back by a
			// key that nobody takes.
			sent := maps.Clone(values)
			if sent == nil {
				sent = map[string]any{}
			}
			sent["nobody takes this"] = true
			delete(sent, "owner") // looked up in the records where it is an address
			r.early = nil
			api := &API{document: d}
			api.opt.Hash = func(string) (string, error) { return "hash", nil }
			c := &call{
				door: &door{API: api, operator: "root"}, route: &r, args: []string{"1", "1"},
				r: httptest.NewRequest(r.method, "/", nil), body: &fields{values: sent, err: err},
			}
			if _, err := r.do(c); err == nil {
				t.Fatalf("%s %s: an unknown key was let through", r.method, r.path)
			}
		}
	})
}

func TestDocumentSaysHowOftenAFilterIsGiven(t *testing.T) {
	t.Parallel()
	d := newDocument(routes())
	_, _, twice := readLogQuery("f_what=a&f_what=b")
	for _, r := range routes() {
		if !r.list {
			continue
		}
		refused := twice
		if r.filters == nil {
			named := "f__cid"
			if _, has := d.properties(r.gives)["_cid"]; !has {
				named = "f_id"
			}
			_, refused = readQuery(named+"=a&"+named+"=b", d.properties(r.gives))
		}
		for _, p := range d.filters(r) {
			if once := p["schema"].(object)["type"] == "string"; once != (refused != nil) {
				t.Errorf("%s %s: %s is given once: %v, and twice: %v", r.method, r.path, p["name"], once, refused)
			}
		}
	}
}
