package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ostiary/internal/store/pgtest"
)

// soon waits for a claim as long as a database may need to come back.
func soon(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 20 seconds: %s", what)
		}
	}
}

// ready is the status of /readyz.
func (n *node) ready(query string) int {
	w, err := http.Get(n.url + "/readyz" + query)
	if err != nil {
		return 0
	}
	w.Body.Close()
	return w.StatusCode
}

func TestThreeNodesOnPostgreSQL(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("kills servers and a database")
	}
	c := pgtest.Start(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "database")
	if err := os.WriteFile(file, []byte(c.URL(c.Database(t))+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "", "init", "--data", filepath.Join(dir, "a"), "--database-file", file, "--account", "acme", "--email", "a@example.com")
	start := func(name string) *node {
		return serve(t, filepath.Join(dir, name), "--database-file", file)
	}
	nodes := []*node{start("a"), start("b"), start("c")}

	// A new application waits on one node, is allowed on another, and passes the third.
	var made struct {
		Cid    string `json:"_cid"`
		Secret string `json:"_secret"`
	}
	if status := nodes[0].operate("POST", "/v2/token", map[string]string{"kind": "account", "privilege": "Normal"}, &made); status != 200 {
		t.Fatalf("making a token: %d", status)
	}
	answers := func(n *node, status int) func() bool {
		return func() bool { return n.ask(made.Secret, "collector", "GET", "/").StatusCode == status }
	}
	var app struct {
		Cid string `json:"_cid"`
	}
	soon(t, "the second node knows the token", func() bool {
		return nodes[1].ask(made.Secret, "collector", "GET", "/").Header.Get("X-Ostiary-Code") == "Unauthorized.PendingApp"
	})
	soon(t, "the third node has the application", func() bool {
		var all []struct {
			Cid string `json:"_cid"`
		}
		if nodes[2].operate("GET", "/v2"+made.Cid+"/app", nil, &all); len(all) != 1 {
			return false
		}
		app = all[0]
		return nodes[2].operate("PUT", "/v2"+app.Cid, map[string]string{"state": "allowed"}, nil) == 200
	})
	for _, n := range nodes {
		soon(t, "it is let in", answers(n, 200))
	}

	// A node is killed. The others go on, and it comes back with what they did.
	nodes[0].kill()
	if status := nodes[1].operate("PUT", "/v2"+app.Cid, map[string]string{"state": "denied"}, nil); status != 200 {
		t.Errorf("a change beside a dead node: %d", status)
	}
	nodes[0] = start("a")
	if !answers(nodes[0], 403)() {
		t.Error("a node that comes back does not know what was denied")
	}
	nodes[1].operate("PUT", "/v2"+app.Cid, map[string]string{"state": "allowed"}, nil)
	for _, n := range nodes {
		soon(t, "it is let in again", answers(n, 200))
	}

	// The database is killed. Decisions go on, and nothing is refused for our own trouble.
	c.Kill(t)
	for _, n := range nodes {
		soon(t, "changes are known to be impossible", func() bool { return n.ready("?for=changes") == 503 })
		if status := n.ready(""); status != 200 {
			t.Errorf("ready for decisions: %d", status)
		}
		if !answers(n, 200)() {
			t.Error("a known application is refused while the database is away")
		}
		for _, one := range [][2]string{{"GET", "/v2/token"}, {"GET", "/v2/audit"}, {"DELETE", "/v2" + made.Cid}} {
			if status := n.operate(one[0], one[1], nil, nil); status != 503 {
				t.Errorf("%s %s without a database: %d, want 503", one[0], one[1], status)
			}
		}
	}
	c.Again(t)
	for _, n := range nodes {
		soon(t, "changes can be made again", func() bool { return n.ready("?for=changes") == 200 })
	}
	if status := nodes[2].operate("DELETE", "/v2"+made.Cid, nil, nil); status != 200 {
		t.Errorf("retiring: %d", status)
	}
	for _, n := range nodes {
		soon(t, "the token is retired", answers(n, 401))
		n.stop()
		if strings.Contains(n.log(), pgtest.Password) {
			t.Error("the password of the database is in the log")
		}
	}
	out, _ := run(t, "", "audit", "verify", "--data", filepath.Join(dir, "b"), "--database-file", file)
	if !strings.Contains(out, "the records are what it says") {
		t.Errorf("verifying says %s", out)
	}
}
