package usage_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/usage"
)

const (
	agent = "curl/8.14.1 (x86_64-pc-linux-gnu)"
	path  = "/v2/graph/0c5e5b3c?from=2026-11-01&to=2026-11-02"
)

var client = netip.MustParseAddr("192.0.2.17")

func key(token int) ostiary.UseKey {
	return ostiary.UseKey{Account: ostiary.ID(1 + token/1000), Token: ostiary.ID(1 + token), App: ostiary.ID(2 * token)}
}

func open(tb testing.TB, file string, opt usage.Options) *usage.Usage {
	tb.Helper()
	u, err := usage.Open(file, opt)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { u.Close() })
	return u
}

// BenchmarkCount counts requests of uniformly random tokens, with nothing written meanwhile.
func BenchmarkCount(b *testing.B) {
	for _, tokens := range []int{1, 10_000, 200_000} {
		u := open(b, filepath.Join(b.TempDir(), "use.db"), usage.Options{Every: time.Hour})
		at := time.Now()
		for i := range tokens {
			u.Count(key(i), at, ostiary.OK, client, "curl", "GET", path, agent)
		}
		b.Run(fmt.Sprintf("tokens=%d/one", tokens), func(b *testing.B) {
			b.ReportAllocs()
			r := rand.New(rand.NewPCG(1, 2))
			before := cpu()
			for b.Loop() {
				u.Count(key(r.IntN(tokens)), at, ostiary.OK, client, "curl", "GET", path, agent)
			}
			b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/op")
		})
		b.Run(fmt.Sprintf("tokens=%d/all", tokens), func(b *testing.B) {
			before := cpu()
			b.RunParallel(func(pb *testing.PB) {
				r := rand.New(rand.NewPCG(rand.Uint64(), 2))
				for pb.Next() {
					u.Count(key(r.IntN(tokens)), at, ostiary.OK, client, "curl", "GET", path, agent)
				}
			})
			b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/op")
		})
		u.Close()
	}
}

// BenchmarkFlush writes 5,000 pairs without pauses.
func BenchmarkFlush(b *testing.B) {
	const pairs = 5000
	for _, p := range places {
		b.Run(p.name, func(b *testing.B) {
			u := p.new(b)(b, usage.Options{Every: time.Hour})
			var spent time.Duration
			for b.Loop() {
				use(u, pairs)
				before := cpu()
				if err := u.Flush(context.Background()); err != nil {
					b.Fatal(err)
				}
				spent += cpu() - before
			}
			b.ReportMetric(float64(spent.Microseconds())/float64(b.N)/pairs, "cpu-µs/pair")
		})
	}
}

// BenchmarkPage reads what pages show of tokens with 5 applications each, used in every other hour of the
// week: by a node that has not shown them before, and by one that has.
func BenchmarkPage(b *testing.B) {
	const tokens, apps = 1000, 5
	for _, p := range places {
		b.Run(p.name, func(b *testing.B) {
			open := p.new(b)
			u := open(b, usage.Options{Every: time.Hour})
			now := time.Now()
			for hour := 0; hour < 168; hour += 2 {
				for i := range tokens * apps {
					k := ostiary.UseKey{Account: 1, Token: ostiary.ID(1 + i/apps), App: ostiary.ID(1 + i)}
					u.Count(k, now.Add(-time.Duration(hour)*time.Hour), ostiary.OK, client, "curl", "GET", path, agent)
				}
				if err := u.Flush(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
			for _, n := range []int{1, 75, tokens} {
				ids := make([]ostiary.ID, n)
				for i := range ids {
					ids[i] = ostiary.ID(1 + i)
				}
				hours := func(u *usage.Usage) {
					if got, err := u.HoursOf(context.Background(), ids, now); err != nil || len(got) != n {
						b.Fatal(len(got), err)
					}
				}
				b.Run(fmt.Sprintf("hours/tokens=%d/first", n), func(b *testing.B) {
					for b.Loop() {
						b.StopTimer()
						fresh := open(b, usage.Options{Every: time.Hour})
						fresh.Token(context.Background(), 1)
						b.StartTimer()
						hours(fresh)
						b.StopTimer()
						fresh.Close()
						b.StartTimer()
					}
				})
				b.Run(fmt.Sprintf("hours/tokens=%d/again", n), func(b *testing.B) {
					hours(u)
					for b.Loop() {
						hours(u)
					}
				})
				b.Run(fmt.Sprintf("uses/tokens=%d", n), func(b *testing.B) {
					for b.Loop() {
						if _, got, err := u.TokensUse(context.Background(), ids); err != nil || len(got) != n*apps {
							b.Fatal(len(got), err)
						}
					}
				})
			}
		})
	}
}

func use(u *usage.Usage, pairs int) {
	at := time.Now()
	for i := range pairs {
		u.Count(key(i), at, ostiary.OK, client, "curl", "GET", path, agent)
	}
}

// BenchmarkChangeDuringFlush commits durable changes to another file of the same folder, by turns
// while 100,000 pairs are written and while nothing is, and compares the 99th percentiles.
func BenchmarkChangeDuringFlush(b *testing.B) {
	const pairs = 100_000
	dir := b.TempDir()
	u := open(b, filepath.Join(dir, "use.db"), usage.Options{Every: time.Hour})
	records := openRecords(b, dir)
	use(u, pairs)
	if err := u.Flush(context.Background()); err != nil {
		b.Fatal(err)
	}
	var alone, during []time.Duration
	var flushed time.Duration
	n := 0
	change := func(into *[]time.Duration) {
		began := time.Now()
		if _, err := records.Exec(`INSERT INTO changes (id, text) VALUES (?, ?)`, n, agent); err != nil {
			b.Fatal(err)
		}
		n++
		*into = append(*into, time.Since(began))
		time.Sleep(time.Millisecond)
	}
	for b.Loop() {
		use(u, pairs)
		began := time.Now()
		done := make(chan error)
		go func() { done <- u.FlushInPeace(context.Background()) }()
		for flushing := true; flushing; {
			change(&during)
			select {
			case err := <-done:
				if err != nil {
					b.Fatal(err)
				}
				flushing = false
			default:
			}
		}
		flushed += time.Since(began)
		for began := time.Now(); time.Since(began) < 5*time.Second; {
			change(&alone)
		}
	}
	b.Logf("during: %d, alone %d", len(during), len(alone))
	for _, p := range []float64{0.5, 0.9, 0.99, 0.999} {
		d, a := percentile(during, p), percentile(alone, p)
		b.Logf("p%v: during %v, alone %v, ratio %.2f", 100*p, d, a, float64(d)/float64(a))
	}
	b.ReportMetric(float64(percentile(during, 0.99))/float64(percentile(alone, 0.99)), "p99-ratio")
	b.ReportMetric(flushed.Seconds()/float64(b.N), "s/flush")
}

func percentile(all []time.Duration, p float64) time.Duration {
	slices.Sort(all)
	return all[int(p*float64(len(all)))]
}

func openRecords(b *testing.B, dir string) *sql.DB {
	file := filepath.Join(dir, "records.db")
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(`CREATE TABLE changes (id INTEGER PRIMARY KEY, text TEXT)`); err != nil {
		b.Fatal(err)
	}
	return db
}

func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
