package browser_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
)

// A reading is the accessibility tree of a page, in the order in which it is read out.
type reading struct {
	byID map[accessibility.NodeID]*accessibility.Node
	root *accessibility.Node
}

// reads takes the tree below an element.
func (p *Person) reads(from cdp.BackendNodeID) (reading, error) {
	r := reading{byID: map[accessibility.NodeID]*accessibility.Node{}}
	res, err := chromedp.Call(p.ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	if err != nil {
		return r, err
	}
	for _, n := range res.Nodes {
		r.byID[n.NodeID] = n
		if from != 0 && n.BackendDOMNodeID == from || r.root == nil && n.ParentID == "" {
			r.root = n
		}
	}
	return r, nil
}

// walk visits what is read out, with its depth. Where visit says no, nothing below is visited.
func (r reading) walk(n *accessibility.Node, depth int, visit func(*accessibility.Node, int) bool) {
	if n == nil {
		return
	}
	if !n.Ignored {
		if !visit(n, depth) {
			return
		}
		depth++
	}
	for _, id := range n.ChildIDs {
		r.walk(r.byID[id], depth, visit)
	}
}

// read is all text in a place. Of a drop-down it is what is chosen.
func (at Place) read() string {
	at.p.t.Helper()
	root, err := at.root()
	if err != nil || root == 0 {
		return ""
	}
	r, err := at.p.reads(root)
	if err != nil {
		return ""
	}
	var b strings.Builder
	r.walk(r.root, 0, func(n *accessibility.Node, _ int) bool {
		switch role := text(n.Role); role {
		case "StaticText":
			b.WriteString(text(n.Name) + " ")
			return false
		case "combobox", "textbox", "searchbox":
			b.WriteString("\n" + text(n.Value) + "\n")
			return false
		case "generic", "none", "LineBreak", "strong", "emphasis", "code", "time", "mark", "link":
		default:
			b.WriteByte('\n')
		}
		return true
	})
	return b.String()
}

// tree is the page as it is read out, for a test that fails.
func (p *Person) tree() string {
	r, err := p.reads(0)
	if err != nil {
		return "the page cannot be read: " + err.Error()
	}
	var b strings.Builder
	r.walk(r.root, 0, func(n *accessibility.Node, depth int) bool {
		role := text(n.Role)
		if slices.Contains([]string{"InlineTextBox", "LineBreak", "ListMarker"}, role) {
			return false
		}
		fmt.Fprintf(&b, "%s%s %q", strings.Repeat("  ", depth), role, text(n.Name))
		if v := text(n.Value); v != "" {
			fmt.Fprintf(&b, " = %q", v)
		}
		for _, prop := range n.Properties {
			switch prop.Name {
			case "disabled", "checked", "expanded", "invalid", "focused", "required":
				if v := text(prop.Value); v != "false" {
					fmt.Fprintf(&b, " %s=%s", prop.Name, v)
				}
			}
		}
		b.WriteByte('\n')
		return role != "StaticText" && b.Len() < 20_000
	})
	return b.String()
}
