package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// addresses are those of the three machines, which are all this one.
var addresses = [3]string{"127.0.0.11", "127.0.0.12", "127.0.0.13"}

// A machine runs one etcd, and one Patroni with its PostgreSQL.
type machine struct {
	*place
	name, address, folder string
	keys, patroni         *daemon // keys: etcd
}

func (p *place) newMachine(i int) (m *machine, err error) {
	m = &machine{place: p, name: "db" + strconv.Itoa(i+1), address: addresses[i]}
	if m.folder, err = p.makeDir(m.name); err != nil {
		return nil, err
	}
	_, err = p.write(m.name+"/patroni.yml", p.fill(p.patroniFile, m))
	return m, err
}

// start starts the machine, also one that was killed before.
func (m *machine) start() (err error) {
	if m.keys, err = m.run("etcd.log", readEnv(m.fill(m.etcdFile, m)), m.etcd); err != nil {
		return err
	}
	m.patroni, err = m.run("patroni.log", nil, "patroni", filepath.Join(m.folder, "patroni.yml"))
	return err
}

func (m *machine) run(log string, env []string, program string, args ...string) (*daemon, error) {
	log = filepath.Join(m.folder, log)
	return m.yard.start(m.folder, log, env, program, args...)
}

// readEnv reads lines like NAME="value", as systemd does.
func readEnv(text string) (env []string) {
	for line := range strings.Lines(text) {
		name, value, found := strings.Cut(strings.TrimSpace(line), "=")
		if found && !strings.HasPrefix(name, "#") {
			env = append(env, name+"="+strings.Trim(value, `"`))
		}
	}
	return env
}

// die ends everything on the machine as a power cut does, and returns once nothing of it is left.
func (m *machine) die() error {
	pids := []int{m.patroni.pid}
	if pid := m.postmaster(); pid != 0 {
		pids = append(pids, pid)
		for _, p := range family(pid) {
			pids = append(pids, p.pid)
		}
	}
	for _, p := range family(m.patroni.pid) {
		pids = append(pids, p.pid)
	}
	pids = append(pids, m.keys.pid)
	for _, pid := range pids {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		m.yard.reap()
		if !anyRuns(pids) {
			return nil
		}
	}
	return fmt.Errorf("%s does not die", m.name)
}

// crash ends PostgreSQL alone, and returns once its first process is gone: the others follow it.
func (m *machine) crash() error {
	pid := m.postmaster()
	if pid == 0 {
		return fmt.Errorf("PostgreSQL of %s does not run", m.name)
	}
	syscall.Kill(pid, syscall.SIGKILL)
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		m.yard.reap()
		if !anyRuns([]int{pid}) {
			return nil
		}
	}
	return fmt.Errorf("PostgreSQL of %s does not die", m.name)
}

func anyRuns(pids []int) bool {
	for _, pid := range pids {
		if syscall.Kill(pid, 0) == nil {
			return true
		}
	}
	return false
}

// postmaster is the process that PostgreSQL begins with; zero: it does not run.
func (m *machine) postmaster() int {
	text, err := os.ReadFile(filepath.Join(m.folder, "data", "postmaster.pid"))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	if p, ok := readProcess("/proc/" + first + "/stat"); err != nil || !ok || p.name != "postgres" {
		return 0
	}
	return pid
}

func (m *machine) api() string { return fmt.Sprintf("http://%s:%d", m.address, m.port+apiPort) }
