package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
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

// A served process is 'ostiary serve', running for real.
type served struct {
	cmd              *exec.Cmd
	data, url, admin string
	ended            chan error // its exit

	mu  sync.Mutex
	log bytes.Buffer
}

// newData makes a data folder with an account and its admin.
func newData(t *testing.T) string {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	out, err := exec.Command("ostiary", "init", "--data", data, "--account", "acme", "--email", "a@example.com").CombinedOutput()
	if err != nil {
		t.Fatalf("init: %v\n%s", err, out)
	}
	return data
}

// serveData starts a server at free ports, and waits until it says where it listens.
func serveData(t *testing.T, data string, args ...string) *served {
	t.Helper()
	s := &served{data: data, ended: make(chan error, 1)}
	s.cmd = exec.Command("ostiary", append([]string{
		"serve", "--data", data, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
	}, args...)...)
	pipe, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.cmd.Process.Kill() })
	listening := make(chan struct{})
	go func() {
		scan := bufio.NewScanner(pipe)
		for scan.Scan() {
			s.note(scan.Bytes(), listening)
		}
		s.ended <- s.cmd.Wait()
	}()
	select {
	case <-listening:
	case <-time.After(10 * time.Second):
		t.Fatalf("the server does not start:\n%s", s.text())
	}
	return s
}

func (s *served) note(line []byte, listening chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log.Write(append(line, '\n'))
	var l struct {
		Msg   string `json:"msg"`
		URL   string `json:"url"`
		Admin string `json:"admin_url"`
	}
	if json.Unmarshal(line, &l) == nil && l.Msg == "listening" {
		s.url, s.admin = l.URL, l.Admin
		close(listening)
	}
}

func (s *served) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// stop ends the server as a supervisor does, and wants the exit 0.
func (s *served) stop(t *testing.T) {
	t.Helper()
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-s.ended:
		if err != nil {
			t.Errorf("it ends with %v:\n%s", err, s.text())
		}
	case <-time.After(15 * time.Second):
		t.Fatal("it does not end")
	}
}

// newToken makes an account token over the socket, and gives its secret.
func (s *served) newToken(t *testing.T) string {
	t.Helper()
	text, err := newSocketClient(s.data).post(t.Context(), "/v2/token", map[string]string{
		"kind": "account", "privilege": "Admin", "default_app_state": "Allow",
	})
	if err != nil {
		t.Fatal(err)
	}
	made, err := decode[struct {
		Secret string `json:"_secret"`
	}](text)
	if err != nil || made.Secret == "" {
		t.Fatalf("no secret in %s: %v", text, err)
	}
	return made.Secret
}

// get gives status and body of a page, with headers as pairs.
func getPage(t *testing.T, url string, headers ...string) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body), res.Header
}

func (s *served) auth(t *testing.T, secret, app string) int {
	t.Helper()
	status, _, _ := getPage(t, s.url+"/auth?need=Admin", "X-Circonus-Auth-Token", secret, "X-Circonus-App-Name", app)
	return status
}

// refusesToServe runs serve until it ends, and gives what it says.
func refusesToServe(t *testing.T, code int, args ...string) string {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	args = append([]string{"serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"}, args...)
	cmd := exec.CommandContext(ctx, "ostiary", args...)
	out, _ := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Errorf("%v: exit %d, want %d\n%s", args, got, code, out)
	}
	return string(out)
}

func wantSays(t *testing.T, said string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(said, w) {
			t.Errorf("it does not say %q:\n%s", w, said)
		}
	}
}

func TestServeNeverMakesADatabase(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "none")
	wantSays(t, refusesToServe(t, 3, "--data", data), data, "ostiary init")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	wantSays(t, refusesToServe(t, 3, "--data", data), data, "ostiary init")
	if err := os.WriteFile(filepath.Join(data, "ostiary.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wantSays(t, refusesToServe(t, 3, "--data", data), "empty", "ostiary init")
}

func TestServeRefusesADatabaseOfThePast(t *testing.T) {
	t.Parallel()
	data := newData(t)
	file := filepath.Join(data, "ostiary.db")
	old, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := serveData(t, data)
	s.newToken(t)
	s.stop(t)
	if err := os.WriteFile(file, old, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, end := range []string{"-wal", "-shm"} {
		os.Remove(file + end)
	}
	wantSays(t, refusesToServe(t, 4, "--data", data), "--accept-rollback")
	serveData(t, data, "--accept-rollback").stop(t)
}

func TestServeRefusesAFolderThatIsInUse(t *testing.T) {
	t.Parallel()
	s := serveData(t, newData(t))
	wantSays(t, refusesToServe(t, 5, "--data", s.data), s.data, fmt.Sprint(s.cmd.Process.Pid))
	if status, _, _ := getPage(t, s.url+"/readyz"); status != 200 {
		t.Errorf("the server that runs answers %d", status)
	}
	if _, err := newSocketClient(s.data).get(t.Context(), "/account"); err != nil {
		t.Errorf("its socket is gone: %v", err)
	}
}

func TestServeRefusesANewerSchema(t *testing.T) {
	t.Parallel()
	data := newData(t)
	db, err := sql.Open("sqlite", filepath.Join(data, "ostiary.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`INSERT INTO migrations (version_id, is_applied) VALUES (9999, 1)`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	wantSays(t, refusesToServe(t, 6, "--data", data), "9999", "newer version")
}

func TestServeRefusesATakenAddress(t *testing.T) {
	t.Parallel()
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	taken := other.Addr().String()
	data := newData(t)
	wantSays(t, refusesToServe(t, 7, "--data", data, "--listen", taken), taken, "--listen")
	wantSays(t, refusesToServe(t, 7, "--data", data, "--admin-listen", taken), taken, "--admin-listen")
}

func TestServeRefusesWhatItDoesNotUnderstand(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "ostiary.conf")
	if err := os.WriteFile(file, []byte("\nlissten = :1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantSays(t, refusesToServe(t, 2, "--config", file), file+":2:", "lissten")
	wantSays(t, refusesToServe(t, 2, "--lissten", ":1"), "lissten")
	wantSays(t, refusesToServe(t, 1, "--data", newData(t), "--trusted-peers", "somebody"), "somebody")
}

func TestServeFinishesTheRequestInFlightAndExitsWithZero(t *testing.T) {
	t.Parallel()
	s := serveData(t, newData(t))
	secret := s.newToken(t)
	c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const body = `{"kind":"account"}`
	fmt.Fprintf(c, "POST /v2/token HTTP/1.1\r\nHost: x\r\nX-Circonus-Auth-Token: %s\r\nX-Circonus-App-Name: a\r\n"+
		"Content-Length: %d\r\n\r\n%s", secret, len(body), body[:5])
	time.Sleep(100 * time.Millisecond) // the server has the headers
	s.cmd.Process.Signal(syscall.SIGTERM)
	for range 100 {
		probe, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			break
		}
		probe.Close()
		time.Sleep(10 * time.Millisecond)
	}
	io.WriteString(c, body[5:])
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("the request in flight got %v, %v\n%s", res, err, s.text())
	}
	s.stop(t)
	wantSays(t, s.text(), `"msg":"stopped"`)

	again := serveData(t, s.data)
	text, err := newSocketClient(s.data).get(t.Context(), "/v2/token")
	if err != nil || strings.Count(string(text), `"_cid":"/token/`) != 2 {
		t.Errorf("the change of the last request is lost: %s %v", text, err)
	}
	again.stop(t)
}

func TestUseIsWrittenWhenTheServerEnds(t *testing.T) {
	t.Parallel()
	s := serveData(t, newData(t), "--use-flush", "1h")
	secret := s.newToken(t)
	for range 3 {
		if status := s.auth(t, secret, "collector"); status != 200 {
			t.Fatalf("got %d\n%s", status, s.text())
		}
	}
	s.stop(t)
	serveData(t, s.data)
	text, err := newSocketClient(s.data).get(t.Context(), "/v2/app")
	if err != nil || !strings.Contains(string(text), `"_count":3`) {
		t.Errorf("the use is lost: %s %v", text, err)
	}
}

func TestDecisionsGoOnAfterTheDatabaseIsGone(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(file string) error{
		"deleted": os.Remove,
		"replaced": func(file string) error {
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			if err := os.WriteFile(file+".copy", text, 0o600); err != nil {
				return err
			}
			return os.Rename(file+".copy", file)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serveData(t, newData(t))
			secret := s.newToken(t)
			if status := s.auth(t, secret, "known"); status != 200 {
				t.Fatalf("before: %d", status)
			}
			if err := harm(filepath.Join(s.data, "ostiary.db")); err != nil {
				t.Fatal(err)
			}
			waitDegraded(t, s)
			if status := s.auth(t, secret, "known"); status != 200 {
				t.Errorf("a decision: %d", status)
			}
			if status := s.auth(t, secret, "new"); status != 200 {
				t.Errorf("a decision about a new application: %d", status)
			}
			if status := s.auth(t, secret[:20], "known"); status != 401 {
				t.Errorf("a refusal: %d", status)
			}
			_, err := newSocketClient(s.data).post(t.Context(), "/v2/token", map[string]string{"kind": "account"})
			if err == nil || !strings.Contains(err.Error(), "503") {
				t.Errorf("a change: %v, want 503", err)
			}
			_, metrics, _ := getPage(t, s.admin+"/metrics")
			wantSays(t, metrics, `ostiary_degraded{part="changes"} 1`, `ostiary_degraded{part="decisions"} 0`)
			began := time.Now()
			s.stop(t)
			if took := time.Since(began); took > stopWithin/2 {
				t.Errorf("it waited %s for a database that does not come back", took)
			}
		})
	}
}

// waitDegraded wants /readyz to say within a second that no changes can be made.
func waitDegraded(t *testing.T, s *served) {
	t.Helper()
	deadline := time.Now().Add(time.Second)
	for {
		status, body, _ := getPage(t, s.url+"/readyz")
		changes, _, _ := getPage(t, s.url+"/readyz?for=changes")
		if status == 200 && strings.Contains(body, `"degraded":["changes"`) && changes == 503 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after a second: %d %s, for changes %d", status, body, changes)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
