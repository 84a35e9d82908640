package interop_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"
)

// garbage is what a port may answer when something else than the authority listens there.
var garbage = map[string]string{
	"nothing":          "",
	"no HTTP":          "garbage\r\n\r\n",
	"a bare 200":       "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
	"a 200 of another": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Ostiary-User: root\r\n\r\nok",
	"a 204":            "HTTP/1.1 204 No Content\r\n\r\n",
	"a 200 cut short":  "HTTP/1.1 200 OK\r\nContent-Le",
	"a redirect":       "HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n",
	"a 401 of another": "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n",
	"a 403 of another": "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
	"a 500":            "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
}

func TestNobodyPassesWhileTheAuthorityCannotAnswer(t *testing.T) {
	forEachProxy(t, func(t *testing.T, _ string, a *authority, api *upstream, base string) {
		alice := a.secret("alice@example.com")
		ask := func() *http.Response {
			t.Helper()
			return send(t, "GET", base+"/checks", alice, "script", "X-Ostiary-User: root")
		}
		// holds says that nobody passes, and that the caller is told to come again.
		holds := func(what string) {
			t.Helper()
			began := time.Now()
			res := ask()
			text := body(t, res)
			if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || !wholeRefusal(text) {
				t.Errorf("%s: got %d %v %s, want 503 with Retry-After", what, res.StatusCode, res.Header, text)
			}
			if method, _, _ := api.taken(); method != "" {
				t.Errorf("%s: a request reached the API", what)
			}
			if took := time.Since(began); took > 6*time.Second {
				t.Errorf("%s: the caller waits %s", what, took)
			}
		}
		// recovers says that requests pass again, by themselves, within five seconds.
		recovers := func(what string) {
			t.Helper()
			status := 0
			for end := time.Now().Add(5 * time.Second); status != 200 && time.Now().Before(end); {
				res := ask()
				status = res.StatusCode
				body(t, res)
			}
			if method, _, _ := api.taken(); status != 200 || method == "" {
				t.Errorf("%s: still %d after five seconds", what, status)
			}
		}

		recovers("at the beginning")
		a.freeze()
		holds("the authority is frozen")
		a.thaw()
		recovers("after it was frozen")
		a.kill()
		holds("the authority is gone")
		for what, answer := range garbage {
			end := a.inItsPlace(answer)
			holds("in its place: " + what)
			end()
		}
		a.start()
		recovers("after a restart")
	})
}

// wholeRefusal says whether a body has the keys of every refusal.
func wholeRefusal(text string) bool {
	var keys map[string]any
	if err := json.Unmarshal([]byte(text), &keys); err != nil {
		return false
	}
	want := []string{"code", "explanation", "message", "reference", "server", "status", "tag"}
	return !slices.ContainsFunc(want, func(key string) bool { _, ok := keys[key]; return !ok })
}
