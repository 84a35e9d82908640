package usage_test

import (
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/usage"
)

// Hours that are over are kept in memory. Counts that come late, a clock that goes on or back, and
// requests that are written at any moment show as if all were read anew each time.
func TestKeptHoursAreThoseOfTheFile(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		now := time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)
		u, err := usage.Open(filepath.Join(t.TempDir(), "use.db"), usage.Options{
			Every: time.Hour, Now: func() time.Time { return now },
		})
		if err != nil {
			t.Fatal(err)
		}
		defer u.Close()
		counted := map[ostiary.ID]map[int64]uint64{1: {}, 2: {}, 3: {}}
		for step := range 200 {
			token := 1 + ostiary.ID(r.IntN(3))
			switch r.IntN(5) {
			case 0:
				now = now.Add(time.Duration(r.IntN(150)-30) * time.Minute)
			case 1:
				if err := u.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
			case 2:
				at := now.Add(-time.Duration(r.IntN(120)) * time.Hour / 2)
				count(u, ostiary.UseKey{Account: 1, Token: token, App: 1 + ostiary.ID(r.IntN(2))}, at, ostiary.OK)
				counted[token][at.Unix()/3600]++
			default:
				got, err := u.HoursOf(t.Context(), []ostiary.ID{token, 1}, now)
				if err != nil {
					t.Fatal(err)
				}
				for _, one := range []ostiary.ID{token, 1} {
					if want := hoursUntil(counted[one], now); got[one] != want {
						t.Fatalf("seed %d, step %d, token %d:\ngot  %v\nwant %v", seed, step, one, got[one], want)
					}
				}
			}
		}
	}
}

func hoursUntil(counted map[int64]uint64, now time.Time) (hours [168]uint64) {
	for hour, n := range counted {
		if i := hour - now.Unix()/3600 + 167; 0 <= i && i < 168 {
			hours[i] += n
		}
	}
	return hours
}
