package browser_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// patience is how long a person waits for something to appear on a page.
const patience = 10 * time.Second

// A Person sits at a browser with a profile of their own. What a person cannot do fails the test.
type Person struct {
	Place  // the whole page
	name   string
	base   string
	server *server
	t      *testing.T
	ctx    context.Context

	mu      sync.Mutex
	started int // navigations of the page that began
	busy    bool
	status  int64 // of the page
	console []string
	excused []string
	dialogs []string
}

// person seats somebody at a browser; nobody signs in yet.
func (s *server) person(name string) *Person {
	s.t.Helper()
	root, err := chromium()
	if err != nil {
		missing(s.t, "%v", err)
	}
	ctx, leave := chromedp.NewContext(root, chromedp.WithNewBrowserContext())
	ctx, stop := context.WithTimeout(ctx, 4*time.Minute)
	p := &Person{name: name, base: s.URL, server: s, t: s.t, ctx: ctx}
	p.Place = Place{p: p}
	s.t.Cleanup(func() {
		p.leave()
		stop()
		leave()
	})
	if err := chromedp.Listen(ctx, p.hear); err != nil {
		s.t.Fatal(err)
	}
	p.Resize(1280, 900)
	focus := emulation.SetFocusEmulationEnabledParams{Enabled: true}
	_, err = chromedp.Call(ctx, emulation.SetFocusEmulationEnabled, focus)
	p.must("look at the page", err)
	_, err = chromedp.Call(ctx, emulation.SetScrollbarsHidden, emulation.SetScrollbarsHiddenParams{Hidden: true})
	p.must("hide the scroll bars", err)
	return p
}

// leave looks at what went wrong before the browser is closed.
func (p *Person) leave() {
	p.mu.Lock()
	console, dialogs := p.console, p.dialogs
	p.mu.Unlock()
	if len(console) > 0 {
		p.t.Errorf("%s's console is not empty:\n%s", p.name, strings.Join(console, "\n"))
	}
	if len(dialogs) > 0 {
		p.t.Errorf("a script asked %s: %q", p.name, dialogs)
	}
	if p.t.Failed() {
		p.t.Logf("%s is at %s\n%s\n%s", p.name, p.URL(), p.picture(), p.tree())
	}
}

// picture saves what the person sees, and says where.
func (p *Person) picture() string {
	shot, err := chromedp.Call(p.ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{})
	if err != nil {
		return "and there is no picture: " + err.Error()
	}
	path := filepath.Join(os.TempDir(), strings.ReplaceAll(p.t.Name(), "/", "-")+"-"+p.name+".png")
	if err := os.WriteFile(path, shot.Data, 0o600); err != nil {
		return "and there is no picture: " + err.Error()
	}
	return "and sees " + path
}

func (p *Person) must(do string, err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatalf("%s cannot %s: %v", p.name, do, err)
	}
}

// hear takes what the browser reports. Events come one after the other.
func (p *Person) hear(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *page.EventFrameStartedNavigating:
		if e.NavigationType != page.FrameStartedNavigatingNavigationTypeSameDocument {
			p.started++
			p.busy = true
		}
	case *page.EventFrameRequestedNavigation:
		p.started++
		p.busy = true
	case *page.EventFrameStoppedLoading:
		p.busy = false
	case *network.EventResponseReceived:
		if e.Type == network.ResourceTypeDocument {
			p.status = e.Response.Status
		}
	case *page.EventJavascriptDialogOpening:
		p.dialogs = append(p.dialogs, e.Message)
		go chromedp.Call(p.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{})
	default:
		p.hearConsole(event)
	}
}

// Open goes to an address of the server.
func (p *Person) Open(path string) {
	p.t.Helper()
	_, err := chromedp.Call(p.ctx, page.Navigate, page.NavigateParams{URL: p.base + path})
	p.must("open "+path, err)
	p.settle(0)
}

// Reload asks for the page anew.
func (p *Person) Reload() {
	p.t.Helper()
	before := p.navigations()
	_, err := chromedp.Call(p.ctx, page.Reload, page.ReloadParams{})
	p.must("reload", err)
	p.settle(before)
}

func (p *Person) navigations() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.started
}

// settle waits until the page that an action led to is there. Most actions lead to none: one that
// does has begun within 100 ms.
func (p *Person) settle(before int) {
	p.t.Helper()
	begun := time.Now()
	for time.Since(begun) < patience {
		p.mu.Lock()
		moved, busy := p.started > before, p.busy
		p.mu.Unlock()
		if !busy && (moved || time.Since(begun) > 100*time.Millisecond) {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	p.t.Fatalf("%s waits for a page that does not come", p.name)
}

// Status is the status with which the page was answered.
func (p *Person) Status() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}

// URL is where the person is, without the server's own address.
func (p *Person) URL() string {
	where, err := chromedp.Run(p.ctx, chromedp.Location())
	if err != nil {
		return "an unknown page: " + err.Error()
	}
	return strings.TrimPrefix(where, p.base)
}

// Title is what the browser's tab says.
func (p *Person) Title() string {
	p.t.Helper()
	title, err := chromedp.Run(p.ctx, chromedp.Title())
	p.must("read the title", err)
	return title
}

// Resize makes the window this large.
func (p *Person) Resize(width, height int64) {
	p.t.Helper()
	_, err := chromedp.Call(p.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: height, DeviceScaleFactor: 1,
	})
	p.must("resize the window", err)
}

// Prefers chooses "light" or "dark", and no motion.
func (p *Person) Prefers(scheme string) {
	p.t.Helper()
	_, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme},
			{Name: "prefers-reduced-motion", Value: "reduce"},
		},
	})
	p.must("prefer "+scheme, err)
}

// WithoutScripts turns scripts off, as some people and some firewalls do.
func (p *Person) WithoutScripts() {
	p.t.Helper()
	_, err := chromedp.Call(p.ctx, emulation.SetScriptExecutionDisabled,
		emulation.SetScriptExecutionDisabledParams{Value: true})
	p.must("turn scripts off", err)
}

// Clipboard is what was copied last.
func (p *Person) Clipboard() string {
	p.t.Helper()
	_, err := chromedp.CallBrowser(p.ctx, browser.SetPermission, browser.SetPermissionParams{
		Permission: &browser.PermissionDescriptor{Name: "clipboard-read"},
		Setting:    browser.PermissionSettingGranted,
		Origin:     p.base, BrowserContextID: p.profile(),
	})
	p.must("read the clipboard", err)
	return evaluate[string](p, `navigator.clipboard.readText()`)
}

// evaluate asks the page's own scripts, for what no person can see.
func evaluate[T any](p *Person, expression string) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	p.must("evaluate", err)
	return v
}
