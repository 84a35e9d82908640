// Package interop_test drives real, unchanged clients and real proxies against a built server.
package interop_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// program is the path of the built ostiary.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "interop")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "ostiary")
	build := exec.Command("go", "build", "-C", "..", "-buildvcs=false", "-o", program, "./cmd/ostiary")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the program: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// A server is a demo that runs for one test.
type server struct {
	URL     string `json:"url"`
	AuthURL string `json:"auth_url"`
	Data    string `json:"data"`
	Users   []struct{ ID, Email, Password string }
	Tokens  []struct{ ID, Owner, Secret string }
	t       *testing.T
}

// start starts a demo, and waits for the line that says where it is.
func start(t *testing.T, flags ...string) *server {
	t.Helper()
	s, end := demo(t, flags...)
	t.Cleanup(end)
	return s
}

// demo is start for who ends it.
func demo(t *testing.T, flags ...string) (s *server, end func()) {
	t.Helper()
	cmd := exec.Command(program, append([]string{
		"demo", "--json", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
	}, flags...)...)
	cmd.Dir = t.TempDir()
	var log strings.Builder
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end = func() {
		cmd.Process.Signal(syscall.SIGTERM)
		rest, _ := io.ReadAll(out)
		if err := cmd.Wait(); err != nil || len(rest) > 0 {
			t.Errorf("the demo ended with %v and printed after its line: %q", err, rest)
		}
		if t.Failed() {
			t.Logf("the server's log:\n%s", log.String())
		}
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the demo printed no line: %v\n%s", err, log.String())
	}
	s = &server{t: t}
	if err := json.Unmarshal([]byte(line), s); err != nil {
		t.Fatalf("the demo's line is no JSON: %v\n%s", err, line)
	}
	return s, end
}

// secret is the secret of the token of a user.
func (s *server) secret(email string) string {
	s.t.Helper()
	for _, u := range s.Users {
		for _, token := range s.Tokens {
			if u.Email == email && token.Owner == u.ID {
				return token.Secret
			}
		}
	}
	s.t.Fatalf("the demo has no token of %s", email)
	return ""
}

// decide adds, allows or denies an application of bob's token, on the command line.
func (s *server) decide(verb, app string, flags ...string) {
	s.t.Helper()
	for _, token := range s.Tokens {
		if token.Secret == s.secret("bob@example.com") {
			args := append([]string{"app", verb, token.ID, app, "--data", s.Data}, flags...)
			out, err := exec.Command(program, args...).CombinedOutput()
			if err != nil {
				s.t.Fatalf("ostiary app %s: %v\n%s", verb, err, out)
			}
		}
	}
}

// A seen is what was last asked about with an application's name, and where from.
type seen struct {
	Name    string
	Request string `json:"_last_request"`
	From    string `json:"_last_from"`
}

func (s *server) lastSeen(app string) seen {
	s.t.Helper()
	out, err := exec.Command(program, "app", "list", "--json", "--data", s.Data).Output()
	if err != nil {
		s.t.Fatal(err)
	}
	var apps []seen
	if err := json.Unmarshal(out, &apps); err != nil {
		s.t.Fatal(err)
	}
	for _, one := range apps {
		if one.Name == app {
			return one
		}
	}
	return seen{}
}

// missing skips on a laptop, and fails where CI runs.
func missing(t *testing.T, what string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(what, args...)
	}
	t.Skipf(what, args...)
}

// lastPort is the port that freeAddress gave last.
var lastPort atomic.Int32

// freeAddress is an address that stays free until somebody listens there, also again and again: its port
// is below those that the system gives to outgoing connections, and nobody else here gets it.
func freeAddress(t *testing.T) string {
	t.Helper()
	const first, many = 20_000, 12_000
	lastPort.CompareAndSwap(0, int32(os.Getpid()%many))
	for range many {
		address := fmt.Sprintf("127.0.0.1:%d", first+lastPort.Add(1)%many)
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address
		}
	}
	t.Fatal("no port is free")
	return ""
}

// waitFor waits until something answers at an address.
func waitFor(t *testing.T, address string) {
	t.Helper()
	for range 100 {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("nothing answers at %s", address)
}

func body(t *testing.T, res *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return string(text)
}
