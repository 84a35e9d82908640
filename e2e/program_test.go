// Package e2e tries the program as it is shipped: built, started, spoken to over its sockets, killed.
package e2e

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
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var program string

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "ostiary-e2e-")
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

// run runs a command of the program to its end.
func run(t *testing.T, stdin string, args ...string) (stdout, stderr string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("ostiary %s: %v\n%s%s", strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String(), errs.String()
}

// A node is a running server.
type node struct {
	t    *testing.T
	cmd  *exec.Cmd
	data string
	url  string
	sock *http.Client // the operator's

	mu    sync.Mutex
	lines bytes.Buffer // everything that it wrote
	read  chan struct{}
}

// serve starts a server on a folder, and waits until it listens.
func serve(t *testing.T, data string, args ...string) *node {
	t.Helper()
	args = append([]string{"serve", "--data", data, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"}, args...)
	n := &node{t: t, cmd: exec.Command(program, args...), data: data, read: make(chan struct{})}
	logs, err := n.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	found := make(chan string, 1)
	go n.follow(logs, found)
	select {
	case n.url = <-found:
	case <-time.After(30 * time.Second):
	}
	if n.url == "" {
		n.kill()
		t.Fatalf("the server did not say where it listens:\n%s", n.log())
	}
	n.sock = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		MaxIdleConnsPerHost: 32,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(data, "ostiary.sock"))
		},
	}}
	return n
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

// kill ends the server as a power cut does.
func (n *node) kill() {
	n.cmd.Process.Kill()
	<-n.read
	n.cmd.Wait()
}

// stop ends the server as an operator does.
func (n *node) stop() {
	n.t.Helper()
	n.cmd.Process.Signal(syscall.SIGTERM)
	<-n.read
	if err := n.cmd.Wait(); err != nil {
		n.t.Errorf("the server ended with %v:\n%s", err, n.log())
	}
}

// operate calls the API as the operator. It gives status 0 where no answer came.
func (n *node) operate(method, path string, body, into any) int {
	var text bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&text).Encode(body); err != nil {
			n.t.Error(err)
		}
	}
	r, err := http.NewRequest(method, "http://ostiary"+path, &text)
	if err != nil {
		n.t.Error(err)
		return 0
	}
	w, err := n.sock.Do(r)
	if err != nil {
		return 0
	}
	defer w.Body.Close()
	answer, err := io.ReadAll(w.Body)
	if err != nil {
		return 0
	}
	if into != nil && w.StatusCode == http.StatusOK {
		if err := json.Unmarshal(answer, into); err != nil {
			n.t.Errorf("%s %s: %v: %s", method, path, err, answer)
		}
	}
	if w.StatusCode != http.StatusOK && into != nil {
		n.t.Logf("%s %s: %s", method, path, answer)
	}
	return w.StatusCode
}

// ask shows a token to the door, and gives the answer with all of its headers.
func (n *node) ask(secret, app, method, uri string) *http.Response {
	n.t.Helper()
	r, err := http.NewRequest("GET", n.url+"/auth", nil)
	if err != nil {
		n.t.Fatal(err)
	}
	r.Header.Set("X-Circonus-Auth-Token", secret)
	r.Header.Set("X-Circonus-App-Name", app)
	r.Header.Set("X-Original-Method", method)
	r.Header.Set("X-Original-URI", uri)
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		n.t.Fatal(err)
	}
	body, _ := io.ReadAll(w.Body)
	w.Body.Close()
	w.Body = io.NopCloser(bytes.NewReader(body))
	return w
}

// initialised makes a data folder with an account and its first admin.
func initialised(t *testing.T) string {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	run(t, "", "init", "--data", data, "--account", "acme", "--email", "alice@example.com")
	return data
}
