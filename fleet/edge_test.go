package fleet

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// edge starts an edge that follows a node, or another edge; the credential is issued by the first node.
func (f *fleet) edge(name string, follows *node, args ...string) *node {
	f.Helper()
	return f.edgeOf(program, name, follows, args...)
}

// edgeOf is an edge of another program.
func (f *fleet) edgeOf(program, name string, follows *node, args ...string) *node {
	f.Helper()
	file := filepath.Join(f.TempDir(), "credential")
	if err := os.WriteFile(file, []byte(f.credential(name)+"\n"), 0o600); err != nil {
		f.Fatal(err)
	}
	n := f.prepare(name, args...)
	n.args[0], n.args[1] = program, "edge"
	n.args = append(n.args, "--server", follows.url, "--credential-file", file, "--listen", "127.0.0.1:0")
	n.env = os.Environ()
	f.launch(n)
	f.eventually(name+" decides", max(20*time.Second, f.patience), func() bool {
		status, _, err := n.ask("nothing", "app0")
		return err == nil && status == 401
	})
	return n
}

// credential is one with which an edge may follow.
func (f *fleet) credential(name string) string {
	f.Helper()
	var issued struct {
		Secret string `json:"_secret"`
	}
	if status, text := f.nodes[0].operate("POST", "/v2/operator/edge", map[string]any{"name": name}, &issued); status != 200 {
		f.Fatalf("issuing a credential answers %d %s", status, text)
	}
	return issued.Secret
}

// Edges decide as nodes do: one that follows a node, and one that follows that edge.
func TestEdgesAnswerAsTheLogSays(t *testing.T) {
	long(t)
	t.Parallel()
	f := newFleet(t, []string{"a", "b"}, "--lease", "10s")
	near := f.edge("near", f.nodes[1], "--lease", "10s")
	f.edge("far", near, "--lease", "10s")
	s := f.storm(2, 3, 2*time.Millisecond)
	time.Sleep(7 * time.Second)
	s.end(within)
	confirmed := 0
	for _, c := range f.changes {
		if slices.Equal(c.receipt.Confirmed, []string{"a", "b", "far", "near"}) {
			confirmed++
		}
	}
	if confirmed < len(f.changes)*9/10 || confirmed < 15 {
		t.Errorf("%d of %d receipts name all nodes and edges; the last is %+v", confirmed, len(f.changes),
			f.changes[len(f.changes)-1].receipt)
	}
	if s.late.Load() > 0 || s.away.Load() > 0 {
		t.Errorf("with nothing wrong, %d answers are 503 and %d did not come", s.late.Load(), s.away.Load())
	}
}

// An edge outlives what it follows for its lease, comes back by itself, and a revoked one is cut off.
func TestAnEdgeObeysItsLease(t *testing.T) {
	long(t)
	t.Parallel()
	f := newFleet(t, []string{"a", "b"}, "--lease", "6s", "--confirm-within", "300ms")
	near := f.edge("near", f.nodes[1], "--lease", "6s")
	s := f.storm(2, 2, 2*time.Millisecond)
	s.busy = 1
	time.Sleep(2 * time.Second)
	f.nodes[1].kill()
	f.eventually("the edge answers 503 once its lease is over", 12*time.Second, func() bool {
		status, _, err := near.ask(s.tokens[0].text, "app0")
		return err == nil && status == 503
	})
	port := f.nodes[1].url[len("http://"):]
	f.nodes[1].args = append(f.nodes[1].args, "--listen", port) // where the edge looks for it
	if err := f.nodes[1].start(); err != nil {
		t.Fatal(err)
	}
	f.eventually("the edge decides again by itself", 15*time.Second, func() bool {
		status, _, err := near.ask(s.tokens[0].text, "app0")
		return err == nil && status != 503
	})
	time.Sleep(time.Second)
	thaw := near.freeze()
	time.Sleep(8 * time.Second)
	thaw()
	time.Sleep(2 * time.Second)
	if status, text := f.nodes[0].operate("DELETE", "/v2/operator/edge/1", nil, nil); status != 200 {
		t.Fatalf("revoking answers %d %s", status, text)
	}
	f.eventually("the revoked edge answers 503 once its lease is over", 12*time.Second, func() bool {
		status, _, err := near.ask(s.tokens[0].text, "app0")
		return err == nil && status == 503
	})
	s.end(within)
}

// First contacts at an edge are put on record, and what is used there is counted.
func TestAnEdgeHandsOnWhoTurnedUp(t *testing.T) {
	long(t)
	t.Parallel()
	f := newFleet(t, []string{"a"})
	near := f.edge("near", f.nodes[0])
	s := f.storm(0, 0, 0)
	token := s.tokens[0]
	for range 5 {
		if status, header, err := near.ask(token.text, "newcomer"); status != 200 || err != nil {
			t.Errorf("a new application is answered %d %s, %v", status, header.Get("X-Ostiary-Code"), err)
		}
	}
	var apps []struct {
		Name  string `json:"name"`
		State string `json:"state"`
		Count int    `json:"_count"`
	}
	f.eventually("it is on record with its use", 15*time.Second, func() bool {
		status, _ := f.nodes[0].operate("GET", "/v2"+token.cid+"/app", nil, &apps)
		return status == 200 && len(apps) == 1 && apps[0].Count == 5
	})
	if len(apps) != 1 || apps[0].Name != "newcomer" || apps[0].State != "allowed" {
		t.Errorf("on record are %+v", apps)
	}
}

// A supervisor that starts a second edge in a folder is told not to try again.
func TestASecondEdgeInAFolderGivesUp(t *testing.T) {
	long(t)
	t.Parallel()
	f := newFleet(t, []string{"a"})
	near := f.edge("near", f.nodes[0])
	second := exec.CommandContext(t.Context(), near.args[0], near.args[1:]...)
	second.Env = near.env
	text, err := second.CombinedOutput()
	if code := second.ProcessState.ExitCode(); err == nil || code != 5 || !strings.Contains(string(text), near.data+" is held by process") {
		t.Errorf("a second edge ends with %d, %v, and says %.300s", code, err, text)
	}
	if status, _, err := near.ask("nothing", "app0"); err != nil || status != 401 {
		t.Errorf("the first one answers %d, %v", status, err)
	}
}
