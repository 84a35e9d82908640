package store_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/store"
	"ostiary/internal/store/pgtest"
	"ostiary/internal/store/storetest"
)

// BenchmarkPostgreSQL measures changes as authority makes them, from one node and from three at once,
// with two callers each, and what a snapshot costs. The server's disk syncs.
func BenchmarkPostgreSQL(b *testing.B) {
	c := pgtest.Shared(b)
	url := c.URL(c.Database(b))
	nodes := []*store.DB{createOn(b, url), join(b, url), join(b, url)}
	if err := storetest.Fill(b.Context(), nodes[0], 2000); err != nil {
		b.Fatal(err)
	}
	for _, n := range []int{1, 3} {
		b.Run(fmt.Sprintf("change/nodes=%d", n), func(b *testing.B) {
			var left, done atomic.Int64
			left.Store(int64(b.N))
			began := time.Now()
			var all sync.WaitGroup
			for _, node := range nodes[:n] {
				for range 2 {
					all.Go(func() {
						for left.Add(-1) >= 0 {
							decide(b, node, int(done.Add(1)))
						}
					})
				}
			}
			all.Wait()
			b.ReportMetric(float64(done.Load())/time.Since(began).Seconds(), "changes/s")
		})
	}
	b.Run("view", func(b *testing.B) {
		for b.Loop() {
			err := nodes[0].View(b.Context(), func(r ostiary.Reader) error {
				if _, err := r.Head(); err != nil {
					return err
				}
				_, err := r.Token(1, 1)
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("changes", func(b *testing.B) {
		after := logEnd(b, nodes[0]) - 1
		for b.Loop() {
			if err := nodes[0].Changes(b.Context(), after, func(ostiary.Change) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// logEnd is where the log ends.
func logEnd(b *testing.B, db *store.DB) (revision uint64) {
	err := db.View(b.Context(), func(r ostiary.Reader) error {
		h, err := r.Head()
		revision = h.Revision
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return revision
}
