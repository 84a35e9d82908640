package web_test

import (
	"encoding/xml"
	"errors"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// A node is an element of a page, or a text.
type node struct {
	name   string // empty: a text
	attr   map[string]string
	words  string
	kids   []*node
	parent *node
}

// parse reads a page. Elements that stay open, or that close another, fail the test.
func parse(t *testing.T, page string) *node {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	root := &node{name: "page"}
	at := root
	for {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the page cannot be read: %v\n%s", err, page)
		}
		switch token := token.(type) {
		case xml.StartElement:
			n := &node{name: token.Name.Local, attr: map[string]string{}, parent: at}
			for _, a := range token.Attr {
				n.attr[a.Name.Local] = a.Value
			}
			at.kids = append(at.kids, n)
			if !slices.Contains(xml.HTMLAutoClose, n.name) {
				at = n
			}
		case xml.EndElement:
			if token.Name.Local != at.name {
				if slices.Contains(xml.HTMLAutoClose, token.Name.Local) {
					continue
				}
				t.Fatalf("</%s> closes <%s>\n%s", token.Name.Local, at.name, page)
			}
			at = at.parent
		case xml.CharData:
			at.kids = append(at.kids, &node{words: string(token), parent: at})
		}
	}
	if at != root {
		t.Fatalf("<%s> is not closed\n%s", at.name, page)
	}
	return root
}

// all are the elements below that are meant, in the order of the page.
func (n *node) all(meant func(*node) bool) (out []*node) {
	for _, kid := range n.kids {
		if kid.name != "" && meant(kid) {
			out = append(out, kid)
		}
		out = append(out, kid.all(meant)...)
	}
	return out
}

func (n *node) first(meant func(*node) bool) *node {
	if all := n.all(meant); len(all) > 0 {
		return all[0]
	}
	return nil
}

// up is the element around, of a kind.
func (n *node) up(kind string) *node {
	for ; n != nil; n = n.parent {
		if n.name == kind {
			return n
		}
	}
	return nil
}

var (
	unread = []string{"script", "style", "svg", "head", "select", "textarea"}
	inline = []string{"a", "b", "bdi", "code", "em", "small", "span", "strong", "time", "i"}
)

// text is what a person reads.
func (n *node) text() string {
	var b strings.Builder
	n.read(&b)
	return strings.Join(strings.Fields(b.String()), " ")
}

func (n *node) read(b *strings.Builder) {
	b.WriteString(n.words)
	for _, kid := range n.kids {
		if slices.Contains(unread, kid.name) {
			continue
		}
		apart := kid.name != "" && !slices.Contains(inline, kid.name)
		if apart {
			b.WriteByte(' ')
		}
		kid.read(b)
		if apart {
			b.WriteByte(' ')
		}
	}
}

// called is the name of a button, a link or a field.
func (n *node) called() string {
	if label := n.attr["aria-label"]; label != "" {
		return label
	}
	return n.text()
}

func isField(n *node) bool { return n.name == "input" || n.name == "select" || n.name == "textarea" }

// labelled is the field that a label is for. The label may say more after its name.
func (n *node) labelled(label string) *node {
	fieldOf := func(attr, value string) *node {
		return n.first(func(n *node) bool { return isField(n) && n.attr[attr] == value })
	}
	if field := fieldOf("aria-label", label); field != nil {
		return field
	}
	isLabel := func(n *node) bool { return n.name == "label" && strings.HasPrefix(n.text(), label) }
	for _, l := range n.all(isLabel) {
		if field := l.first(isField); field != nil {
			return field
		}
		if l.attr["for"] != "" {
			return fieldOf("id", l.attr["for"])
		}
	}
	return nil
}

func (n *node) has(attr string) bool {
	_, ok := n.attr[attr]
	return ok
}

func (n *node) valueOr(text string) string {
	if n.has("value") {
		return n.attr["value"]
	}
	return text
}

// values are what a form sends as it was drawn.
func (n *node) values() url.Values {
	out := url.Values{}
	for _, field := range n.all(isField) {
		name, kind := field.attr["name"], field.attr["type"]
		switch {
		case name == "" || field.has("disabled"):
		case kind == "radio" || kind == "checkbox":
			if field.has("checked") {
				out.Add(name, field.valueOr("on"))
			}
		case field.name == "select":
			if value, ok := field.chosen(); ok {
				out.Add(name, value)
			}
		case field.name == "textarea":
			out.Add(name, strings.TrimPrefix(field.kidText(), "\n"))
		default:
			out.Add(name, field.attr["value"])
		}
	}
	return out
}

// chosen is what a drop-down is set to: the option that is selected, else the first.
func (n *node) chosen() (string, bool) {
	options := n.all(func(n *node) bool { return n.name == "option" })
	for _, o := range options {
		if o.has("selected") {
			return o.valueOr(o.text()), true
		}
	}
	if len(options) == 0 {
		return "", false
	}
	return options[0].valueOr(options[0].text()), true
}

func (n *node) kidText() string {
	var b strings.Builder
	for _, kid := range n.kids {
		b.WriteString(kid.words)
	}
	return b.String()
}
