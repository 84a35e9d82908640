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

// keep writes the local copy.
func keep(t tb, d *directory.Directory, path string) {
	t.Helper()
	if _, err := d.WriteFile(context.Background(), path, "boot", time.Hour); err != nil {
		t.Fatal(err)
	}
}

// wantKept demands that whoever begins from the local copy holds what a directory holds.
func wantKept(t tb, d *directory.Directory, path string) *directory.Directory {
	t.Helper()
	kept, about, err := directory.OpenKept(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := kept.State(), d.State(); got != want || about.Head != want.Head {
		t.Fatal("who begins from it holds", got, "and it says", about.Head, "want", want)
	}
	return kept
}

// change makes the next change of a directory.
func (g *gossip) change(t tb, r *rand.Rand, d *directory.Directory) {
	t.Helper()
	if err := d.Apply(g.next(r, d.Revision()+1)); err != nil {
		t.Fatal(err)
	}
}

func TestWhatWasAppliedOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	path, r, g := inTemp(t), rand.New(rand.NewPCG(1, 1)), &gossip{crowd: crowd{tokens: 50}}
	d := crowded(t, g.tokens)
	for round := range 4 {
		keep(t, d, path)
		wantKept(t, d, path)
		for i := range 40 {
			g.change(t, r, d)
			if i%5 == round {
				uncertain, _ := (&gossip{crowd: g.crowd}).next(r, 0)
				d.Restrict(uncertain.Facts)
			}
			kept := wantKept(t, d, path)
			if held, found := kept.HeldAt(d.Revision()); !found || held != d.Holds() {
				t.Fatalf("it does not know that it held revision %d", d.Revision())
			}
		}
		again := directory.New() // a new process goes on behind what it found
		again.Keep(path)
		if err := again.Become(wantKept(t, d, path)); err != nil {
			t.Fatal(err)
		}
		d = again
		if all, err := d.Kept(); !all || err != nil {
			t.Fatalf("it is not kept: %v", err)
		}
		g.change(t, r, d)
		wantKept(t, d, path)
	}
}

// Whatever is written of the last entry, it was in nobody's memory; and nothing else may be wrong.
func TestAJournalIsReadToItsLastWholeEntryOrNotAtAll(t *testing.T) {
	path, r, g := inTemp(t), rand.New(rand.NewPCG(2, 2)), &gossip{crowd: crowd{tokens: 5}}
	d := crowded(t, g.tokens)
	keep(t, d, path)
	states := []directory.State{d.State()}
	sizes := []int{len(contentsOf(t, path+".log"))}
	for range 4 {
		g.change(t, r, d)
		states, sizes = append(states, d.State()), append(sizes, len(contentsOf(t, path+".log")))
	}
	whole, last := contentsOf(t, path+".log"), 0
	for end := range len(whole) + 1 {
		write(t, path+".log", whole[:end])
		kept, _, err := directory.OpenKept(path)
		if end < sizes[0] {
			if !errors.Is(err, directory.ErrCopy) {
				t.Fatalf("%d bytes of %d: got %v, want ErrCopy", end, sizes[0], err)
			}
			continue
		}
		if last+1 < len(sizes) && end >= sizes[last+1] {
			last++
		}
		if err != nil || kept.State() != states[last] {
			t.Fatalf("%d bytes: got %v, want what %d changes make", end, err, last)
		}
	}
	for at := range whole {
		flipped := bytes.Clone(whole)
		flipped[at] ^= 0x40
		write(t, path+".log", flipped)
		if _, _, err := directory.OpenKept(path); !errors.Is(err, directory.ErrCopy) {
			t.Fatalf("byte %d of %d was flipped: got %v, want ErrCopy", at, len(whole), err)
		}
	}
	for what, text := range map[string][]byte{
		"an entry twice":  append(bytes.Clone(whole), whole[sizes[3]:]...),
		"an entry less":   append(bytes.Clone(whole[:sizes[1]]), whole[sizes[2]:]...),
		"two in one line": append(bytes.Clone(whole[:sizes[0]]), append(bytes.Clone(whole[sizes[1]:sizes[2]]), whole[sizes[0]:]...)...),
		"zeros behind it": append(bytes.Clone(whole), make([]byte, 100)...),
	} {
		write(t, path+".log", text)
		if _, _, err := directory.OpenKept(path); !errors.Is(err, directory.ErrCopy) {
			t.Errorf("%s: got %v, want ErrCopy", what, err)
		}
	}
	os.Remove(path + ".log")
	if _, _, err := directory.OpenKept(path); !errors.Is(err, directory.ErrCopy) {
		t.Errorf("without its journal: got %v, want ErrCopy", err)
	}
}

// After a torn entry the next process goes on as if it had not been there.
func TestATornEntryIsCutOff(t *testing.T) {
	path, r, g := inTemp(t), rand.New(rand.NewPCG(3, 3)), &gossip{crowd: crowd{tokens: 5}}
	d := crowded(t, g.tokens)
	keep(t, d, path)
	g.change(t, r, d)
	f, err := os.OpenFile(path+".log", os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	whole := contentsOf(t, path+".log")
	f.Write(whole[len(whole)-30:][:5])
	f.Close()
	again := directory.New()
	again.Keep(path)
	if err := again.Become(wantKept(t, d, path)); err != nil {
		t.Fatal(err)
	}
	g.change(t, r, again)
	wantKept(t, again, path)
}

// A copy and a journal of different times hold everything, or are refused.
func TestACopyAndAJournalOfDifferentTimesNeverLackAChange(t *testing.T) {
	path, r, g := inTemp(t), rand.New(rand.NewPCG(4, 4)), &gossip{crowd: crowd{tokens: 20}}
	d := crowded(t, g.tokens)
	keep(t, d, path)
	oldCopy := contentsOf(t, path)
	for range 10 {
		g.change(t, r, d)
	}
	oldJournal := contentsOf(t, path+".log")
	keep(t, d, path)
	newCopy, newJournal := contentsOf(t, path), contentsOf(t, path+".log")
	write(t, path+".log", oldJournal) // killed between the two renames
	wantKept(t, d, path)
	write(t, path+".log", newJournal)
	write(t, path, oldCopy)
	if _, _, err := directory.OpenKept(path); !errors.Is(err, directory.ErrCopy) {
		t.Errorf("an old copy beside a new journal: got %v, want ErrCopy", err)
	}
	write(t, path+".log", oldJournal[:len(oldJournal)-200])
	write(t, path, newCopy)
	if _, _, err := directory.OpenKept(path); !errors.Is(err, directory.ErrCopy) {
		t.Errorf("a journal that ends before its copy: got %v, want ErrCopy", err)
	}
	write(t, path+".log", newJournal)
	wantKept(t, d, path)

	other := crowded(t, g.tokens) // another log, which was the same at first
	keep(t, other, path+"2")
	for range 12 {
		(&gossip{crowd: g.crowd}).change(t, rand.New(rand.NewPCG(6, other.Revision())), other)
		apply := ostiary.Change{Revision: other.Revision() + 1, Chain: ostiary.Hash{7}}
		if err := other.Apply(apply, nil); err != nil {
			t.Fatal(err)
		}
	}
	write(t, path+".log", contentsOf(t, path+"2.log"))
	if _, _, err := directory.OpenKept(path); !errors.Is(err, directory.ErrCopy) {
		t.Errorf("the journal of another log: got %v, want ErrCopy", err)
	}
}

// A copy that is being written when memory becomes something else does not appear.
func TestACopyOfWhatMemoryWasDoesNotAppear(t *testing.T) {
	t.Parallel()
	path, d := inTemp(t), crowded(t, 300)
	d.Keep(path)
	var quit sync.WaitGroup
	over := make(chan struct{})
	quit.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
				d.WriteFile(context.Background(), path, "boot", time.Hour)
			}
		}
	})
	seen := 0
	for i := range 100 {
		other, chain := crowded(t, 2), ostiary.Hash{1, byte(i), byte(i >> 8)}
		for other.Revision() <= d.Revision() {
			if err := other.Apply(ostiary.Change{Revision: other.Revision() + 1, Chain: chain}, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.Become(other); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rand.IntN(3)) * time.Millisecond)
		kept, _, err := directory.OpenKept(path)
		if err != nil {
			continue // what is read while it is replaced may be refused
		}
		if seen++; kept.Head() != d.Head() {
			t.Fatalf("it is of %v, and memory holds %v", kept.Head(), d.Head())
		}
	}
	close(over)
	quit.Wait()
	if seen == 0 {
		t.Error("no copy was seen")
	}
}

func TestACopyThatIsNotWhatMemoryHoldsIsTakenAway(t *testing.T) {
	for what, replace := range map[string]func(d *directory.Directory, path string) error{
		"loaded anew": func(d *directory.Directory, _ string) error {
			return d.Load(context.Background(), crowd{tokens: 10})
		},
		"another's": func(d *directory.Directory, _ string) error { return d.Become(crowded(t, 10)) },
		"mended": func(d *directory.Directory, _ string) error {
			_, err := d.Mend(crowded(t, 10))
			return err
		},
		"older than it was opened": func(d *directory.Directory, path string) error {
			opened, _, err := directory.OpenKept(path)
			return errors.Join(err, opened.Apply(crowd{tokens: 9}.change(opened.Revision()+1), nil), d.Become(opened))
		},
	} {
		path, d := inTemp(t), crowded(t, 9)
		keep(t, d, path)
		if err := replace(d, path); err != nil {
			t.Fatal(what, err)
		}
		if all, err := d.Kept(); all || err != nil {
			t.Errorf("%s: kept %v, %v", what, all, err)
		}
		if _, _, err := directory.OpenKept(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: got %v, want %v", what, err, fs.ErrNotExist)
		}
		keep(t, d, path)
		wantKept(t, d, path)
	}
}

// A process that loads the records finds the copy of an earlier one, which may lack what this one says.
func TestACopyOfAnEarlierLifeIsTakenAwayBeforeAnythingIsSaid(t *testing.T) {
	path := inTemp(t)
	keep(t, crowded(t, 9), path)
	d := directory.New()
	d.Keep(path)
	if _, _, err := directory.OpenKept(path); err != nil {
		t.Fatal(err)
	}
	if err := d.Apply(ostiary.Change{Revision: 1}, nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := directory.OpenKept(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want %v", err, fs.ErrNotExist)
	}
}

func TestAFullDiskTakesTheCopyAway(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("a disk of a certain size takes root and Linux: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	path, r, g := dir+"/copy", rand.New(rand.NewPCG(5, 5)), &gossip{crowd: crowd{tokens: 500}}
	d := crowded(t, g.tokens)
	keep(t, d, path)
	write(t, dir+"/full", nil)
	f, err := os.OpenFile(dir+"/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 1<<10))
	}
	for all := true; all; all, err = d.Kept() {
		g.change(t, r, d)
	}
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), fmt.Sprint("revision ", d.Revision())) {
		t.Errorf("got %v, want %v", err, syscall.ENOSPC)
	}
	if _, _, err := directory.OpenKept(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a copy without what was applied: got %v, want %v", err, fs.ErrNotExist)
	}
	g.change(t, r, d)
	if err := os.Remove(dir + "/full"); err != nil {
		t.Fatal(err)
	}
	f.Close()
	keep(t, d, path)
	g.change(t, r, d)
	wantKept(t, d, path)
	if all, err := d.Kept(); !all || err != nil {
		t.Errorf("with room again: kept %v, %v", all, err)
	}
}

const journalChild = "OSTIARY_DIRECTORY_TEST_JOURNAL"

// TestKeepingChild is run in a process of its own by the test below, which kills it: it says each revision that it
// has applied.
func TestKeepingChild(t *testing.T) {
	path := os.Getenv(journalChild)
	if path == "" {
		t.Skip("only for the test that starts it")
	}
	g := &gossip{crowd: crowd{tokens: 300}}
	d := directory.New()
	d.Keep(path)
	if found, _, err := directory.OpenKept(path); err == nil {
		err = d.Become(found)
		if err != nil {
			t.Fatal(err)
		}
	} else if err := d.Load(context.Background(), g.crowd); err != nil {
		t.Fatal(err)
	}
	var quit sync.WaitGroup
	over := time.Now().Add(20 * time.Second)
	quit.Go(func() {
		for time.Now().Before(over) {
			keep(t, d, path)
		}
	})
	r := rand.New(rand.NewPCG(uint64(os.Getpid()), 1))
	for time.Now().Before(over) {
		g.change(t, r, d)
		fmt.Printf("\nat %d\n", d.Revision())
	}
	quit.Wait()
}

func TestWhoIsKilledHasWrittenDownAllThatItSaid(t *testing.T) {
	t.Parallel()
	path, spoke := inTemp(t), 0
	for round := range 12 {
		child := exec.Command(os.Args[0], "-test.run=^TestKeepingChild$")
		child.Env = append(os.Environ(), journalChild+"="+path)
		var said bytes.Buffer
		child.Stdout = &said
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
			if _, err := os.Stat(path); err == nil {
				break
			}
		}
		time.Sleep(time.Duration(20+rand.IntN(80)) * time.Millisecond)
		child.Process.Kill()
		child.Wait()
		var last uint64
		for line := range strings.Lines(said.String()) {
			if strings.HasSuffix(line, "\n") {
				fmt.Sscanf(line, "at %d", &last)
			}
		}
		kept, about, err := directory.OpenKept(path)
		if err != nil || kept.Revision() < last {
			t.Fatalf("round %d: it said revision %d, and what is there is of %v: %v", round, last, about.Head, err)
		}
		spoke += min(1, int(last))
	}
	if spoke == 0 {
		t.Error("nobody was killed after it had said anything")
	}
}

func contentsOf(t testing.TB, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func write(t testing.TB, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
