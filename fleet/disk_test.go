package fleet

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ostiary/internal/store/pgtest"
)

// ready says whether the node can do something, by its own word: "decisions", "changes".
func (n *node) ready(what string) bool {
	w, err := n.door.Get(n.url + "/readyz?for=" + what)
	if err != nil {
		return false
	}
	defer w.Body.Close()
	io.Copy(io.Discard, w.Body)
	return w.StatusCode == http.StatusOK
}

// describe changes a token, and changes nothing that is decided.
func (s *storm) describe(n *node, t held) (status int) {
	status, _ = n.operate("PUT", "/v2"+t.cid, map[string]any{"description": time.Now().String()}, nil)
	return status
}

// holdOut demands for some time that nodes decide about a token that is let in, make no changes, and say so.
// With calm, nobody but their own probe tries any.
func (s *storm) holdOut(t held, calm bool, during time.Duration) {
	s.Helper()
	for end := time.Now().Add(during); time.Now().Before(end); time.Sleep(30 * time.Millisecond) {
		for _, n := range s.nodes {
			if status, _, err := n.ask(t.text, "app0"); status != 200 {
				s.Fatalf("%s answers %d, %v to a token that is let in", n.name, status, err)
			}
			if !n.ready("decisions") {
				s.Fatalf("%s does not say that it decides", n.name)
			}
			if n.ready("changes") {
				s.Fatalf("%s says that changes can be made (calm: %v)", n.name, calm)
			}
			if calm {
				continue
			}
			if status := s.describe(n, t); status != 503 {
				s.Fatalf("a change at %s answers %d", n.name, status)
			}
		}
	}
}

// changesFail waits until no node makes changes any more.
func (s *storm) changesFail(t held) {
	s.Helper()
	failed := 0 // in a row: what room there is in the tables may do for one more
	s.eventually("no node makes changes any more", 20*time.Second, func() bool {
		for _, n := range s.nodes {
			if failed++; s.describe(n, t) != 503 || n.ready("changes") {
				failed = 0
			}
		}
		return failed > 60
	})
}

// changesGoOn waits until every node makes changes again, and says so.
func (s *storm) changesGoOn(t held) {
	s.Helper()
	for _, n := range s.nodes {
		s.eventually(n.name+" makes changes again", 20*time.Second, func() bool { return s.describe(n, t) == 200 })
		s.eventually(n.name+" says so", 2*time.Second, func() bool { return n.ready("changes") })
	}
}

// endWhole ends a storm during which every request had an answer, and none was 503 for age.
func (s *storm) endWhole(bound time.Duration) {
	s.Helper()
	s.end(bound)
	s.verify()
	if s.late.Load() > 0 || s.away.Load() > 0 {
		s.Errorf("%d answers are 503 and %d did not come", s.late.Load(), s.away.Load())
	}
}

// The tables have no room; what is written ahead of them has.
func TestTheDatabasesDiskIsFull(t *testing.T) {
	long(t)
	t.Parallel()
	pg, disk, _ := pgtest.StartOnDisks(t, "128m", "64m", "max_wal_size = 16MB", "min_wal_size = 2MB")
	f := newFleetOn(t, pg, []string{"a", "b"}, "--lease", "40s")
	s := f.storm(2, 2, 2*time.Millisecond)
	kept := s.apart(f.nodes[0])
	time.Sleep(time.Second)
	disk.Fill(t)
	s.changesFail(kept)
	s.holdOut(kept, false, 2*time.Second)
	s.calm.Store(true)
	s.holdOut(kept, true, 2*time.Second)
	disk.Free(t)
	s.changesGoOn(kept)
	s.calm.Store(false)
	time.Sleep(time.Second)
	s.endWhole(5 * time.Second)
}

// Where the write-ahead log has no room, the server panics, and does not start again before it has.
func TestTheDiskOfTheDatabasesLogIsFull(t *testing.T) {
	long(t)
	t.Parallel()
	pg, _, disk := pgtest.StartOnDisks(t, "128m", "24m", "max_wal_size = 8MB", "min_wal_size = 2MB")
	f := newFleetOn(t, pg, []string{"a", "b"}, "--lease", "40s")
	s := f.storm(2, 4, 2*time.Millisecond)
	kept := s.apart(f.nodes[0])
	time.Sleep(time.Second)
	disk.Fill(t)
	s.changesFail(kept)
	s.holdOut(kept, false, 3*time.Second)
	disk.Free(t)
	pg.AgainIfGone(t)
	s.changesGoOn(kept)
	time.Sleep(time.Second)
	s.endWhole(20 * time.Second)
}

func TestTheDiskUnderSQLiteIsFull(t *testing.T) {
	long(t)
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	f, disk := newAloneOnDisk(t, data, "8m")
	n := f.nodes[0]
	s := f.storm(2, 2, 2*time.Millisecond)
	kept, gone := s.apart(n), s.apart(n)
	time.Sleep(time.Second)
	if s.made(n, "DELETE", "/v2"+gone.cid, nil) == "" {
		t.Fatal("a token cannot be retired")
	}
	disk.Fill(t)
	s.changesFail(kept)
	s.holdOut(kept, false, 2*time.Second)
	s.calm.Store(true)
	s.holdOut(kept, true, 2*time.Second)
	disk.Free(t)
	s.changesGoOn(kept)
	s.calm.Store(false)
	time.Sleep(time.Second)
	s.still()

	disk.Fill(t)
	n.kill()
	disk.Free(t)
	if err := n.start(); err != nil {
		t.Fatal(err)
	}
	for secret, want := range map[string]int{kept.text: 200, gone.text: 401} {
		if status, _, err := n.ask(secret, "app0"); status != want {
			t.Errorf("after a restart it answers %d, %v; want %d", status, err, want)
		}
	}
	if err := n.stop(); err != nil {
		t.Errorf("it does not stop in good order: %v", err)
	}
	s.endWhole(within)
}

func newAloneOnDisk(t *testing.T, data, size string) (*fleet, *pgtest.Disk) {
	t.Helper()
	disk := pgtest.NewDisk(t, data, size)
	return newAlone(t, data, "--use-flush", "10m"), disk // what it writes down of use makes room, and takes it
}

// A node whose own disk is full cannot write down what it retires: it does not acknowledge it, refuses the
// token all the same, and makes no more changes. The others go on, and say what became of the one in doubt.
func TestTheDiskOfANodeIsFull(t *testing.T) {
	long(t)
	t.Parallel()
	f := newFleet(t, []string{"a", "b"}, "--lease", "20s")
	data := filepath.Join(t.TempDir(), "full")
	disk := pgtest.NewDisk(t, data, "8m")
	full := f.prepare("full", "--data", data, "--listen", "127.0.0.1:0", "--lease", "20s")
	full.data = data
	f.launch(full)
	s := f.storm(2, 1, 2*time.Millisecond) // changes are made at a and b
	a, kept := f.nodes[0], s.apart(f.nodes[0])
	disk.Fill(t)
	f.eventually("the copy that cannot hold what is applied is taken away", 10*time.Second, func() bool {
		_, err := os.Stat(filepath.Join(data, "memory"))
		return errors.Is(err, fs.ErrNotExist)
	})
	var doubt held
	for range 300 { // the list of what is retired has room left in its last block
		disk.Fill(t) // the copy left some
		doubt = s.apart(a)
		key := "Idempotency-Key: retire " + doubt.cid
		if status, text := full.operate("DELETE", "/v2"+doubt.cid, nil, nil, key); status == 503 {
			break
		} else if status != 200 {
			t.Fatalf("retiring answers %d %s", status, text)
		}
	}
	if full.ready("changes") || !full.ready("decisions") {
		t.Error("a node with a full disk does not say that it decides, and makes no changes")
	}
	if status := s.describe(full, kept); status != 503 {
		t.Errorf("a change at the full node answers %d", status)
	}
	if status, _, err := full.ask(doubt.text, "app0"); status != 401 {
		t.Errorf("the token that may be retired is answered %d, %v", status, err)
	}
	again := s.made(a, "DELETE", "/v2"+doubt.cid, nil, "Idempotency-Key: retire "+doubt.cid)
	if again == "" {
		t.Error("another node does not say that the token is retired")
	}
	for _, n := range f.nodes {
		if status, _, err := n.ask(doubt.text, "app0"); status != 401 {
			t.Errorf("%s answers %d, %v to a retired token", n.name, status, err)
		}
		if status, _, err := n.ask(kept.text, "app0"); status != 200 {
			t.Errorf("%s answers %d, %v to a token that is let in", n.name, status, err)
		}
	}
	if status := s.describe(f.nodes[1], kept); status != 200 {
		t.Errorf("a change at another node answers %d", status)
	}
	full.kill()
	disk.Fill(t)
	if err := full.start(); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("it starts though it cannot write down what is retired, or does not say so: %v", err)
	}
	disk.Free(t)
	if err := full.start(); err != nil {
		t.Fatal(err)
	}
	f.eventually("it makes changes again", 5*time.Second, func() bool { return s.describe(full, kept) == 200 })
	if status, _, err := full.ask(doubt.text, "app0"); status != 401 {
		t.Errorf("after a restart the retired token is answered %d, %v", status, err)
	}
	s.end(within)
	s.verify()
}
