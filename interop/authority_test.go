package interop_test

import (
	"bytes"
	"context"
	"encoding/json"
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

// An authority is a server on the records of a demo. It can be ended, and started again where it was.
type authority struct {
	*server
	listen string // of /auth
	socket string // of the fast door
	flags  []string
	cmd    *exec.Cmd
	log    *strings.Builder
}

// serve starts an authority.
func serve(t *testing.T, flags ...string) *authority {
	t.Helper()
	dir, err := os.MkdirTemp("", "ostiary") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s, end := demo(t, "--keep", filepath.Join(dir, "data"))
	end()
	a := &authority{server: s, listen: freeAddress(t), socket: filepath.Join(dir, "auth.sock"), flags: flags}
	s.URL = "http://" + a.listen
	s.AuthURL = s.URL + "/auth"
	a.start()
	t.Cleanup(func() {
		a.kill()
		if t.Failed() {
			t.Logf("the server's log:\n%s", a.log.String())
		}
	})
	return a
}

func (a *authority) start() {
	a.t.Helper()
	a.log = &strings.Builder{}
	a.cmd = exec.Command(program, append([]string{
		"serve", "--data", a.Data, "--listen", a.listen, "--admin-listen", "", "--auth-listen", "unix:" + a.socket,
	}, a.flags...)...)
	a.cmd.Stderr = a.log
	if err := a.cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	waitFor(a.t, a.listen)
}

// run runs a command of the operator's.
func (a *authority) run(args ...string) {
	a.t.Helper()
	if out, err := exec.Command(program, append(args, "--data", a.Data)...).CombinedOutput(); err != nil {
		a.t.Fatalf("ostiary %v: %v\n%s", args, err, out)
	}
}

// operate calls the API as the operator, over the management socket.
func (a *authority) operate(method, path string, object any) (answer map[string]any) {
	a.t.Helper()
	body, err := json.Marshal(object)
	if err != nil {
		a.t.Fatal(err)
	}
	req, err := http.NewRequest(method, "http://ostiary"+path, bytes.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("X-Circonus-Account-ID", "1")
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(a.Data, "ostiary.sock"))
		},
	}}
	res, err := client.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || res.StatusCode != http.StatusOK {
		a.t.Fatalf("%s %s: %d %v %v", method, path, res.StatusCode, answer, err)
	}
	return answer
}

// kill ends the server, also where it is frozen.
func (a *authority) kill() {
	if a.cmd != nil {
		a.cmd.Process.Kill()
		a.cmd.Wait()
		a.cmd = nil
	}
}

// freeze stops the server, and waits until all of it stands still.
func (a *authority) freeze() {
	a.t.Helper()
	a.signal(syscall.SIGSTOP)
	var status syscall.WaitStatus
	_, err := syscall.Wait4(a.cmd.Process.Pid, &status, syscall.WUNTRACED, nil)
	if err != nil || !status.Stopped() {
		a.t.Fatalf("the server does not stand still: %v %v", status, err)
	}
}

// thaw lets a frozen server go on.
func (a *authority) thaw() { a.signal(syscall.SIGCONT) }

func (a *authority) signal(sig syscall.Signal) {
	a.t.Helper()
	if err := a.cmd.Process.Signal(sig); err != nil {
		a.t.Fatal(err)
	}
}

// inItsPlace listens where the authority did, and sends the same bytes to whoever asks.
func (a *authority) inItsPlace(answer string) (end func()) {
	a.t.Helper()
	os.Remove(a.socket)
	var listeners []net.Listener
	for network, address := range map[string]string{"tcp": a.listen, "unix": a.socket} {
		l, err := net.Listen(network, address)
		for range 50 { // who listened there before may not have let go yet
			if err == nil {
				break
			}
			time.Sleep(20 * time.Millisecond)
			l, err = net.Listen(network, address)
		}
		if err != nil {
			a.t.Fatal(err)
		}
		listeners = append(listeners, l)
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				c.Read(make([]byte, 4096))
				c.Write([]byte(answer))
				c.Close()
			}
		}()
	}
	return func() {
		for _, l := range listeners {
			l.Close()
		}
	}
}
