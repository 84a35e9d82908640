package main

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Not in parallel: what the process works meanwhile is this test's work alone. Work is counted, not
// time, which on a busy machine says how busy it is.
func TestGalleryHasTheRecordsOfItsAddresses(t *testing.T) {
	before := worked(t)
	g, err := makeGallery(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if took := worked(t) - before; took > 15*time.Second {
		t.Errorf("it took %v of processor time", took)
	}
	if got := g.clock.Now(); !got.Equal(today) {
		t.Errorf("its clock stands at %v, want %v", got, today)
	}
	known := map[string]bool{}
	for _, s := range (&hung{g: g}).states() {
		if strings.ContainsAny(s.At, "{}") {
			t.Errorf("%s: there is no record of that name: %s", s.Name, s.At)
		}
		if known[s.Name] || s.Sees == "" {
			t.Errorf("%s: is there twice, or is not known by any text", s.Name)
		}
		known[s.Name] = true
		if s.As != "nobody" && g.people[s.As] == 0 {
			t.Errorf("%s: there is no %s", s.Name, s.As)
		}
	}
}

// worked is the processor time that this process has used.
func worked(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// Nobody is signed in without a password but in a gallery.
func TestServerHasNoGallery(t *testing.T) {
	t.Parallel()
	r := startDemo(t, anyPort...)
	unknown, _ := r.ask("", "", r.URL+"/nothing/as/alice")
	for _, path := range []string{"/gallery", "/gallery.json", "/gallery/as/alice", "/gallery/as/alice?to=/"} {
		res, err := http.DefaultTransport.RoundTrip(mustRequest(t, r.URL+path))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != unknown || res.Header["Set-Cookie"] != nil {
			t.Errorf("%s is answered with %d and %q, want %d like any unknown path, and no cookie",
				path, res.StatusCode, res.Header["Set-Cookie"], unknown)
		}
	}
}

func mustRequest(t *testing.T, url string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	return req
}
