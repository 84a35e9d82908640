package store_test

import (
	"context"
	"os"
	"strconv"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/store"
	"ostiary/internal/store/storetest"
)

// BenchmarkSnapshot reads every record of 1,000,000 tokens, or of as many as OSTIARY_BENCH_TOKENS says.
func BenchmarkSnapshot(b *testing.B) {
	n := 1_000_000
	if s := os.Getenv("OSTIARY_BENCH_TOKENS"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	ctx := context.Background()
	dir := os.Getenv("OSTIARY_BENCH_DIR")
	if dir == "" {
		dir = b.TempDir()
	}
	db, err := store.Open(ctx, dir, store.Options{})
	if err != nil {
		db, err = store.Create(ctx, dir, store.Options{})
		if err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		if err := storetest.Fill(ctx, db, n); err != nil {
			b.Fatal(err)
		}
		b.Logf("filled in %v", time.Since(start))
	}
	defer db.Close()
	for b.Loop() {
		facts := 0
		err := db.View(ctx, func(r ostiary.Reader) error {
			return r.Snapshot(func(ostiary.Fact) error { facts++; return nil })
		})
		if err != nil || facts < 4*n {
			b.Fatal(facts, err)
		}
		b.ReportMetric(float64(facts), "facts")
	}
}
