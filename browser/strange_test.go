package browser_test

import (
	"encoding/csv"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"
)

// TestStrangeNamesDoNothing goes over an account with some two hundred names that strangers chose, with
// every page that shows them. A script in one of them would set a variable, or ask something.
func TestStrangeNamesDoNothing(t *testing.T) {
	t.Parallel()
	s := gallery(t)
	sam := s.person("Sam")
	sam.goes(s.state("tokens-strange"))
	names := strings.Count(sam.read(), "\n")
	if names < 200 {
		t.Errorf("there are only %d lines of text", names)
	}
	pages := []string{sam.URL(), "/team", "/audit", "/profile", "/why"}
	pages = append(pages, sam.addresses("/tokens/", "/why?")...)
	for _, width := range []int64{1280, 380} {
		sam.Resize(width, 800)
		for _, page := range pages {
			sam.Open(page)
			sam.StaysInside()
			if evaluate[string](sam, `typeof strangeNames`) != "undefined" {
				t.Fatalf("a script ran on %s", page)
			}
		}
	}
}

// state is one of the gallery's.
func (s *server) state(name string) state {
	s.t.Helper()
	for _, st := range s.states() {
		if st.Name == name {
			return st
		}
	}
	s.t.Fatalf("the gallery has no state %s", name)
	return state{}
}

// addresses are where links of the page lead to, one of each beginning and number of parts, so that every
// kind of page is looked at once.
func (p *Person) addresses(beginnings ...string) []string {
	p.t.Helper()
	var found []string
	kinds := map[string]int{}
	for _, at := range evaluate[[]string](p, `Array.from(document.links, a => a.getAttribute("href"))`) {
		for _, b := range beginnings {
			u, err := url.Parse(at)
			if err != nil || !strings.HasPrefix(at, b) {
				continue
			}
			parts := strings.Split(u.Path, "/")
			kind := strings.Join([]string{b, parts[len(parts)-1]}, " ")
			if len(parts) == 3 {
				kind = b
			}
			if kinds[kind]++; kinds[kind] <= 3 {
				found = append(found, at)
			}
		}
	}
	return found
}

func TestDownloadedCellsAreNoFormulas(t *testing.T) {
	t.Parallel()
	s := gallery(t)
	sam := s.person("Sam")
	sam.goes(s.state("tokens-strange"))
	text := sam.download("/audit.csv")
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatalf("the download is no CSV: %v", err)
	}
	if len(rows) < 200 {
		t.Errorf("the download has %d lines", len(rows))
	}
	for i, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r|%") {
				t.Errorf("line %d: a spreadsheet calculates %q", i+1, cell)
			}
		}
	}
}

// download fetches a file as the person's browser does.
func (p *Person) download(path string) string {
	p.t.Helper()
	cookies, err := chromedp.CallBrowser(p.ctx, storage.GetCookies, storage.GetCookiesParams{
		BrowserContextID: p.profile(),
	})
	p.must("take the cookies", err)
	req, err := http.NewRequestWithContext(p.ctx, http.MethodGet, p.base+path, nil)
	p.must("download", err)
	for _, c := range cookies.Cookies {
		req.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	res, err := http.DefaultClient.Do(req)
	p.must("download", err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	p.must("download", err)
	if res.StatusCode != http.StatusOK {
		p.t.Fatalf("%s is answered with %s", path, res.Status)
	}
	return string(text)
}

func (p *Person) profile() cdp.BrowserContextID { return chromedp.FromContext(p.ctx).BrowserContextID }
