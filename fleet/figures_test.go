package fleet

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ostiary"
)

// figures makes the measurements of make bench-nodes; they take half an hour, and want the machine for
// themselves. away is how long the database is away in one of them.
var (
	figures = flag.Bool("figures", false, "measure what several nodes do")
	away    = flag.Duration("away", 5*time.Minute, "how long the database is away")
)

func needFigures(t *testing.T) {
	t.Helper()
	if !*figures {
		t.Skip("a measurement: make bench-nodes")
	}
}

// say prints a figure.
func say(format string, args ...any) { fmt.Printf("  "+format+"\n", args...) }

// at is the value below which a part of a sorted list lies.
func at[T cmp.Ordered](sorted []T, part float64) T {
	return sorted[min(len(sorted)-1, int(float64(len(sorted))*part))]
}

func ms(d time.Duration) string {
	return strconv.FormatFloat(float64(d.Microseconds())/1000, 'f', 1, 64) + " ms"
}

// TestFiguresRetire measures how long a retired token is let in after its retirement was asked for, on the
// node that is the last to refuse it, and whether any node lets it in after the receipt: first beside callers
// that pause a millisecond, then beside callers that do not, who take all of the machine.
func TestFiguresRetire(t *testing.T) {
	needFigures(t)
	const wanted = 1_000_000
	f := newFleet(t, []string{"a", "b", "c"})
	s := f.storm(0, 0, 0)
	fmt.Println("retire → refused on every node, three nodes and PostgreSQL on one machine")
	var decisions, stale atomic.Int64
	load := &callers{fleet: f, retired: map[string]time.Time{}}
	load.pause.Store(int64(time.Millisecond))
	load.begin(s, 2, &decisions, &stale)
	load.measure(s, 1000, &decisions, &stale)
	load.pause.Store(0)
	load.measure(s, 300, &decisions, &stale)
	for decisions.Load() < wanted {
		time.Sleep(100 * time.Millisecond)
	}
	load.end()
	say("%d decisions, %d of them let in a token after its receipt (wanted: 0 of at least 1,000,000)", decisions.Load(), stale.Load())
	if stale.Load() > 0 {
		t.Error("a token was let in after its receipt")
	}
}

// measure retires tokens, one after the other, and says how long that takes.
func (c *callers) measure(s *storm, retirements int, decisions, stale *atomic.Int64) {
	var took, receipts []time.Duration
	all, begun, before := 0, time.Now(), decisions.Load()
	for n := range retirements {
		s.create(c.nodes[n%3])
		s.mu.Lock()
		last := s.tokens[len(s.tokens)-1]
		s.mu.Unlock()
		c.add(last.text)
		refused, receipt := c.retire(c.nodes[n%3], last, stale)
		took, receipts = append(took, refused), append(receipts, receipt.After)
		if len(receipt.Confirmed) == 3 {
			all++
		}
	}
	rate := float64(decisions.Load()-before) / time.Since(begun).Seconds()
	slices.Sort(took)
	slices.Sort(receipts)
	say("beside %.0f decisions a second, %d retirements: p50 %s, p99 %s, longest %s (wanted: p50 under 15 ms, p99 under 250 ms)",
		rate, len(took), ms(at(took, 0.5)), ms(at(took, 0.99)), ms(took[len(took)-1]))
	say("  from the commit until all three had confirmed: p50 %s, p99 %s; %d receipts name all three",
		ms(at(receipts, 0.5)), ms(at(receipts, 0.99)), all)
}

// callers show tokens to every node, those that were retired among them.
type callers struct {
	*fleet
	mu      sync.Mutex
	tokens  []string
	retired map[string]time.Time // when the receipt came
	pause   atomic.Int64
	stopped atomic.Bool
	running sync.WaitGroup
}

func (c *callers) begin(s *storm, each int, decisions, stale *atomic.Int64) {
	for _, t := range s.tokens {
		c.tokens = append(c.tokens, t.text)
	}
	for _, n := range c.nodes {
		for i := range each {
			c.running.Go(func() {
				for k := i; !c.stopped.Load(); k++ {
					c.mu.Lock()
					token := c.tokens[k%len(c.tokens)]
					since, gone := c.retired[token]
					c.mu.Unlock()
					sent := time.Now()
					status, _, err := n.ask(token, "app0")
					if err != nil {
						c.Errorf("no answer: %v", err)
						return
					}
					decisions.Add(1)
					if p := c.pause.Load(); p > 0 {
						time.Sleep(time.Duration(p))
					}
					if gone && status == 200 && sent.After(since) {
						stale.Add(1)
					}
				}
			})
		}
	}
}

func (c *callers) end() {
	c.stopped.Store(true)
	c.running.Wait()
}

// add shows a token too, instead of an old one.
func (c *callers) add(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.tokens) == 60 {
		c.tokens = c.tokens[:copy(c.tokens, c.tokens[1:])]
	}
	c.tokens = append(c.tokens, token)
}

// retire retires a token, and asks every node all the time until each refuses it.
func (c *callers) retire(n *node, t held, stale *atomic.Int64) (refused time.Duration, receipt ostiary.Receipt) {
	begun := time.Now()
	var acknowledged atomic.Int64 // when, since begun
	last := make([]time.Duration, len(c.nodes))
	var asking sync.WaitGroup
	for i, node := range c.nodes {
		asking.Go(func() {
			for {
				sent := time.Since(begun)
				status, _, err := node.ask(t.text, "app0")
				if err != nil {
					c.Errorf("no answer: %v", err)
					return
				}
				if status != 200 {
					last[i] = time.Since(begun)
					return
				}
				if a := acknowledged.Load(); a != 0 && sent > time.Duration(a) {
					stale.Add(1)
				}
			}
		})
	}
	status, text := n.operate("DELETE", "/v2"+t.cid, nil, nil)
	acknowledged.Store(int64(time.Since(begun)))
	if status != 200 {
		c.Errorf("retiring answers %d %s", status, text)
	}
	asking.Wait()
	c.mu.Lock()
	c.retired[t.text] = time.Now()
	c.mu.Unlock()
	receipt, _ = readReceipt(text)
	return slices.Max(last), receipt
}

// TestFiguresChanges measures how many changes go through the one row of the revision, and what they do to
// decisions on a node that only follows.
func TestFiguresChanges(t *testing.T) {
	needFigures(t)
	const rounds, each = 5, 6 * time.Second
	f := newFleet(t, []string{"a", "b", "c"})
	s := f.storm(0, 0, 0)
	fmt.Println("changes on one revision, three nodes and PostgreSQL on one machine")
	for _, makers := range []int{1, 3, 12} {
		made := f.changeFor(each, s, makers)
		say("%d at once: %.0f changes a second", makers, float64(made)/each.Seconds())
	}
	var p50, cpu []float64
	for range rounds {
		calm := f.decideFor(each, s, f.nodes[2], nil)
		busy := f.decideFor(each, s, f.nodes[2], func() { f.changeFor(each, s, 2) })
		p50 = append(p50, float64(busy.p50)/float64(calm.p50))
		cpu = append(cpu, float64(busy.cpu)/float64(calm.cpu))
		say("at rest: p50 %s, %.1f µs of CPU a decision; beside %s", ms(calm.p50), calm.micros(), busy)
	}
	slices.Sort(p50)
	slices.Sort(cpu)
	say("beside changes, in times of at rest: p50 %.2f, CPU a decision %.2f (wanted: no more than 1.1 each)",
		at(p50, 0.5), at(cpu, 0.5))
}

// changeFor changes tokens for a time, on the first two nodes, and counts.
func (f *fleet) changeFor(d time.Duration, s *storm, makers int) int64 {
	var made atomic.Int64
	var all sync.WaitGroup
	end := time.Now().Add(d)
	for i := range makers {
		all.Go(func() {
			for n := 0; time.Now().Before(end); n++ {
				body := map[string]any{"description": fmt.Sprint("change ", n)}
				if status, _ := f.nodes[i%2].operate("PUT", "/v2"+s.tokens[i].cid, body, nil); status == 200 {
					made.Add(1)
				}
			}
		})
	}
	all.Wait()
	return made.Load()
}

// A paced is what decisions cost at a steady pace.
type paced struct {
	n        int
	p50, cpu time.Duration // cpu: of the node
}

func (p paced) micros() float64 { return float64(p.cpu.Nanoseconds()) / 1000 / float64(p.n) }

func (p paced) String() string {
	return fmt.Sprintf("changes: p50 %s, %.1f µs", ms(p.p50), p.micros())
}

// decideFor asks one node at a steady pace, while something else goes on.
func (f *fleet) decideFor(d time.Duration, s *storm, n *node, beside func()) (p paced) {
	var aside sync.WaitGroup
	if beside != nil {
		aside.Go(beside)
	}
	before := cpuOf(n.cmd.Process.Pid)
	var took []time.Duration
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(d); time.Now().Before(end); {
		<-tick.C
		begun := time.Now()
		if _, _, err := n.ask(s.tokens[p.n%20].text, "app0"); err != nil {
			f.Error(err)
			return p
		}
		took = append(took, time.Since(begun))
		p.n++
	}
	p.cpu = cpuOf(n.cmd.Process.Pid) - before
	aside.Wait()
	slices.Sort(took)
	p.p50 = at(took, 0.5)
	return p
}

// cpuOf is the CPU time of a process so far.
func cpuOf(pid int) time.Duration {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond // a hundred ticks a second
}

// TestFiguresAway takes the database away for five minutes, within the lease.
func TestFiguresAway(t *testing.T) {
	needFigures(t)
	f := newFleet(t, []string{"a", "b", "c"}, "--lease", (2 * *away).String())
	s := f.storm(2, 2, 5*time.Millisecond)
	time.Sleep(5 * time.Second)
	fmt.Printf("the database is away for %v, with a lease of %v\n", *away, 2**away)
	late, answers := s.late.Load(), s.asked.Load()
	f.pg.Kill(t)
	time.Sleep(*away)
	during := s.asked.Load() - answers
	f.pg.Again(t)
	time.Sleep(5 * time.Second)
	s.end(within)
	say("%d decisions meanwhile, %d answered 503, %d without an answer (wanted: 0 and 0)",
		during, s.late.Load()-late, s.away.Load())
	say("held against the log: %s", map[bool]string{false: "no fault", true: "FAULTS"}[t.Failed()])
}

// TestFiguresStart measures how long a node with a million tokens takes until it answers.
func TestFiguresStart(t *testing.T) {
	needFigures(t)
	const tokens = 1_000_000
	f := newFleet(t, nil)
	f.fill(tokens)
	fmt.Printf("a node with %d tokens\n", tokens)
	f.add("warm")
	begun := time.Now()
	n := f.add("a")
	say("from the database until it answers: %.1f s (wanted: under 15 s)", time.Since(begun).Seconds())
	f.eventually("it has copied what it knows", time.Minute, func() bool { return newerThan(n, begun) })
	for range 3 {
		if err := n.stop(); err != nil {
			t.Fatal(err)
		}
		begun = time.Now()
		if err := n.start(); err != nil {
			t.Fatal(err)
		}
		say("from its local copy: %.1f s (wanted: under 3 s)", time.Since(begun).Seconds())
	}
	f.pg.Kill(t)
	n.kill()
	begun = time.Now()
	if err := n.start(); err != nil {
		t.Fatal(err)
	}
	say("from its local copy, without the database: %.1f s", time.Since(begun).Seconds())
}
