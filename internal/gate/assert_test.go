package gate_test

import (
	"net/http"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/gate"
)

// A stamp signs everything with itself.
type stamp string

func (s stamp) Assertion(ostiary.Decision, time.Time) string { return string(s) }

func signed(t *testing.T, s stamp) *site {
	t.Helper()
	return openSite(t, "loopback", func(g *gate.Gate) { g.Sign = s })
}

func TestAssertionStandsBesideTheIdentityAndNowhereElse(t *testing.T) {
	s := signed(t, "a.b.c")
	r := s.show(t, append(pair(normalToken, "app"), "X-Ostiary-Assertion: d.e.f")...)
	if got := r.Header["X-Ostiary-Assertion"]; len(got) != 1 || got[0] != "a.b.c" || identity(r)["X-Ostiary-Role"] != "Normal" {
		t.Errorf("let through with %v", r.Header)
	}
	for what, token := range map[string]string{"denied": denyToken, "waiting": pendingToken, "retired": retiredToken} {
		if r := s.show(t, pair(token, "app")...); r.Header["X-Ostiary-Assertion"] != nil || r.StatusCode == 200 {
			t.Errorf("%s: %d %v", what, r.StatusCode, r.Header)
		}
	}
	if r := open(t, "loopback").show(t, pair(normalToken, "app")...); r.Header["X-Ostiary-Assertion"] != nil {
		t.Errorf("a door that does not sign says %v", r.Header)
	}
}

func TestNobodyIsLetThroughUnsignedWhereTheAPICountsOnIt(t *testing.T) {
	s := signed(t, "")
	r := s.show(t, pair(normalToken, "app")...)
	if r.StatusCode != http.StatusServiceUnavailable || s.log.last().Err == nil || r.Header.Get("X-Ostiary-User") != "" {
		t.Errorf("without a signature: %d %v", r.StatusCode, r.Header)
	}
}
