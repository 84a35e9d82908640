package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// guard starts the process that does the work, and ends what it leaves behind however it ends. The other
// way round, the worker is told when the guard is gone. So one of them can be killed at any moment.
func guard(args []string) (code int) {
	runtime.LockOSThread() // the worker is told of the end of the thread that started it
	adopt()
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	told := make(chan os.Signal, 4)
	signal.Notify(told, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	cmd := exec.Command(self, append([]string{work}, args...)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
	}()
	parent, look := os.Getppid(), time.NewTicker(500*time.Millisecond)
	defer look.Stop()
	var begun time.Time // of ending
	for {
		select {
		case <-told:
			if !begun.IsZero() && time.Since(begun) > time.Second { // told again: no time for a report
				cmd.Process.Kill()
				continue
			}
			begun = time.Now()
			cmd.Process.Signal(syscall.SIGTERM)
		case <-look.C: // whoever started this, for example go run, may have been killed
			if os.Getppid() != parent {
				cmd.Process.Signal(syscall.SIGTERM)
			}
		case <-ended:
			endFamily(os.Getpid())
			if code = cmd.ProcessState.ExitCode(); code < 0 {
				code = 1
			}
			return code
		}
	}
}

// adopt makes this process the parent of what its children leave behind: Patroni starts PostgreSQL apart
// from itself.
func adopt() {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		fmt.Fprintln(os.Stderr, "processes may be left behind:", err)
	}
}
