package web_test

import (
	"net/http"
	"net/url"
	"testing"

	"ostiary"
	"ostiary/internal/authority"
)

func TestPastedSecretNamesItsToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, live := w.newToken(w.bob, authority.NewToken{Privilege: ostiary.Normal, Description: "Dashboards"})
	id, old := w.newToken(w.bob, authority.NewToken{Privilege: ostiary.Normal, Description: "Old scripts"})
	_, _, err := w.authority.Retire(ctx, w.bob.on(w.account), id)
	w.ok(err)
	began := len(w.events.since(0))
	for _, p := range []*person{w.bob, w.alice} {
		p.tokens("").press("Look it up", "Paste a token", live.Reveal()).at("/which").is("This is Dashboards", http.StatusOK).
			says(live.Hint()).silent("ostiary_")
		p.tokens("").press("Look it up", "Paste a token", " "+old.Reveal()+"\n").is("This is Old scripts", http.StatusOK).says("It is retired")
		line := "curl -u my-script:" + live.Reveal() + " https://api.example.com/"
		p.tokens("").press("Filter", "Filter tokens", line).at("/tokens").is("This is Dashboards", http.StatusOK).silent("ostiary_")
		p.tokens("").press("Filter", "Filter tokens", live.Reveal()[:40]).is("No token that you may see", http.StatusOK).silent("ostiary_")
	}
	w.alice.open("/tokens?account=" + w.press.String())
	w.alice.post("/tokens", "q", live.Reveal()).
		is("This is Dashboards", http.StatusOK).says("America/New_York")
	for _, secret := range []string{live.Reveal(), old.Reveal(), "ostiary_nothing", ostiary.NewUUID(), ""} {
		w.carol.post("/which", "secret", secret).is("No token that you may see", http.StatusOK)
	}
	w.bob.open("/tokens?q="+url.QueryEscape(live.Reveal())).is("API Tokens", http.StatusOK).at("/tokens").silent("ostiary_")
	for _, e := range w.events.since(began) {
		if e.Path != "/tokens" && e.Path != "/which" && e.Path != "/login" {
			t.Errorf("the log is told of %q", e.Path)
		}
	}
}
