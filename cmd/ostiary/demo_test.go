package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A running demo is a process of its own.
type running struct {
	stage
	t      *testing.T
	cmd    *exec.Cmd
	stdout *bufio.Reader
	stderr string // a file
}

func (r *running) start(args ...string) {
	r.t.Helper()
	self, err := os.Executable()
	if err != nil {
		r.t.Fatal(err)
	}
	r.cmd = exec.Command(self, append([]string{"demo"}, args...)...)
	r.cmd.Args[0] = "ostiary" // TestMain runs the command under this name
	r.cmd.Env = append(os.Environ(), "TMPDIR="+r.t.TempDir())
	r.stderr = filepath.Join(r.t.TempDir(), "stderr")
	errs, err := os.Create(r.stderr)
	if err != nil {
		r.t.Fatal(err)
	}
	defer errs.Close()
	r.cmd.Stderr = errs
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	r.stdout = bufio.NewReader(out)
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { r.cmd.Process.Kill() })
}

// said is what stands on standard error so far.
func (r *running) said() string {
	r.t.Helper()
	text, err := os.ReadFile(r.stderr)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

func startDemo(t *testing.T, args ...string) *running {
	t.Helper()
	r := &running{t: t}
	r.start(append([]string{"--json"}, args...)...)
	line, err := r.stdout.ReadString('\n')
	if err != nil {
		t.Fatalf("no line on standard output: %v\n%s", err, r.said())
	}
	decoder := json.NewDecoder(strings.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r.stage); err != nil {
		t.Fatalf("%v in %s", err, line)
	}
	return r
}

// end sends a signal, and gives the exit code and what else was printed.
func (r *running) end(signal os.Signal) (code int, rest string) {
	r.t.Helper()
	r.cmd.Process.Signal(signal)
	more, err := io.ReadAll(r.stdout)
	if err != nil {
		r.t.Fatal(err)
	}
	r.cmd.Wait()
	return r.cmd.ProcessState.ExitCode(), string(more)
}

var anyPort = []string{"--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"}

// ask sends a request as an application, and gives status and body.
func (r *running) ask(app, secret, url string) (int, string) {
	r.t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	if secret != "" {
		req.SetBasicAuth(app, secret)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestDemoTellsProgramsWhatThereIs(t *testing.T) {
	t.Parallel()
	r := startDemo(t, anyPort...)
	if r.Account.Name != "social_networks" || len(r.Users) != 3 || len(r.Tokens) != 2 {
		t.Fatalf("the stage is not the manual's: %+v", r.stage)
	}
	for i, want := range []stagedUser{
		{Email: "alice@example.com", Role: "Admin"},
		{Email: "bob@example.com", Role: "Normal"},
		{Email: "carol@example.com", Role: "Read Only"},
	} {
		got := r.Users[i]
		if got.Email != want.Email || got.Role != want.Role || got.ID == "" || got.Password == "" {
			t.Errorf("user %d: %+v, want %+v with id and password", i, got, want)
		}
	}
	for i, want := range []stagedToken{
		{Kind: "user", Owner: r.Users[0].ID, Privilege: "Admin", Default: "Allow"},
		{Kind: "user", Owner: r.Users[1].ID, Privilege: "Normal", Default: "Pending"},
	} {
		got := r.Tokens[i]
		want.ID, want.Secret = got.ID, got.Secret
		if got != want || got.ID == "" || got.Secret == "" {
			t.Errorf("token %d: %+v, want %+v", i, got, want)
		}
	}
	for url, want := range map[string]int{
		r.URL + "/healthz": 200, r.URL + "/readyz": 200, r.AdminURL + "/metrics": 200, r.AuthURL + "?need=Admin": 401,
	} {
		if got, body := r.ask("", "", url); got != want {
			t.Errorf("%s: %d %s, want %d", url, got, body, want)
		}
	}

	const listed = `[{"account":"social_networks","account_description":"Monitoring for The Social Network.",` +
		`"account_name":"Social Networks","circonus_metric_limit":500,"circonus_metrics_used":124}]`
	if status, got := r.ask("x", r.Tokens[0].Secret, r.URL+"/api/json/list_accounts"); status != 200 || strings.TrimSpace(got) != listed {
		t.Errorf("the account of the announcement: %d %s", status, got)
	}
	if status, got := r.ask("x", r.Tokens[1].Secret, r.AuthURL+"?need=Normal"); status != 401 {
		t.Errorf("bob's token lets a new application in: %d %s", status, got)
	}

	code, rest := r.end(syscall.SIGTERM)
	if code != 0 || rest != "" {
		t.Errorf("SIGTERM: exit %d, and %q on standard output; want 0 and nothing", code, rest)
	}
	if _, err := os.Stat(r.Data); !os.IsNotExist(err) {
		t.Errorf("the demo leaves its folder behind: %v", err)
	}
}

// The story is pasted as it stands.
func TestDemoStoryWorksAsPrinted(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("there is no curl to paste the story for")
	}
	r := &running{t: t}
	r.start(anyPort...)
	var lines []string
	for {
		line, err := r.stdout.ReadString('\n')
		if err != nil {
			t.Fatalf("%v\n%s", err, r.said())
		}
		if strings.HasPrefix(line, "  ") {
			lines = append(lines, strings.TrimSpace(line))
		}
		if strings.HasPrefix(line, "Ctrl-C") {
			break
		}
	}
	if len(lines) != 3 {
		t.Fatalf("the story has %d lines, want 3: %q", len(lines), lines)
	}
	for i, want := range []string{"HTTP/1.1 401 ", `Application "my-script" of token 2 is allowed.`, "HTTP/1.1 200 "} {
		shell := exec.Command("sh", "-c", lines[i])
		if i == 1 { // the test is no program that is called by its path
			args := strings.Fields(lines[i])
			shell = exec.Command(r.cmd.Path, args[1:]...)
			shell.Args[0] = "ostiary"
		}
		got, err := shell.Output()
		if err != nil || !strings.HasPrefix(string(got), want) {
			t.Errorf("line %d, %s:\n%s%v\nwant %s", i+1, lines[i], got, err, want)
		}
	}
	if code, _ := r.end(syscall.SIGINT); code != 0 {
		t.Errorf("Ctrl-C: exit %d, want 0", code)
	}
}

func TestDemoKeepsWhatItIsToldToKeep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() + "/kept"
	r := startDemo(t, append(anyPort, "--keep", dir)...)
	if r.Data != dir {
		t.Errorf("the records are in %s, want %s", r.Data, dir)
	}
	if code, _ := r.end(syscall.SIGINT); code != 0 {
		t.Errorf("exit %d, want 0", code)
	}
	if _, err := os.Stat(dir + "/" + databaseName); err != nil {
		t.Error(err)
	}
	again := &running{t: t}
	again.start(append(anyPort, "--keep", dir)...)
	code, out := again.end(syscall.Signal(0))
	if code != 1 || out != "" || !strings.Contains(again.said(), "has records already") {
		t.Errorf("a second demo on the same folder: exit %d, %s%s", code, out, again.said())
	}
}

func TestDemoTakesAFreePortWhereTheDefaultIsTaken(t *testing.T) {
	if l, err := net.Listen("tcp", "127.0.0.1:8700"); err == nil {
		defer l.Close()
	}
	r := startDemo(t)
	if strings.HasSuffix(r.URL, ":8700") {
		t.Errorf("the demo listens at %s, which another program has", r.URL)
	}
	if !strings.Contains(r.said(), "127.0.0.1:8700 is taken by another program") {
		t.Errorf("the taken address is not named:\n%s", r.said())
	}
	if code, _ := r.end(syscall.SIGTERM); code != 0 {
		t.Errorf("exit %d, want 0", code)
	}

	asked := &running{t: t}
	asked.start("--listen", "127.0.0.1:8700")
	if code, _ := asked.end(syscall.Signal(0)); code != exitTaken {
		t.Errorf("an address that was asked for and is taken: exit %d, want %d", code, exitTaken)
	}
}

// The go command does not pass SIGTERM on to the program that it runs.
func TestDemoEndsWithTheGoRunThatStartedIt(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	exe := filepath.Join(t.TempDir(), "go-build1", "b001", "exe", "ostiary")
	if err := os.MkdirAll(filepath.Dir(exe), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(self, exe); err != nil {
		t.Skip("the test's program cannot be given a second name: ", err)
	}
	r := &running{t: t}
	r.cmd = exec.Command("sh", "-c", exe+" demo --json --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 & wait")
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL) })
	if err := json.NewDecoder(out).Decode(&r.stage); err != nil {
		t.Fatal(err)
	}
	r.cmd.Process.Signal(syscall.SIGTERM)
	waitUntil(t, "removing the demo's folder", func() bool {
		_, err := os.Stat(r.Data)
		return os.IsNotExist(err)
	})
	r.cmd.Wait()
}

func waitUntil(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 500 {
		if is() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s did not happen", what)
}
