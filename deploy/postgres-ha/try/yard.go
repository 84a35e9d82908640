package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
)

// A yard is where programs are started. It waits for those that it started, and for those that these left
// to it: a PostgreSQL whose end nobody has seen would look to Patroni as if it ran.
type yard struct {
	owner *syscall.Credential // nil: ourselves

	mu  sync.Mutex
	own map[int]bool
}

func newYard(owner *syscall.Credential) *yard {
	adopt()
	y := &yard{owner: owner, own: map[int]bool{}}
	ends := make(chan os.Signal, 1)
	signal.Notify(ends, syscall.SIGCHLD)
	go func() {
		for range ends {
			y.reap()
		}
	}()
	return y
}

// reap waits for what others started.
func (y *yard) reap() {
	y.mu.Lock()
	defer y.mu.Unlock()
	me := os.Getpid()
	for _, p := range family(me) {
		if p.dead && p.parent == me && !y.own[p.pid] {
			syscall.Wait4(p.pid, nil, syscall.WNOHANG, nil)
		}
	}
}

// begin starts a program that ends with this process, and gives what tells of its end.
func (y *yard) begin(cmd *exec.Cmd) (ended chan struct{}, err error) {
	cmd.Env = append(plainEnviron(), cmd.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: y.owner, Setpgid: true, Pdeathsig: syscall.SIGKILL}
	y.mu.Lock()
	defer y.mu.Unlock()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", cmd.Path, err)
	}
	pid := cmd.Process.Pid
	y.own[pid] = true
	ended = make(chan struct{})
	go func() {
		cmd.Wait()
		y.mu.Lock()
		delete(y.own, pid)
		y.mu.Unlock()
		close(ended)
	}()
	return ended, nil
}

// A daemon is a program that runs until it is ended.
type daemon struct {
	pid   int
	log   string
	ended chan struct{}
}

// start starts a program in a folder, with its words in a file.
func (y *yard) start(folder, log string, env []string, program string, args ...string) (*daemon, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.Env = folder, out, out, env
	ended, err := y.begin(cmd)
	if err != nil {
		return nil, err
	}
	return &daemon{cmd.Process.Pid, log, ended}, nil
}

// run runs a program to its end, and gives what it printed.
func (y *yard) run(folder, program string, args ...string) (string, error) {
	cmd := exec.Command(program, args...)
	var out, said bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = folder, &out, &said
	ended, err := y.begin(cmd)
	if err != nil {
		return "", err
	}
	<-ended
	if !cmd.ProcessState.Success() {
		return "", fmt.Errorf("%s %s: %v\n%s", program, args[0], cmd.ProcessState, said.Bytes())
	}
	return out.String(), nil
}

// plainEnviron leaves out what would set up the programs in another way than their files do.
func plainEnviron() (env []string) {
	for _, e := range os.Environ() {
		switch name, _, _ := strings.Cut(e, "_"); name {
		case "OSTIARY", "PATRONI", "ETCD", "ETCDCTL":
			continue
		}
		if !strings.HasPrefix(e, "PG") {
			env = append(env, e)
		}
	}
	return env
}
