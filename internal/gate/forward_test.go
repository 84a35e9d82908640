package gate_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"ostiary"
)

// Every row of the contract's table that the door can give, with the real rules.
func TestEveryRowOfTheContractIsAnswered(t *testing.T) {
	s := open(t, "loopback", ostiary.Rule{Path: "/admin/**", Role: ostiary.Admin})
	post := []string{"X-Original-Method: POST", "X-Original-URI: /x?y=1"}
	for name, tt := range map[string]struct {
		lines   []string
		status  int
		code    string
		message string
	}{
		"no token": {nil, 401, "Unauthorized.MissingToken", "missing authentication token"},
		"unknown token": {
			pair(unknownToken, "app"), 401, "Unauthorized.BadToken", "invalid authentication token",
		},
		"malformed token": {
			pair("secret", "app"), 401, "Unauthorized.BadToken", "invalid authentication token",
		},
		"retired token": {
			pair(retiredToken, "app"), 401, "Unauthorized.BadToken", "invalid authentication token",
		},
		"expired token": {
			pair(expiredToken, "app"), 401, "Unauthorized.BadToken", "invalid authentication token",
		},
		"owner gone": {
			pair(ownerlessToken, "app"), 401, "Unauthorized.BadToken", "invalid authentication token",
		},
		"another account": {
			append(pair(adminToken, "app"), "X-Circonus-Account-ID: 43"), 403, "Forbidden.Account", "",
		},
		"no application": {
			pair(adminToken, ""), 401, "Unauthorized.BadAppName", "missing application name",
		},
		"no application, default": {
			pair(adminToken, ""), 401, "Unauthorized.BadAppName", "missing application name",
		},
		"no valid application": {
			pair(adminToken, "a,b"), 401, "Unauthorized.BadAppName", "malformed application name",
		},
		"application waits": {
			pair(pendingToken, "new"), 401, "Unauthorized.PendingApp", "invalid api application 'new'",
		},
		"application denied": {
			pair(adminToken, "banned"), 403, "Forbidden.BadApp", "App 'banned' not allowed",
		},
		"denied by default":       {pair(denyToken, "new"), 403, "Forbidden.BadApp", "App 'new' not allowed"},
		"network not on the list": {pair(networkToken, "app"), 403, "Forbidden.Network", ""},
		"over the rate limit":     {pair(busyToken, "app"), 429, "TooManyRequests", ""},
		"let in":                  {pair(adminToken, "app"), 200, "", ""},
		"allowed under Pending":   {pair(pendingToken, "known"), 200, "", ""},
		"allowed under Deny":      {pair(denyToken, "known"), 200, "", ""},
		"own account": {
			append(pair(adminToken, "app"), "X-Circonus-Account-ID: /account/42"), 200, "", "",
		},
		"network on the list": {append(pair(networkToken, "app"), "X-Forwarded-For: 192.0.2.7"), 200, "", ""},
		"UUID":                {pair(uuidToken, "app"), 200, "", ""},
		"UUID in capitals":    {pair(strings.ToUpper(uuidToken), "app"), 200, "", ""},
		"Basic":               {[]string{basic("app", adminToken)}, 200, "", ""},
		"Bearer": {
			[]string{"Authorization: Bearer " + adminToken, "X-App-Name: app"}, 200, "", "",
		},
		"Basic of an unknown user": {[]string{basic("app", unknownToken)}, 401, "Unauthorized.BadToken", ""},
	} {
		t.Run(name, func(t *testing.T) { expect(t, s, s.show(t, tt.lines...), tt.status, tt.code, tt.message) })
	}
	r := s.ask(t, "GET /auth", append(pair(readOnlyToken, "app"), post...)...)
	expect(t, s, r, 403, "Forbidden.Privilege", "the token can use Read Only, and the request needs Normal")
	unclear := []string{"X-Original-Method: GET", "X-Original-URI: /admin/../x"}
	r = s.ask(t, "GET /auth", append(pair(adminToken, "app"), unclear...)...)
	expect(t, s, r, 403, "Forbidden.Path", "")
	r = s.ask(t, "GET /auth", append(pair(pendingToken, "new"), unclear...)...)
	expect(t, s, r, 401, "Unauthorized.PendingApp", "")
	expect(t, s, s.ask(t, "GET /auth", unclear...), 401, "Unauthorized.MissingToken", "")
	expect(t, s, s.ask(t, "GET /auth", pair(adminToken, "app")...), 503, "Unavailable", "")
}

// expect compares an answer with its row, and looks at what every answer must have.
func expect(t *testing.T, s *site, r reply, status int, code, message string) {
	t.Helper()
	if r.StatusCode != status || r.code() != code {
		t.Fatalf("got %d %s, want %d %s (%s)", r.StatusCode, r.code(), status, code, r.text)
	}
	if got := r.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %q", got)
	}
	e := s.log.last()
	if e.Door != "auth" || e.Answer.Status != status || e.Answer.Reason == ostiary.OK != (status == 200) {
		t.Errorf("the log was told %+v", e)
	}
	if decided := r.Header.Get("X-Ostiary-Revision") == "7"; decided != (status != 503) {
		t.Errorf("X-Ostiary-Revision %q with status %d", r.Header.Get("X-Ostiary-Revision"), status)
	}
	if status == 200 {
		if r.text != "" || r.Header.Get("X-Ostiary-User") == "" {
			t.Errorf("a 200 with body %q and headers %v", r.text, r.Header)
		}
		return
	}
	for _, name := range []string{"X-Ostiary-User", "X-Ostiary-Role", "X-Ostiary-Account", "X-Ostiary-App"} {
		if r.Header.Get(name) != "" {
			t.Errorf("a refusal with %s", name)
		}
	}
	if r.body["code"] != code || r.body["tag"] != r.Header.Get("X-Ostiary-Tag") || r.body["tag"] == "" {
		t.Errorf("headers %v, body %s", r.Header, r.text)
	}
	if again := r.Header.Get("X-Ostiary-Refusal"); again+"\n" != r.text {
		t.Errorf("X-Ostiary-Refusal is not the body, but %s", again)
	}
	if message != "" && r.body["message"] != message {
		t.Errorf("message %q, want %q", r.body["message"], message)
	}
	if (r.Header.Get("Www-Authenticate") != "") != (status == 401) {
		t.Errorf("status %d with WWW-Authenticate %q", status, r.Header.Get("Www-Authenticate"))
	}
	if (r.Header.Get("Retry-After") != "") != (status == 429 || status == 503) {
		t.Errorf("status %d with Retry-After %q", status, r.Header.Get("Retry-After"))
	}
	approval := r.Header.Get("X-Circonus-Token-Approval-Url")
	if waits := code == "Unauthorized.PendingApp"; waits != (approval == publicURL+"/tokens?app=6") {
		t.Errorf("code %s with approval address %q", code, approval)
	}
}

func TestDoorSaysFiveStatusesWhateverTheReason(t *testing.T) {
	s := open(t, "loopback")
	for _, reason := range append(ostiary.Reasons(), 200, 255) {
		s.decide = func(q *ostiary.Question) ostiary.Decision { return ostiary.Decision{Reason: reason} }
		r := s.show(t, pair(adminToken, "app")...)
		switch r.StatusCode {
		case 401, 403, 429, 503:
		default:
			t.Errorf("%s: status %d", reason, r.StatusCode)
		}
		if reason == ostiary.OK && (r.StatusCode != 503 || s.log.last().Err == nil) {
			t.Errorf("let through without an identity: %d %v", r.StatusCode, r.Header)
		}
		if e := s.log.last(); e.Answer.Reason == ostiary.Hidden || e.Answer.Status != r.StatusCode {
			t.Errorf("%s: the log was told %+v", reason, e.Answer)
		}
	}
}

func TestPanicIsUnavailableAndTellsNoSecret(t *testing.T) {
	s := open(t, "loopback")
	s.decide = func(q *ostiary.Question) ostiary.Decision { panic(errors.New("lost " + q.Token.Reveal())) }
	r := s.show(t, pair(adminToken, "app")...)
	if r.StatusCode != 503 || r.code() != "Unavailable" {
		t.Errorf("got %d %s", r.StatusCode, r.code())
	}
	e := s.log.last()
	if e.Err == nil {
		t.Fatal("the log was told nothing")
	}
	if text := e.Err.Error(); !strings.Contains(text, "*errors.errorString") || strings.Contains(text, "lost") {
		t.Errorf("the log was told %s", text)
	}

	s = open(t, "loopback")
	s.log.broken = true
	for range 3 {
		r = s.show(t, pair(adminToken, "app")...)
		if r.StatusCode != 503 || r.Header.Get("X-Ostiary-User") != "" {
			t.Errorf("with a broken log: %d %v", r.StatusCode, r.Header)
		}
	}
}

// brokenWriter fails in the middle of an answer.
type brokenWriter struct{ http.ResponseWriter }

func (brokenWriter) Write([]byte) (int, error) { panic("the connection is gone") }

func TestHalfAnAnswerIsBrokenOff(t *testing.T) {
	check := &letIn{ostiary.Decision{Reason: ostiary.BadToken}}
	door := newDoor(t, check, check, "loopback", nil)
	defer func() {
		if trouble := recover(); trouble != http.ErrAbortHandler {
			t.Errorf("got %v, want the connection broken off", trouble)
		}
	}()
	door.ServeHTTP(brokenWriter{httptest.NewRecorder()}, probe())
}
