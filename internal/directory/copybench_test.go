package directory_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/directory"
)

// BenchmarkCopy writes and opens the copy of a million tokens with two applications each. It reports how
// long a decision's look and a change take while no copy is written (calm) and while one is: at most, and
// 99 of 100.
func BenchmarkCopy(b *testing.B) {
	if testing.Short() {
		b.Skip("a million tokens")
	}
	c := crowd{tokens: 1_000_000}
	d := crowded(b, c.tokens)
	path := filepath.Join(b.TempDir(), "copy")
	write := func() {
		if _, err := d.WriteCopy(context.Background(), path, about); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		write()
		busy(b, c, d, func() { time.Sleep(2 * time.Second) }).report(b, "calm-")
		busy(b, c, d, write).report(b, "")
		timed(b, "write", write)
		info, err := os.Stat(path)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(info.Size())/float64(c.tokens), "B/token")
		before := heap()
		var copied *directory.Directory
		timed(b, "open", func() { copied, _, err = directory.OpenCopy(path) })
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(heap()-before)/1e6, "heap-MB")
		if copied.State() != d.State() {
			b.Fatal("the copy differs")
		}
	}
}

// timed reports the time that fn takes, and the processors' time.
func timed(b *testing.B, what string, fn func()) {
	began, spent := time.Now(), cpu()
	fn()
	b.ReportMetric(time.Since(began).Seconds(), what+"-s")
	b.ReportMetric((cpu() - spent).Seconds(), what+"-cpu-s")
}

// BenchmarkApply makes changes of two facts, as a running system does: in memory alone, and written down behind
// the local copy.
func BenchmarkApply(b *testing.B) {
	b.Run("memory", func(b *testing.B) { applyMany(b, crowded(b, 10_000)) })
	b.Run("kept", func(b *testing.B) {
		d := crowded(b, 10_000)
		keep(b, d, filepath.Join(b.TempDir(), "copy"))
		applyMany(b, d)
		if all, err := d.Kept(); !all {
			b.Error("it is not kept:", err)
		}
	})
}

func applyMany(b *testing.B, d *directory.Directory) {
	c := crowd{tokens: 10_000}
	changes := make([]ostiary.Change, 1000)
	for i := range changes {
		changes[i] = c.change(0)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		change := changes[i%len(changes)]
		change.Revision = d.Revision() + 1
		if err := d.Apply(change, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkState is what it costs to compare two directories.
func BenchmarkState(b *testing.B) {
	d := directory.New()
	for b.Loop() {
		d.State()
	}
}

type waits struct{ changes, looks []time.Duration }

// busy makes a change and a look every half millisecond while fn runs.
func busy(tb testing.TB, c crowd, d *directory.Directory, fn func()) (w waits) {
	var quit atomic.Bool
	var both sync.WaitGroup
	both.Go(func() {
		for !quit.Load() {
			change := c.change(d.Revision() + 1)
			began := time.Now()
			if err := d.Apply(change, nil); err != nil {
				tb.Error(err)
			}
			w.changes = append(w.changes, time.Since(began))
			time.Sleep(500 * time.Microsecond)
		}
	})
	both.Go(func() {
		var f ostiary.Facts
		for !quit.Load() {
			hash := c.secret(rand.IntN(c.tokens)).Hash()
			began := time.Now()
			d.Look(hash, "app-1-0", &f)
			w.looks = append(w.looks, time.Since(began))
			time.Sleep(500 * time.Microsecond)
		}
	})
	fn()
	quit.Store(true)
	both.Wait()
	return w
}

func (w waits) report(b *testing.B, when string) {
	for what, all := range map[string][]time.Duration{"change": w.changes, "look": w.looks} {
		slices.Sort(all)
		b.ReportMetric(all[len(all)*99/100].Seconds()*1e3, when+what+"-p99-ms")
		b.ReportMetric(all[len(all)-1].Seconds()*1e3, when+what+"-max-ms")
	}
}
