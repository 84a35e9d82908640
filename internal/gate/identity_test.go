package gate_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ostiary"
)

func identity(r reply) map[string]string {
	got := map[string]string{}
	for name, values := range r.Header {
		if strings.HasPrefix(name, "X-Ostiary-") {
			got[name] = strings.Join(values, " | ")
		}
	}
	return got
}

func TestLetThroughWithWholeIdentity(t *testing.T) {
	s := open(t, "loopback")
	alice := map[string]string{
		"X-Ostiary-Account": "social_networks", "X-Ostiary-Account-Id": "42", "X-Ostiary-User": "alice@example.com",
		"X-Ostiary-Role": "Normal", "X-Ostiary-Token-Id": "12",
		"X-Ostiary-App": "50% of it", "X-Ostiary-Revision": "7",
	}
	if diff := cmp.Diff(alice, identity(s.show(t, pair(normalToken, "50% of it")...))); diff != "" {
		t.Errorf("a user token (-want +got):\n%s", diff)
	}
	got := identity(s.show(t, pair(accountToken, "app")...))
	if got["X-Ostiary-User"] != "-" || got["X-Ostiary-Role"] != "Admin" {
		t.Errorf("an account token: %v", got)
	}
}

// What a client says about its identity changes nothing, also where it names our headers in Connection.
func TestCallerCannotTouchTheIdentity(t *testing.T) {
	s := open(t, "loopback")
	want := identity(s.show(t, pair(normalToken, "app")...))
	for _, line := range []string{
		"X-Ostiary-User: root@example.com", "X_Ostiary_User: root@example.com", "Connection: X-Ostiary-User",
		"Connection: close, X-Ostiary-User, X-Ostiary-Role", "Trailer: X-Ostiary-User", "TE: trailers",
		"X-Ostiary-Role: Admin", "Cookie: X-Ostiary-User=root",
	} {
		if diff := cmp.Diff(want, identity(s.show(t, append(pair(normalToken, "app"), line)...))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", line, diff)
		}
	}
}

func TestIdentityFitsIntoHeadersAndStaysItself(t *testing.T) {
	s := open(t, "loopback")
	seen := map[string]string{}
	for _, email := range []string{
		"alice@example.com", "zoë@example.com", "zo%C3%AB@example.com", "a b@example.com", "a,b@example.com",
		"a\r\nX-Ostiary-Role: Admin@example.com", "a\x00@example.com",
		"аlice@example.com", "alice@example.com ", "-%",
	} {
		s.decide = func(q *ostiary.Question) ostiary.Decision {
			return ostiary.Decision{
				Reason: ostiary.OK, Role: ostiary.Normal, Account: 42, AccountName: "social_networks", Token: 12,
				Kind: ostiary.UserToken, User: 2, Email: email, AppName: "app", Revision: 7,
			}
		}
		r := s.show(t, pair(normalToken, "app")...)
		got := r.Header["X-Ostiary-User"]
		if r.StatusCode != 200 || len(got) != 1 || got[0] == "" || r.Header.Get("X-Ostiary-Role") != "Normal" {
			t.Fatalf("%q: %d %v", email, r.StatusCode, r.Header)
		}
		if strings.ContainsFunc(got[0], func(c rune) bool { return c <= ' ' || c > '~' || c == ',' }) {
			t.Errorf("%q is written %q", email, got[0])
		}
		if other, twice := seen[got[0]]; twice {
			t.Errorf("%q and %q are both written %q", email, other, got[0])
		}
		seen[got[0]] = email
	}
	if seen["zo%C3%AB@example.com"] != "zoë@example.com" {
		t.Errorf("zoë@example.com is not written zo%%C3%%AB@example.com: %v", seen)
	}
}

func TestNobodyIsLetThroughWithoutAWholeIdentity(t *testing.T) {
	s := open(t, "loopback")
	whole := ostiary.Decision{
		Reason: ostiary.OK, Role: ostiary.Normal, Account: 42, AccountName: "social_networks", Token: 12,
		Kind: ostiary.UserToken, User: 2, Email: "alice@example.com", AppName: "app", Revision: 7,
	}
	for name, lacks := range map[string]func(d *ostiary.Decision){
		"account":              func(d *ostiary.Decision) { d.Account = 0 },
		"account name":         func(d *ostiary.Decision) { d.AccountName = "" },
		"e-mail":               func(d *ostiary.Decision) { d.Email = "" },
		"token":                func(d *ostiary.Decision) { d.Token = 0 },
		"application":          func(d *ostiary.Decision) { d.AppName = "" },
		"a sound application":  func(d *ostiary.Decision) { d.AppName = "a\nb" },
		"kind, without e-mail": func(d *ostiary.Decision) { d.Kind, d.Email = ostiary.NoKind, "" },
	} {
		d := whole
		lacks(&d)
		s.decide = func(q *ostiary.Question) ostiary.Decision { return d }
		r := s.show(t, pair(normalToken, "app")...)
		if r.StatusCode != 503 || s.log.last().Err == nil || r.Header.Get("X-Ostiary-Account") != "" {
			t.Errorf("without %s: %d %v", name, r.StatusCode, r.Header)
		}
	}
}
