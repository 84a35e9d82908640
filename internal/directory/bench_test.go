package directory_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"ostiary"
	"ostiary/internal/directory"
	"ostiary/internal/store"
	"ostiary/internal/store/storetest"
	"ostiary/internal/usage"
)

// BenchmarkDecision decides about uniformly random tokens while 50 changes a second are applied: hash,
// look, decide, count. It reports the CPU time of all that the process does meanwhile. Requests are
// made in batches beforehand, since a real one has just been read and is in the processor's cache.
func BenchmarkDecision(b *testing.B) {
	for _, tokens := range []int{10_000, 1_000_000} {
		if testing.Short() && tokens > 10_000 {
			continue
		}
		c := crowd{tokens: tokens}
		d := directory.New()
		began := time.Now()
		if err := d.Load(context.Background(), c); err != nil {
			b.Fatal(err)
		}
		took := time.Since(began)
		stop := changing(b, c, d)
		u, err := usage.Open(filepath.Join(b.TempDir(), "use.db"), usage.Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("tokens=%d", tokens), func(b *testing.B) {
			b.ReportAllocs()
			r, f, batch := random(), new(ostiary.Facts), newRequests(c)
			var spent time.Duration
			for left := b.N; left > 0; left -= len(batch) {
				batch.make(c, r)
				before := cpu()
				for i := range batch[:min(left, len(batch))] {
					q := &batch[i].question
					d.Look(q.Token.Hash(), q.App, f)
					got := ostiary.Decide(f, q)
					if got.Token == 0 {
						b.Fatalf("token %q is not known: %v", q.Token.Reveal(), got.Reason)
					}
					key := ostiary.UseKey{Account: got.Account, Token: got.Token, App: got.App}
					u.Count(key, q.At, got.Reason, q.From, got.AppName, q.Method, q.Path, q.Agent)
				}
				spent += cpu() - before
			}
			b.ReportMetric(float64(spent)/float64(b.N), "cpu-ns/op")
			b.ReportMetric(took.Seconds(), "load-s")
		})
		u.Close()
		stop()
	}
}

// requests are made in place, so that making them allocates nothing.
type requests [256]struct {
	secret   [57]byte
	name     [24]byte
	question ostiary.Question
}

func newRequests(c crowd) *requests {
	var all requests
	for i := range all {
		q := &all[i]
		q.question = ostiary.Question{
			Need: ostiary.ReadOnly, At: time.Now(), From: netip.MustParseAddr("192.0.2.17"),
			Method: "GET", Path: "/v2/graph/0c5e5b3c?from=2026-11-01", Agent: "curl/8.14.1",
		}
		q.question.Shown = ostiary.ShownToken
		copy(q.secret[:], c.secret(0).Reveal())
		q.question.Token = ostiary.ReadSecret(unsafe.String(&q.secret[0], len(q.secret)))
	}
	return &all
}

func (all *requests) make(c crowd, r *rand.Rand) {
	for i := range all {
		q := &all[i]
		n := r.IntN(c.tokens)
		for at, rest := len(q.secret)-1, n; at >= 8; at, rest = at-1, rest/10 {
			q.secret[at] = byte('0' + rest%10)
		}
		name := c.appendApp(q.name[:0], n, 0)
		q.question.App = unsafe.String(&name[0], len(name))
	}
}

func random() *rand.Rand { return rand.New(rand.NewPCG(rand.Uint64(), 1)) }

// changing applies 50 changes a second until the function that it returns is called.
func changing(tb testing.TB, c crowd, d *directory.Directory) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
			}
			if err := d.Apply(c.change(d.Revision()+1), nil); err != nil {
				tb.Error(err)
				return
			}
		}
	}()
	return func() { close(quit); <-done }
}

// BenchmarkHeap loads a million tokens with two applications each.
func BenchmarkHeap(b *testing.B) {
	if testing.Short() {
		b.Skip("a million tokens")
	}
	for b.Loop() {
		before := heap()
		d := directory.New()
		if err := d.Load(context.Background(), crowd{tokens: 1_000_000}); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(heap()-before)/1e6, "heap-MB")
		runtime.KeepAlive(d)
	}
}

// BenchmarkLoad loads a million tokens with two applications each from a real database.
func BenchmarkLoad(b *testing.B) {
	if testing.Short() {
		b.Skip("a million tokens")
	}
	ctx := context.Background()
	records, err := store.Create(ctx, b.TempDir(), store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer records.Close()
	if err := storetest.Fill(ctx, records, 1_000_000); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		before := heap()
		d := directory.New()
		if err := d.Load(ctx, records); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if got := d.Size(); got.Secrets != 1_000_000 || got.Apps != 2_000_000 {
			b.Fatalf("got %+v", got)
		}
		b.ReportMetric(float64(heap()-before)/1e6, "heap-MB")
		runtime.KeepAlive(d)
		b.StartTimer()
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
