package api_test

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

func TestPagesNeedNothingFromOutside(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"/docs", "/docs?app=3"} {
		req, err := http.NewRequest("GET", w.public.URL+path, nil)
		check(t, err)
		req.Header.Set("Sec-Fetch-Site", "cross-site")
		res, err := http.DefaultClient.Do(req)
		check(t, err)
		b, err := io.ReadAll(res.Body)
		check(t, err)
		res.Body.Close()
		page := string(b)
		policy := res.Header.Get("Content-Security-Policy")
		if res.StatusCode != 200 || !strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-") {
			t.Errorf("%s: %d %s", path, res.StatusCode, policy)
		}
		for _, outside := range regexp.MustCompile(`(src|href)="(https?:)?//|@import|url\(|<script|style="`).FindAllString(page, -1) {
			t.Errorf("%s needs %s", path, outside)
		}
		for _, link := range regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(page, -1) {
			if !strings.Contains(page, `id="`+link[1]+`"`) {
				t.Errorf("%s: a link leads to #%s, which is not there", path, link[1])
			}
		}
	}
}

func TestDocsBeginWithTheWayToAuthenticate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	res, err := http.Get(w.public.URL + "/docs")
	check(t, err)
	b, err := io.ReadAll(res.Body)
	check(t, err)
	res.Body.Close()
	page := string(b)
	first := strings.Index(page, "<h2")
	if !strings.HasPrefix(page[first:], `<h2 id="authenticate"`) {
		t.Errorf("the first part is %.60s", page[first:])
	}
	for _, text := range []string{
		"https://api.example.com/v2/token", "X-Circonus-Auth-Token: $TOKEN", `id="Forbidden.BadApp"`, `id="Unavailable"`, "/v2/operator/backup",
		"color-scheme: light dark",
	} {
		if !strings.Contains(page, text) {
			t.Errorf("%s is not there", text)
		}
	}
	if r := w.with("", "").call("POST", "/docs").is(405, "MethodNotAllowed"); r.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("Allow %q", r.Header.Get("Allow"))
	}
}
