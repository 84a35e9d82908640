package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"ostiary/internal/store"
	"ostiary/internal/store/pgtest"
	"ostiary/internal/store/storetest"
)

// BenchmarkBackup writes and restores backups of 100,000 tokens, or of as many as OSTIARY_BENCH_TOKENS says,
// with two applications each, from either engine into either. heap-MB is the most that the heap held beyond
// what it held before.
func BenchmarkBackup(b *testing.B) {
	tokens := 100_000
	if s := os.Getenv("OSTIARY_BENCH_TOKENS"); s != "" {
		tokens, _ = strconv.Atoi(s)
	}
	c := pgtest.Shared(b)
	on := func() store.Options { return store.Options{Database: store.ReadDSN(c.URL(c.Database(b)))} }
	alone := func() store.Options { return store.Options{} }
	for from, options := range map[string]func() store.Options{"SQLite": alone, "PostgreSQL": on} {
		db, err := store.Create(b.Context(), filepath.Join(b.TempDir(), "data"), options())
		ok(b, err)
		b.Cleanup(func() { db.Close() })
		ok(b, storetest.Fill(b.Context(), db, tokens))
		var file string
		b.Run("backup/"+from, func(b *testing.B) {
			watch := watchHeap()
			for b.Loop() {
				file = filepath.Join(b.TempDir(), fmt.Sprint(time.Now().UnixNano()))
				ok(b, db.Backup(b.Context(), file))
			}
			b.ReportMetric(watch(), "heap-MB")
			if info, err := os.Stat(file); err == nil {
				b.ReportMetric(float64(info.Size())/1e6, "file-MB")
			}
		})
		kept := filepath.Join(b.TempDir(), "kept")
		ok(b, db.Backup(b.Context(), kept))
		for to, options := range map[string]func() store.Options{"SQLite": alone, "PostgreSQL": on} {
			b.Run("restore/"+from+"-into-"+to, func(b *testing.B) {
				watch := watchHeap()
				for b.Loop() {
					_, err := store.Restore(b.Context(), filepath.Join(b.TempDir(), fmt.Sprint(time.Now().UnixNano())), kept, options(), by)
					ok(b, err)
				}
				b.ReportMetric(watch(), "heap-MB")
			})
		}
	}
}

// watchHeap looks at the heap all the time, and gives the most that it held.
func watchHeap() (most func() float64) {
	runtime.GC()
	read := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse
	}
	before, highest, done := read(), uint64(0), make(chan bool)
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
				highest = max(highest, read())
			}
		}
	})
	return func() float64 {
		close(done)
		watching.Wait()
		return float64(max(highest, before)-before) / 1e6
	}
}
