package interop_test

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
)

// Traefik is not run here. What its manual says that forwardAuth does is played: it sends a GET with the
// caller's headers that authRequestHeaders names, adds X-Forwarded- headers, takes 2xx for yes, and
// copies the headers of the answer that authResponseHeadersRegex matches, after it has removed the
// caller's.
func TestDoorAnswersWhatTraefikAsks(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../deploy/traefik/dynamic.yaml")
	if err != nil {
		t.Fatal(err)
	}
	setting := func(name string) string {
		m := regexp.MustCompile(`(?m)^ +` + name + `: (.+)$`).FindSubmatch(text)
		if m == nil {
			t.Fatalf("dynamic.yaml does not set %s", name)
		}
		return string(m[1])
	}
	sent := strings.Split(strings.Trim(setting("authRequestHeaders"), "[]"), ", ")
	ours := regexp.MustCompile(setting("authResponseHeadersRegex"))
	if setting("trustForwardHeader") != "false" {
		t.Error("a caller says itself what is asked about")
	}

	a := serve(t)
	ask := func(method, uri string, caller http.Header) *http.Response {
		var headers []string
		for _, name := range sent {
			for _, value := range caller.Values(name) {
				headers = append(headers, name+": "+value)
			}
		}
		headers = append(headers, "X-Forwarded-Method: "+method, "X-Forwarded-Uri: "+uri,
			"X-Forwarded-Proto: https", "X-Forwarded-Host: api.example.com", "X-Forwarded-For: 203.0.113.7")
		return send(t, "GET", a.AuthURL, "", "", headers...)
	}
	caller := http.Header{
		"X-Circonus-Auth-Token": {a.secret("bob@example.com")}, "X-Circonus-App-Name": {"script"},
		"X-Ostiary-User": {"root"}, "X_ostiary_user": {"root"}, "X.ostiary.user": {"root"}, "X-Ostiary-Else": {"1"},
		"X-Original-Method": {"GET"}, "X-Original-Uri": {"/"}, "X-Forwarded-Method": {"GET"},
	}
	res := ask("DELETE", "/checks/%2e/7?a=1", caller)
	text401 := body(t, res)
	if res.StatusCode != 401 || res.Header.Get("X-Ostiary-Code") != "Unauthorized.PendingApp" {
		t.Fatalf("a waiting application: %d %s", res.StatusCode, text401)
	}
	a.decide("allow", "script")
	res = ask("DELETE", "/checks/%2e/7?a=1", caller)
	if text := body(t, res); res.StatusCode != 200 || text != "" {
		t.Fatalf("an allowed application: %d %s", res.StatusCode, text)
	}
	if seen := a.lastSeen("script"); seen.Request != "DELETE /checks/%2e/7" || seen.From != "203.0.113.7" {
		t.Errorf("the door was asked about %+v", seen)
	}

	for name := range caller {
		if ours.MatchString(name) {
			delete(caller, name)
		}
	}
	for name, values := range res.Header {
		if ours.MatchString(name) {
			caller[name] = values
		}
	}
	for name, values := range caller {
		plain := strings.ToLower(strings.NewReplacer("_", "-", ".", "-").Replace(name))
		if strings.HasPrefix(plain, "x-ostiary-") && !identity[name] {
			t.Errorf("the API gets the caller's own %s: %q", name, values)
		}
	}
	for name := range identity {
		if caller.Get(name) == "" || caller.Get(name) == "root" {
			t.Errorf("the API gets %s: %q", name, caller.Get(name))
		}
	}
}
