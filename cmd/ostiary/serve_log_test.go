package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/serve"
)

// Clients put tokens where they do not belong. None of it may be written down.
func TestNoSecretIsInTheLogWhereverItWasShown(t *testing.T) {
	t.Parallel()
	s := serveData(t, newData(t), "--access-log", "--log-level", "debug")
	secret := s.newToken(t)
	sent := 0
	unknown := ostiary.SecretFormat{Prefix: ostiary.DefaultSecretPrefix}.New().Reveal()
	for _, one := range []string{secret, unknown, secret[:len(secret)-1], secret + "x", strings.ToUpper(secret)} {
		basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(one+":"+secret))
		for _, headers := range [][]string{
			{"X-Circonus-Auth-Token", one, "X-Circonus-App-Name", "a"},
			{"X-Circonus-Auth-Token", one, "X-Circonus-App-Name", one},
			{"X-Circonus-Auth-Token", secret, "X-Circonus-App-Name", "app " + secret},
			{"X-Circonus-Auth-Token", secret, "X-Circonus-App-Name", "a", "User-Agent", "agent/" + secret},
			{"X-Circonus-Auth-Token", secret, "X-Circonus-App-Name", "a", "X-Circonus-Account-ID", secret},
			{"Authorization", basic},
			{"Authorization", "Bearer " + one, "X-Circonus-App-Name", secret},
			{"X-Circonus-Auth-Token", secret, "X-Circonus-App-Name", "a", "X-Original-Method", "GET", "X-Original-URI", "/a/" + secret + "?b=" + secret},
			{"X-Circonus-Auth-Token", secret, "X-Circonus-App-Name", "a", "X-Original-Method", secret, "X-Original-URI", secret},
			{"X-Circonus-Auth-Token", secret, "X-Circonus-App-Name", "a", "X-Ostiary-Min-Revision", secret},
		} {
			for _, path := range []string{"/auth", "/auth?need=" + secret, "/auth/envoy/" + secret, "/v2/token/" + secret + "?a=" + secret} {
				// From an address of its own, so that each is written out.
				sent++
				getPage(t, s.url+path, append(headers, "X-Forwarded-For", fmt.Sprintf("192.0.2.%d", sent))...)
			}
		}
	}
	s.stop(t)
	text := s.text()
	if n := strings.Count(text, "\n"); n < sent*2/3 {
		t.Fatalf("only %d lines for %d requests: the test shows little", n, sent)
	}
	for _, one := range []string{secret, unknown} {
		random := strings.TrimPrefix(one, ostiary.DefaultSecretPrefix)
		for i := 0; i+12 <= len(random)-6; i++ {
			if at := strings.Index(strings.ToUpper(text), strings.ToUpper(random[i:i+12])); at >= 0 {
				t.Fatalf("a piece of a secret is in the log: %s", text[max(0, at-300):at+100])
			}
		}
	}
}

func TestTagOfARefusalLeadsToItsLine(t *testing.T) {
	t.Parallel()
	s := serveData(t, newData(t))
	var answers []map[string]any
	for range 12 {
		status, body, h := getPage(t, s.url+"/v2/account")
		var a map[string]any
		if err := json.Unmarshal([]byte(body), &a); err != nil || status != 401 || h.Get("X-Ostiary-Tag") != a["tag"] {
			t.Fatalf("got %d %s, X-Ostiary-Tag %s", status, body, h.Get("X-Ostiary-Tag"))
		}
		answers = append(answers, a)
	}
	s.stop(t)
	for _, a := range answers {
		tag, _, _ := strings.Cut(a["tag"].(string), "-")
		if !strings.Contains(s.text(), `"tag":"`+tag+`"`) {
			t.Errorf("the tag %s is not in the log:\n%s", a["tag"], s.text())
		}
	}
	wantSays(t, s.text(), `"msg":"equal refusals were counted"`, `"count":7`, `"reason":"no token"`)
}

func TestLogThatNobodyReadsStallsNoRequest(t *testing.T) {
	t.Parallel()
	data := newData(t)
	cmd := exec.Command("ostiary", "serve", "--data", data, "--listen", "127.0.0.1:0", "--admin-listen", "", "--access-log")
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	first := make([]byte, 4096)
	n, err := pipe.Read(first)
	if err != nil {
		t.Fatal(err)
	}
	var l struct{ URL string }
	if err := json.Unmarshal(first[:n], &l); err != nil {
		t.Fatal(err)
	}

	began := time.Now()
	long := strings.Repeat("x", 400)
	const sent = 3000 // lines of half a kilobyte: more than the pipe and the server's buffer hold
	for range sent {
		if status, _, _ := getPage(t, l.URL+"/v2/"+long, "User-Agent", long); status != 401 {
			t.Fatalf("got %d", status)
		}
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("%d requests took %s", sent, took)
	}
	cmd.Process.Signal(syscall.SIGTERM)
	ended := make(chan struct{})
	go func() { cmd.Process.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("it does not end while nobody reads its log")
	}
}

func TestSocketOfAServerThatWasKilledIsReplaced(t *testing.T) {
	t.Parallel()
	s := serveData(t, newData(t))
	if info, err := os.Lstat(filepath.Join(s.data, serve.SocketName)); err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("the socket is %v, %v; want mode 0600", info, err)
	}
	s.cmd.Process.Kill()
	<-s.ended
	if _, err := os.Lstat(filepath.Join(s.data, serve.SocketName)); err != nil {
		t.Fatalf("nothing is left behind, the test shows nothing: %v", err)
	}
	again := serveData(t, s.data)
	if _, err := newSocketClient(s.data).get(t.Context(), "/account"); err != nil {
		t.Error(err)
	}
	again.stop(t)
}

func TestFilesOfTheDataFolderAreItsUsersAlone(t *testing.T) {
	t.Parallel()
	s := serveData(t, newData(t))
	s.auth(t, s.newToken(t), "collector")
	s.stop(t)
	all, err := os.ReadDir(s.data)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if info, err := f.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %s", f.Name(), info.Mode())
		}
	}
}

func TestManyRefusalsOverRealConnectionsStayCounted(t *testing.T) {
	t.Parallel()
	s := serveData(t, newData(t))
	c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const sent = 5000
	go func() {
		for i := range sent {
			fmt.Fprintf(c, "GET /auth?need=Admin HTTP/1.1\r\nHost: x\r\nX-Circonus-Auth-Token: t%d\r\nX-Circonus-App-Name: a%d\r\n%s\r\n",
				i, i, map[bool]string{true: "Connection: close\r\n"}[i == sent-1])
		}
	}()
	if text, err := io.ReadAll(c); err != nil || strings.Count(string(text), "HTTP/1.1 401 ") != sent {
		t.Fatalf("%d answers of 401, %v", strings.Count(string(text), "HTTP/1.1 401 "), err)
	}
	_, metrics, _ := getPage(t, s.admin+"/metrics")
	wantSays(t, metrics, fmt.Sprintf("ostiary_decisions_total{door=%q,reason=%q} %d", "auth", "bad token", sent))
	s.stop(t)
	if n := len(s.text()); n > 50_000 {
		t.Errorf("%d refusals wrote %d bytes", sent, n)
	}
}
