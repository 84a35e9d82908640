package pgtest

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// owner is the user that the server runs as: PostgreSQL does not run as root.
func owner() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root, and its user is not there: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// The keeper waits until this process closes the pipe, or is gone in whatever way, and then ends the
// server and what it started, also what was stopped, and removes the folder.
const keeperScript = `
trap '' INT TERM HUP
cat >/dev/null
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = postgres ]; then
	all=$pid
	for stat in /proc/[0-9]*/stat; do
		read -r child name state parent rest <"$stat" && [ "$parent" = "$pid" ] && all="$all $child"
	done 2>/dev/null
	kill -CONT $all 2>/dev/null
	kill -QUIT "$pid" 2>/dev/null
	n=0
	while [ -e "$1/data/postmaster.pid" ] && [ $n -lt 50 ]; do
		sleep 0.1
		n=$((n + 1))
	done
	[ ! -e "$1/data/postmaster.pid" ] || kill -KILL $all 2>/dev/null
fi
umount -l "$1/wal" "$1/data" 2>/dev/null # disks of their own; a process may still end there
rm -rf "$1"
`

// keep starts the keeper.
func (c *Cluster) keep() error {
	ours, theirs, err := pipe()
	if err != nil {
		return err
	}
	defer theirs.Close()
	cmd := exec.Command("/bin/sh", "-c", keeperScript, "sh", c.dir)
	cmd.Stdin, cmd.Dir = theirs, "/"
	// A session of its own: it outlives the test, and what ends the test's group.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		ours.Close()
		return err
	}
	c.keeper, c.lifeline = cmd, ours
	return nil
}

func pipe() (write, read *os.File, err error) {
	read, write, err = os.Pipe()
	return write, read, err
}

// remove ends the cluster for good.
func (c *Cluster) remove() {
	if c.lifeline != nil {
		c.lifeline.Close()
		c.keeper.Wait()
	}
}

// Pid is that of the server's first process.
func (c *Cluster) Pid() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server == nil {
		return 0
	}
	return c.server.Process.Pid
}

// Kill ends every process of the server at once, as a loss of power does, and waits until they are gone.
func (c *Cluster) Kill(t testing.TB) {
	t.Helper()
	pid := c.Pid()
	all := append([]int{pid}, children(pid)...)
	for _, pid := range all {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	c.ended(t, all)
}

// Stop ends the server cleanly, and the transactions that are open.
func (c *Cluster) Stop(t testing.TB) {
	t.Helper()
	pid := c.Pid()
	all := append([]int{pid}, children(pid)...)
	syscall.Kill(pid, syscall.SIGINT)
	c.ended(t, all)
}

func (c *Cluster) ended(t testing.TB, all []int) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); len(all) > 0; time.Sleep(5 * time.Millisecond) {
		if gone(all[0]) {
			all = all[1:]
		} else if time.Now().After(end) {
			t.Fatalf("pgtest: process %d does not end", all[0])
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.server = nil
}

// Again starts the server after Kill or Stop, and waits until it answers.
func (c *Cluster) Again(t testing.TB) {
	t.Helper()
	if err := c.launch(); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
}

// AgainIfGone starts the server where it has ended by itself, or is about to.
func (c *Cluster) AgainIfGone(t testing.TB) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !gone(c.Pid()); time.Sleep(20 * time.Millisecond) {
		if c.ping() == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal("pgtest: the server neither answers nor ends")
		}
	}
	c.Again(t)
}

// Restart ends the server cleanly and starts it again.
func (c *Cluster) Restart(t testing.TB) {
	t.Helper()
	c.Stop(t)
	c.Again(t)
}

// Pause stops every process of the server: connections stay open, and nothing answers.
func (c *Cluster) Pause(t testing.TB) (resume func()) {
	t.Helper()
	pid := c.Pid()
	return Freeze(t, append([]int{pid}, children(pid)...)...)
}

// Freeze stops some processes. They go on when resume is called, and when the test ends.
func Freeze(t testing.TB, pids ...int) (resume func()) {
	t.Helper()
	resume = func() {
		for _, pid := range pids {
			syscall.Kill(pid, syscall.SIGCONT)
		}
	}
	t.Cleanup(resume)
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil && err != syscall.ESRCH {
			t.Fatalf("pgtest: stopping process %d: %v", pid, err)
		}
	}
	return resume
}

// children are the processes that a process has started.
func children(parent int) (out []int) {
	all, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range all {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if _, of := stat(pid); of == parent {
			out = append(out, pid)
		}
	}
	return out
}

// gone says that a process has ended. One that nobody has waited for yet counts as gone.
func gone(pid int) bool {
	if syscall.Kill(pid, 0) == syscall.ESRCH {
		return true
	}
	state, _ := stat(pid)
	return state == "Z"
}

func stat(pid int) (state string, parent int) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", 0
	}
	// The name of the program stands in brackets, and may hold anything.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 2 {
		return "", 0
	}
	parent, _ = strconv.Atoi(fields[1])
	return fields[0], parent
}
