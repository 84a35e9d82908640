package usage_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/usage"
)

// A hourOf is an hour of an application of a token.
type hourOf struct {
	key  ostiary.UseKey
	hour int64
}

// A counted is what a node has in memory, or all nodes have written.
type counted map[hourOf]uint64

func (c counted) moveTo(other counted) {
	for k, n := range c {
		other[k] += n
	}
	clear(c)
}

func (c counted) forget(k ostiary.UseKey) {
	for of := range c {
		if of.key == k {
			delete(c, of)
		}
	}
}

func (c counted) until(hours *[168]uint64, token ostiary.ID, now time.Time) {
	for of, n := range c {
		if i := of.hour - now.Unix()/3600 + 167; of.key.Token == token && 0 <= i && i < 168 {
			hours[i] += n
		}
	}
}

// Hours that are over are kept in memory. Counts that come late, what is forgotten, a clock that goes on, or
// back where a node is alone, and requests that are written at any moment, by any node, show as if all were
// read anew each time.
func TestKeptHoursAreThoseThatAreWritten(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		new          func(testing.TB) opener
		nodes, seeds int
		back         time.Duration // how far the clock may be put back
	}{
		{"file", inFile, 1, 20, 30 * time.Minute},
		{"postgres", inPostgres, 2, 5, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			for seed := range uint64(c.seeds) {
				r := rand.New(rand.NewPCG(seed, 1))
				now := time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)
				open := c.new(t)
				written := counted{}
				var nodes []*weekNode
				for n := range c.nodes {
					apart := time.Duration(n) * 4 * time.Minute // a node's clock is ahead of the first one's
					node := &weekNode{now: func() time.Time { return now.Add(apart) }, memory: counted{}, written: written}
					node.Usage = open(t, usage.Options{Every: time.Hour, Now: node.now})
					nodes = append(nodes, node)
				}
				for range 300 {
					switch r.IntN(8) {
					case 0:
						now = now.Add(time.Duration(r.Int64N(int64(2*time.Hour))) - c.back)
					case 1: // just before an hour ends
						now = now.Add(time.Hour).Truncate(time.Hour).Add(58 * time.Minute)
					}
					nodes[r.IntN(len(nodes))].step(t, r)
				}
			}
		})
	}
}

type weekNode struct {
	*usage.Usage
	now             func() time.Time
	memory, written counted
}

// step does something, or looks at the hours.
func (n *weekNode) step(t *testing.T, r *rand.Rand) {
	t.Helper()
	k := ostiary.UseKey{Account: 1, Token: 1 + ostiary.ID(r.IntN(3)), App: 1 + ostiary.ID(r.IntN(2))}
	switch r.IntN(20) {
	case 0, 1, 2, 3:
		flush(t, n.Usage)
		n.memory.moveTo(n.written)
	case 4:
		if err := n.Forget(t.Context(), k); err != nil {
			t.Fatal(err)
		}
		n.memory.forget(k)
		n.written.forget(k)
	case 5, 6, 7, 8, 9:
		at := n.now().Add(-time.Duration(r.IntN([]int{5, 120}[r.IntN(2)])) * time.Hour / 2)
		count(n.Usage, k, at, ostiary.OK)
		n.memory[hourOf{k, at.Unix() / 3600}]++
	default:
		n.look(t, k.Token)
	}
}

func (n *weekNode) look(t *testing.T, token ostiary.ID) {
	t.Helper()
	got, err := n.HoursOf(t.Context(), []ostiary.ID{token, 1}, n.now())
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []ostiary.ID{token, 1} {
		var want [168]uint64
		n.memory.until(&want, token, n.now())
		n.written.until(&want, token, n.now())
		if got[token] != want {
			t.Fatalf("token %d:\ngot  %v\nwant %v", token, got[token], want)
		}
	}
}

func TestCountsOfAnHourThatIsKeptShow(t *testing.T) {
	half := time.Date(2026, 3, 3, 12, 30, 0, 0, time.UTC)
	full := half.Truncate(time.Hour)
	everywhere(t, func(t *testing.T, open opener) {
		for _, c := range []struct {
			name             string
			nodes            int
			read, write, use time.Time
		}{
			{"long before they are written", 1, half, half, half.Add(-5 * time.Hour)},
			{"by a clock that was put back", 1, half, half.Add(-time.Hour), half.Add(-2 * time.Hour)},
			{"by a node with another clock", 2, full.Add(2 * time.Minute), full.Add(-2 * time.Minute), half.Add(-2 * time.Hour)},
		} {
			var now time.Time
			clock := usage.Options{Every: time.Hour, Now: func() time.Time { return now }}
			reader := open(t, clock)
			writer := reader
			if c.nodes == 2 {
				writer = open(t, clock)
			}
			now = c.read
			before, err := hoursOf(t, reader, 1, now)
			if err != nil {
				t.Fatal(err)
			}
			now = c.write
			count(writer, ostiary.UseKey{Account: 1, Token: 1, App: 1}, c.use, ostiary.OK)
			flush(t, writer)
			now = c.read
			i := 167 - (now.Unix()/3600 - c.use.Unix()/3600)
			after, err := hoursOf(t, reader, 1, now)
			if err != nil || after[i] != before[i]+1 {
				t.Errorf("%s: %d requests in hour %d, %v; want %d", c.name, after[i], i, err, before[i]+1)
			}
			reader.Close()
			writer.Close()
		}
	})
}
