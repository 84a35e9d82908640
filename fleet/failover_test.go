package fleet

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The programs of deploy/postgres-ha are those of Debian's packages, or unpacked ones.
func tryPath(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("takes minutes")
	}
	path := os.Getenv("PATH")
	if folder, err := exec.Command("../scripts/proxies-folder").Output(); err == nil {
		path += ":" + strings.TrimSpace(string(folder))
	}
	for _, program := range []string{"patroni", "etcd"} {
		found := false
		for _, dir := range filepath.SplitList(path) {
			info, err := os.Stat(filepath.Join(dir, program))
			found = found || err == nil && info.Mode()&0o111 != 0
		}
		if !found && os.Getenv("CI") == "true" {
			t.Fatalf("%s is missing; scripts/install-test-needs installs it", program)
		}
		if !found {
			t.Skipf("%s is missing", program)
		}
	}
	return path
}

// buildTry builds the program of deploy/postgres-ha, and gives a command that runs it.
func buildTry(t *testing.T) func(args ...string) *exec.Cmd {
	t.Helper()
	path := tryPath(t)
	try := filepath.Join(t.TempDir(), "try")
	if out, err := exec.Command("go", "build", "-o", try, "../deploy/postgres-ha/try").CombinedOutput(); err != nil {
		t.Fatalf("building it: %v\n%s", err, out)
	}
	return func(args ...string) *exec.Cmd {
		cmd := exec.Command(try, append([]string{"--files", "../deploy/postgres-ha", "--ostiary", program}, args...)...)
		cmd.Env = append(os.Environ(), "PATH="+path)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
		return cmd
	}
}

// running gives the processes that work in a folder, or anywhere below it.
func running(folder string) (pids []int) {
	links, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, link := range links {
		if at, err := os.Readlink(link); err == nil && strings.HasPrefix(at, folder) {
			pid, _ := strconv.Atoi(strings.Split(link, "/")[2])
			pids = append(pids, pid)
		}
	}
	return pids
}

// leavesNothing waits until nothing works in a folder any more.
func leavesNothing(t *testing.T, folder string) {
	t.Helper()
	var left []int
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if left = running(folder); len(left) == 0 {
			return
		}
	}
	for _, pid := range left {
		line, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
		t.Errorf("it leaves process %d: %s", pid, strings.ReplaceAll(string(line), "\x00", " "))
		syscall.Kill(pid, syscall.SIGKILL)
	}
}

// folderOf reads where a try works from the first line that it prints.
func folderOf(line string) string { return line[strings.LastIndex(line, " ")+1:] }

// The table that it prints is in docs/guide/high-availability.md. It judges by itself.
func TestDecisionsDoNotNoticeAFailoverAndNoChangeIsLost(t *testing.T) {
	cmd := buildTry(t)()
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	first, _, _ := strings.Cut(string(out), "\n")
	folder := folderOf(first)
	if err != nil {
		t.Error(err)
	}
	for _, want := range []string{
		"the leader's PostgreSQL dies", "the leader dies", "comes back", "the synchronous standby dies", "a switchover",
		"Everything that is promised held.",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("it does not say %q", want)
		}
	}
	leavesNothing(t, folder)
	if _, statErr := os.Stat(folder); err == nil && !os.IsNotExist(statErr) {
		t.Errorf("it leaves %s", folder)
	}
}

func TestATryLeavesNoProcessHoweverItEnds(t *testing.T) {
	start := buildTry(t)
	for name, end := range map[string]func(guard int){
		"Ctrl-C":               func(guard int) { syscall.Kill(-guard, syscall.SIGINT) },
		"SIGTERM":              func(guard int) { syscall.Kill(guard, syscall.SIGTERM) },
		"the guard is killed":  func(guard int) { syscall.Kill(guard, syscall.SIGKILL) },
		"the worker is killed": func(guard int) { syscall.Kill(childOf(guard), syscall.SIGKILL) },
		"the terminal is gone": func(guard int) { syscall.Kill(guard, syscall.SIGHUP) },
	} {
		t.Run(name, func(t *testing.T) {
			cmd := start()
			printed, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(printed)
			if !lines.Scan() {
				t.Fatal("it prints nothing")
			}
			folder := folderOf(lines.Text())
			defer os.RemoveAll(folder)
			// With Patroni and etcd there are six; then PostgreSQL is being made, or runs.
			for until := time.Now().Add(time.Minute); len(running(folder)) < 12; time.Sleep(50 * time.Millisecond) {
				if time.Now().After(until) {
					t.Fatalf("it has only %d processes", len(running(folder)))
				}
			}
			end(cmd.Process.Pid)
			cmd.Wait()
			leavesNothing(t, folder)
		})
	}
}

// childOf gives the process that another one has started first.
func childOf(parent int) int {
	text, _ := os.ReadFile("/proc/" + strconv.Itoa(parent) + "/task/" + strconv.Itoa(parent) + "/children")
	child, _ := strconv.Atoi(strings.Fields(string(text) + " 0")[0])
	return child
}
