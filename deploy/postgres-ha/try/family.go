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

// A process is one of this machine, as /proc shows it.
type process struct {
	pid, parent int
	name        string
	dead        bool // but not waited for
}

// family gives the descendants of a process, those nearest to it first.
func family(root int) (all []process) {
	children := map[int][]process{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		if p, ok := readProcess(file); ok {
			children[p.parent] = append(children[p.parent], p)
		}
	}
	all = children[root]
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i].pid]...)
	}
	return all
}

// readProcess reads a line like "123 (name of it) S 1 …". A process may be gone by then.
func readProcess(file string) (p process, ok bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return p, false
	}
	before, after, _ := strings.Cut(string(text), " (")
	end := strings.LastIndex(after, ") ")
	if end < 0 {
		return p, false
	}
	p.name = after[:end]
	state, rest, _ := strings.Cut(after[end+2:], " ")
	parent, _, _ := strings.Cut(rest, " ")
	p.dead = state == "Z" || state == "X"
	var err1, err2 error
	p.pid, err1 = strconv.Atoi(before)
	p.parent, err2 = strconv.Atoi(parent)
	return p, err1 == nil && err2 == nil
}

// endFamily ends all descendants of this process. PostgreSQL is told to end at once, so that it gives back
// its shared memory; what does not end is killed.
func endFamily(me int) {
	asked := map[int]bool{}
	begin := time.Now()
	for {
		left := 0
		for _, p := range family(me) {
			if p.dead {
				if p.parent == me {
					syscall.Wait4(p.pid, nil, syscall.WNOHANG, nil)
				}
				continue
			}
			left++
			switch {
			case p.name != "postgres" || time.Since(begin) > 5*time.Second:
				syscall.Kill(p.pid, syscall.SIGKILL)
			case p.parent == me && !asked[p.pid]:
				asked[p.pid] = true
				syscall.Kill(p.pid, syscall.SIGQUIT)
			}
		}
		if left == 0 {
			return
		}
		if time.Since(begin) > 20*time.Second {
			fmt.Fprintf(os.Stderr, "%d processes do not end\n", left)
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}
