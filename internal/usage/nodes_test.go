package usage_test

import (
	"bytes"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ostiary"
	"ostiary/internal/store/pgtest"
	"ostiary/internal/usage"
)

// deadlocks are those that a database has seen. A server tells them a little later.
func deadlocks(t *testing.T, c *pgtest.Cluster, database string) int64 {
	t.Helper()
	return pgtest.Column[int64](t, c, "postgres", `
		SELECT deadlocks
		FROM pg_stat_database
		WHERE datname = $1`, database)[0]
}

func TestWhatSeveralNodesCountAddsUp(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	database := c.Database(t)
	open := at(c, database)
	const nodes, each, tokens, rounds = 3, 4000, 150, 4
	now := time.Now()
	var busy sync.WaitGroup
	for n := range uint64(nodes) {
		u := open(t, never)
		busy.Go(func() {
			r := rand.New(rand.NewPCG(n, 1))
			for range rounds {
				for range each / rounds {
					k := ostiary.UseKey{Account: 1, Token: ostiary.ID(1 + r.IntN(tokens)), App: ostiary.ID(r.IntN(3))}
					count(u, k, now.Add(-time.Duration(r.IntN(3))*time.Hour), ostiary.OK)
				}
				if err := u.Flush(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	busy.Wait()
	u := open(t, never)
	if got := total(t, u, 1); got != nodes*each {
		t.Errorf("%d requests, want %d", got, nodes*each)
	}
	var ids []ostiary.ID
	for i := range ostiary.ID(tokens) {
		ids = append(ids, 1+i)
	}
	hours, err := u.HoursOf(t.Context(), ids, now)
	var sum uint64
	for _, h := range hours {
		for _, n := range h {
			sum += n
		}
	}
	if err != nil || sum != nodes*each {
		t.Errorf("%d requests by hour, %v; want %d", sum, err, nodes*each)
	}
	if n := deadlocks(t, c, database); n != 0 {
		t.Errorf("%d deadlocks: nodes do not write in the same order", n)
	}
}

func TestALaterFlushOfAnEarlierRequestIsNoEvidence(t *testing.T) {
	k := ostiary.UseKey{Account: 1, Token: 2, App: 3}
	want := ostiary.Use{
		First: noon.Add(-2 * time.Hour), Last: noon, Count: 3, Refused: 1, Reason: ostiary.DeniedApp,
		From: netip.MustParseAddr("2001:db8::1"), Agent: "Go", Method: "POST", Path: "/graph", AppName: "deploy",
	}
	for _, c := range []struct {
		name string
		new  func(testing.TB) opener
		two  bool // nodes
	}{{"file", inFile, false}, {"postgres", inPostgres, false}, {"two nodes", inPostgres, true}} {
		t.Run(c.name, func(t *testing.T) {
			open := c.new(t)
			u := open(t, never)
			late := u
			if c.two {
				late = open(t, never)
			}
			u.Count(k, noon, want.Reason, want.From, want.AppName, want.Method, want.Path, want.Agent)
			flush(t, u)
			count(late, k, noon.Add(-time.Hour), ostiary.OK)
			count(late, k, noon.Add(-2*time.Hour), ostiary.OK)
			flush(t, late)
			if _, apps, err := u.Token(t.Context(), 2); err != nil || cmp.Diff(want, apps[3], byValue) != "" {
				t.Errorf("%v (-want +got):\n%s", err, cmp.Diff(want, apps[3], byValue))
			}
		})
	}
}

func TestANodeSeesWhatOthersHaveWritten(t *testing.T) {
	open := inPostgres(t)
	a, b := open(t, never), open(t, never)
	now := time.Now()
	count(a, key(1), now, ostiary.OK)
	flush(t, a)
	count(b, key(1), now.Add(time.Second), ostiary.OK)
	for _, c := range []struct {
		name string
		u    *usage.Usage
		want uint64
	}{{"the one that has not written", b, 2}, {"the other one", a, 1}} {
		use, _, err := c.u.Token(t.Context(), key(1).Token)
		if err != nil || use.Count != c.want {
			t.Errorf("%s counts %d, %v; want %d", c.name, use.Count, err, c.want)
		}
	}
}

func TestNodesThatStartTogetherMakeTheTablesOnce(t *testing.T) {
	t.Parallel()
	open := inPostgres(t)
	var said bytes.Buffer
	log := slog.New(slog.NewTextHandler(&said, nil))
	var starting sync.WaitGroup
	for range 8 {
		starting.Go(func() {
			u := open(t, usage.Options{Every: time.Hour, Log: log})
			count(u, key(1), noon, ostiary.OK)
			if err := u.Flush(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	starting.Wait()
	if said.Len() != 0 {
		t.Errorf("the log says %s", &said)
	}
	if got := total(t, open(t, never), 1); got != 8 {
		t.Errorf("%d requests, want 8", got)
	}
}

func TestNodesPruneAtOnce(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	database := c.Database(t)
	open := at(c, database)
	now := time.Now()
	var nodes []*usage.Usage
	for range 3 {
		nodes = append(nodes, open(t, never))
	}
	for hour := range 2500 {
		count(nodes[0], key(1), now.Add(-time.Duration(hour)*time.Hour), ostiary.OK)
	}
	var busy sync.WaitGroup
	for _, u := range nodes {
		busy.Go(func() {
			if err := u.Flush(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	busy.Wait()
	flush(t, nodes[0])
	left := pgtest.Column[int64](t, c, database, `SELECT COUNT(*) FROM hours`)[0]
	if left != 168 && left != 169 {
		t.Errorf("%d hours are left, want 168", left)
	}
}

func TestWritersOfLongAgoArePruned(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		now := noon
		clock := usage.Options{Every: time.Hour, Now: func() time.Time { return now }}
		old := open(t, clock)
		count(old, key(1), noon, ostiary.OK)
		if err := old.Close(); err != nil {
			t.Fatal(err)
		}
		u := open(t, clock)
		for _, want := range []int{2, 1} {
			count(u, key(1), now, ostiary.OK)
			flush(t, u)
			if got := usage.Writers(t.Context(), u); got != want {
				t.Errorf("%d writers are on record, want %d", got, want)
			}
			now = now.Add(8 * 24 * time.Hour)
		}
	})
}

func TestHostileTextIsMadeHarmless(t *testing.T) {
	long := strings.Repeat("\xff\x00", 150)
	k := ostiary.UseKey{Account: 1, Token: 2, App: 3}
	steps(t, func(*usage.Usage) {}, func(u *usage.Usage) {
		u.Count(k, noon, ostiary.OK, netip.Addr{}, "\x00", "G\x00T\xff", "/a\xed\xa0\x80b\x00?\xff", long)
	}, func(t *testing.T, u *usage.Usage) {
		use, _, err := u.Token(t.Context(), 2)
		if err != nil {
			t.Fatal(err)
		}
		want := ostiary.Use{
			First: noon, Last: noon, Count: 1, Reason: ostiary.OK, AppName: "\uFFFD", Method: "G\uFFFDT\uFFFD",
			Path: "/a\uFFFDb\uFFFD", Agent: strings.Repeat("\uFFFD\uFFFD", 100),
		}
		if diff := cmp.Diff(want, use, byValue); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestConnectionsWaitForNoDiskAndNotForLong(t *testing.T) {
	u := inPostgres(t)(t, usage.Options{Every: time.Hour, Patience: 3 * time.Second})
	for name, want := range map[string]string{
		"synchronous_commit": "off", "statement_timeout": "3s", "lock_timeout": "1500ms",
		"idle_in_transaction_session_timeout": "6s", "application_name": "ostiary use",
	} {
		if got := usage.Setting(t.Context(), u, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}
