package gate_test

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"ostiary"
)

// The server itself answers 400 to what is no HTTP, before the door sees it.
const notHTTP = "400"

func TestHostileHeadersAreNoCredential(t *testing.T) {
	s := open(t, "loopback")
	const bad, missing = "Unauthorized.BadToken", "Unauthorized.MissingToken"
	token, app := "X-Circonus-Auth-Token: "+adminToken, "X-Circonus-App-Name: app"
	hash := ostiary.ReadSecret(adminToken).Hash()
	for name, tt := range map[string]struct {
		lines []string
		code  string
	}{
		"sound": {[]string{token, app}, ""},
		"in other case": {
			[]string{strings.ToLower(token[:21]) + token[21:], "x-circonus-app-name: app"}, "",
		},
		"with spaces around":      {[]string{"X-Circonus-Auth-Token:  \t" + adminToken + " \t", app}, ""},
		"token twice":             {[]string{token, token, app}, bad},
		"token twice, other case": {[]string{token, strings.ToLower(token[:21]) + token[21:], app}, bad},
		"token twice, one empty":  {[]string{token, "X-Circonus-Auth-Token:", app}, bad},
		"application twice":       {[]string{token, app, app}, bad},
		"two applications":        {[]string{token, app, "X-Circonus-App-Name: other"}, bad},
		"Authorization twice":     {[]string{basic("app", adminToken), basic("app", adminToken)}, bad},
		"joined tokens":           {[]string{token + "," + adminToken, app}, bad},
		"joined applications":     {[]string{token, app + ", app"}, "Unauthorized.BadAppName"},
		"folded token":            {[]string{token[:40] + "\r\n " + token[40:], app}, bad},
		"folded application":      {[]string{token, app + "\r\n app"}, ""},
		"aliased with underscores": {
			[]string{strings.ReplaceAll(token[:21], "-", "_") + token[21:], app}, missing,
		},
		"aliased with dots": {
			[]string{strings.ReplaceAll(token[:21], "-", ".") + token[21:], app}, missing,
		},
		"application, underscores":   {[]string{token, "X_Circonus_App_Name: app"}, "Unauthorized.BadAppName"},
		"space before the colon":     {[]string{"X-Circonus-Auth-Token : " + adminToken, app}, notHTTP},
		"in a cookie":                {[]string{"Cookie: X-Circonus-Auth-Token=" + adminToken, app}, missing},
		"two carriers, two tokens":   {[]string{token, app, basic("app", normalToken)}, bad},
		"two carriers, two apps":     {[]string{token, app, basic("other", adminToken)}, bad},
		"two carriers, one app less": {[]string{token, app, "X-Auth-Token: " + adminToken}, bad},
		"two carriers alike":         {[]string{token, app, basic("app", adminToken)}, ""},
		"Bearer beside its own app": {
			[]string{"Authorization: Bearer " + adminToken, app, "X-App-Name: other"}, "",
		},
		"Bearer, two other apps alike": {[]string{"Authorization: Bearer " + adminToken, "X-App-Name: app"}, ""},
		"somebody else's Bearer":       {[]string{token, app, "Authorization: Bearer eyJhbGciOi.x.y"}, ""},
		"somebody else's Basic":        {[]string{token, app, basic("user", "password")}, ""},
		"somebody else's X-Auth-Token": {[]string{token, app, "X-Auth-Token: session"}, ""},
		"swapped":                      {[]string{basic(adminToken, "app")}, bad},
		"swapped headers": {
			[]string{"X-Circonus-Auth-Token: app", "X-Circonus-App-Name: " + adminToken}, bad,
		},
		"token as application": {[]string{token, "X-Circonus-App-Name: " + adminToken}, bad},
		"cut at the end":       {[]string{token[:len(token)-1], app}, bad},
		"cut at the start":     {[]string{"X-Circonus-Auth-Token: " + adminToken[1:], app}, bad},
		"lengthened":           {[]string{token + "x", app}, bad},
		"in capitals": {
			[]string{"X-Circonus-Auth-Token: " + strings.ToUpper(adminToken), app}, bad,
		},
		"wrong checksum": {[]string{token[:len(token)-6] + "000000", app}, bad},
		"its stored hash": {
			[]string{"X-Circonus-Auth-Token: " + hex.EncodeToString(hash[:]), app}, bad,
		},
		"its stored hash, dressed": {
			[]string{"X-Circonus-Auth-Token: ostiary_" + hex.EncodeToString(hash[:])[:49], app}, bad,
		},
		"with NUL":       {[]string{token + "\x00", app}, notHTTP},
		"with non-ASCII": {[]string{token + "\u200b", app}, bad},
		"quoted":         {[]string{`X-Circonus-Auth-Token: "` + adminToken + `"`, app}, bad},
		"account twice": {
			[]string{token, app, "X-Circonus-Account-ID: 42", "X-Circonus-Account-ID: 42"}, "Forbidden.Account",
		},
		"account of another spelling": {[]string{token, app, "X-Circonus-Account-ID: 042"}, "Forbidden.Account"},
		"account of two":              {[]string{token, app, "X-Circonus-Account-ID: 42,43"}, "Forbidden.Account"},
		"account, underscores":        {[]string{token, app, "X_Circonus_Account_ID: 43"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := s.show(t, tt.lines...)
			code := r.code()
			if r.StatusCode == http.StatusBadRequest {
				code = notHTTP
			}
			if code != tt.code || r.StatusCode == 200 != (tt.code == "") {
				t.Errorf("got %d %s, want %q", r.StatusCode, code, tt.code)
			}
		})
	}
	if r := s.ask(t, "GET /auth?X-Circonus-Auth-Token="+adminToken, passing...); r.StatusCode == 200 {
		t.Error("a token in the query lets through")
	}
	trailer := []string{"Transfer-Encoding: chunked", "Trailer: X-Circonus-Auth-Token, X-Circonus-App-Name"}
	trailer = append(trailer, passing...)
	trailer = append(trailer, "", "0", token, app)
	if r := s.ask(t, "POST /auth", trailer...); r.code() != missing {
		t.Errorf("a token in a trailer: %d %s", r.StatusCode, r.code())
	}
}

func TestApplicationNamesAreJudgedAsSent(t *testing.T) {
	s := open(t, "loopback")
	for name, ok := range map[string]bool{
		"a": true, "Terraform v0.10.0-dev": true, strings.Repeat("x", 100): true,
		"a:b;c'\"<>\\%00": true, "~!": true,
		strings.Repeat("x", 101): false, "a,b": false, " a": false, "a ": false, "a\tb": false, "a\x7fb": false,
		"a\u200bb": false, "\u202eb": false, "zoë": false,
		"naïve": false, "a\u00a0b": false, "\xff": false, "ａ": false,
	} {
		// Basic carries what a header would lose: spaces at the ends, control characters.
		r := s.show(t, basic(name, adminToken))
		if strings.Contains(name, ":") {
			if r.code() != "Unauthorized.BadToken" { // the user name ends at the first colon
				t.Errorf("%q by Basic: %d %s", name, r.StatusCode, r.code())
			}
		} else if got := r.StatusCode == 200; got != ok || !ok && r.code() != "Unauthorized.BadAppName" {
			t.Errorf("%q by Basic: %d %s, want let in: %v", name, r.StatusCode, r.code(), ok)
		}
		if ok && s.last(t).App != name && !strings.Contains(name, ":") {
			t.Errorf("%q reached the authority as %q", name, s.last(t).App)
		}
		if strings.TrimSpace(name) != name {
			continue
		}
		r = s.show(t, pair(adminToken, name)...)
		if got := r.StatusCode == 200; got != ok {
			t.Errorf("%q by header: %d %s, want let in: %v", name, r.StatusCode, r.code(), ok)
		}
		if ok && r.Header.Get("X-Ostiary-App") != name {
			t.Errorf("%q is passed on as %q", name, r.Header.Get("X-Ostiary-App"))
		}
	}
	for _, control := range []string{"a\nb", "a\rb", "a\x00b", "a\x1bb"} {
		if r := s.show(t, basic(control, adminToken)); r.code() != "Unauthorized.BadAppName" {
			t.Errorf("%q: %d %s", control, r.StatusCode, r.code())
		}
		if e := s.log.last(); e.AppName != "" {
			t.Errorf("the log was told the name %q", e.AppName)
		}
	}
}

// Whatever a client puts where, no piece of a token comes back or reaches the log or the records of use.
func TestNoSecretLeavesTheDoor(t *testing.T) {
	s := open(t, "loopback")
	var written strings.Builder
	tokens := []string{adminToken, pendingToken, retiredToken, unknownToken, accountToken}
	for _, token := range tokens {
		for _, lines := range [][]string{
			pair(token, "app"), pair(token, token), pair("app", token), pair(token, "my "+token),
			{basic(token, "app")},
			{basic("app", token)},
			{basic(token, token)},
			pair(token+token, "app"), pair(token[:50], "app"),
			append(pair(token, "app"), "User-Agent: x/1 "+token, "X-Forwarded-For: "+token),
			append(pair(token, "app"), "X-Circonus-Account-ID: "+token, "X-Ostiary-Min-Revision: "+token),
		} {
			for _, question := range [][]string{
				passing, original("GET", "/a/"+token+"?t="+token), original(token, "/"),
				original("GET", "/"+token+"#"), nil,
				original("GET", "/"+strings.Repeat("x", 470)+token),
			} {
				r := s.ask(t, "GET /auth", append(question, lines...)...)
				fmt.Fprintln(&written, r.Header, r.text)
				r = s.ask(t, "GET /auth/envoy/"+token, lines...)
				fmt.Fprintln(&written, r.Header, r.text)
				r = s.ask(t, "GET /auth?need="+token, lines...)
				fmt.Fprintln(&written, r.Header, r.text)
			}
		}
	}
	// A UUID is known for a secret only where it is shown.
	for _, path := range []string{uuidToken, strings.ToUpper(uuidToken), strings.Repeat("x", 480) + uuidToken} {
		lines := append(pair(uuidToken, "app"), "User-Agent: "+uuidToken)
		s.ask(t, "GET /auth", append(lines, original("GET", "/"+path)...)...)
	}
	tokens = append(tokens, uuidToken, strings.ToUpper(uuidToken))
	for _, e := range s.log.events {
		fmt.Fprintf(&written, "%+v\n", e)
	}
	for _, q := range s.asked {
		fmt.Fprintf(&written, "%+v\n", q)
		if len(q.Path) > 520 {
			t.Errorf("a path of %d bytes is written down", len(q.Path))
		}
	}
	for _, token := range tokens {
		random := strings.TrimPrefix(token, "ostiary_")
		for i := 0; i+12 <= len(random); i++ {
			if at := strings.Index(written.String(), random[i:i+12]); at >= 0 {
				t.Fatalf("a piece of a token is in: …%s…", written.String()[max(0, at-200):at+60])
			}
		}
	}
}

func TestRefusalsOfBadTokensAreOneAndTheSame(t *testing.T) {
	s := open(t, "loopback")
	var first string
	for _, token := range []string{
		unknownToken, retiredToken, expiredToken, ownerlessToken, "malformed", adminToken + "x",
	} {
		r := s.show(t, pair(token, "new")...)
		r.Header.Del("Date")
		text := strings.ReplaceAll(fmt.Sprint(r.StatusCode, r.Header, r.text), r.Header.Get("X-Ostiary-Tag"), "TAG")
		if first == "" {
			first = text
		}
		if text != first {
			t.Errorf("told apart:\n%s\n%s", first, text)
		}
	}
}
