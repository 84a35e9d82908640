package serve

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
)

func ask(t *testing.T, data string) string {
	t.Helper()
	c := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return DialSocket(ctx, data) },
	}}
	res, err := c.Get("http://ostiary/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestSocketIsItsUsersAloneAndKnowsWhoSpeaks(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	info, err := os.Lstat(filepath.Join(r.data, SocketName))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("the socket's mode is %s, want 0600", info.Mode())
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if got := ask(t, r.data); got != "operator "+me.Username {
		t.Errorf("got %q, want the operator %s", got, me.Username)
	}
}

func TestNobodyIsTheOperatorAnywhereElse(t *testing.T) {
	t.Parallel()
	r := start(t, func(o *Options) {
		o.API = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "operator "+Operator(r.Context())) })
	})
	if _, body, _ := send(t, r.listeners.URL(), "GET /"); body != "operator " {
		t.Errorf("the main listener gives %q", body)
	}
}

func TestSocketOfAKilledServerIsReplaced(t *testing.T) {
	t.Parallel()
	data := shortDir(t)
	old, err := net.Listen("unix", filepath.Join(data, SocketName))
	if err != nil {
		t.Fatal(err)
	}
	old.(*net.UnixListener).SetUnlinkOnClose(false)
	old.Close()
	s, err := listenSocket(data)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}

func TestFileInPlaceOfTheSocketIsNotDeleted(t *testing.T) {
	t.Parallel()
	data := shortDir(t)
	path := filepath.Join(data, SocketName)
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listenSocket(data); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestDataFolderWithALongNameHasItsSocket(t *testing.T) {
	t.Parallel()
	data := filepath.Join(shortDir(t), strings.Repeat("long/", 40))
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := Listen(Addresses{Main: "127.0.0.1:0", Data: data})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(l, Options{
		Gate: says(""), API: says(""), Operator: says("reached"), State: func() State { return State{} },
		Metrics: NewMetrics("test"), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if got := ask(t, data); got != "reached" {
		t.Errorf("got %q", got)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(filepath.Join(data, SocketName)); err == nil {
		t.Error("the socket is left behind")
	}
}
