package interop_test

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// Where the door signs, the API gets what it signed; where it does not, the API gets nothing, and never
// what the caller sent. A Caddyfile that names the header all the same passes on a placeholder's name.
func TestProxiesPassTheAssertionOnAndNotTheCallers(t *testing.T) {
	t.Parallel()
	for name, p := range proxies {
		t.Run(name+" as it stands", func(t *testing.T) {
			t.Parallel()
			if got := passedOn(t, p, "copy_headers "); len(got) > 0 {
				t.Errorf("the API got %q of a door that does not sign", got)
			}
		})
		t.Run(name+" that names what is not signed", func(t *testing.T) {
			t.Parallel()
			passedOn(t, p, "copy_headers X-Ostiary-Assertion ")
		})
		t.Run(name+" signed", func(t *testing.T) {
			t.Parallel()
			got := passedOn(t, p, "copy_headers X-Ostiary-Assertion ", "--assertion-audience", "my-api")
			if len(got) != 1 || strings.Count(got[0], ".") != 2 {
				t.Errorf("the API got %q", got)
			}
		})
	}
}

// passedOn is what the API gets as the assertion, of a caller that sends its own.
func passedOn(t *testing.T, p proxy, copies string, flags ...string) []string {
	t.Helper()
	a, api := serve(t, flags...), &upstream{}
	behind := httptest.NewServer(api)
	t.Cleanup(behind.Close)
	p.change = append(slices.Clone(p.change), "copy_headers ", copies)
	base := p.start(t, a, behind.Listener.Addr().String())

	res := send(t, "GET", base+"/checks", a.secret("alice@example.com"), "script",
		"X-Ostiary-Assertion: mine", "x_ostiary_assertion: mine", "X.Ostiary.Assertion: mine")
	if text := body(t, res); res.StatusCode != 200 {
		t.Fatalf("%d %s", res.StatusCode, text)
	}
	_, _, h := api.taken()
	for key, values := range h {
		if strings.Contains(strings.Join(values, " "), "mine") {
			t.Errorf("the API got the caller's own %s: %q", key, values)
		}
	}
	return h.Values("X-Ostiary-Assertion")
}
