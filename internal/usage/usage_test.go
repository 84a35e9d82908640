package usage_test

import (
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ostiary"
	"ostiary/internal/usage"
)

var (
	noon    = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	byValue = cmpopts.EquateComparable(netip.Addr{})
	never   = usage.Options{Every: time.Hour}
)

func flush(t *testing.T, u *usage.Usage) {
	t.Helper()
	if err := u.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func count(u *usage.Usage, k ostiary.UseKey, at time.Time, reason ostiary.Reason) {
	u.Count(k, at, reason, client, "curl", "GET", path, agent)
}

// steps run a check on the same uses while they are in memory, once they are written, while they are both,
// and after a restart; wherever they are written.
func steps(t *testing.T, first, second func(*usage.Usage), check func(*testing.T, *usage.Usage)) {
	for _, c := range []struct {
		name            string
		between, behind func(*testing.T, *usage.Usage)
	}{
		{"memory", nil, nil},
		{"written", nil, flush},
		{"both", flush, nil},
		{"two flushes", flush, flush},
	} {
		t.Run(c.name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, open opener) {
				u := open(t, never)
				first(u)
				if c.between != nil {
					c.between(t, u)
				}
				second(u)
				if c.behind != nil {
					c.behind(t, u)
				}
				check(t, u)
				if err := u.Close(); err != nil {
					t.Fatal(err)
				}
				check(t, open(t, never))
			})
		})
	}
}

func TestTheLastRequestIsTheEvidence(t *testing.T) {
	k, other := ostiary.UseKey{Account: 1, Token: 2, App: 3}, ostiary.UseKey{Account: 1, Token: 2}
	last := ostiary.Use{
		First: noon, Last: noon.Add(time.Minute), Count: 3, Refused: 1, Reason: ostiary.LowRole,
		From: netip.MustParseAddr("2001:db8::1"), Agent: "Go-http-client/1.1", Method: "POST", Path: "/graph", AppName: "deploy",
	}
	unknown := ostiary.Use{
		First: noon.Add(-time.Hour), Last: noon.Add(-time.Hour), Count: 1, Refused: 1, Reason: ostiary.PendingApp,
		From: client, Agent: agent, Method: "GET", Path: "/v2/graph/0c5e5b3c", AppName: "curl",
	}
	total := last
	total.First, total.Count, total.Refused = unknown.First, 4, 2
	steps(t, func(u *usage.Usage) {
		count(u, other, unknown.First, unknown.Reason)
		count(u, k, noon, ostiary.OK)
		count(u, k, noon.Add(time.Second), ostiary.OK)
	}, func(u *usage.Usage) {
		u.Count(k, last.Last, last.Reason, last.From, last.AppName, last.Method, last.Path+"?a=b?c", last.Agent)
	}, func(t *testing.T, u *usage.Usage) {
		all, apps, err := u.Token(t.Context(), 2)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(total, all, byValue); diff != "" {
			t.Errorf("the token (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(map[ostiary.ID]ostiary.Use{3: last, 0: unknown}, apps, byValue); diff != "" {
			t.Errorf("its applications (-want +got):\n%s", diff)
		}
		tokens, pairs, err := u.Account(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[ostiary.ID]ostiary.Use{2: total}, tokens, byValue); diff != "" {
			t.Errorf("the account's tokens (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(map[ostiary.UseKey]ostiary.Use{k: last, other: unknown}, pairs, byValue); diff != "" {
			t.Errorf("the account's applications (-want +got):\n%s", diff)
		}
	})
}

func TestUseOfOthersIsNotSeen(t *testing.T) {
	steps(t, func(u *usage.Usage) {
		count(u, ostiary.UseKey{Account: 1, Token: 2, App: 3}, noon, ostiary.OK)
	}, func(*usage.Usage) {}, func(t *testing.T, u *usage.Usage) {
		total, apps, err := u.Token(t.Context(), 1)
		if err != nil || total != (ostiary.Use{}) || len(apps) != 0 {
			t.Errorf("another token: %+v, %v, %v", total, apps, err)
		}
		tokens, pairs, err := u.Account(t.Context(), 2)
		if err != nil || len(tokens) != 0 || len(pairs) != 0 {
			t.Errorf("another account: %+v, %v, %v", tokens, pairs, err)
		}
	})
}

func TestHoursAreTheLastWeek(t *testing.T) {
	now := time.Now() // a flush removes what is older than a week
	k := ostiary.UseKey{Account: 1, Token: 2, App: 3}
	steps(t, func(u *usage.Usage) {
		for hour := range 200 {
			for range hour%3 + 1 {
				count(u, k, now.Add(-time.Duration(hour)*time.Hour), ostiary.OK)
			}
		}
		count(u, ostiary.UseKey{Account: 1, Token: 3, App: 3}, now, ostiary.OK)
	}, func(u *usage.Usage) {
		count(u, ostiary.UseKey{Account: 1, Token: 2}, now, ostiary.DeniedApp)
	}, func(t *testing.T, u *usage.Usage) {
		got, err := hoursOf(t, u, 2, now)
		if err != nil {
			t.Fatal(err)
		}
		var want [168]uint64
		for hour := range want {
			want[167-hour] = uint64(hour%3 + 1)
		}
		want[167]++
		if got != want {
			t.Errorf("got  %v\nwant %v", got, want)
		}
	})
}

func TestHoursOlderThanAWeekArePruned(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		u := open(t, never)
		now := time.Now()
		k := ostiary.UseKey{Account: 1, Token: 2, App: 3}
		for hour := range 1200 { // more than two transactions remove
			count(u, k, now.Add(-time.Duration(hour)*time.Hour), ostiary.OK)
		}
		flush(t, u)
		var total uint64
		for _, at := range []time.Time{now, now.Add(-169 * time.Hour), now.Add(-1000 * time.Hour)} {
			hours, err := hoursOf(t, u, 2, at)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range hours {
				total += n
			}
		}
		if total != 168 && total != 169 { // an hour may end while the test runs
			t.Errorf("%d requests by hour, want those of 168 hours", total)
		}
		if use, _, err := u.Token(t.Context(), 2); err != nil || use.Count != 1200 {
			t.Errorf("%d requests in all, want 1200 (%v)", use.Count, err)
		}
	})
}

func hoursOf(t *testing.T, u *usage.Usage, token ostiary.ID, now time.Time) ([168]uint64, error) {
	hours, err := u.HoursOf(t.Context(), []ostiary.ID{token}, now)
	return hours[token], err
}

func TestForgetRemovesOneApplicationOfOneToken(t *testing.T) {
	now := time.Now()
	keys := []ostiary.UseKey{{Account: 1, Token: 2, App: 3}, {Account: 1, Token: 2}, {Account: 1, Token: 3, App: 3}}
	three := func(u *usage.Usage) {
		for _, k := range keys {
			count(u, k, now, ostiary.OK)
		}
	}
	steps(t, three, func(u *usage.Usage) {
		three(u)
		if err := u.Forget(t.Context(), keys[0]); err != nil {
			t.Fatal(err)
		}
		count(u, keys[1], now, ostiary.OK)
	}, func(t *testing.T, u *usage.Usage) {
		_, pairs, err := u.Account(t.Context(), 1)
		if err != nil || len(pairs) != 2 || pairs[keys[1]].Count != 3 || pairs[keys[2]].Count != 2 {
			t.Errorf("got %v, %v; want three of the first's other application and two of the second", pairs, err)
		}
		hours, err := hoursOf(t, u, 2, now)
		if err != nil || hours[167] != 3 {
			t.Errorf("%d in this hour, %v; want 3", hours[167], err)
		}
	})
}

func TestLongWordsAreCutAndCopied(t *testing.T) {
	u := open(t, filepath.Join(t.TempDir(), "use.db"), never)
	k := ostiary.UseKey{Account: 1, Token: 2, App: 3}
	long := "/" + strings.Repeat("é", 300)
	u.Count(k, noon, ostiary.OK, client, strings.Repeat("n", 300), strings.Repeat("M", 99), long, long)
	use, _, err := u.Token(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	want := "/" + strings.Repeat("é", 99)
	if use.Path != want || use.Agent != want || len(use.Method) != 16 || len(use.AppName) != 100 {
		t.Errorf("got %q, %q, %q, %q", use.Path, use.Agent, use.Method, use.AppName)
	}

	before := heap()
	for i := range 100 {
		huge := strings.Repeat("/", 1<<20)
		u.Count(ostiary.UseKey{Account: 1, Token: ostiary.ID(i), App: 4}, noon, ostiary.OK, client,
			huge[:9], huge[1:4], huge[5:50], huge[:70])
	}
	if grown := heap() - before; grown > 5<<20 {
		t.Errorf("memory grew by %d bytes: whole requests were kept", grown)
	}
	runtime.KeepAlive(u)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestMemoryIsBounded(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		u := open(t, usage.Options{Every: time.Hour, Limit: 1000, Pace: 1})
		for i := range 100_000 {
			count(u, key(i), noon, ostiary.OK)
		}
		if u.Dropped() == 0 {
			t.Fatal("nothing was dropped")
		}
		// What did not fit is not counted, what fitted is, and the flusher makes room without being asked.
		var counted uint64
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
			counted = total(t, u, 100)
			dropped := u.Dropped()
			count(u, key(200_000), noon, ostiary.OK)
			if u.Dropped() == dropped {
				break
			}
			time.Sleep(time.Millisecond)
		}
		if counted < 1000 || counted == 100_000 {
			t.Errorf("%d requests were counted", counted)
		}
		if use, _, _ := u.Token(t.Context(), key(200_000).Token); use.Count != 1 {
			t.Error("there was never room again")
		}
	})
}

func total(t *testing.T, u *usage.Usage, accounts int) (n uint64) {
	t.Helper()
	for a := range accounts {
		tokens, _, err := u.Account(t.Context(), ostiary.ID(1+a))
		if err != nil {
			t.Fatal(err)
		}
		for _, use := range tokens {
			n += use.Count
		}
	}
	return n
}

func TestCountingAllocatesNothing(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		u := open(t, never)
		one := func() {
			for i := range 100 {
				count(u, key(i), noon, ostiary.OK)
			}
		}
		one()
		flush(t, u)
		if n := testing.AllocsPerRun(100, one); n != 0 {
			t.Errorf("%v allocations for 100 requests", n)
		}
	})
}

// Everything is counted exactly once, whoever flushes, reads or forgets others meanwhile, and a
// reader never sees fewer requests than before.
func TestEveryRequestIsCountedOnce(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, open opener) {
		u := open(t, usage.Options{Every: time.Millisecond, Pace: 1})
		const each, tokens = 6000, 300
		var counters, others sync.WaitGroup
		var quit atomic.Bool
		for seed := range uint64(3) {
			counters.Go(func() {
				r := rand.New(rand.NewPCG(seed, 1))
				for i := range each {
					at := noon.Add(time.Duration(r.IntN(5)) * time.Hour)
					count(u, ostiary.UseKey{Account: 1, Token: ostiary.ID(1 + r.IntN(tokens)), App: ostiary.ID(i % 3)}, at, ostiary.OK)
				}
			})
		}
		others.Go(func() {
			for !quit.Load() {
				flush(t, u)
				runtime.Gosched()
			}
		})
		others.Go(func() {
			for last := uint64(0); !quit.Load(); {
				now := total(t, u, 1)
				if now < last || now > 3*each {
					t.Errorf("%d requests after %d", now, last)
				}
				last = now
				if err := u.Forget(t.Context(), ostiary.UseKey{Account: 1, Token: 1, App: 99}); err != nil {
					t.Error(err)
				}
			}
		})
		counters.Wait()
		quit.Store(true)
		others.Wait()
		if err := u.Close(); err != nil {
			t.Fatal(err)
		}
		again := open(t, never)
		if got := total(t, again, 1); got != 3*each || u.Dropped() != 0 {
			t.Errorf("%d requests, %d dropped; want %d", got, u.Dropped(), 3*each)
		}
	})
}

func TestTheFlusherWritesByItself(t *testing.T) {
	file := filepath.Join(t.TempDir(), "use.db")
	u := open(t, file, usage.Options{Every: 10 * time.Millisecond})
	count(u, key(1), noon, ostiary.OK)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if rows(t, file, "uses") == 1 {
			return
		}
	}
	t.Error("nothing came to the file in ten seconds")
}
