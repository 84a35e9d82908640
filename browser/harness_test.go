package browser_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A page with one of everything that the other tests use.
const everything = `<!doctype html><html lang="en"><title>Everything</title><main>
<h1>Every <bdi>control</bdi></h1>
<section aria-label="Form"><form method="post" action="/sent">
<label>Name <input name="name" value="old"></label><label>Secret <input type="password" name="secret"></label>
<label>Role <select name="role"><option>Read-Only<option>Normal<option>Admin</select></label>
<label><input type="checkbox" name="sure"> Sure</label>
<button>Send</button><button disabled>Never</button></form></section>
<section aria-label="Elsewhere"><button>Send</button><p hidden>not to be seen</p></section>
<details><summary>Menu</summary><a href="/linked">A link</a></details>
<button id="covered">Covered</button>
<script>
let changes = 0;
document.querySelector("select").addEventListener("change", () => document.title = "changed " + ++changes);
</script></main></html>`

func TestPersonUsesMouseAndKeyboard(t *testing.T) {
	t.Parallel()
	s := &server{t: t, URL: serve(t)}
	p := s.person("somebody")
	p.Open("/")
	p.WaitFor("heading", "Every control", time.Second)
	p.SeesNot("not to be seen", "A link")
	form := p.Within("region", "Form")
	form.Type("textbox", "Name", "<b>Ünsal</b>")
	form.Type("textbox", "Secret", "s3cret")
	form.Choose("combobox", "Role", "Admin")
	if got, want := p.Title(), "changed 1"; got != want {
		t.Errorf("choosing from a drop-down: the title is %q, want %q", got, want)
	}
	if got := form.Value("combobox", "Role"); got != "Admin" {
		t.Errorf("the drop-down says %q, want Admin", got)
	}
	want := []string{"Read-Only", "Normal", "Admin"}
	if got := form.Options("combobox", "Role"); !slices.Equal(got, want) {
		t.Errorf("the drop-down offers %q, want %q", got, want)
	}
	form.Click("checkbox", "Sure")
	form.Click("button", "Send")
	p.Sees("name=<b>Ünsal</b> role=Admin secret=s3cret sure=on")
	p.Open("/")
	p.Click("button", "Menu")
	p.Click("link", "A l…")
	if got := p.URL(); got != "/linked" {
		t.Errorf("the link leads to %s", got)
	}
}

func TestPersonHearsTheConsoleAndScripts(t *testing.T) {
	t.Parallel()
	s := &server{t: t, URL: serve(t)}
	p := s.person("somebody")
	p.Open("/bad")
	p.Open("/")
	p.mu.Lock()
	heard, asked := p.console, p.dialogs
	p.console, p.dialogs = nil, nil
	p.mu.Unlock()
	if text := strings.Join(heard, "\n"); !strings.Contains(text, "404") || !strings.Contains(text, "oh no") ||
		!strings.Contains(text, "Content Security Policy") {
		t.Errorf("the console says:\n%s\nwant a missing picture, an error, and a style that the policy refuses", text)
	}
	if diff := cmp.Diff([]string{"hello"}, asked); diff != "" {
		t.Errorf("dialogs (-want +got):\n%s", diff)
	}
}

func TestPersonWithoutScriptsRunsNone(t *testing.T) {
	t.Parallel()
	s := &server{t: t, URL: serve(t)}
	p := s.person("somebody")
	p.WithoutScripts()
	p.Open("/bad")
	p.Open("/")
	p.Within("region", "Form").Choose("combobox", "Role", "Normal")
	if got := p.Title(); got != "Everything" {
		t.Errorf("the title is %q: a script ran", got)
	}
	p.Within("region", "Form").Click("button", "Send")
	p.Sees("role=Normal")
	p.mu.Lock()
	p.console = nil // the missing picture
	p.mu.Unlock()
}

func TestInspectorFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	needAxe(t)
	s := &server{t: t, URL: serve(t)}
	p := s.person("somebody")
	p.Open("/poor")
	found := strings.Join(p.inspect().finds(), "\n")
	for _, rule := range []string{"button-name", "color-contrast", "html-has-lang"} {
		if !strings.Contains(found, rule) {
			t.Errorf("axe-core does not find %s:\n%s", rule, found)
		}
	}
	if found := p.inspect().finds("color-contrast"); len(found) != 1 {
		t.Errorf("of contrast alone it finds %q", found)
	}
	out := evaluate[string](p, escapes)
	for _, wrong := range []string{"outside its card: <div", "outside the window: <div", "lies on <a href"} {
		if !strings.Contains(out, wrong) {
			t.Errorf("the layout's faults are\n%s\nwant %q", out, wrong)
		}
	}
}

func serve(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, everything) })
	mux.HandleFunc("GET /favicon.ico", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /linked", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<h1>Hi</h1>") })
	mux.HandleFunc("GET /bad", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", "style-src 'none'")
		fmt.Fprint(w, `<p style="color:red">Red</p><img src="/missing" alt=""><script>alert("hello"); oh.no</script>
			<script>throw new Error("oh no")</script>`)
	})
	mux.HandleFunc("GET /poor", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `<!doctype html><title>Poor</title><h1>Poor</h1><button></button>
			<p style="color:#bbb">faint</p><article style="width:200px"><div style="width:3000px">wide</div>
			<a href="/linked">A link</a>
			<button style="margin-left:-40px">Over it</button></article>`)
	})
	mux.HandleFunc("POST /sent", func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		for _, key := range []string{"name", "role", "secret", "sure"} {
			fmt.Fprintf(w, "%s=%s ", key, r.Form.Get(key))
		}
	})
	site := httptest.NewServer(mux)
	t.Cleanup(site.Close)
	return site.URL
}
