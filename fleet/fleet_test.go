// Package fleet runs several nodes of the program on one PostgreSQL, does to them what machines and
// networks do, and holds every answer against the log.
package fleet

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/store"
	"ostiary/internal/store/pgtest"
)

var program string

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "ostiary-fleet-")
	if err == nil {
		program = filepath.Join(folder, "ostiary")
		build := exec.Command("go", "build", "-o", program, "../cmd/ostiary")
		build.Stderr = os.Stderr
		err = build.Run()
	}
	code := 1
	if err == nil {
		code = m.Run()
	} else {
		fmt.Fprintln(os.Stderr, "the program cannot be built:", err)
	}
	os.RemoveAll(folder)
	os.Exit(code)
}

// A fleet is some nodes on one database.
type fleet struct {
	*testing.T
	pg       *pgtest.Cluster // nil: one node, with SQLite
	database string          // its name
	nodes    []*node
	patience time.Duration // how long a start may take; zero: half a minute

	mu      sync.Mutex
	answers []seen
	changes []acked
	doubts  []doubt
}

// newFleet starts a PostgreSQL, makes the records, and starts nodes. Further arguments are for all of them.
func newFleet(t *testing.T, names []string, args ...string) *fleet {
	t.Helper()
	return newFleetOn(t, pgtest.Start(t), names, args...)
}

func newFleetOn(t *testing.T, pg *pgtest.Cluster, names []string, args ...string) *fleet {
	t.Helper()
	f := &fleet{T: t, pg: pg}
	f.database = f.pg.Database(t)
	f.command(t.TempDir(), "init", "--account", "acme", "--email", "alice@example.com")
	for _, name := range names {
		f.add(name, args...)
	}
	return f
}

// newAlone starts one node, with its records in SQLite in a folder.
func newAlone(t *testing.T, data string, args ...string) *fleet {
	t.Helper()
	f := &fleet{T: t}
	f.command(data, "init", "--account", "acme", "--email", "alice@example.com")
	n := f.prepare("alone", append(args, "--data", data, "--listen", "127.0.0.1:0")...)
	n.data = data
	f.launch(n)
	return f
}

func (f *fleet) url() string { return f.pg.URL(f.database) }

// env is what the program of a fleet finds around it.
func (f *fleet) env() []string {
	if f.pg == nil {
		return os.Environ()
	}
	return append(os.Environ(), "OSTIARY_DATABASE="+f.url())
}

// command runs the program to its end, in a data folder.
func (f *fleet) command(data string, args ...string) string {
	f.Helper()
	cmd := exec.Command(program, append(args, "--data", data)...)
	cmd.Env = f.env()
	out, err := cmd.CombinedOutput()
	if err != nil {
		f.Fatalf("ostiary %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// A node is a running server of a fleet.
type node struct {
	name, data, url string
	before          []string // a program that runs the node, with its arguments
	args, env       []string
	door            *http.Client // for those who ask
	socket          *http.Client // the operator's

	patience time.Duration

	cmd   *exec.Cmd
	mu    sync.Mutex
	lines bytes.Buffer
	read  chan struct{}
}

// add starts a node that joins the others.
func (f *fleet) add(name string, args ...string) *node {
	f.Helper()
	n := f.prepare(name, args...)
	n.args = append(n.args, "--listen", "127.0.0.1:0")
	return f.launch(n)
}

// prepare makes a node that is not started.
func (f *fleet) prepare(name string, args ...string) *node {
	f.Helper()
	n := &node{
		name: name, data: filepath.Join(f.TempDir(), name), patience: max(30*time.Second, f.patience), env: f.env(),
	}
	n.args = append([]string{
		program, "serve", "--data", n.data, "--node-name", name, "--admin-listen", "127.0.0.1:0",
	}, args...)
	n.door = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	n.socket = &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{
		MaxIdleConnsPerHost: 16,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(n.data, "ostiary.sock"))
		},
	}}
	return n
}

func (f *fleet) launch(n *node) *node {
	f.Helper()
	if err := n.start(); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { n.kill() })
	f.nodes = append(f.nodes, n)
	return n
}

// start starts the node, also one that was killed before.
func (n *node) start() error {
	line := append(slices.Clone(n.before), n.args...)
	n.cmd, n.read = exec.Command(line[0], line[1:]...), make(chan struct{})
	n.cmd.Env = n.env
	// It ends with the test that started it, however that ends.
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	logs, err := n.cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := n.cmd.Start(); err != nil {
		return err
	}
	found := make(chan string, 1)
	go n.follow(logs, found)
	n.url = ""
	select {
	case n.url = <-found:
	case <-time.After(n.patience):
	}
	if n.url == "" {
		n.kill()
		return fmt.Errorf("%s did not say where it listens:\n%s", n.name, n.log())
	}
	return nil
}

func (n *node) follow(logs io.Reader, found chan<- string) {
	defer close(n.read)
	lines := bufio.NewScanner(logs)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		n.mu.Lock()
		n.lines.Write(append(lines.Bytes(), '\n'))
		n.mu.Unlock()
		var line struct{ URL string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.URL != "" {
			found <- line.URL
		}
	}
	close(found)
}

func (n *node) log() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.lines.String()
}

// kill ends the node as a power cut does.
func (n *node) kill() {
	n.cmd.Process.Kill()
	<-n.read
	n.cmd.Wait()
}

// stop ends the node as an operator does.
func (n *node) stop() error {
	n.cmd.Process.Signal(syscall.SIGTERM)
	<-n.read
	return n.cmd.Wait()
}

// freeze stops the process in the middle of whatever it does, until the function that it gives is called.
func (n *node) freeze() (thaw func()) {
	n.cmd.Process.Signal(syscall.SIGSTOP)
	return func() { n.cmd.Process.Signal(syscall.SIGCONT) }
}

// operate calls the API as the operator. Status 0: no answer came.
func (n *node) operate(method, path string, body, into any, headers ...string) (status int, text string) {
	var sent bytes.Buffer
	if body != nil {
		json.NewEncoder(&sent).Encode(body)
	}
	r, err := http.NewRequest(method, "http://ostiary"+path, &sent)
	if err != nil {
		return 0, err.Error()
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	w, err := n.socket.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer w.Body.Close()
	answer, err := io.ReadAll(w.Body)
	if err != nil {
		return 0, err.Error()
	}
	if into != nil && w.StatusCode == http.StatusOK {
		if err := json.Unmarshal(answer, into); err != nil {
			return 0, err.Error()
		}
	}
	return w.StatusCode, string(answer)
}

// ask shows a token to the node's door.
func (n *node) ask(secret, app string) (status int, header http.Header, err error) {
	r, err := http.NewRequest("GET", n.url+"/auth", nil)
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("X-Circonus-Auth-Token", secret)
	r.Header.Set("X-Circonus-App-Name", app)
	r.Header.Set("X-Original-Method", "GET")
	r.Header.Set("X-Original-URI", "/v1/checks")
	w, err := n.door.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer w.Body.Close()
	_, err = io.Copy(io.Discard, w.Body)
	return w.StatusCode, w.Header, err
}

// eventually waits until something holds.
func (f *fleet) eventually(what string, within time.Duration, holds func() bool) {
	f.Helper()
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if holds() {
			return
		}
	}
	f.Fatalf("not within %v: %s", within, what)
}

// verify has the program hold the log's chain, and the records against the log.
func (f *fleet) verify() {
	f.Helper()
	f.command(f.recordsFolder(), "audit", "verify")
}

// recordsFolder is where the records can be opened from: with SQLite the folder of the only node, which must
// have stopped.
func (f *fleet) recordsFolder() string {
	if f.pg == nil {
		return f.nodes[0].data
	}
	return f.TempDir()
}

// history is the log as the database has it.
type history []ostiary.Change

func (h history) Changes(after uint64, fn func(ostiary.Change) error) error {
	for _, c := range h {
		if c.Revision <= after {
			continue
		}
		if err := fn(c); err != nil {
			return err
		}
	}
	return nil
}

func (f *fleet) history() (all history) {
	f.Helper()
	var o store.Options
	if f.pg != nil {
		o.Database = store.ReadDSN(f.url())
	}
	db, err := store.Open(f.Context(), f.recordsFolder(), o)
	if err != nil {
		f.Fatal(err)
	}
	defer db.Close()
	err = db.Changes(f.Context(), 0, func(c ostiary.Change) error {
		all = append(all, c)
		return nil
	})
	if err != nil {
		f.Fatal(err)
	}
	return all
}
