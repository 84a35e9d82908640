package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"ostiary/internal/store"
	"ostiary/internal/store/storetest"
)

// bare answers 204, as the least that net/http can do; and at /headers 200 with as many headers as
// the door sends, which are the same every time and cost nothing to make.
func bare() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("http://" + l.Addr().String())
	eight := map[string][]string{}
	for _, name := range []string{
		"Cache-Control", "X-Ostiary-Account", "X-Ostiary-Account-Id", "X-Ostiary-User", "X-Ostiary-Role", "X-Ostiary-Token-Id",
		"X-Ostiary-App", "X-Ostiary-Revision",
	} {
		eight[name] = []string{"user12345@example.com"}
	}
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/headers" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		maps.Copy(w.Header(), eight)
		w.WriteHeader(http.StatusOK)
	}))
}

// auth measures the CPU time of the server a request, under the same load of wrk, in turns.
func auth(folder string) error {
	if _, err := exec.LookPath("wrk"); err != nil {
		return errors.New("wrk is not installed")
	}
	data := filepath.Join(folder, "data")
	if err := filled(data, 100_000); err != nil {
		return err
	}
	path, err := program(folder)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	plain, err := start(exec.Command(self, "bare"), func(out io.Reader) (string, error) {
		line, err := bufio.NewReader(out).ReadString('\n')
		return strings.TrimSpace(line), err
	})
	if err != nil {
		return err
	}
	defer plain.end()
	door, err := startServe(path, data)
	if err != nil {
		return err
	}
	defer door.end()
	load := filepath.Join(folder, "load.lua")
	if err := os.WriteFile(load, []byte(loadScript(10_000)), 0o600); err != nil {
		return err
	}
	fmt.Println("/auth with 100,000 tokens, default logging and metrics, against a bare net/http 204, under wrk")
	var bareCost, headersCost, doorCost, headersRatio, ratio []float64
	for round := range rounds + 1 {
		b, err := plain.under(load, "/")
		if err != nil {
			return err
		}
		h, err := plain.under(load, "/headers")
		if err != nil {
			return err
		}
		d, err := door.under(load, "/auth")
		if err != nil {
			return err
		}
		if round == 0 {
			continue // everything warm
		}
		bareCost, headersCost, doorCost = append(bareCost, b), append(headersCost, h), append(doorCost, d)
		headersRatio, ratio = append(headersRatio, h/b), append(ratio, d/b)
	}
	fmt.Printf("  bare                       %.1f µs of CPU a request (%s)\n", median(bareCost), spread(bareCost))
	fmt.Printf("  bare, 200 with 8 headers   %.1f µs (%s), %.2f times bare (%s)\n",
		median(headersCost), spread(headersCost), median(headersRatio), spread(headersRatio))
	fmt.Printf("  /auth                      %.1f µs (%s), %.2f times bare (%s), wanted at most 1.25\n",
		median(doorCost), spread(doorCost), median(ratio), spread(ratio))
	return nil
}

func filled(data string, n int) error {
	ctx := context.Background()
	db, err := store.Create(ctx, data, store.Options{})
	if err != nil {
		return err
	}
	return errors.Join(storetest.Fill(ctx, db, n), db.Close())
}

// loadScript makes wrk show a token at random, of every tenth, with the question of a proxy.
func loadScript(n int) string {
	var b strings.Builder
	b.WriteString("local tokens = {\n")
	for i := range n {
		fmt.Fprintf(&b, "%q,\n", storetest.Secret(10*i).Reveal())
	}
	fmt.Fprintf(&b, `}
local headers = {}
headers["X-Circonus-App-Name"] = %q
headers["X-Original-Method"] = "GET"
headers["X-Original-URI"] = "/v2/account/current"
request = function()
  headers["X-Circonus-Auth-Token"] = tokens[math.random(#tokens)]
  return wrk.format("GET", nil, headers)
end
`, storetest.Apps()[0])
	return b.String()
}

// A server is a child process that answers at an address.
type server struct {
	cmd *exec.Cmd
	url string
}

// start runs a server and reads its address from what it prints.
func start(cmd *exec.Cmd, address func(io.Reader) (string, error)) (*server, error) {
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return started(cmd, out, address)
}

func started(cmd *exec.Cmd, out io.Reader, address func(io.Reader) (string, error)) (*server, error) {
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	url, err := address(out)
	s := &server{cmd, url}
	if err != nil {
		s.end()
		return nil, err
	}
	go io.Copy(io.Discard, out)
	return s, nil
}

// startServe runs the program on a data folder, and waits until it says where it listens.
func startServe(path, data string) (*server, error) {
	cmd := exec.Command(path, "serve", "--data", data, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
	logs, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	return started(cmd, logs, func(r io.Reader) (string, error) {
		lines := bufio.NewScanner(r)
		for lines.Scan() {
			var line struct{ URL string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.URL != "" {
				return line.URL, nil
			}
		}
		return "", errors.New("it ended without saying where it listens")
	})
}

func (s *server) end() {
	s.cmd.Process.Signal(syscall.SIGTERM)
	s.cmd.Wait()
}

var answered = regexp.MustCompile(`(\d+) requests in`)

// under loads the server for three seconds, and gives microseconds of its CPU time a request.
func (s *server) under(script, path string) (float64, error) {
	before, err := s.cpu()
	if err != nil {
		return 0, err
	}
	out, err := exec.Command("wrk", "-t1", "-c16", "-d3s", "-s", script, s.url+path).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("wrk: %w: %s", err, out)
	}
	if strings.Contains(string(out), "Non-2xx") {
		return 0, fmt.Errorf("some requests were refused: %s", out)
	}
	after, err := s.cpu()
	if err != nil {
		return 0, err
	}
	match := answered.FindSubmatch(out)
	if match == nil {
		return 0, fmt.Errorf("wrk printed no count: %s", out)
	}
	n, err := strconv.ParseFloat(string(match[1]), 64)
	return float64((after - before).Microseconds()) / n, err
}

// cpu is the process's user and system time so far, from /proc.
func (s *server) cpu() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	const tick = 10 * time.Millisecond
	return time.Duration(user+system) * tick, errors.Join(err1, err2)
}

func command(name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.Stdout, c.Stderr = os.Stderr, os.Stderr
	return c
}
