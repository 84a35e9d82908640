package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"ostiary"
	"ostiary/internal/authority"
	"ostiary/internal/directory"
	"ostiary/internal/follow"
	"ostiary/internal/store"
	"ostiary/internal/store/storetest"
	"ostiary/internal/usage"
)

const rounds = 5

// decision measures Check in process, with hashing and the count of use, tokens picked uniformly at
// random, while 50 changes a second are made and applied.
func decision(folder string) error {
	fmt.Println("A decision in process, 50 changes a second being applied")
	for _, n := range []int{10_000, 1_000_000} {
		if err := decideAmong(filepath.Join(folder, fmt.Sprint(n)), n); err != nil {
			return err
		}
	}
	return nil
}

func decideAmong(folder string, n int) error {
	ctx := context.Background()
	db, err := store.Create(ctx, folder, store.Options{})
	if err != nil {
		return err
	}
	defer db.Close()
	if err := storetest.Fill(ctx, db, n); err != nil {
		return err
	}
	dir, before, begun := directory.New(), heap(), time.Now()
	if err := dir.Load(ctx, db); err != nil {
		return err
	}
	loaded := time.Since(begun)
	size := heap() - before
	uses, err := usage.Open(filepath.Join(folder, "use.db"), usage.Options{})
	if err != nil {
		return err
	}
	defer uses.Close()
	a := authority.New(db, dir, follow.New(db, dir, nil), uses, authority.Settings{})
	defer a.Close(ctx)

	var read byte // a request has just been read when its token is looked up
	secrets := make([]ostiary.SecretText, n)
	for i := range secrets {
		secrets[i] = storetest.Secret(i)
	}
	changes, stop := changing(a)
	defer stop()
	fmt.Printf("  %9d tokens: loaded in %.2f s, %d MB of heap\n", n, loaded.Seconds(), size>>20)
	check := func(ctx context.Context, q *ostiary.Question) {
		if d := a.Check(ctx, q); !d.OK() {
			panic("a token that is on record was told " + d.Reason.String())
		}
	}
	pick := func(_ context.Context, q *ostiary.Question) { read += q.Token.Reveal()[len(q.Token.Reveal())-1] }
	decide(check, secrets, time.Second) // until the tables have grown
	var thread, whole, allocs []float64
	for range rounds {
		none := decide(pick, secrets, time.Second)
		one := decide(check, secrets, 3*time.Second)
		thread, whole = append(thread, one.thread-none.thread), append(whole, one.whole-none.thread)
		allocs = append(allocs, one.allocs)
	}
	fmt.Printf("  %9d tokens: %.0f ns of CPU a decision (%s), %.0f ns with all else that the process does meanwhile\n",
		n, median(thread), spread(thread), median(whole))
	fmt.Printf("  %9d tokens: SHA-256 of a token alone takes %.0f ns in this run\n", n, hashing(secrets))
	fmt.Printf("  %9d tokens: %.3f allocations a decision, %.3f with changes and the writing of use; %d changes were made\n",
		n, own(check, secrets), median(allocs), changes())
	return nil
}

type cost struct{ thread, whole, allocs float64 }

// decide asks for a while on one thread, and gives nanoseconds and allocations a question. What it
// takes to pick a token and to read the clock is measured by asking nobody, and taken off.
func decide(ask func(context.Context, *ostiary.Question), secrets []ostiary.SecretText, long time.Duration) cost {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ctx, app, from := context.Background(), storetest.Apps()[0], netip.MustParseAddr("192.0.2.1")
	q := &ostiary.Question{Need: ostiary.ReadOnly, From: from, Method: "GET", Path: "/v2/account/current", Agent: "curl/8"}
	q.Shown, q.App = ostiary.ShownToken, app
	var was, is runtime.MemStats
	runtime.ReadMemStats(&was)
	thread, whole, begun, done := cpu(rusageThread), cpu(syscall.RUSAGE_SELF), time.Now(), 0
	for q.At = begun; q.At.Sub(begun) < long; done++ {
		q.Token = secrets[rand.IntN(len(secrets))]
		q.At = time.Now()
		ask(ctx, q)
	}
	thread, whole = cpu(rusageThread)-thread, cpu(syscall.RUSAGE_SELF)-whole
	runtime.ReadMemStats(&is)
	n := float64(done)
	return cost{float64(thread) / n, float64(whole) / n, float64(is.Mallocs-was.Mallocs) / n}
}

// own is how many allocations a decision makes itself: the fewest in many short runs, between what
// the rest of the process does.
func own(ask func(context.Context, *ostiary.Question), secrets []ostiary.SecretText) float64 {
	fewest := 1.0
	for range 50 {
		fewest = min(fewest, decide(ask, secrets, time.Millisecond).allocs)
	}
	return fewest
}

// hashing is how many nanoseconds the hash of a token takes: a yardstick for the machine of this run.
func hashing(secrets []ostiary.SecretText) float64 {
	const times = 1_000_000
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	begun := cpu(rusageThread)
	for i := range times {
		secrets[i%100].Hash()
	}
	return float64(cpu(rusageThread)-begun) / times
}

// changing makes 50 changes a second until it is stopped, and counts them.
func changing(a *authority.Authority) (count func() int, stop func()) {
	ctx, halt := context.WithCancel(context.Background())
	ended, made := make(chan struct{}), make(chan int, 1)
	made <- 0
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Second / 50)
		defer tick.Stop()
		c := authority.Caller{Operator: "bench"}
		for i := 0; ; i++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			text := fmt.Sprint("change ", i)
			if _, _, err := a.SetToken(ctx, c, ostiary.ID(1+i%1000), authority.TokenPatch{Description: &text}); err == nil {
				made <- 1 + <-made
			}
		}
	}()
	return func() int { n := <-made; made <- n; return n }, func() { halt(); <-ended }
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
