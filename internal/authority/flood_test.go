package authority_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"ostiary"
)

// TestMillionApplicationNamesOnOneTokenCostNothing floods one token with names, and one door with
// tokens that nobody made: memory and disk stay as they are, and who is allowed stays allowed.
func TestMillionApplicationNamesOnOneTokenCostNothing(t *testing.T) {
	n := 1_000_000
	if testing.Short() {
		n = 100_000
	}
	w := newWorld(t)
	made := w.newToken(t, w.as(w.bob), ostiary.UserToken, ostiary.Normal, ostiary.Pending)
	if _, _, err := w.DecideName(context.Background(), w.as(w.bob), made.ID, "known", ostiary.Allowed); err != nil {
		t.Fatal(err)
	}
	w.ask(made.Secret, "warm", ostiary.ReadOnly)
	memory, disk := heap(), w.disk(t)
	format := ostiary.SecretFormat{Prefix: ostiary.DefaultSecretPrefix}
	for i := range n {
		q := &ostiary.Question{At: time.Now(), From: netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), Method: "GET"}
		q.Shown, q.Token, q.App = ostiary.ShownToken, made.Secret, fmt.Sprint("name ", i)
		q.Path, q.Agent = fmt.Sprint("/", i), fmt.Sprint("agent ", i)
		if d := w.Check(context.Background(), q); d.Reason != ostiary.PendingApp {
			t.Fatalf("name %d is told %s", i, d.Reason)
		}
		if i%10 > 0 {
			continue
		}
		if d := w.ask(format.New(), "known", ostiary.ReadOnly); d.Reason != ostiary.BadToken {
			t.Fatalf("an unknown token is told %s", d.Reason)
		}
		if d := w.ask(made.Secret, "known", ostiary.ReadOnly); !d.OK() {
			t.Fatalf("the allowed application is told %s", d.Reason)
		}
	}
	if err := w.usage.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	grown, written := int64(heap())-int64(memory), w.disk(t)-disk
	t.Logf("%d names: memory grew by %d KB, the databases by %d KB", n, grown>>10, written>>10)
	if grown > 10<<20 {
		t.Errorf("memory grew by %d MB, want less than 10", grown>>20)
	}
	if written > 2<<20 {
		t.Errorf("the databases grew by %d MB, want less than 2", written>>20)
	}
	if c := w.dir.Counts(made.ID); c.Waiting > 100 {
		t.Errorf("%d applications wait, above the cap of 100", c.Waiting)
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// disk is the size of everything in the data folder.
func (w *world) disk(t *testing.T) (size int64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(w.path, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	return size
}
