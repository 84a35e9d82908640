package api_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"ostiary"
	"ostiary/internal/api"
	"ostiary/internal/authority"
)

// Every row of the table of answers, through real HTTP.

func TestRequestWithoutTokenIsAskedForOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"/v2/token", "/nothing", "/api/json/list_accounts", "/"} {
		r := w.with("", "tests").get(path).is(401, "Unauthorized.MissingToken")
		if r.body()["message"] != "missing authentication token" {
			t.Errorf("%s: %s", path, r.text)
		}
		if r.Header.Get("WWW-Authenticate") != `Basic realm="Ostiary"` || r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: headers %v", path, r.Header)
		}
	}
}

func TestBadTokensAnswerAlike(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	alice := w.person("alice", "Admin")
	path, secret := alice.newToken(object{"default_app_state": "Allow"})
	w.with(secret, "tests").get("/v2/token").is(200, "")
	alice.delete(path).ok()
	_, expired := alice.newToken(object{"default_app_state": "Allow", "expires_on": 1})
	bob := w.person("bob", "Normal")
	w.operator().post("/v2" + bob.cid + "/disable").ok()

	unknown := ostiary.SecretFormat{Prefix: ostiary.DefaultSecretPrefix}.New()
	hash := unknown.Hash()
	text, _ := hash.MarshalText()
	want := ""
	for name, token := range map[string]string{
		"retired": secret, "expired": expired, "of a disabled owner": bob.token,
		"unknown": unknown.Reveal(), "cut": alice.token[:len(alice.token)-1], "longer": alice.token + "0",
		"in capitals": strings.ToUpper(alice.token), "a hash": string(text), "no token": "secret",
		"a UUID": ostiary.NewUUID(),
	} {
		r := w.with(token, "tests").get("/v2/token").is(401, "Unauthorized.BadToken")
		body := r.body()
		delete(body, "tag")
		got := strings.Join([]string{body["message"].(string), body["explanation"].(string), body["code"].(string)}, "|")
		if want == "" {
			want = got
		}
		if got != want || body["message"] != "invalid authentication token" {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

func TestAccountHeaderMustNameTheTokensAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	alice := w.person("alice", "Admin")
	for _, own := range []string{"1", "/account/1"} {
		alice.sending("X-Circonus-Account-ID: "+own).get("/v2/token").is(200, "")
	}
	for _, other := range []string{"2", "/account/2", "social_networks", "", "0", "-1", "99999999999999999999"} {
		alice.sending("X-Circonus-Account-ID: "+other).get("/v2/token").is(403, "Forbidden.Account")
	}
}

func TestApplicationNameIsNeeded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	alice := w.person("alice", "Admin")
	w.changesNothing(func() {
		for _, name := range []string{
			"", "a,b", strings.Repeat("x", 101), "na\x80me", "na\u200bme", "na\u202eme", "na\u00e9", "a\tb",
		} {
			w.with(alice.token, name).get("/v2/token").is(401, "Unauthorized.BadAppName")
		}
	})
	w.with(alice.token, strings.Repeat("x", 100)).get("/v2/token").is(200, "")
}

func TestWaitingApplicationIsToldWhereToBeApproved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	alice := w.person("alice", "Admin")
	path, secret := alice.newToken(object{})
	grafana := w.with(secret, "grafana")
	r := grafana.get("/account/current").is(401, "Unauthorized.PendingApp")
	if !strings.HasPrefix(r.body()["message"].(string), "invalid api application 'grafana'") {
		t.Errorf("message %s", r.text)
	}
	where := r.Header.Get("X-Circonus-Token-Approval-Url")
	if !strings.HasPrefix(where, "https://tokens.example.com/tokens?app=") ||
		!strings.Contains(r.body()["explanation"].(string), where) {
		t.Errorf("approval address %q in %s", where, r.text)
	}

	waiting := alice.get("/v2/app?f__answer=pending").list()
	if len(waiting) != 1 || waiting[0]["name"] != "grafana" || waiting[0]["state"] != "waiting" || waiting[0]["_decided_by"] != nil {
		t.Fatalf("what waits: %v", waiting)
	}
	app := "/v2" + waiting[0]["_cid"].(string)
	allowed := alice.put(app, object{"state": "allowed"}).ok()
	if allowed["_answer"] != "allowed" || allowed["_decided_by"] != "/token/1" {
		t.Errorf("allowed: %v", allowed)
	}
	grafana.get("/account/current").is(200, "")
	alice.put(app, object{"state": "denied"}).ok()
	r = grafana.get("/account/current").is(403, "Forbidden.BadApp")
	if r.body()["message"] != "App 'grafana' not allowed" {
		t.Errorf("message %s", r.text)
	}
	alice.put(path, object{"default_app_state": "Deny"}).ok()
	w.with(secret, "other").get("/account/current").is(403, "Forbidden.BadApp")
}

func TestNetworkAndRateAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, authority.Settings{RatePerSec: 1}, api.Options{})
	w.account()
	alice := w.person("alice", "Admin")
	made := w.operator().post("/v2/token", object{
		"owner": alice.cid, "default_app_state": "Allow", "networks": []string{"192.0.2.0/24"},
	}).ok()
	elsewhere := w.with(made["_secret"].(string), "tests")
	elsewhere.get("/v2/token").is(403, "Forbidden.Network")
	elsewhere.sending("X-Forwarded-For: 192.0.2.7").get("/v2/token").is(429, "TooManyRequests")

	alice.get("/v2/token").is(200, "")
	r := alice.get("/v2/token").is(429, "TooManyRequests")
	if r.Header.Get("Retry-After") == "" {
		t.Errorf("headers %v", r.Header)
	}
}

func TestUnknownRoutesAndMethods(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	alice := w.person("alice", "Admin")
	for _, path := range []string{
		"/nothing", "/v2", "/v2/", "/v2/nothing", "/v2/token/", "/v2//token", "/v2/./token", "/v2/x/../token",
		"/v2/%74oken", "/v2/token%2f1", "/v2/token;x", "/token", "/app", "/audit", "/explain", "/v2/v2/account",
		"/v2/operator/status", "/v2/user/1/disable", "/v2/invite/link", "/api/json/nothing", "/API/json/list_accounts",
		"/v2/token/1/app/1/x", "//v2/token", "/v2\\token", "/",
	} {
		alice.get(path).is(404, "NotFound")
		alice.post(path, "{}").is(404, "NotFound")
	}
	for request, allow := range map[string]string{
		"DELETE /v2/token":                 "GET, HEAD, OPTIONS, POST",
		"POST /v2/account":                 "GET, HEAD, OPTIONS",
		"POST /v2/user":                    "GET, HEAD, OPTIONS",
		"GET /v2/token/which":              "OPTIONS, POST",
		"PATCH /v2/token/1":                "DELETE, GET, HEAD, OPTIONS, PUT",
		"TRACE /v2/token/1":                "DELETE, GET, HEAD, OPTIONS, PUT",
		"get /v2/token/1":                  "DELETE, GET, HEAD, OPTIONS, PUT",
		"PUT /api/json/list_accounts":      "GET, HEAD, OPTIONS, POST",
		"DELETE /user/current":             "GET, HEAD, OPTIONS, PUT",
		"POST /v2/token/1/app/1":           "DELETE, GET, HEAD, OPTIONS, PUT",
		"GET /v2/explain":                  "OPTIONS, POST",
		"DELETE /v2/token/nothing/promote": "OPTIONS, POST",
	} {
		method, path, _ := strings.Cut(request, " ")
		r := alice.call(method, path).is(405, "MethodNotAllowed")
		if got := r.Header.Get("Allow"); got != allow {
			t.Errorf("%s: Allow %q, want %q", request, got, allow)
		}
	}
}

func TestNewApplicationIsOnRecordAlsoAfterAWrongRoute(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	alice := w.person("alice", "Admin")
	w.with(alice.token, "lost").get("/nothing").is(404, "NotFound")
	w.with(alice.token, "late").call("PATCH", "/v2/token").is(405, "MethodNotAllowed")
	w.with(alice.token, "bad").post("/v2/token", "{").is(400, "InvalidValue")
	names := ""
	for _, app := range alice.get("/v2/app?order=name").list() {
		names += app["name"].(string) + " "
	}
	if names != "bad late lost tests " {
		t.Errorf("on record: %s", names)
	}
}

func TestRoleIsNeeded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	alice := w.person("alice", "Admin")
	bob := w.person("bob", "Normal")
	carol := w.person("carol", "Read Only")
	for _, c := range []struct {
		who    *person
		method string
		path   string
	}{
		{carol, "POST", "/v2/token"},
		{carol, "PUT", "/v2/token/3"},
		{carol, "DELETE", "/v2/token/3"},
		{carol, "PUT", "/user/current"},
		{carol, "POST", "/v2/explain"},
		{carol, "POST", "/api/json/list_accounts"},
		{bob, "PUT", "/account/current"},
		{bob, "PUT", "/v2/account/1"},
		{bob, "PUT", "/account/99"},
	} {
		r := c.who.call(c.method, c.path, "{").is(403, "Forbidden.Privilege")
		message := r.body()["message"].(string)
		if !strings.Contains(message, "can use") || !strings.Contains(message, "needs") {
			t.Errorf("%s %s: message %q names no roles", c.method, c.path, message)
		}
	}
	for _, who := range []*person{alice, bob, carol} {
		for _, path := range []string{"/account", "/account/current", "/user", "/user/current", "/v2/token", "/v2/app", "/v2/audit"} {
			who.get(path).is(200, "")
		}
	}
	bob.post("/v2/token", object{"privilege": "Admin"}).is(403, "Forbidden.Privilege")
	bob.post("/v2/token", object{"kind": "account"}).is(403, "Forbidden.Privilege")
}

func TestTokenDoesNotWorkOnItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	alice := w.person("alice", "Admin")
	alice.get("/v2/token/1").ok()
	w.changesNothing(func() {
		for _, body := range []any{object{"privilege": "Normal"}, "{", object{"nothing": 1}, object{"privilege": 1}} {
			alice.put("/v2/token/1", body).is(403, "Forbidden.Self")
		}
		alice.post("/v2/token/1/promote").is(403, "Forbidden.Self")
		alice.post("/v2/token/1/app", object{"name": "x", "state": "allowed"}).is(403, "Forbidden.Self")
		alice.post("/v2/token/1/app", "[").is(403, "Forbidden.Self")
		alice.put("/v2/token/1/app/1", object{"state": "denied"}).is(403, "Forbidden.Self")
		alice.delete("/v2/token/1/app/1").is(403, "Forbidden.Self")
	})
	if gone := alice.delete("/v2/token/1").ok(); gone["_can_use"] != "None" {
		t.Errorf("retired itself: %v", gone)
	}
	alice.get("/v2/token").is(401, "Unauthorized.BadToken")
}

func TestHiddenComesBeforeABodyThatIsNotValid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	alice := w.person("alice", "Admin")
	bob := w.person("bob", "Normal")
	for _, body := range []string{"{", `{"nothing":1}`, `{"privilege":5}`, strings.Repeat(" ", 64<<10+1)} {
		bob.put("/v2/token/1", body).is(404, "ObjectError.InstanceNotFound")
		bob.post("/v2/token/1/app", body).is(404, "ObjectError.InstanceNotFound")
		bob.put("/v2/token/1/app/1", body).is(404, "ObjectError.InstanceNotFound")
		bob.post("/v2/token/1/promote", body).is(404, "ObjectError.InstanceNotFound")
		bob.put("/user/99", body).is(404, "ObjectError.InstanceNotFound")
		bob.put(alice.cid, body).is(403, "Forbidden.Privilege")
		alice.put("/account/2", body).is(404, "ObjectError.InstanceNotFound")
	}
}

func TestOtherSitesAreRefusedBeforeAnythingCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	alice := w.person("alice", "Admin")
	host := w.public.Listener.Addr().String()
	basic := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("browser:"+alice.token))
	w.changesNothing(func() {
		for _, header := range []string{
			"Origin: https://evil.example", "Origin: null", "Origin: ", "Origin: http://" + host + ".evil.example",
			"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Sec-Fetch-Site: else", "Origin: https://tokens.example.com.",
		} {
			c := w.with("", "").sending(basic, header)
			c.post("/v2/token", "{}").is(403, "Forbidden.CrossSite")
			c.get("/v2/token").is(403, "Forbidden.CrossSite")
			c.call("OPTIONS", "/v2/token").is(403, "Forbidden.CrossSite")
		}
	})
	for _, header := range []string{
		"Origin: http://" + host, "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: none", "Origin: https://tokens.example.com",
		"Origin: https://api.example.com",
	} {
		w.with("", "").sending(basic, header).get("/v2/token").is(200, "")
	}
}

func TestConflicts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	alice := w.person("alice", "Admin")
	path, _ := alice.newToken(object{})
	alice.post(path + "/promote").ok()
	alice.post(path+"/promote").is(409, "Conflict")
	alice.delete(path).ok()
	for _, r := range []*reply{
		alice.delete(path), alice.put(path, object{"description": "x"}), alice.post(path + "/promote"),
		alice.post(path+"/app", object{"name": "x", "state": "allowed"}),
		alice.put("/account/current", object{"users": []object{{"user": alice.cid, "role": "Normal"}}}),
	} {
		r.is(409, "Conflict")
	}
}

func TestRevisionIsToldAndCanBeAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	alice := w.person("alice", "Admin")
	first := alice.get("/v2/token").Header.Get("X-Ostiary-Revision")
	made := alice.post("/v2/token", "{}").is(200, "").Header.Get("X-Ostiary-Revision")
	if first != "4" || made != "5" {
		t.Errorf("revisions %s and %s, want 4 and 5", first, made)
	}
	alice.sending("X-Ostiary-Min-Revision: 5").get("/v2/token").is(200, "")
	r := alice.sending("X-Ostiary-Min-Revision: 99").get("/v2/token").is(503, "Unavailable")
	if r.Header.Get("Retry-After") == "" {
		t.Errorf("headers %v", r.Header)
	}
	for _, bad := range []string{"-1", "x", "", "99999999999999999999999", "1, 2"} {
		alice.sending("X-Ostiary-Min-Revision: "+bad).get("/v2/token").is(400, "InvalidValue")
	}
	for _, path := range []string{"/nothing", "/v2/token/99"} {
		if got := alice.get(path).Header.Get("X-Ostiary-Revision"); got != "5" {
			t.Errorf("%s: revision %q, want 5", path, got)
		}
	}
}

func TestHeadAndOptions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	alice := w.person("alice", "Admin")
	r := alice.call("HEAD", "/v2/token").is(200, "")
	if r.text != "" || r.Header.Get("Content-Length") == "0" || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("HEAD: %q %v", r.text, r.Header)
	}
	alice.call("HEAD", "/v2/token/99").is(404, "ObjectError.InstanceNotFound")
	r = alice.call("OPTIONS", "/v2/token/99").is(200, "")
	if got := r.Header.Get("Allow"); got != "DELETE, GET, HEAD, OPTIONS, PUT" {
		t.Errorf("OPTIONS: Allow %q", got)
	}
	w.with("", "").call("OPTIONS", "/v2/token").is(401, "Unauthorized.MissingToken")
}

func TestOwnTroubleIsNeverTheCallers(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, authority.Settings{}, api.Options{
		Status: func(ctx context.Context) api.Status { panic("trouble with a pass-word") },
		Hash:   func(string) (string, error) { return "", errBroken },
	})
	w.account()
	alice := w.person("alice", "Admin")
	w.operator().get("/v2/operator/status").is(503, "Unavailable")
	if e := w.events.last(); e.Err == nil || !strings.Contains(e.Err.Error(), "panic") || strings.Contains(e.Err.Error(), "pass-word") {
		t.Errorf("the log is told %v", e.Err)
	}
	r := w.operator().post("/v2/user", object{"email": "x@example.com", "password": "pass-word"}).is(503, "Unavailable")
	if strings.Contains(r.text, "broken") {
		t.Errorf("the cause is shown: %s", r.text)
	}
	alice.get("/v2/token").is(200, "")
	check(t, w.db.Close())
	for _, r := range []*reply{
		alice.get("/v2/token"), alice.post("/v2/token", "{}"), alice.put("/account/current", "{}"), alice.delete("/v2/token/1"),
		alice.put("/v2/token/1", "{"),
	} {
		r.is(503, "Unavailable")
	}
	if w.events.last().Err == nil {
		t.Error("the log is not told the cause")
	}
}

func TestEveryCarrierWorks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	token := w.person("alice", "Admin").token
	for _, headers := range [][]string{
		{"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("tests:"+token))},
		{"Authorization: Bearer " + token, "X-Circonus-App-Name: tests"},
		{"X-Auth-Token: " + token, "X-App-Name: tests"},
	} {
		w.with("", "").sending(headers...).get("/user/current").is(200, "")
	}
	for _, headers := range [][]string{
		{"X_Circonus_Auth_Token: " + token, "X_Circonus_App_Name: tests"},
		{"Cookie: X-Circonus-Auth-Token=" + token},
	} {
		w.with("", "").sending(headers...).get("/user/current?X-Circonus-Auth-Token="+token).is(401, "Unauthorized.MissingToken")
	}
	if e := w.events.last(); strings.Contains(e.Path, "?") {
		t.Errorf("the path is noted with its query: %s", e.Path)
	}
}

func TestAnswersSayThatTheyAreJSON(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	alice := w.person("alice", "Admin")
	for _, r := range []*reply{alice.get("/v2/token"), alice.get("/nothing"), w.with("", "").get("/v2/token")} {
		if r.Header.Get("Content-Type") != "application/json" || r.Header.Get("X-Content-Type-Options") != "nosniff" ||
			r.Header.Get("Cache-Control") != "no-store" || r.Header.Get("X-Ostiary-Tag") == "" {
			t.Errorf("%s: headers %v", r.what, r.Header)
		}
		if r.StatusCode != http.StatusOK && r.body()["tag"] != r.Header.Get("X-Ostiary-Tag") {
			t.Errorf("%s: tag %q and %q", r.what, r.body()["tag"], r.Header.Get("X-Ostiary-Tag"))
		}
	}
}
