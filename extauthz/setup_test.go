package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// programs is where the built ostiary and extauthz are.
var programs string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "extauthz")
	if err != nil {
		panic(err)
	}
	programs = dir
	for _, build := range [][]string{
		{"-C", "..", "-o", dir + "/ostiary", "./cmd/ostiary"}, {"-o", dir + "/extauthz", "."},
	} {
		cmd := exec.Command("go", append([]string{"build"}, build...)...)
		cmd.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false")
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building the programs: %v\n%s", err, out)
			os.Exit(1)
		}
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// A process is one of the programs, running for real, with what it logs.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	mu  sync.Mutex
	log bytes.Buffer
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *process) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

func launch(t *testing.T, program string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(filepath.Join(programs, program), args...)}
	p.cmd.Stderr = p
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil && p.cmd.Process != nil {
			p.cmd.Process.Kill()
			p.cmd.Wait()
		}
		if t.Failed() {
			t.Logf("what %s said:\n%s", program, p.text())
		}
	})
	return p
}

func (p *process) start() {
	p.t.Helper()
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
}

// listening waits until the program says where it listens, under a key of its line.
func (p *process) listening(key string) string {
	p.t.Helper()
	for range 200 {
		for line := range strings.Lines(p.text()) {
			var l map[string]any
			if json.Unmarshal([]byte(line), &l) == nil && l["msg"] == "listening" {
				return fmt.Sprint(l[key])
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.t.Fatalf("it does not listen:\n%s", p.text())
	return ""
}

// An authority is a demo.
type authority struct {
	*process
	URL     string `json:"url"`
	AuthURL string `json:"auth_url"`
	Data    string `json:"data"`
	Tokens  []struct{ ID, Secret string }
}

func startAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{process: launch(t, "ostiary", "demo", "--json", "--listen", "127.0.0.1:0",
		"--admin-listen", "127.0.0.1:0", "--keep", filepath.Join(t.TempDir(), "data"))}
	out, err := a.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	a.start()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the demo prints no line: %v\n%s", err, a.text())
	}
	if err := json.Unmarshal([]byte(line), a); err != nil {
		t.Fatal(err)
	}
	return a
}

// alice's token lets new applications in, bob's lets them wait.
func (a *authority) alice() string { return a.Tokens[0].Secret }
func (a *authority) bob() string   { return a.Tokens[1].Secret }

// decide decides about an application of bob's token beforehand: "allowed" or "denied".
func (a *authority) decide(app, state string) {
	a.t.Helper()
	cmd := exec.Command(filepath.Join(programs, "ostiary"),
		"app", "add", a.Tokens[1].ID, app, "--state", state, "--data", a.Data)
	if out, err := cmd.CombinedOutput(); err != nil {
		a.t.Fatalf("ostiary app add: %v\n%s", err, out)
	}
}

// startDoor starts extauthz, and connects to it as Envoy does.
func startDoor(t *testing.T, authURL string, flags ...string) (*process, auth.AuthorizationClient) {
	t.Helper()
	p := launch(t, "extauthz", append([]string{"--listen", "127.0.0.1:0", "--auth", authURL}, flags...)...)
	p.start()
	return p, auth.NewAuthorizationClient(connect(t, p.listening("address")))
}

func connect(t *testing.T, address string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// freeze stops the program in its tracks, and waits until every thread of it stands.
func (p *process) freeze() {
	p.t.Helper()
	p.cmd.Process.Signal(syscall.SIGSTOP)
	for range 200 {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.cmd.Process.Pid))
		if err != nil || len(threads) == 0 {
			p.t.Skip("this system does not say whether a program stands")
		}
		moves := slices.ContainsFunc(threads, func(file string) bool {
			stat, err := os.ReadFile(file)
			return err == nil && !strings.Contains(string(stat), ") T ")
		})
		if !moves {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	p.t.Fatal("the program does not stop")
}

// end sends a signal, and gives the exit code.
func (p *process) end(signal syscall.Signal) int {
	p.t.Helper()
	p.cmd.Process.Signal(signal)
	return p.ended()
}

// ended waits until the program ends, and gives its exit code.
func (p *process) ended() int {
	p.t.Helper()
	late := time.AfterFunc(20*time.Second, func() {
		p.t.Error("the program does not end")
		p.cmd.Process.Kill()
	})
	defer late.Stop()
	p.cmd.Wait()
	return p.cmd.ProcessState.ExitCode()
}

// answering is something at the door's address that writes bytes, or nothing, and is no door.
func answering(t *testing.T, text string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		var silent []net.Conn
		defer func() {
			for _, c := range silent {
				c.Close()
			}
		}()
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			silent = append(silent, c)
			if text != "" {
				c.Read(make([]byte, 64<<10))
				c.Write([]byte(text))
				c.Close()
			}
		}
	}()
	return "http://" + l.Addr().String() + "/auth"
}
