package usage_test

import (
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/store/pgtest"
	"ostiary/internal/usage"
)

// A lead tells one port.
type lead struct {
	age  atomic.Uint64
	port atomic.Int64
}

func (l *lead) Age() uint64 { return l.age.Load() }

func (l *lead) Leads(address string) bool {
	_, port, _ := net.SplitHostPort(address)
	return port == fmt.Sprint(l.port.Load())
}

// A server that was left alone takes whatever is counted, and it is lost with it.
func TestWhatIsCountedGoesWhereTheRecordsAre(t *testing.T) {
	t.Parallel()
	alone := pgtest.Start(t)
	name := alone.Database(t)
	second := alone.Standby(t)
	both := strings.Replace(alone.URL(name), fmt.Sprintf(":%d/", alone.Port),
		fmt.Sprintf(":%d,127.0.0.1:%d/", alone.Port, second.Port), 1)
	const counted = "SELECT CAST(COALESCE(SUM(count), 0) AS BIGINT) FROM uses"
	l := new(lead)
	l.port.Store(int64(alone.Port))
	u := openURL(t, both, usage.Options{Every: never.Every, Lead: l})
	k := ostiary.UseKey{Account: 1, Token: 1, App: 1}
	count(u, k, noon, ostiary.OK)
	if err := u.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if len(pgtest.Column[string](t, second, name, "SELECT relname FROM pg_class WHERE relname = 'uses'")) == 1 &&
			pgtest.Column[int64](t, second, name, counted)[0] == 1 {
			break
		}
	}
	second.Promote(t)
	l.port.Store(int64(second.Port))
	l.age.Add(1)
	count(u, k, noon, ostiary.OK)
	if err := u.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for which, want := range map[*pgtest.Cluster]int64{alone: 1, second: 2} {
		if got := pgtest.Column[int64](t, which, name, counted); len(got) != 1 || got[0] != want {
			t.Errorf("port %d counts %v, want %d", which.Port, got, want)
		}
	}
}
