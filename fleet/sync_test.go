package fleet

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ostiary/internal/store/pgtest"
)

// failSyncs has every sync of some processes fail, and of those that they start from now on, until it is mended.
func (f *fleet) failSyncs(pids ...int) (mend func()) {
	f.Helper()
	args := []string{
		"-qq", "-f", "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO",
		"-o", filepath.Join(f.TempDir(), "trace"),
	}
	for _, pid := range pids {
		args = append(args, "-p", fmt.Sprint(pid))
	}
	strace := exec.Command("strace", args...)
	var said bytes.Buffer
	strace.Stderr = &said
	if err := strace.Start(); err != nil {
		f.without(fmt.Sprintf("strace, to make a disk fail: %v", err))
	}
	over := make(chan struct{})
	go func() {
		strace.Wait()
		close(over)
	}()
	mend = func() {
		strace.Process.Signal(os.Interrupt) // it lets go of them
		<-over
	}
	f.Cleanup(mend)
	for end := time.Now().Add(10 * time.Second); !watched(pids); time.Sleep(5 * time.Millisecond) {
		select {
		case <-over:
			f.without("strace that may watch: " + said.String())
		default:
		}
		if time.Now().After(end) {
			f.Fatal("strace does not watch within 10 seconds")
		}
	}
	return mend
}

// watched says whether each process is traced, or has ended.
func watched(pids []int) bool {
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err == nil && strings.Contains(string(text), "TracerPid:\t0\n") {
			return false
		}
	}
	return true
}

// without skips a test for want of something, and fails it with CI=true.
func (f *fleet) without(what string) {
	f.Helper()
	if os.Getenv("CI") == "true" {
		f.Fatalf("this needs %s", what)
	}
	f.Skipf("this needs %s", what)
}

// servers are the processes of PostgreSQL below its first one.
func (f *fleet) servers() []int {
	f.Helper()
	return pgtest.Column[int](f.T, f.pg, "postgres", `SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()`)
}

// panics counts how often the server gave up because of its disk.
func (f *fleet) panics() int {
	text, err := os.ReadFile(f.pg.LogFile())
	if err != nil {
		f.Fatal(err)
	}
	return strings.Count(string(text), "PANIC:")
}

// The disk fails once: the server panics, and comes back by itself with what it had acknowledged.
func TestTheDatabaseCannotSync(t *testing.T) {
	long(t)
	t.Parallel()
	f := newFleet(t, []string{"a", "b"}, "--lease", "30s")
	s := f.storm(2, 3, 2*time.Millisecond)
	kept := s.apart(f.nodes[0])
	time.Sleep(time.Second)
	clients := f.repeat(2)
	for range 2 {
		before := f.panics()
		mend := f.failSyncs(f.servers()...)
		f.eventually("the server panics", 10*time.Second, func() bool { return f.panics() > before })
		mend()
		f.pg.AgainIfGone(t)
		s.changesGoOn(kept)
	}
	time.Sleep(time.Second)
	clients.end()
	s.endWhole(10 * time.Second)
}

// The disk goes on failing: the server cannot even start again.
func TestTheDatabaseCannotSyncForLong(t *testing.T) {
	long(t)
	t.Parallel()
	f := newFleet(t, []string{"a", "b"}, "--lease", "40s")
	s := f.storm(2, 3, 2*time.Millisecond)
	kept := s.apart(f.nodes[0])
	time.Sleep(time.Second)
	clients := f.repeat(2)
	mend := f.failSyncs(append(f.servers(), f.pg.Pid())...)
	s.changesFail(kept)
	s.holdOut(kept, false, 4*time.Second)
	mend()
	f.pg.AgainIfGone(t)
	s.changesGoOn(kept)
	time.Sleep(time.Second)
	clients.end()
	s.endWhole(20 * time.Second)
}

// What a disk refused to write it may say only once: the node makes no more changes, also when the disk is well
// again. It decides, counts as done what may have been, and asks for a restart.
func TestSQLiteCannotSync(t *testing.T) {
	long(t)
	t.Parallel()
	f := newAlone(t, filepath.Join(t.TempDir(), "data"))
	n := f.nodes[0]
	s := f.storm(2, 3, 2*time.Millisecond)
	kept, gone, doubt := s.apart(n), s.apart(n), s.apart(n)
	time.Sleep(time.Second)
	if s.made(n, "DELETE", "/v2"+gone.cid, nil) == "" {
		t.Fatal("a token cannot be retired")
	}
	s.calm.Store(true)
	time.Sleep(100 * time.Millisecond)
	mend := f.failSyncs(n.cmd.Process.Pid)
	const key = "Idempotency-Key: in doubt"
	if status, text := n.operate("DELETE", "/v2"+doubt.cid, nil, nil, key); status != 503 {
		t.Errorf("a retirement that cannot be written is answered %d %s", status, text)
	}
	refused := func() {
		t.Helper()
		for _, token := range []held{gone, doubt} {
			if status, _, err := n.ask(token.text, "app0"); status != 401 {
				t.Errorf("a token that is, or may be, retired is answered %d, %v", status, err)
			}
		}
	}
	refused()
	s.calm.Store(false)
	s.holdOut(kept, false, 2*time.Second)
	mend()
	s.holdOut(kept, false, 2*time.Second)
	refused()
	n.asksForARestart(t)
	s.still()

	n.kill()
	if err := n.start(); err != nil {
		t.Fatal(err)
	}
	s.changesGoOn(kept)
	if status, _ := n.operate("DELETE", "/v2"+doubt.cid, nil, nil, key); status != 200 {
		t.Errorf("repeated under its key, the retirement answers %d", status)
	}
	refused()
	if err := n.stop(); err != nil {
		t.Errorf("it does not stop in good order: %v", err)
	}
	s.endWhole(within)
}

// asksForARestart demands that the operator is told: in the log, and by /readyz on the admin listener.
func (n *node) asksForARestart(t *testing.T) {
	t.Helper()
	const words = "restart the server"
	if !strings.Contains(n.log(), words) {
		t.Errorf("the log of %s does not ask for a restart", n.name)
	}
	_, after, _ := strings.Cut(n.log(), `"admin_url":"`)
	admin, _, _ := strings.Cut(after, `"`)
	w, err := n.door.Get(admin + "/readyz?for=changes")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	if text, err := io.ReadAll(w.Body); w.StatusCode != 503 || !strings.Contains(string(text), words) {
		t.Errorf("%s says %d %s, %v of its changes", n.name, w.StatusCode, text, err)
	}
}

// The records are in PostgreSQL, and what the node itself writes down cannot be synced.
func TestANodeOnPostgreSQLCannotSync(t *testing.T) {
	long(t)
	t.Parallel()
	f := newFleet(t, []string{"a", "b"}, "--lease", "20s")
	failing := f.add("failing", "--lease", "20s")
	s := f.storm(2, 2, 2*time.Millisecond) // changes are made at a and b
	a, kept := f.nodes[0], s.apart(f.nodes[0])
	doubt := s.apart(a)
	mend := f.failSyncs(failing.cmd.Process.Pid)
	const key = "Idempotency-Key: in doubt"
	if status, text := failing.operate("DELETE", "/v2"+doubt.cid, nil, nil, key); status != 503 {
		t.Errorf("a retirement that cannot be written down is answered %d %s", status, text)
	}
	mend()
	for range 20 {
		if status := s.describe(failing, kept); status != 503 || failing.ready("changes") || !failing.ready("decisions") {
			t.Fatalf("after a failed sync a change answers %d", status)
		}
		if status := s.describe(a, kept); status != 200 {
			t.Fatalf("a change at another node answers %d", status)
		}
		time.Sleep(50 * time.Millisecond)
	}
	failing.asksForARestart(t)
	if s.made(a, "DELETE", "/v2"+doubt.cid, nil, key) == "" {
		t.Error("another node does not say that the token is retired")
	}
	for _, n := range f.nodes {
		if status, _, err := n.ask(doubt.text, "app0"); status != 401 {
			t.Errorf("%s answers %d, %v to a retired token", n.name, status, err)
		}
	}
	failing.kill()
	if err := failing.start(); err != nil {
		t.Fatal(err)
	}
	f.eventually("it makes changes again", 5*time.Second, func() bool { return s.describe(failing, kept) == 200 })
	s.end(within)
	s.verify()
}
