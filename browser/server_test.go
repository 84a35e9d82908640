package browser_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A server is a built program that runs for one test.
type server struct {
	URL     string `json:"url"`
	Data    string `json:"data"`
	Account struct{ ID, Name string }
	Users   []struct{ ID, Email, Password string }
	Tokens  []struct{ ID, Owner, Secret string }
	t       *testing.T
}

// demo starts a server on the records of the manual: alice is an admin, bob normal, carol read-only.
func demo(t *testing.T, more ...string) *server {
	t.Helper()
	out, log := start(t, append([]string{"demo", "--json"}, more...)...)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the demo printed no line: %v\n%s", err, log.String())
	}
	s := &server{t: t}
	if err := json.Unmarshal([]byte(line), s); err != nil {
		t.Fatalf("the demo's line is no JSON: %v\n%s", err, line)
	}
	return s
}

// gallery starts a server on made-up records that show every page in every state.
func gallery(t *testing.T) *server {
	t.Helper()
	out, log := start(t, "serve", "--gallery")
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		io.Copy(io.Discard, out)
	}()
	for {
		if found := listed.FindStringSubmatch(log.String()); found != nil {
			return &server{t: t, URL: found[1]}
		}
		select {
		case <-ended:
			t.Fatalf("the gallery does not open:\n%s", log.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

var listed = regexp.MustCompile(`listed at (\S+)/gallery\n`)

// start starts the program for one test, and gives what it prints and logs.
func start(t *testing.T, args ...string) (io.Reader, *record) {
	t.Helper()
	anyPort := []string{args[0], "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"}
	cmd := exec.Command(program, append(anyPort, args[1:]...)...)
	cmd.Dir = t.TempDir()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	log := &record{}
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		hung := time.AfterFunc(15*time.Second, func() { cmd.Process.Kill() })
		defer hung.Stop()
		io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v ended with %v", args, err)
		}
		if t.Failed() {
			t.Logf("the server's log:\n%s", log.String())
		}
	})
	return out, log
}

// A record is a log that is read while it is written.
type record struct {
	mu   sync.Mutex
	text strings.Builder
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// password is the password of a user.
func (s *server) password(email string) string {
	s.t.Helper()
	for _, u := range s.Users {
		if u.Email == email {
			return u.Password
		}
	}
	s.t.Fatalf("there is no %s", email)
	return ""
}

// command runs the program's command on the server's records, and gives what it prints.
func (s *server) command(args ...string) string {
	s.t.Helper()
	cmd := exec.Command(program, append(args, "--data", s.Data)...)
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("ostiary %v: %v\n%s", args, err, problems.String())
	}
	return strings.TrimSpace(string(out))
}

// A request is one request to the API, as an application makes it.
type request struct {
	app, secret, method, path, body string
}

// get reads something small with a token.
func get(app, secret string) request {
	return request{app: app, secret: secret, method: http.MethodGet, path: "/v2/account/current"}
}

// answers sends a request, and fails where it is answered otherwise.
func (s *server) answers(r request, want int) {
	s.t.Helper()
	req, err := http.NewRequest(r.method, s.URL+r.path, strings.NewReader(r.body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("X-Circonus-Auth-Token", r.secret)
	req.Header.Set("X-Circonus-App-Name", r.app)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if res.StatusCode != want {
		s.t.Fatalf("%s %s of %q: answered with %d, want %d\n%s", r.method, r.path, r.app, res.StatusCode, want, text)
	}
}
