package fleet

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ostiary/internal/directory"
)

// faulty builds the program with a fault: memory skips every retirement that comes by the log.
func (f *fleet) faulty() string {
	f.Helper()
	const file, stands = "../internal/directory/directory.go", "		d.contents.apply(f)\n"
	text, err := os.ReadFile(file)
	if err != nil {
		f.Fatal(err)
	}
	whole, err := filepath.Abs(file)
	if err != nil {
		f.Fatal(err)
	}
	folder := f.TempDir()
	broken := strings.Replace(string(text), stands, `
		if f.Token != nil && f.Token.Retired {
			continue
		}
`+stands, 1)
	if broken == string(text) {
		f.Fatal("the line to break is not there any more")
	}
	overlay, _ := json.Marshal(map[string]any{"Replace": map[string]string{whole: filepath.Join(folder, "directory.go")}})
	for name, text := range map[string]string{"directory.go": broken, "overlay.json": string(overlay)} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			f.Fatal(err)
		}
	}
	out := filepath.Join(folder, "ostiary")
	build := exec.Command("go", "build", "-overlay", filepath.Join(folder, "overlay.json"), "-o", out, "../cmd/ostiary")
	if text, err := build.CombinedOutput(); err != nil {
		f.Fatalf("the faulty program cannot be built: %v\n%s", err, text)
	}
	return out
}

// degraded is what a node names as not working.
func (n *node) degraded() (parts []string, text string) {
	w, err := n.door.Get(n.url + "/readyz")
	if err != nil {
		return nil, err.Error()
	}
	defer w.Body.Close()
	body, _ := io.ReadAll(w.Body)
	var said struct{ Degraded []string }
	json.Unmarshal(body, &said)
	return said.Degraded, string(body)
}

// comparison runs 'ostiary node compare' at a node.
func (n *node) comparison() (exit int, text string) {
	cmd := exec.Command(program, "node", "compare", "--data", n.data)
	out, _ := cmd.CombinedOutput()
	return cmd.ProcessState.ExitCode(), string(out)
}

// A node that skips a retirement is found out by the others and by itself, and is right again. So is an edge.
func TestANodeThatSkipsARetirementIsFoundOut(t *testing.T) {
	long(t)
	t.Parallel()
	f := newFleet(t, []string{"a", "c"}, "--confirm-within", "300ms")
	a := f.nodes[0]
	faulty := f.faulty()
	b := f.prepare("b", "--confirm-within", "300ms")
	b.args[0] = faulty
	b.args = append(b.args, "--listen", "127.0.0.1:0")
	f.launch(b)
	near := f.edgeOf(faulty, "near", a)
	s := f.storm(0, 0, 0)
	first, second := s.tokens[0], s.tokens[1]
	let := func(n *node, token held) bool {
		status, _, err := n.ask(token.text, "app0")
		return err == nil && status == 200
	}
	for _, n := range []*node{a, b, near} {
		f.eventually(n.name+" lets both in", 10*time.Second, func() bool { return let(n, first) && let(n, second) })
	}
	f.eventually("all hold the same", 20*time.Second, func() bool {
		exit, text := a.comparison()
		return exit == 0 && strings.Count(text, "same: ") == 3
	})

	retire := func(token held) {
		if status, text := a.operate("DELETE", "/v2"+token.cid, nil, nil); status != 200 {
			t.Fatalf("retiring answers %d %s", status, text)
		}
	}
	retire(first)
	begun := time.Now()
	c := f.nodes[1]
	for n, others := range map[*node]string{a: "b near", c: "b", b: "a|c"} { // b is right again before it has told of both
		for other := range strings.FieldsSeq(others) {
			alarm := regexp.MustCompile(`"two nodes hold different records at the same revision","node":"` + n.name +
				`","other":"(` + other + `)"`)
			f.eventually(n.name+" says that it differs from "+other, 15*time.Second, func() bool { return alarm.MatchString(n.log()) })
		}
	}
	t.Logf("every alarm after %v", time.Since(begun).Round(100*time.Millisecond))
	f.eventually("b says that it was wrong", 15*time.Second, func() bool {
		return strings.Contains(b.log(), "this node's memory was not what the database says") &&
			strings.Contains(b.log(), `"differs":"token `+strings.TrimPrefix(first.cid, "/token/")+`"`)
	})
	f.eventually("a finds itself right", 15*time.Second, func() bool { return strings.Contains(a.log(), "another one is wrong") })
	for _, n := range []*node{b, near} {
		f.eventually(n.name+" refuses the token", 15*time.Second, func() bool { return !let(n, first) })
	}
	t.Logf("all are right after %v", time.Since(begun).Round(100*time.Millisecond))
	for _, n := range []*node{a, b, c, near} {
		f.eventually(n.name+" has no alarm any more", 15*time.Second, func() bool {
			parts, _ := n.degraded()
			return !slices.Contains(parts, "compare")
		})
	}
	if exit, text := a.comparison(); exit != 0 {
		t.Errorf("afterwards node compare ends with %d: %s", exit, text)
	}

	var verified struct{ Digest string }
	if err := json.Unmarshal([]byte(f.command(c.data, "audit", "verify", "--json")), &verified); err != nil || len(verified.Digest) != 64 {
		t.Errorf("audit verify gives the digest %q, %v", verified.Digest, err)
	}
	f.eventually("node list shows the digest that audit verify prints, at every node", 10*time.Second, func() bool {
		return strings.Count(f.command(a.data, "node", "list", "--json"), `"digest": "`+verified.Digest+`"`) == 4
	})

	// Within ten minutes memory is not loaded again, so the alarm stays until b is restarted.
	retire(second)
	f.eventually("node compare names b", 20*time.Second, func() bool {
		exit, text := c.comparison()
		return exit == 1 && strings.Contains(text, "differs: ")
	})
	for _, n := range []*node{c, b} {
		if parts, text := n.degraded(); !slices.Contains(parts, "compare") {
			t.Errorf("/readyz of %s does not name it: %s", n.name, text)
		}
	}
	if text := f.command(c.data, "node", "list"); !strings.Contains(text, "decides, differs from this node") {
		t.Errorf("node list does not name it: %s", text)
	}
	if err := b.stop(); err != nil {
		t.Error(err)
	}
	state := func(want string) func() bool {
		return func() bool {
			list := f.command(a.data, "node", "list")
			at := strings.Index(list, "  b  ")
			return at > 0 && strings.HasSuffix(strings.TrimRight(strings.SplitN(list[at:], "\n", 2)[0], " "), want)
		}
	}
	f.eventually("b has stopped, as the others know", 10*time.Second, state("stopped"))
	if err := b.start(); err != nil {
		t.Fatal(err)
	}
	f.eventually("b refuses the second token too", 20*time.Second, func() bool { return !let(b, second) })
	f.eventually("b counts as there again", 10*time.Second, state("decides"))
	f.eventually("its local copy is right as well", 20*time.Second, func() bool {
		wrong, _, err := directory.OpenCopy(filepath.Join(b.data, "memory"))
		right, _, failed := directory.OpenCopy(filepath.Join(a.data, "memory"))
		return err == nil && failed == nil && wrong.Holds() == right.Holds()
	})
}
