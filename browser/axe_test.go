package browser_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// axe is the text of axe-core, which finds what a keyboard or a screen reader cannot use.
var axe = sync.OnceValues(func() (string, error) {
	text, err := os.ReadFile(filepath.Join(os.Getenv("OSTIARY_TEST_AXE"), "axe.min.js"))
	return string(text), err
})

func needAxe(t *testing.T) {
	t.Helper()
	if _, err := axe(); err != nil {
		missing(t, "axe-core is missing; scripts/install-test-needs fetches it, scripts/browser says where: %v", err)
	}
}

// An Inspector looks at one page with axe-core, in a world of scripts of its own: it sees the page, and the
// page does not see it.
type inspector struct {
	p     *Person
	world runtime.ExecutionContextID
}

func (p *Person) inspect() inspector {
	p.t.Helper()
	text, err := axe()
	p.must("read axe-core", err)
	frames, err := chromedp.Call(p.ctx, page.GetFrameTree, cdp.Empty{})
	p.must("find the page", err)
	world, err := chromedp.Call(p.ctx, page.CreateIsolatedWorld, page.CreateIsolatedWorldParams{
		FrameID: frames.FrameTree.Frame.ID, WorldName: "axe",
	})
	p.must("look at the page from outside", err)
	i := inspector{p, world.ExecutionContextID}
	i.run(text + ";0")
	return i
}

func (i inspector) run(script string) string {
	i.p.t.Helper()
	yes := true
	res, err := chromedp.Call(i.p.ctx, runtime.Evaluate, runtime.EvaluateParams{
		Expression: script, ContextID: i.world, AwaitPromise: &yes, ReturnByValue: &yes,
	})
	i.p.must("inspect the page", err)
	if res.ExceptionDetails != nil {
		i.p.t.Fatalf("inspecting: %s %s", res.ExceptionDetails.Text, describe(res.ExceptionDetails.Exception))
	}
	return string(res.Result.Value)
}

// finds says what is wrong with the page as it looks now; rules are axe's names, or none for all.
func (i inspector) finds(rules ...string) []string {
	i.p.t.Helper()
	only := ""
	if len(rules) > 0 {
		names, _ := json.Marshal(rules)
		only = fmt.Sprintf(`runOnly: {type: "rule", values: %s},`, names)
	}
	options := `{` + only + ` resultTypes: ["violations"], preload: false}`
	text := i.run(`axe.run(document, ` + options + `).then(r => r.violations.map(v =>
		v.id + ": " + v.help + "\n" + v.nodes.slice(0, 4).map(n => "    " + n.html.slice(0, 160) + "\n      " +
		[...n.any, ...n.all, ...n.none].map(c => c.message).join("; ")).join("\n")))`)
	var found []string
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		i.p.t.Fatalf("axe-core says %s: %v", text, err)
	}
	return found
}

// escapes are the things that lie outside the window, outside their card, or on top of each other. What
// scrolls in itself, and what lies over the page on purpose, is no part of the layout.
const escapes = `(() => {
	const out = [], name = e => e.outerHTML.slice(0, 120), wide = document.scrollingElement.scrollWidth;
	const walk = (top, see) => { for (const e of top.children) {
		const style = getComputedStyle(e), box = e.getBoundingClientRect();
		if (!e.checkVisibility() || style.position === "absolute") continue;
		if (box.width > 0 && box.height > 0) see(e, box);
		if (style.overflowX === "visible" && e.localName !== "svg") walk(e, see);
	} };
	if (wide > innerWidth) out.push("the page is " + wide + " pixels wide");
	walk(document.body, (e, box) => {
		if (box.right > innerWidth + 1 || box.left < -1) out.push("outside the window: " + name(e));
	});
	for (const card of document.querySelectorAll("article, .sheet")) {
		const edge = card.getBoundingClientRect(), controls = [];
		walk(card, (e, box) => {
			if (box.right > edge.right + 1 || box.left < edge.left - 1 || box.bottom > edge.bottom + 1) {
				out.push("outside its card: " + name(e));
			}
			if (!e.matches("a, button, select, input, summary")) return;
			const lines = [...e.getClientRects()];
			const meet = (p, q) => Math.min(p.right, q.right) - Math.max(p.left, q.left) > 1 &&
				Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top) > 1;
			for (const c of controls.slice(-20)) {
				if (c.e.contains(e) || !c.lines.some(p => lines.some(q => meet(p, q)))) continue;
				out.push(name(e) + " lies on " + name(c.e));
			}
			controls.push({e, lines});
		});
	}
	return out.slice(0, 10).join("\n");
})()`

// StaysInside fails where the layout is broken.
func (p *Person) StaysInside() {
	p.t.Helper()
	if out := strings.TrimSpace(evaluate[string](p, escapes)); out != "" {
		p.t.Errorf("%s at %s: the layout is broken:\n%s", p.name, p.URL(), out)
	}
}

// StaysPut fails where something on the page jumped as it was loaded. A page that is drawn while its end is
// still on the way may shift by a hundredth of what a person would notice.
func (p *Person) StaysPut() {
	p.t.Helper()
	jumped := evaluate[[]string](p, `new Promise(done => {
		const out = [];
		new PerformanceObserver(all => all.getEntries().forEach(e => {
			if (e.hadRecentInput || e.value < 0.01) return;
			out.push(...e.sources.map(s => e.value + " " + (s.node?.outerHTML ?? "").slice(0, 120)));
		})).observe({type: "layout-shift", buffered: true});
		setTimeout(done, 50, out);
	})`)
	if len(jumped) > 0 {
		p.t.Errorf("%s at %s: things jump as the page loads:\n%s", p.name, p.URL(), strings.Join(jumped, "\n"))
	}
}
