package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"ostiary/internal/store"
	"ostiary/internal/store/storetest"
)

// A server is a child process that answers at an address.
type server struct {
	cmd   *exec.Cmd
	url   string
	fast  string // of the program under test: where its fast door is
	proxy string // and its reverse proxy
}

// start runs a server and reads its address from what it prints.
func start(cmd *exec.Cmd, address func(io.Reader) (string, error)) (*server, error) {
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s := &server{cmd: cmd}
	return s, s.started(out, func(r io.Reader) (err error) {
		s.url, err = address(r)
		return err
	})
}

func (s *server) started(out io.Reader, read func(io.Reader) error) error {
	if err := s.cmd.Start(); err != nil {
		return err
	}
	if err := read(out); err != nil {
		s.end()
		return err
	}
	go io.Copy(io.Discard, out)
	return nil
}

func firstLine(out io.Reader) (string, error) {
	line, err := bufio.NewReader(out).ReadString('\n')
	return strings.TrimSpace(line), err
}

// startServe runs the program on a data folder, and waits until it says where it listens.
func startServe(path, data string, more ...string) (*server, error) {
	args := []string{"serve", "--data", data, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"}
	cmd := exec.Command(path, append(args, more...)...)
	logs, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	s := &server{cmd: cmd}
	return s, s.started(logs, func(r io.Reader) error {
		lines := bufio.NewScanner(r)
		for lines.Scan() {
			var line struct {
				URL   string
				Fast  string `json:"fast_url"`
				Proxy string `json:"proxy_url"`
			}
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.URL != "" {
				s.url, s.fast, s.proxy = line.URL, line.Fast, line.Proxy
				return nil
			}
		}
		return errors.New("it ended without saying where it listens")
	})
}

func (s *server) end() {
	s.cmd.Process.Signal(syscall.SIGTERM)
	s.cmd.Wait()
}

// filled makes the records of a data folder, with a number of tokens.
func filled(data string, n int) error {
	ctx := context.Background()
	db, err := store.Create(ctx, data, store.Options{})
	if err != nil {
		return err
	}
	return errors.Join(storetest.Fill(ctx, db, n), db.Close())
}

var answered = regexp.MustCompile(`(\d+) requests in`)

// under loads a contestant for three seconds, and gives microseconds of its CPU time a request.
func (c *contestant) under(script string) (float64, error) {
	before, err := c.cpu()
	if err != nil {
		return 0, err
	}
	out, err := exec.Command("wrk", "-t1", "-c16", "-d3s", "-s", script, c.url).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("wrk: %w: %s", err, out)
	}
	if strings.Contains(string(out), "Non-2xx") || strings.Contains(string(out), "Socket errors") {
		return 0, fmt.Errorf("some requests were refused: %s", out)
	}
	after, err := c.cpu()
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

// cpu is what the contestant's servers have used so far.
func (c *contestant) cpu() (sum time.Duration, err error) {
	for _, s := range c.of {
		one, err := s.cpu()
		if err != nil {
			return 0, err
		}
		sum += one
	}
	return sum, nil
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
