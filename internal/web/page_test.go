package web_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A page is what a person was shown, or a part of it. Things on it are found as people find them: by what
// they are called.
type page struct {
	*person
	status  int
	address string // path and query
	header  http.Header
	body    string
	root    *node
}

// text is what a person reads, without the head of the page. White space counts as one space.
func (p *page) text() string { return p.main().text() }

// main is the page without its head, or the part that the page is.
func (p *page) main() *node {
	if main := p.root.first(func(n *node) bool { return n.name == "main" }); main != nil {
		return main
	}
	return p.root
}

// says fails unless each of the texts can be read.
func (p *page) says(texts ...string) *page {
	p.w.Helper()
	for _, text := range texts {
		if !strings.Contains(p.text(), text) {
			p.w.Errorf("%s does not say %q (%d):\n%s", p.address, text, p.status, p.text())
		}
	}
	return p
}

// silent fails if one of the texts can be read.
func (p *page) silent(texts ...string) *page {
	p.w.Helper()
	for _, text := range texts {
		if strings.Contains(p.text(), text) {
			p.w.Errorf("%s says %q:\n%s", p.address, text, p.text())
		}
	}
	return p
}

// is fails unless the page has this heading and status.
func (p *page) is(heading string, status int) *page {
	p.w.Helper()
	got := ""
	if h := p.root.first(func(n *node) bool { return n.name == "h1" }); h != nil {
		got = h.text()
	}
	if got != heading || p.status != status {
		p.w.Fatalf("%s is %q (%d), want %q (%d):\n%s", p.address, got, p.status, heading, status, p.text())
	}
	return p
}

// at fails unless the address begins so.
func (p *page) at(prefix string) *page {
	p.w.Helper()
	if !strings.HasPrefix(p.address, prefix) {
		p.w.Fatalf("the page is at %s, want %s:\n%s", p.address, prefix, p.text())
	}
	return p
}

// in is the part of the page that has this label, or else the smallest row, card, section or form that holds
// the text.
func (p *page) in(name string) *page {
	p.w.Helper()
	part := p.main().first(func(n *node) bool { return n.attr["aria-label"] == name && !isControl(n) })
	if part == nil {
		kinds := []string{"li", "tr", "article", "section", "fieldset", "form", "dialog"}
		for _, n := range p.main().all(func(n *node) bool {
			return slices.Contains(kinds, n.name) && strings.Contains(n.text(), name)
		}) {
			if part == nil || len(n.text()) < len(part.text()) {
				part = n
			}
		}
	}
	if part == nil {
		p.w.Fatalf("nothing on %s is called %q:\n%s", p.address, name, p.text())
	}
	out := *p
	out.root = part
	return &out
}

// offers says whether there is a button or a link of this name.
func (p *page) offers(name string) bool { return len(p.root.all(isCalled(name))) > 0 }

// lacks fails if there is a button or a link of one of these names.
func (p *page) lacks(names ...string) *page {
	p.w.Helper()
	for _, name := range names {
		if p.offers(name) {
			p.w.Errorf("%s offers %q:\n%s", p.address, name, p.text())
		}
	}
	return p
}

// has fails unless there is a button or a link of each of these names.
func (p *page) has(names ...string) *page {
	p.w.Helper()
	for _, name := range names {
		if !p.offers(name) {
			p.w.Errorf("%s does not offer %q:\n%s", p.address, name, p.text())
		}
	}
	return p
}

func isControl(n *node) bool { return n.name == "button" || n.name == "a" || n.name == "summary" }

func isCalled(name string) func(n *node) bool {
	return func(n *node) bool { return (n.name == "button" || n.name == "a") && n.called() == name }
}

// follow goes where a link leads.
func (p *page) follow(name string) *page {
	p.w.Helper()
	p.person.page = p.address
	return p.open(p.only(name, "a").attr["href"])
}

// press presses a button of a form that is filled in by its labels: label and value in turn. A choice of
// several is made by the label of the choice, with any value.
func (p *page) press(name string, fields ...string) *page {
	p.w.Helper()
	button := p.only(name, "button")
	form := button.up("form")
	if form == nil {
		p.w.Fatalf("the button %q on %s stands in no form", name, p.address)
	}
	values := form.values()
	for i := 0; i+1 < len(fields); i += 2 {
		p.fill(form, values, fields[i], fields[i+1])
	}
	if button.attr["name"] != "" {
		values.Add(button.attr["name"], button.attr["value"])
	}
	path := form.attr["action"]
	if path == "" {
		path = p.address
	}
	p.person.page = p.address
	if form.attr["method"] == "post" {
		return p.sendForm(path, values)
	}
	path, _, _ = strings.Cut(path, "?")
	return p.open(path + "?" + values.Encode())
}

// fill sets the field that a label is for.
func (p *page) fill(form *node, values url.Values, label, value string) {
	p.w.Helper()
	field := form.labelled(label)
	if field == nil {
		p.w.Fatalf("no field on %s is called %q:\n%s", p.address, label, form.text())
	}
	name := field.attr["name"]
	switch {
	case field.name == "select":
		for _, o := range field.all(func(n *node) bool { return n.name == "option" }) {
			if o.text() == value {
				values.Set(name, o.valueOr(o.text()))
				return
			}
		}
		p.w.Fatalf("%q on %s cannot be set to %q", label, p.address, value)
	case field.attr["type"] == "radio":
		values.Set(name, field.valueOr("on"))
	case field.attr["type"] == "checkbox":
		values.Add(name, field.valueOr("on"))
	default:
		values.Set(name, value)
	}
}

// only is the one button or link of a name; the head of the page is looked at last.
func (p *page) only(name, kind string) *node {
	p.w.Helper()
	meant := func(n *node) bool { return n.name == kind && n.called() == name }
	all := p.main().all(meant)
	if len(all) == 0 {
		all = p.root.all(meant)
	}
	if len(all) != 1 {
		p.w.Fatalf("%s has %d of %s %q, want one:\n%s", p.address, len(all), kind, name, p.text())
	}
	return all[0]
}
