package fleet

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ostiary/internal/store/pgtest"
)

// A copy that lagged takes over: it lacks a retirement that was acknowledged. What nodes know stays in force, and
// nothing is built on the older records until somebody says that this is meant.
func TestACopyThatLaggedTakesOver(t *testing.T) {
	long(t)
	t.Parallel()
	f := newFleet(t, nil)
	second := f.pg.Standby(t)
	both := fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d,127.0.0.1:%d/%s?sslmode=disable",
		pgtest.User, pgtest.Password, f.pg.Port, second.Port, f.database)
	for _, name := range []string{"a", "b"} {
		n := f.prepare(name, "--listen", "127.0.0.1:0", "--lease", "8s")
		n.env = append(n.env, "OSTIARY_DATABASE="+both)
		f.launch(n)
	}
	a, b := f.nodes[0], f.nodes[1]
	s := f.storm(0, 0, 0)
	gone, kept := s.tokens[0], s.tokens[1]
	f.eventually("the copy has everything", 20*time.Second, func() bool {
		return len(pgtest.Column[int](t, f.pg, "postgres",
			`SELECT pid FROM pg_stat_replication WHERE replay_lsn = pg_current_wal_lsn()`)) == 1
	})
	second.Kill(t)
	if text := s.made(a, "DELETE", "/v2"+gone.cid, nil); text == "" {
		t.Fatal("the token cannot be retired")
	}
	f.pg.Kill(t)
	second.Again(t)
	second.Promote(t)

	for _, n := range f.nodes {
		f.eventually(n.name+" notices", 20*time.Second, func() bool {
			return strings.Contains(n.log(), "acknowledged are lost") &&
				strings.Contains(n.log(), "token "+strings.TrimPrefix(gone.cid, "/token/")+" retired")
		})
	}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		for _, n := range f.nodes {
			if status, _, err := n.ask(gone.text, "app0"); status != 401 {
				t.Fatalf("%s answers %d, %v to a token whose retirement the records have forgotten", n.name, status, err)
			}
			if status, _, err := n.ask(kept.text, "app0"); status != 200 {
				t.Fatalf("%s answers %d, %v to a token that nobody touched", n.name, status, err)
			}
			if status, _ := n.operate("PUT", "/v2"+kept.cid, map[string]any{"description": "x"}, nil); status != 503 {
				t.Fatalf("%s answers %d to a change", n.name, status)
			}
		}
	}

	a.kill()
	if err := a.start(); err == nil || !strings.Contains(err.Error(), "accept-rollback") {
		t.Errorf("a starts with older records, or does not say what to do: %v", err)
	}
	a.args = append(a.args, "--accept-rollback")
	if err := a.start(); err != nil {
		t.Fatal(err)
	}
	if status, _, err := a.ask(gone.text, "app0"); status != 401 {
		t.Errorf("with --accept-rollback the retired token is answered %d, %v", status, err)
	}
	var made struct {
		CID    string `json:"_cid"`
		Secret string `json:"_secret"`
	}
	body := map[string]any{"kind": "account", "privilege": "Normal", "default_app_state": "Allow"}
	if status, text := a.operate("POST", "/v2/token", body, &made); status != 200 {
		t.Fatalf("with --accept-rollback a change answers %d %s", status, text)
	}
	// b holds another history: it gives nothing of the new one, and takes away what that takes away.
	if status, text := a.operate("DELETE", "/v2"+kept.cid, nil, nil); status != 200 {
		t.Fatalf("retiring answers %d %s", status, text)
	}
	f.eventually("b refuses what is retired since", 5*time.Second, func() bool {
		status, _, err := b.ask(kept.text, "app0")
		return err == nil && status == 401
	})
	b.kill()
	b.args = append(b.args, "--accept-rollback")
	if err := b.start(); err != nil {
		t.Fatal(err)
	}
	for secret, want := range map[string]int{gone.text: 401, kept.text: 401, made.Secret: 200} {
		if status, _, err := b.ask(secret, "app0"); status != want {
			t.Errorf("b, with --accept-rollback, answers %d, %v; want %d", status, err, want)
		}
	}
}
