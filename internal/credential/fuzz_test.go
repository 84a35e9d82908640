package credential_test

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"

	"ostiary"
	"ostiary/internal/credential"
)

// Whatever the headers are, a token that was found holds, was sent, and is in no name that came with it.
func FuzzHeaders(f *testing.F) {
	f.Add(a, "app", "", "")
	f.Add("", "app", "Bearer "+a, "")
	f.Add("x", "", basic("app", a), "y")
	f.Add(strings.ToUpper(uuid), uuid, basic("\x00\u202e", uuid), a+","+b)
	r := newReader(f, credential.Settings{})
	f.Fuzz(func(t *testing.T, token, app, auth, other string) {
		h := http.Header{
			"X-Circonus-Auth-Token": {token}, "X-Circonus-App-Name": {app},
			"Authorization": {auth}, "X-Auth-Token": {other},
		}
		c := r.Read(h)
		shown := c.Token.Reveal()
		if c.Shown != ostiary.ShownToken {
			if shown != "" || c.App != "" {
				t.Fatalf("no token was found, but %q by %q", shown, c.App)
			}
			return
		}
		scheme, rest, _ := strings.Cut(auth, " ")
		plain, _ := base64.StdEncoding.DecodeString(strings.TrimLeft(rest, " "))
		user, password, _ := strings.Cut(string(plain), ":")
		if strings.EqualFold(scheme, "Bearer") {
			password, user = strings.TrimLeft(rest, " "), app
		}
		sent := slices.Contains([]string{token, other, password}, shown)
		if !sent || !slices.Contains([]string{app, user, ""}, c.App) {
			t.Fatalf("%q by %q was not sent", shown, c.App)
		}
		if !format.Holds(shown) || strings.Contains(c.App, shown) {
			t.Fatalf("%q by %q was taken for a credential", shown, c.App)
		}
		h.Add("X-Circonus-Auth-Token", token)
		if c := r.Read(h); c.Shown == ostiary.ShownToken {
			t.Fatalf("a header twice was taken for a credential")
		}
	})
}

// Basic is read as the standard library reads it.
func FuzzBasic(f *testing.F) {
	for _, s := range []string{
		basic("app", a), basic("", ":"), "Basic", "basic ????", "Basic =", basic("a:b", a),
	} {
		f.Add(s)
	}
	r := newReader(f, credential.Settings{})
	f.Fuzz(func(t *testing.T, value string) {
		req := http.Request{Header: http.Header{"Authorization": {value}}}
		c := r.Read(req.Header)
		user, password, ok := req.BasicAuth()
		if want := ok && format.Holds(password); want && c.Shown == ostiary.ShownToken {
			if c.Token.Reveal() != password || c.App != user {
				t.Fatalf("%q: got %s, want %s by %s", value, words(c), password, user)
			}
		} else if want && !strings.Contains(user, password) && !strings.Contains(user, "ostiary_") {
			t.Fatalf("%q: got %s", value, words(c))
		}
	})
}

func FuzzConceal(f *testing.F) {
	f.Add("/x/", "/y", uuid)
	f.Add("ostiary_", "0", a)
	r := newReader(f, credential.Settings{})
	f.Fuzz(func(t *testing.T, before, after, token string) {
		if !format.Holds(token) {
			token = a
		}
		got := r.Conceal(before+token+after, ostiary.ReadSecret(token))
		if strings.Contains(got, token) {
			t.Fatalf("%q shows the token", got)
		}
	})
}
