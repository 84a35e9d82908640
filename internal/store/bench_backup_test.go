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
// with two applications each. heap-MB is the most that the heap held beyond what it held before.
func BenchmarkBackup(b *testing.B) {
	tokens := 100_000
	if s := os.Getenv("OSTIARY_BENCH_TOKENS"); s != "" {
		tokens, _ = strconv.Atoi(s)
	}
	c := pgtest.Shared(b)
	anew := func() string { return filepath.Join(b.TempDir(), fmt.Sprint(time.Now().UnixNano())) }
	dir := anew()
	db, err := store.Create(b.Context(), dir, store.Options{})
	ok(b, err)
	ok(b, storetest.Fill(b.Context(), db, tokens))
	file := anew()
	ok(b, db.Backup(b.Context(), file))
	b.Cleanup(func() { db.Close() })
	for _, engine := range []string{"SQLite", "PostgreSQL"} {
		var dir string
		var o store.Options
		b.Run("restore/"+engine, func(b *testing.B) {
			watch := watchHeap()
			for b.Loop() {
				if dir, o = anew(), (store.Options{}); engine == "PostgreSQL" {
					o.Database = store.ReadDSN(c.URL(c.Database(b)))
				}
				_, err := store.Restore(b.Context(), dir, file, o, by)
				ok(b, err)
			}
			b.ReportMetric(watch(), "heap-MB")
		})
		b.Run("backup/"+engine, func(b *testing.B) {
			db, err := store.Open(b.Context(), dir, o)
			ok(b, err)
			defer db.Close()
			watch := watchHeap()
			for b.Loop() {
				file = anew()
				ok(b, db.Backup(b.Context(), file))
			}
			b.ReportMetric(watch(), "heap-MB")
			if info, err := os.Stat(file); err == nil {
				b.ReportMetric(float64(info.Size())/1e6, "file-MB")
			}
		})
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
