package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ostiary"
	"ostiary/internal/store"
)

// within waits until a claim holds, and fails after a second and a half.
func within(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(1500 * time.Millisecond); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within a second: %s", what)
		}
	}
}

// refusesChanges demands that the store says so, and goes on being read where it must.
func refusesChanges(t *testing.T, db *store.DB) {
	t.Helper()
	within(t, "changes are refused", func() bool { return db.Degraded() != nil })
	if err := db.Degraded(); !errors.Is(err, ostiary.ErrReadOnly) {
		t.Fatalf("degraded by %v, want %v", err, ostiary.ErrReadOnly)
	}
	if err := tryChange(db); !errors.Is(err, ostiary.ErrReadOnly) {
		t.Fatalf("a change: got %v, want %v", err, ostiary.ErrReadOnly)
	}
}

func tryChange(db *store.DB) error {
	return db.Update(context.Background(), func(w ostiary.Writer) error {
		if err := addUser(w); err != nil {
			return err
		}
		_, err := w.Append(1, time.Now(), ostiary.Story{What: "test", Agent: strings.Repeat("a", 5000)}, nil)
		return err
	})
}

// holds demands that the chain verifies and that the records are those that the log replays to.
func holds(t *testing.T, db *store.DB) {
	t.Helper()
	if _, err := store.Verify(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	users, kept := map[ostiary.ID]int{}, map[ostiary.ID]int{}
	ok(t, db.Changes(t.Context(), 0, func(c ostiary.Change) error {
		for _, f := range c.Facts {
			if f.User != nil {
				users[f.User.ID]++
			}
		}
		return nil
	}))
	ok(t, db.View(t.Context(), func(r ostiary.Reader) error {
		return r.Snapshot(func(f ostiary.Fact) error {
			if f.User != nil {
				kept[f.User.ID]++
			}
			return nil
		})
	}))
	if d := cmp.Diff(users, kept); d != "" {
		t.Fatalf("the records are not what the log says (-log +records):\n%s", d)
	}
}

func TestADeletedDatabaseIsNoticed(t *testing.T) {
	t.Parallel()
	for _, name := range []string{database, wal} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			db, err := store.Create(t.Context(), dir, store.Options{})
			ok(t, err)
			addTokens(t, db, 1)
			path := filepath.Join(dir, name)
			ok(t, os.Rename(path, path+".away"))
			if err := tryChange(db); !errors.Is(err, ostiary.ErrReadOnly) {
				t.Fatalf("a change at once: got %v, want %v", err, ostiary.ErrReadOnly)
			}
			refusesChanges(t, db)
			ok(t, os.Rename(path+".away", path))
			within(t, "the file is back", func() bool { return db.Degraded() == nil })
			ok(t, tryChange(db))
			ok(t, os.Remove(path))
			refusesChanges(t, db)
			ok(t, db.Close())
		})
	}
}

func TestAReplacedDatabaseIsNoticedAndLeftAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, err := store.Create(t.Context(), dir, store.Options{})
	ok(t, err)
	addTokens(t, db, 1)
	ok(t, db.Backup(t.Context(), filepath.Join(dir, "copy")))
	ok(t, os.Rename(filepath.Join(dir, "copy"), filepath.Join(dir, database)))
	ok(t, os.WriteFile(filepath.Join(dir, wal+".new"), []byte("somebody else's"), 0o600))
	ok(t, os.Rename(filepath.Join(dir, wal+".new"), filepath.Join(dir, wal)))
	refusesChanges(t, db)
	ok(t, db.Close())
	if text, err := os.ReadFile(filepath.Join(dir, wal)); err != nil || string(text) != "somebody else's" {
		t.Fatalf("closing touched the other database's log: %q, %v", text, err)
	}
}

func TestAChangeOfADeletedDatabaseIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, err := store.Create(t.Context(), dir, store.Options{})
	ok(t, err)
	defer db.Close()
	err = db.Update(t.Context(), func(w ostiary.Writer) error {
		if err := os.Remove(filepath.Join(dir, database)); err != nil {
			return err
		}
		_, err := w.Append(1, noon, ostiary.Story{What: "test"}, nil)
		return err
	})
	if !errors.Is(err, ostiary.ErrReadOnly) {
		t.Fatalf("got %v, want %v", err, ostiary.ErrReadOnly)
	}
	if err := db.Degraded(); err == nil {
		t.Fatal("changes go on")
	}
}

func TestAFullDiskRefusesChangesUntilThereIsRoom(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mount := func(options string) error { return syscall.Mount("none", dir, "tmpfs", 0, options) }
	if err := mount("size=600k"); err != nil {
		t.Skipf("a disk of a certain size takes root and Linux: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, 0) })
	db, err := store.Create(t.Context(), dir, store.Options{})
	ok(t, err)
	t.Cleanup(func() { db.Close() })
	made := 0
	for err == nil {
		if err = tryChange(db); err == nil {
			made++
		}
	}
	if !errors.Is(err, ostiary.ErrReadOnly) || errors.As(err, new(*ostiary.UncertainError)) {
		t.Fatalf("got %v, want %v, and no doubt", err, ostiary.ErrReadOnly)
	}
	refusesChanges(t, db)
	if at := head(t, db).Revision; at != uint64(made) || made == 0 {
		t.Fatalf("the log ends at %d after %d changes", at, made)
	}
	if db.ErrorCount() == 0 {
		t.Error("no error was counted")
	}
	ok(t, syscall.Mount("none", dir, "tmpfs", syscall.MS_REMOUNT, "size=60m"))
	within(t, "there is room", func() bool { return db.Degraded() == nil })
	ok(t, tryChange(db))
	holds(t, db)
}

const childDir, childMode = "OSTIARY_STORE_TEST_DIR", "OSTIARY_STORE_TEST_MODE"

// TestChild is run in a process of its own by the tests below. It makes changes, and says after
// each that it was acknowledged.
func TestChild(t *testing.T) {
	dir := os.Getenv(childDir)
	if dir == "" {
		t.Skip("only for the tests that start it")
	}
	var o store.Options
	url, holds := strings.CutPrefix(os.Getenv(childMode), "hold ")
	if holds {
		o.Database = store.ReadDSN(url)
	}
	db, err := store.Open(context.Background(), dir, o)
	ok(t, err)
	var out sync.Mutex
	say := func(format string, args ...any) {
		out.Lock()
		defer out.Unlock()
		fmt.Printf(format+"\n", args...)
	}
	say("ready")
	if holds {
		change(t, db, func(w ostiary.Writer) error {
			err := count(w)
			say("inside")
			time.Sleep(time.Minute)
			return err
		})
	}
	if os.Getenv(childMode) == "until-refused" {
		for err == nil {
			err = tryChange(db)
			time.Sleep(time.Millisecond)
		}
		say("uncertain %v", errors.As(err, new(*ostiary.UncertainError)))
		for range 3 {
			say("refused %v", errors.Is(tryChange(db), ostiary.ErrReadOnly))
		}
		say("degraded %v", db.Degraded() != nil)
		db.Close()
		return
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for {
				var user ostiary.ID
				err := db.Update(context.Background(), func(w ostiary.Writer) error {
					if err := addUser(w); err != nil {
						return err
					}
					users, err := w.Users()
					if err != nil {
						return err
					}
					user = users[len(users)-1].ID
					_, err = w.Append(1, time.Now(), ostiary.Story{What: "test"}, nil)
					return err
				})
				if err != nil {
					t.Error(err)
					return
				}
				say("user %d", user)
			}
		})
	}
	all.Wait()
}

// child starts TestChild on a folder, and gives its output line by line.
func child(t *testing.T, dir, mode string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.v")
	cmd.Env = append(os.Environ(), childDir+"="+dir, childMode+"="+mode)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	ok(t, err)
	ok(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "ready" {
	}
	return cmd, lines
}

func TestAcknowledgedChangesSurviveAKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	create(t, dir).Close()
	acknowledged := map[ostiary.ID]bool{}
	for range 8 {
		cmd, lines := child(t, dir, "")
		kill := time.AfterFunc(time.Duration(50+rand.IntN(100))*time.Millisecond, func() { cmd.Process.Kill() })
		for lines.Scan() {
			var id ostiary.ID
			if _, err := fmt.Sscanf(lines.Text(), "user %d", &id); err == nil {
				acknowledged[id] = true
			}
		}
		kill.Stop()
		cmd.Wait()
		db, err := store.Open(t.Context(), dir, store.Options{})
		ok(t, err)
		holds(t, db)
		ok(t, db.View(t.Context(), func(r ostiary.Reader) error {
			for id := range acknowledged {
				if _, err := r.User(id); err != nil {
					return fmt.Errorf("user %d, which was acknowledged: %w", id, err)
				}
			}
			return nil
		}))
		ok(t, db.Close())
	}
	if len(acknowledged) < 8 {
		t.Fatalf("only %d changes were made", len(acknowledged))
	}
}

func TestAFailedSyncEndsChangesUntilARestart(t *testing.T) {
	t.Parallel()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("needs strace, to make a disk fail")
	}
	dir := t.TempDir()
	create(t, dir).Close()
	cmd, lines := child(t, dir, "until-refused")
	fault := exec.Command(strace, "-qq", "-f", "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO",
		"-o", filepath.Join(t.TempDir(), "trace"), "-p", fmt.Sprint(cmd.Process.Pid))
	var said strings.Builder
	fault.Stderr = &said
	ok(t, fault.Start())
	var got []string
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "degraded") {
		got = append(got, lines.Text())
	}
	got = append(got, lines.Text())
	cmd.Wait()
	fault.Wait()
	if strings.Contains(said.String(), "ptrace") {
		t.Skipf("strace may not watch here: %s", said.String())
	}
	want := []string{"uncertain true", "refused true", "refused true", "refused true", "degraded true"}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("after a failed sync (-want +got):\n%s", d)
	}
	db := reopen(t, dir, store.Options{})
	holds(t, db)
	ok(t, tryChange(db))
}

func TestTheWriteAheadLogDoesNotGrowForever(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := create(t, dir)
	for range 1500 {
		ok(t, tryChange(db)) // 4 pages or more
	}
	info, err := os.Stat(filepath.Join(dir, wal))
	ok(t, err)
	if info.Size() > 8<<20 {
		t.Fatalf("it has %d bytes", info.Size())
	}
}
