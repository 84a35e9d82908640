package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"ostiary/client"
)

func TestNothingIsLetThroughWithoutTheAuthority(t *testing.T) {
	t.Parallel()
	a := startAuthority(t)
	door, ask := startDoor(t, a.AuthURL)
	about := asking(joined, "GET", "/", "X-Auth-Token: "+a.alice(), "X-App-Name: script")
	want := func(when string, status int) {
		t.Helper()
		got := sent(t, ask, about)
		if got.status != status || status == 503 && got.header["retry-after"] == nil {
			t.Errorf("%s: %d %s, want %d", when, got.status, got.body, status)
		}
	}
	want("at first", 200)
	a.freeze()
	want("frozen", 503)
	a.cmd.Process.Signal(syscall.SIGCONT)
	want("thawed", 200)
	a.end(syscall.SIGKILL)
	want("killed", 503)

	address := strings.TrimPrefix(a.URL, "http://")
	again := launch(t, "ostiary", "serve", "--data", a.Data, "--listen", address, "--admin-listen", "")
	again.start()
	again.listening("url")
	want("started again", 200)
	again.end(syscall.SIGTERM)
	want("stopped", 503)

	said := false
	for line := range strings.Lines(door.text()) {
		var l map[string]any
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Errorf("a line of the log is no JSON: %s", line)
		}
		said = said || l["error"] != nil && l["tag"] != nil
	}
	if !said || strings.Contains(door.text(), a.alice()) {
		t.Errorf("the log does not say why, or holds the secret:\n%s", door.text())
	}
}

func TestNothingIsLetThroughByWhatIsNoDoor(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"silence":        "",
		"garbage":        "garbage\r\n\r\n",
		"200 alone":      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"a redirect":     "HTTP/1.1 302 Found\r\nLocation: /auth\r\nContent-Length: 0\r\n\r\n",
		"half an answer": "HTTP/1.1 200 OK\r\nX-Ostiary-User: root\r\nX-Ostiary-Ro",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, ask := startDoor(t, answering(t, text))
			if got := sent(t, ask, asking(joined, "GET", "/", "X-Auth-Token: x")); got.status != 503 {
				t.Errorf("%d %s, want 503", got.status, got.body)
			}
		})
	}
}

// A failing log panics on its first line.
type failing struct {
	slog.Handler
	failed atomic.Bool
}

func (f *failing) Handle(context.Context, slog.Record) error {
	if !f.failed.Swap(true) {
		panic("ostiary_secret")
	}
	return nil
}

func TestPanicLetsNothingThrough(t *testing.T) {
	t.Parallel()
	c, err := client.New(client.Options{URL: "http://127.0.0.1:1/auth"})
	if err != nil {
		t.Fatal(err)
	}
	d := &door{client: c, log: slog.New(&failing{Handler: slog.NewJSONHandler(io.Discard, nil)})}
	res, err := d.Check(t.Context(), &auth.CheckRequest{})
	if err != nil || res.GetDeniedResponse().GetStatus().GetCode() != 503 || res.GetStatus().GetCode() == 0 {
		t.Errorf("%v %v, want a refusal with 503", res, err)
	}
}

func TestTooLargeAQuestionIsAnError(t *testing.T) {
	t.Parallel()
	_, ask := startDoor(t, answering(t, ""))
	r := asking(joined, "GET", "/", "X-Else: "+strings.Repeat("a", maxQuestion))
	res, err := ask.Check(t.Context(), r)
	if status.Code(err) != codes.ResourceExhausted || res != nil {
		t.Errorf("%v %v", res, err)
	}
}

func TestStopFinishesWhatWasAsked(t *testing.T) {
	t.Parallel()
	door, ask := startDoor(t, answering(t, ""), "--timeout", "2s")
	alive := healthpb.NewHealthClient(connect(t, door.listening("address")))
	for _, service := range []string{"", "envoy.service.auth.v3.Authorization"} {
		res, err := alive.Check(t.Context(), &healthpb.HealthCheckRequest{Service: service})
		if err != nil || res.GetStatus() != healthpb.HealthCheckResponse_SERVING {
			t.Errorf("the health of %q: %v %v", service, res, err)
		}
	}
	var asked sync.WaitGroup
	began := time.Now()
	asked.Go(func() {
		if got := sent(t, ask, asking(joined, "GET", "/", "X-Auth-Token: x")); got.status != 503 {
			t.Errorf("%d %s, want 503", got.status, got.body)
		}
	})
	time.Sleep(500 * time.Millisecond)
	if code := door.end(syscall.SIGTERM); code != 0 || !strings.Contains(door.text(), `"msg":"stopping"`) {
		t.Errorf("exit %d\n%s", code, door.text())
	}
	asked.Wait()
	if took := time.Since(began); took < time.Second {
		t.Errorf("the door that does not answer was waited for %s", took)
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Second)
	defer stop()
	if res, err := ask.Check(ctx, asking(joined, "GET", "/")); err == nil {
		t.Errorf("a stopped program answers %v", res)
	}
}

func TestListensAtASocketAndMovesNobodyAside(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "x") // a socket's name is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	start := func() *process {
		p := launch(t, "extauthz", "--listen", "unix:"+socket, "--auth", "http://127.0.0.1:1/auth")
		p.start()
		return p
	}
	first := start()
	first.listening("address")
	ask := auth.NewAuthorizationClient(connect(t, "unix:"+socket))
	if got := sent(t, ask, asking(listed, "GET", "/")); got.status != 503 {
		t.Errorf("%d, want 503", got.status)
	}
	second := start()
	if code := second.ended(); code != 1 || !strings.Contains(second.text(), "another program") {
		t.Errorf("a second program at the socket: exit %d\n%s", code, second.text())
	}
	first.end(syscall.SIGKILL)
	third := start() // the socket of a killed program is in its way
	third.listening("address")
	third.end(syscall.SIGTERM)
	if err := os.WriteFile(socket, []byte("a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	fourth := start()
	code := fourth.ended()
	if text, err := os.ReadFile(socket); code != 1 || string(text) != "a file" {
		t.Errorf("a file in the way: exit %d, and it is %q (%v)", code, text, err)
	}
}

func TestWrongUsageIsTold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"--help", 0, "envoy.service.auth.v3"},
		{"--nothing", 2, "nothing"},
		{"serve", 2, "no flag"},
		{"--auth http://127.0.0.1:1", 1, "/auth"},
		{"--headers X_Token", 1, "X_Token"},
		{"--listen 127.0.0.1:-1", 1, "listening"},
	} {
		out, err := exec.Command(filepath.Join(programs, "extauthz"), strings.Fields(c.args)...).CombinedOutput()
		code := 0
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			code = exit.ExitCode()
		}
		if code != c.code || !strings.Contains(string(out), c.says) {
			t.Errorf("extauthz %s: exit %d, want %d\n%s", c.args, code, c.code, out)
		}
	}
}
