package main

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// signed is what an assertion says; asked gives it, as the door gives it to a user token.
type signed struct {
	text     string
	Role     string
	User     string
	Revision uint64
}

func asked(t *testing.T, s *served, secret string) signed {
	t.Helper()
	_, _, h := getPage(t, s.url+"/auth?need=Read-Only", "X-Circonus-Auth-Token", secret, "X-Circonus-App-Name", "app")
	a := signed{text: h.Get("X-Ostiary-Assertion")}
	parts := strings.Split(a.text, ".")
	if len(parts) != 3 {
		t.Fatalf("no assertion in %v", h)
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(claims, &a)
	}
	if err != nil || h.Get("X-Ostiary-Role") != a.Role || h.Get("X-Ostiary-User") != a.User {
		t.Fatalf("the assertion says %s, %v; the headers %v", claims, err, h)
	}
	return a
}

// manage runs a command on a data folder, and gives what it prints.
func (s *served) manage(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("ostiary", append(args, "--data", s.data)...).Output()
	if err != nil {
		t.Fatalf("ostiary %v: %v", args, err)
	}
	return strings.TrimSpace(string(out))
}

func TestAssertionIsSignedAnewOnceItsOwnerIsLowered(t *testing.T) {
	t.Parallel()
	s := serveData(t, newData(t), "--assertion-audience", "my-api")
	s.manage(t, "user", "add", "bob@example.com", "--role", "Normal")
	s.manage(t, "user", "add", "carol@example.com", "--role", "Normal")
	secret := s.manage(t, "token", "new", "--owner", "bob@example.com", "--privilege", "Normal",
		"--default-app-state", "Allow")

	first := asked(t, s, secret)
	if first.Role != "Normal" || first.User != "bob@example.com" {
		t.Errorf("it says %+v", first)
	}
	s.manage(t, "user", "role", "carol@example.com", "Admin")
	s.manage(t, "token", "new", "--owner", "bob@example.com", "--privilege", "Normal")
	if asked(t, s, secret).text != first.text {
		t.Error("what others do signs bob's anew")
	}
	s.manage(t, "user", "role", "bob@example.com", "Read-Only")
	lowered := asked(t, s, secret)
	if lowered.Role != "Read Only" || lowered.Revision < first.Revision+3 {
		t.Errorf("bob is lowered, and it says %+v; before %+v", lowered, first)
	}
	// The identity is what it was at first; the assertion is none of before all the same.
	s.manage(t, "user", "role", "bob@example.com", "Normal")
	if again := asked(t, s, secret); again.Role != "Normal" || again.Revision <= lowered.Revision {
		t.Errorf("bob is raised again, and it says %+v; before %+v", again, lowered)
	}
	s.stop(t)
}

func TestKeysAreServedWithoutATokenWhereIdentitiesAreSigned(t *testing.T) {
	t.Parallel()
	data := newData(t)
	off := serveData(t, data)
	status, body, h := getPage(t, off.url+"/.well-known/jwks.json")
	unknown, text, other := getPage(t, off.url+"/.well-known/else")
	if status != unknown || len(body) == 0 || len(text) == 0 || h.Get("X-Ostiary-Code") != other.Get("X-Ostiary-Code") {
		t.Errorf("nothing is signed, and the keys are %d %s; an unknown path is %d %s", status, body, unknown, text)
	}
	if _, _, h := getPage(t, off.url+"/auth?need=Admin", "X-Circonus-Auth-Token", off.newToken(t),
		"X-Circonus-App-Name", "app"); h.Get("X-Ostiary-Role") != "Admin" || h["X-Ostiary-Assertion"] != nil {
		t.Errorf("nothing is signed, and the door says %v", h)
	}
	off.stop(t)
	if _, err := os.Stat(filepath.Join(data, "assertion-keys")); err == nil {
		t.Error("nothing is signed, and keys were made")
	}

	on := serveData(t, data, "--assertion-audience", "my-api")
	status, body, h = getPage(t, on.url+"/.well-known/jwks.json")
	if status != 200 || !strings.Contains(body, `"crv":"Ed25519"`) || strings.Contains(body, `"d"`) ||
		h.Get("Content-Type") != "application/jwk-set+json" {
		t.Errorf("the keys are %d %s %v", status, body, h)
	}
	on.stop(t)
	again := serveData(t, data, "--assertion-audience", "my-api")
	if _, same, _ := getPage(t, again.url+"/.well-known/jwks.json"); same != body {
		t.Errorf("after a restart the keys are %s, before %s", same, body)
	}
	again.stop(t)
}

func TestServeRefusesDamagedKeys(t *testing.T) {
	t.Parallel()
	data := newData(t)
	keys := filepath.Join(data, "assertion-keys")
	if err := os.WriteFile(keys, []byte(`{"keys":`), 0o600); err != nil {
		t.Fatal(err)
	}
	said := refusesToServe(t, 1, "--data", data, "--assertion-audience", "my-api")
	wantSays(t, said, keys, "damaged", "move it away")
}
