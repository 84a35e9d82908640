package gate_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"ostiary"
)

// Whatever the headers and the query say, the door gives one of its five statuses, and asks for no
// lower role than the proxy's question and the query do.
func FuzzForward(f *testing.F) {
	f.Add("GET", "/y", "", "", "", adminToken, "app", "")
	f.Add("", "", "PUT", "/y?z", "need=Admin", adminToken, "app", "12")
	f.Add("GET", "/y", "DELETE", "/y", "need=Read+Only", uuidToken, "app", "-1")
	f.Add("get", "y#", "", "/", "need=Admin&need=Normal", "x", "a\u202e", "")
	a, log := newAuthority(), &requestLog{}
	rules := []ostiary.Rule{{Methods: []string{"DELETE"}, Path: "/y/**", Role: ostiary.Admin}}
	door := newDoor(f, a, log, "loopback", rules)
	f.Fuzz(func(t *testing.T, method, uri, method2, uri2, query, token, app, revision string) {
		address := &url.URL{Path: "/auth", RawQuery: query}
		r := &http.Request{Method: "GET", URL: address, RemoteAddr: "127.0.0.1:9", Header: http.Header{}}
		r.RequestURI = "/auth?" + query
		for name, value := range map[string]string{
			"X-Original-Method": method, "X-Original-Uri": uri, "X-Forwarded-Method": method2, "X-Forwarded-Uri": uri2,
			"X-Circonus-Auth-Token": token, "X-Circonus-App-Name": app, "X-Ostiary-Min-Revision": revision,
		} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		a.asked, log.events = nil, nil
		w := httptest.NewRecorder()
		door.ServeHTTP(w, r)
		switch w.Code {
		case 200, 401, 403, 429, 503:
		default:
			t.Fatalf("status %d", w.Code)
		}
		if len(log.events) != 1 || log.events[0].Answer.Status != w.Code {
			t.Fatalf("status %d, and the log was told %+v", w.Code, log.events)
		}
		if len(a.asked) == 0 {
			if w.Code != 503 {
				t.Fatalf("status %d without a decision", w.Code)
			}
			return
		}
		q := a.asked[0]
		byRule := q.Method == "DELETE" && strings.HasPrefix(q.Path, "/y/")
		if (byRule || strings.EqualFold(query, "need=admin")) && q.Need != ostiary.Admin && w.Code == 200 {
			t.Fatalf("asked with %s, want Admin", q.Need)
		}
		if q.Method != "" && q.Method != method && q.Method != method2 {
			t.Fatalf("asked about %q", q.Method)
		}
		if q.Method == "" && !strings.HasPrefix(query, "need=") {
			t.Fatal("asked about nothing")
		}
		if w.Code == 200 && len(w.Header()) != 8 {
			t.Fatalf("headers %v", w.Header())
		}
	})
}
