package directory_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/directory"
)

// gossip keeps changes as they are made, and gives the directory that they make of a crowd.
type gossip struct {
	crowd
	changes []ostiary.Change
	emails  []map[ostiary.ID]string
}

// next is a change of any kind to a random token, its owner or its account, or a new token.
func (g *gossip) next(r *rand.Rand, revision uint64) (ostiary.Change, map[ostiary.ID]string) {
	i := r.IntN(g.tokens + g.tokens/2)
	t := g.token(i)
	owner, emails := t.Owner, map[ostiary.ID]string{}
	t.Retired, t.ExpiresOn = r.IntN(2) == 0, int64(r.IntN(9))
	if r.IntN(2) == 0 {
		t.Networks = prefixes("10.0.0.0/8")
	}
	secret := ostiary.ReadSecret(fmt.Sprint(revision)).Hash()
	name := g.app(i, r.IntN(3))
	c := ostiary.Change{Revision: revision, Chain: secret, Facts: facts{
		{Token: &t},
		{Secret: &ostiary.SecretFact{Account: t.Account, Token: t.ID, Hash: secret}},
		{App: &ostiary.AppFact{
			Account: t.Account, Token: t.ID, ID: ostiary.ID(revision), Name: name, State: ostiary.AppState(r.IntN(3)),
			Gone: r.IntN(3) == 0,
		}},
		{Member: &ostiary.MemberFact{Account: t.Account, User: owner, Role: ostiary.Role(r.IntN(4))}},
		{User: &ostiary.UserFact{ID: owner, Disabled: r.IntN(2) == 0}},
		{Account: &ostiary.AccountFact{ID: t.Account, ShortName: fmt.Sprint("name", revision)}},
	}[r.IntN(6):]}
	if c.Facts[0].User != nil {
		emails[owner] = fmt.Sprint(revision, "@example.com")
	}
	g.changes, g.emails = append(g.changes, c), append(g.emails, emails)
	return c, emails
}

func (g *gossip) at(t *testing.T, revision uint64) *directory.Directory {
	t.Helper()
	d := crowded(t, g.tokens)
	for i, c := range g.changes {
		if c.Revision > revision {
			break
		}
		if err := d.Apply(c, g.emails[i]); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func TestACopyIsOfOneRevisionWhateverChangesMeanwhile(t *testing.T) {
	t.Parallel()
	path := inTemp(t)
	g := &gossip{crowd: crowd{tokens: 4000}}
	d := crowded(t, g.tokens)
	r := rand.New(rand.NewPCG(5, 6))
	var quit sync.WaitGroup
	over := make(chan struct{})
	quit.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
			}
			if r.IntN(50) == 0 {
				uncertain, _ := (&gossip{crowd: g.crowd}).next(r, 0)
				d.Restrict(uncertain.Facts)
			}
			if err := d.Apply(g.next(r, d.Revision()+1)); err != nil {
				t.Error(err)
				return
			}
			time.Sleep(100 * time.Microsecond)
		}
	})
	copies := map[uint64]*directory.Directory{}
	for range 8 {
		before := d.Revision()
		head, err := d.WriteCopy(context.Background(), path, about)
		if err != nil {
			t.Fatal(err)
		}
		copied, got, err := directory.OpenCopy(path)
		if err != nil {
			t.Fatal(err)
		}
		if got.Head != head || copied.Head() != head || head.Revision < before {
			t.Fatalf("begun at %d: the copy is of %v, its writer says %v", before, got.Head, head)
		}
		copies[head.Revision] = copied
	}
	close(over)
	quit.Wait()
	for revision, copied := range copies {
		want := g.at(t, revision)
		got := copied.State()
		got.Restricted = 0
		if got != want.State() {
			t.Fatalf("the copy of revision %d is %+v, want %+v", revision, got, want.State())
		}
	}
	if len(copies) < 2 {
		t.Error("nothing was changed while copies were written")
	}
}

// A stuck disk takes nothing until it is let go.
type stuck struct {
	bytes.Buffer
	begun, free chan struct{}
	once        sync.Once
}

func (s *stuck) Write(b []byte) (int, error) {
	s.once.Do(func() { close(s.begun) })
	<-s.free
	return s.Buffer.Write(b)
}

// writing begins a copy to a disk that is stuck, and gives the copy's error.
func writing(d *directory.Directory) (*stuck, chan error) {
	s, failed := &stuck{begun: make(chan struct{}), free: make(chan struct{})}, make(chan error, 1)
	go func() {
		_, err := d.CopyTo(s, about)
		failed <- err
	}()
	<-s.begun
	return s, failed
}

func TestAStuckDiskHoldsNobodyUp(t *testing.T) {
	d := crowded(t, 3000)
	disk, failed := writing(d)
	for range 1000 {
		if err := d.Apply(crowd{tokens: 3000}.change(d.Revision()+1), nil); err != nil {
			t.Fatal(err)
		}
	}
	if f := look(d, crowd{}.secret(7).Hash(), ""); f.Token.ID != 8 || f.Revision != 1001 {
		t.Errorf("got %+v, want token 8 at revision 1001", f)
	}
	want := d.State()
	close(disk.free)
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	copied, err := open(t, disk.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if copied.State() != want || d.KeepsChanges() {
		t.Errorf("the copy is %+v, want %+v; changes are kept: %v", copied.State(), want, d.KeepsChanges())
	}
}

func TestACopyGivesUpWhenMoreChangesThanTheDiskTakes(t *testing.T) {
	d := crowded(t, 3000)
	disk, failed := writing(d)
	long := ostiary.Fact{Account: &ostiary.AccountFact{ID: 1, ShortName: strings.Repeat("n", 1<<20)}}
	for range 65 {
		apply(t, d, nil, long)
	}
	close(disk.free)
	if err := <-failed; err == nil || !strings.Contains(err.Error(), "more was changed") {
		t.Errorf("65 MB of changes behind a stuck disk: %v", err)
	}
}

func TestACopyGivesUpWhenTheRecordsAreLoadedAnew(t *testing.T) {
	d := crowded(t, 3000)
	disk, failed := writing(d)
	if err := d.Load(context.Background(), crowd{tokens: 10}); err != nil {
		t.Fatal(err)
	}
	close(disk.free)
	if err := <-failed; err == nil || !strings.Contains(err.Error(), "loaded anew") {
		t.Errorf("a mix of two loads: %v", err)
	}
}

func TestAFullDiskLeavesTheOldCopy(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=600k"); err != nil {
		t.Skipf("a disk of a certain size takes root and Linux: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, 0) })
	path := dir + "/copy"
	old := copyOf(t, crowded(t, 2000), path).State()
	large := crowded(t, 5000)
	if _, err := large.WriteCopy(context.Background(), path, about); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("got %v, want %v", err, syscall.ENOSPC)
	}
	wantNoLeftover(t, path)
	if got, _, err := directory.OpenCopy(path); err != nil || got.State() != old {
		t.Fatalf("the old copy is gone: %v", err)
	}
	if err := syscall.Mount("none", dir, "tmpfs", syscall.MS_REMOUNT, "size=60m"); err != nil {
		t.Fatal(err)
	}
	if got := copyOf(t, large, path).State(); got != large.State() {
		t.Errorf("with room again: %+v, want %+v", got, large.State())
	}
}

const childPath = "OSTIARY_DIRECTORY_TEST_COPY"

// TestCopyingChild is run in a process of its own by the test below, which kills it.
func TestCopyingChild(t *testing.T) {
	path := os.Getenv(childPath)
	if path == "" {
		t.Skip("only for the test that starts it")
	}
	d := crowded(t, 5000)
	for range 2000 {
		if _, err := d.WriteCopy(context.Background(), path, about); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAWriterThatIsKilledLeavesTheOldCopy(t *testing.T) {
	t.Parallel()
	path := inTemp(t)
	d := crowded(t, 5000)
	want := copyOf(t, d, path).State()
	unfinished := 0
	for range 8 {
		child := exec.Command(os.Args[0], "-test.run=^TestCopyingChild$")
		child.Env = append(os.Environ(), childPath+"="+path)
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		first, _ := os.Stat(path)
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
			if now, err := os.Stat(path); err == nil && !os.SameFile(first, now) || time.Now().After(end) {
				break // it has begun
			}
		}
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
		child.Process.Kill()
		child.Wait()
		if _, err := os.Stat(path + ".new"); !errors.Is(err, fs.ErrNotExist) {
			unfinished++
		}
		if got, _, err := directory.OpenCopy(path); err != nil || got.State() != want {
			t.Fatalf("after a kill the copy is not what it was: %v", err)
		}
	}
	if unfinished == 0 {
		t.Error("no writer was killed while it wrote")
	}
	copyOf(t, d, path)
	wantNoLeftover(t, path)
}
