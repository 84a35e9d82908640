package main

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"time"

	"ostiary"
	"ostiary/internal/authority"
	"ostiary/internal/directory"
	"ostiary/internal/follow"
	"ostiary/internal/store"
	"ostiary/internal/store/storetest"
	"ostiary/internal/usage"
)

// flush measures how long changes take while the use of 100,000 pairs is written to its file, and
// while nothing is.
func flush(folder string) error {
	const tokens = 50_000 // with two applications each
	ctx := context.Background()
	db, err := store.Create(ctx, folder, store.Options{})
	if err != nil {
		return err
	}
	defer db.Close()
	if err := storetest.Fill(ctx, db, tokens); err != nil {
		return err
	}
	dir := directory.New()
	if err := dir.Load(ctx, db); err != nil {
		return err
	}
	uses, err := usage.Open(filepath.Join(folder, "use.db"), usage.Options{Every: 50 * time.Millisecond})
	if err != nil {
		return err
	}
	defer uses.Close()
	a := authority.New(db, dir, follow.New(db, dir, nil), uses, authority.Settings{})
	defer a.Close(ctx)

	fmt.Println("A change in process while the use of 100,000 pairs is written, and while none is")
	var alone, during, ratio []float64
	for round := range rounds + 1 {
		if err := uses.Flush(ctx); err != nil {
			return err
		}
		still, err := slowest(a, 4*time.Second)
		if err != nil {
			return err
		}
		useAll(uses, tokens)
		busy, err := slowest(a, 4*time.Second)
		if err != nil {
			return err
		}
		if round == 0 {
			continue // everything warm
		}
		alone, during, ratio = append(alone, still), append(during, busy), append(ratio, busy/still)
	}
	fmt.Printf("  p99 while none is written  %.2f ms (%s)\n  p99 while use is written   %.2f ms (%s)\n  ratio %.2f (%s), wanted at most 1.5\n",
		median(alone), spread(alone), median(during), spread(during), median(ratio), spread(ratio))
	return nil
}

// useAll counts a request for both applications of every token.
func useAll(u *usage.Usage, tokens int) {
	now, from := time.Now(), netip.MustParseAddr("192.0.2.1")
	for n := range 2 * tokens {
		k := ostiary.UseKey{Account: 1, Token: ostiary.ID(1 + n/2), App: ostiary.ID(1 + n)}
		u.Count(k, now, ostiary.OK, from, "monitor", "GET", "/v2/account/current", "curl/8")
	}
}

// slowest makes changes for a while, and gives the 99th percentile of how long each took, in milliseconds.
func slowest(a *authority.Authority, long time.Duration) (float64, error) {
	c := authority.Caller{Operator: "bench"}
	var took []float64
	for begun := time.Now(); time.Since(begun) < long; time.Sleep(time.Millisecond) {
		text, now := fmt.Sprint("change ", time.Now().UnixNano()), time.Now()
		id := ostiary.ID(1 + len(took)%1000)
		if _, _, err := a.SetToken(context.Background(), c, id, authority.TokenPatch{Description: &text}); err != nil {
			return 0, err
		}
		took = append(took, float64(time.Since(now).Microseconds())/1000)
	}
	slices.Sort(took)
	return took[len(took)*99/100], nil
}
