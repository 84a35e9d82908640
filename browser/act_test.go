package browser_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Click clicks on something with the mouse, and waits for the page that it may lead to.
func (at Place) Click(role, name string) {
	at.p.t.Helper()
	n := at.WaitFor(role, name, patience)
	before := at.p.navigations()
	at.p.must(fmt.Sprintf("click on %s %q", role, name), at.p.click(n))
	at.p.settle(before)
}

// click moves the mouse to the middle of an element and presses the button. What covers the element
// takes the click in its place, and that is an error.
func (p *Person) click(n *accessibility.Node) error {
	id := n.BackendDOMNodeID
	scroll := dom.ScrollIntoViewIfNeededParams{BackendNodeID: id}
	_, err := chromedp.Call(p.ctx, dom.ScrollIntoViewIfNeeded, scroll)
	if err != nil {
		return err
	}
	box, err := chromedp.Call(p.ctx, dom.GetContentQuads, dom.GetContentQuadsParams{BackendNodeID: id})
	if err != nil {
		return err
	}
	if len(box.Quads) == 0 {
		return fmt.Errorf("it has no place on the page")
	}
	q := box.Quads[0]
	x, y := (q[0]+q[4])/2, (q[1]+q[5])/2
	if covered, err := p.call(id, `function(x, y) {
		const top = document.elementFromPoint(x, y);
		const labels = Array.from(this.labels || []);
		if (top && (this.contains(top) || top.contains(this) || labels.some(l => l.contains(top)))) return "";
		return top ? top.outerHTML.slice(0, 200) : "nothing";
	}`, x, y); err != nil || covered != "" {
		return fmt.Errorf("%s lies there (%v)", covered, err)
	}
	for _, kind := range []input.DispatchMouseEventType{
		input.DispatchMouseEventTypeMouseMoved, input.DispatchMouseEventTypeMousePressed,
		input.DispatchMouseEventTypeMouseReleased,
	} {
		e := input.DispatchMouseEventParams{Type: kind, X: x, Y: y}
		if kind != input.DispatchMouseEventTypeMouseMoved {
			e.Button, e.ClickCount = input.MouseButtonLeft, 1
		}
		if _, err := chromedp.Call(p.ctx, input.DispatchMouseEvent, e); err != nil {
			return err
		}
	}
	return nil
}

// Type replaces what stands in a field, with the keyboard.
func (at Place) Type(role, name, what string) {
	at.p.t.Helper()
	n := at.WaitFor(role, name, patience)
	at.p.must("click into "+name, at.p.click(n))
	at.p.Press("a", chromedp.KeyModifiers(chromedp.ModifierCtrl))
	at.p.Press(kb.Delete)
	_, err := chromedp.Call(at.p.ctx, input.InsertText, input.InsertTextParams{Text: what})
	at.p.must("type into "+name, err)
}

// Press presses keys, and waits for the page that they may lead to.
func (p *Person) Press(keys string, how ...chromedp.KeyOption) {
	p.t.Helper()
	before := p.navigations()
	p.must("press a key", chromedp.Do(p.ctx, chromedp.KeyEvent(keys, how...)))
	if strings.Contains(keys, kb.Enter) {
		p.settle(before)
	}
}

// Choose opens a drop-down, goes to an option with the arrow keys, and takes it.
func (at Place) Choose(role, name, option string) {
	at.p.t.Helper()
	n := at.WaitFor(role, name, patience)
	options := at.options(n)
	to := slices.Index(options, option)
	if to < 0 {
		at.p.t.Fatalf("%s cannot choose %q from %s %q: there are %q", at.p.name, option, role, name, options)
	}
	_, err := chromedp.Call(at.p.ctx, dom.Focus, dom.FocusParams{BackendNodeID: n.BackendDOMNodeID})
	at.p.must("go to "+name, err)
	from := slices.Index(options, text(n.Value))
	before := at.p.navigations()
	at.p.Press(" ")
	for ; from < to; from++ {
		at.p.Press(kb.ArrowDown)
	}
	for ; from > to; from-- {
		at.p.Press(kb.ArrowUp)
	}
	at.p.must("take "+option, chromedp.Do(at.p.ctx, chromedp.KeyEvent(kb.Enter)))
	at.p.settle(before)
}

// Options are what a drop-down offers.
func (at Place) Options(role, name string) []string {
	at.p.t.Helper()
	return at.options(at.WaitFor(role, name, patience))
}

func (at Place) options(n *accessibility.Node) []string {
	at.p.t.Helper()
	all, err := at.p.call(n.BackendDOMNodeID,
		`function() { return Array.from(this.options, o => o.label.trim()).join("\n"); }`)
	at.p.must("read the options", err)
	return strings.Split(all, "\n")
}

// call runs a function on an element, and gives the text that it returns.
func (p *Person) call(id cdp.BackendNodeID, function string, args ...any) (string, error) {
	o, err := chromedp.Call(p.ctx, dom.ResolveNode, dom.ResolveNodeParams{BackendNodeID: id})
	if err != nil {
		return "", err
	}
	by := true
	params := runtime.CallFunctionOnParams{
		FunctionDeclaration: function, ObjectID: o.Object.ObjectID, ReturnByValue: &by,
	}
	for _, a := range args {
		params.Arguments = append(params.Arguments, &runtime.CallArgument{Value: fmt.Append(nil, a)})
	}
	res, err := chromedp.Call(p.ctx, runtime.CallFunctionOn, params)
	if err != nil {
		return "", err
	}
	if res.ExceptionDetails != nil {
		return "", fmt.Errorf("%s %s", res.ExceptionDetails.Text, describe(res.ExceptionDetails.Exception))
	}
	return text(&accessibility.Value{Value: res.Result.Value}), nil
}
