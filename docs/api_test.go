package docs_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// An api is one of the examples, running.
type api struct{ url string }

func runAPI(t *testing.T, command []string, ostiary string) *api {
	t.Helper()
	listen := freePort(t)
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "LISTEN="+listen, "OSTIARY="+ostiary, "AUDIENCE=my-api")
	begin(t, cmd)
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	})
	waitUntil(t, "http://"+listen)
	return &api{"http://" + listen}
}

// begin starts a process, and shows what it said where the test fails.
func begin(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Wait() // all that it said is there then
		if t.Failed() {
			t.Logf("%s said:\n%s", cmd.Path, said.String())
		}
	})
}

// waitUntil waits until something answers, whatever it says.
func waitUntil(t *testing.T, url string) {
	t.Helper()
	for range 200 {
		if res, err := http.Get(url); err == nil {
			res.Body.Close()
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("nothing answers at %s", url)
}

func (a *api) send(t *testing.T, assertions ...string) (status int, text string) {
	t.Helper()
	req, err := http.NewRequest("GET", a.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header["X-Ostiary-Assertion"] = assertions
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, strings.TrimSpace(string(body))
}

func (a *api) wants(t *testing.T, assertion string, status int, text string) {
	t.Helper()
	if got, said := a.send(t, assertion); got != status || !strings.Contains(said, text) {
		t.Errorf("the API says %d %q, want %d with %q", got, said, status, text)
	}
}

func (a *api) refuses(t *testing.T, assertions ...string) (text string) {
	t.Helper()
	status, text := a.send(t, assertions...)
	if status != http.StatusForbidden {
		t.Errorf("%q: the API says %d %q, want 403", assertions, status, text)
	}
	return text
}
