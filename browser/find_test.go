package browser_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/chromedp"
)

// A Place is a part of a page, found by role and name, in which a person looks for more.
type Place struct {
	p    *Person
	path []thing
}

// A thing is what people call an element: a role, and a name. A name that ends in … is its beginning,
// and an empty one is any.
type thing struct{ role, name string }

func (x thing) String() string { return fmt.Sprintf("%s %q", x.role, x.name) }

// Within is the part of a place that has this role and name.
func (at Place) Within(role, name string) Place {
	return Place{at.p, append(slices.Clone(at.path), thing{role, name})}
}

func (at Place) String() string {
	var where []string
	for _, x := range at.path {
		where = append(where, x.String())
	}
	if len(where) == 0 {
		return "the page"
	}
	return strings.Join(where, " → ")
}

// roles of the browser that people call by one word.
var spellings = map[string][]string{
	"button":  {"button", "DisclosureTriangle", "DisclosureTriangleGrouped", "popUpButton"},
	"textbox": {"textbox", "searchbox"},
}

// labelled are roles whose label may go on with an explanation, which is then part of the name.
var labelled = []string{"textbox", "combobox", "radio", "checkbox"}

// all finds everything of a role and name in a place. What is hidden is not there.
func (at Place) all(x thing) ([]*accessibility.Node, error) {
	root, err := at.root()
	if err != nil || root == 0 {
		return nil, err
	}
	roles := spellings[x.role]
	if roles == nil {
		roles = []string{x.role}
	}
	var found, explained []*accessibility.Node
	for _, role := range roles {
		res, err := chromedp.Call(at.p.ctx, accessibility.QueryAXTree,
			accessibility.QueryAXTreeParams{BackendNodeID: root, Role: role})
		if err != nil {
			return nil, err
		}
		for _, n := range res.Nodes {
			switch {
			case n.Ignored || n.BackendDOMNodeID == root:
			case x.called(text(n.Name)):
				found = append(found, n)
			case strings.HasPrefix(text(n.Name), x.name+" ") && slices.Contains(labelled, x.role):
				explained = append(explained, n)
			}
		}
	}
	if len(found) == 0 {
		found = explained
	}
	return found, nil
}

func (x thing) called(name string) bool {
	name = strings.Join(strings.Fields(name), " ")
	if beginning, ok := strings.CutSuffix(x.name, "…"); ok {
		return strings.HasPrefix(name, beginning)
	}
	return x.name == "" || x.name == name
}

// root is the element of the place; zero where there is none.
func (at Place) root() (cdp.BackendNodeID, error) {
	if len(at.path) == 0 {
		res, err := chromedp.Call(at.p.ctx, dom.GetDocument, dom.GetDocumentParams{})
		if err != nil {
			return 0, err
		}
		return res.Root.BackendNodeID, nil
	}
	last := len(at.path) - 1
	n, err := Place{at.p, at.path[:last]}.only(at.path[last])
	if n == nil {
		return 0, err
	}
	return n.BackendDOMNodeID, nil
}

// only finds the one thing of a role and name; nil where there is none. Two are an error: a person
// would not know which is meant.
func (at Place) only(x thing) (*accessibility.Node, error) {
	found, err := at.all(x)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	if len(found) > 1 {
		return nil, fmt.Errorf("in %s there are %d of %s", at, len(found), x)
	}
	return found[0], nil
}

// WaitFor waits until something is there.
func (at Place) WaitFor(role, name string, within time.Duration) *accessibility.Node {
	at.p.t.Helper()
	x := thing{role, name}
	var n *accessibility.Node
	var problem error
	seen := at.p.eventually(within, func() bool {
		n, problem = at.only(x)
		return n != nil
	})
	if seen {
		return n
	}
	if problem == nil {
		problem = fmt.Errorf("there is none")
	}
	at.p.t.Fatalf("%s does not find %s in %s within %v: %v", at.p.name, x, at, within, problem)
	return nil
}

// Has says whether something is there now.
func (at Place) Has(role, name string) bool {
	at.p.t.Helper()
	found, err := at.all(thing{role, name})
	at.p.must("look for "+role+" "+name, err)
	return len(found) > 0
}

// HasNot fails where something is there, and stays.
func (at Place) HasNot(role, name string) {
	at.p.t.Helper()
	if !at.p.eventually(patience, func() bool { return !at.Has(role, name) }) {
		at.p.t.Fatalf("%s finds %s in %s, which must not be there", at.p.name, thing{role, name}, at)
	}
}

// Names are the names of everything of a role in a place.
func (at Place) Names(role string) []string {
	at.p.t.Helper()
	found, err := at.all(thing{role: role})
	at.p.must("look for every "+role, err)
	var names []string
	for _, n := range found {
		names = append(names, text(n.Name))
	}
	return names
}

// Value is what stands in a field, or is chosen.
func (at Place) Value(role, name string) string {
	at.p.t.Helper()
	return text(at.WaitFor(role, name, patience).Value)
}

// Sees waits until texts can be read in a place. White space does not count.
func (at Place) Sees(texts ...string) {
	at.p.t.Helper()
	at.SeesWithin(patience, texts...)
}

// SeesWithin is Sees for what must come soon.
func (at Place) SeesWithin(within time.Duration, texts ...string) {
	at.p.t.Helper()
	for _, want := range texts {
		if !at.p.eventually(within, func() bool { return strings.Contains(squeeze(at.read()), squeeze(want)) }) {
			at.p.t.Fatalf("%s does not see %q in %s within %v; there is:\n%s", at.p.name, want, at, within, at.read())
		}
	}
}

// SeesNot fails where a text can be read, and stays.
func (at Place) SeesNot(texts ...string) {
	at.p.t.Helper()
	for _, bad := range texts {
		if !at.p.eventually(patience, func() bool { return !strings.Contains(squeeze(at.read()), squeeze(bad)) }) {
			at.p.t.Fatalf("%s sees %q in %s, which must not be there:\n%s", at.p.name, bad, at, at.read())
		}
	}
}

func squeeze(s string) string { return strings.Join(strings.Fields(s), "") }

// eventually asks until it is so, or time is over.
func (p *Person) eventually(within time.Duration, so func() bool) bool {
	p.t.Helper()
	for end := time.Now().Add(within); ; time.Sleep(30 * time.Millisecond) {
		if so() {
			return true
		}
		if time.Now().After(end) || p.ctx.Err() != nil {
			return false
		}
	}
}

// text is a value of the accessibility tree as a person hears it.
func text(v *accessibility.Value) string {
	if v == nil {
		return ""
	}
	var s string
	if json.Unmarshal(v.Value, &s) == nil {
		return s
	}
	return string(v.Value)
}
