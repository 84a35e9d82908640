package fleet

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"ostiary"
	"ostiary/client/follow"
	"ostiary/internal/store/pgtest"
)

// sizes are how many tokens TestFiguresSize gives a node; page is where its figures are written, and those of
// TestFiguresStreams.
var (
	sizes = flag.String("sizes", "10000,1000000,10000000", "how many tokens the figures of scale are measured with")
	page  = flag.String("scale-page", "", "the page into which the figures of scale are written")
)

// TestFiguresSize measures what a node and an edge take for many tokens: memory, starts, and the feed.
func TestFiguresSize(t *testing.T) {
	needFigures(t)
	table := []string{
		"| tokens | node: memory | most while it starts | start from PostgreSQL | local copy | start from it | edge: " +
			"start by the feed | memory |",
		"| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
	}
	for size := range strings.SplitSeq(*sizes, ",") {
		tokens, err := strconv.Atoi(size)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(size, func(t *testing.T) { table = append(table, sized(t, tokens)) })
		fmt.Println(table[len(table)-1])
	}
	writePage(t, "size", table)
}

// sized measures one size, as a row of the table.
func sized(t *testing.T, tokens int) string {
	f := &fleet{T: t, pg: pgtest.Start(t, "fsync = off", "max_wal_size = 8GB", "shared_buffers = 1GB")}
	f.database = f.pg.Database(t)
	f.patience = 15 * time.Minute
	f.command(t.TempDir(), "init", "--account", "acme", "--email", "alice@example.com")
	f.fill(tokens)
	if err := f.add("warm").stop(); err != nil { // the server has read everything once
		t.Fatal(err)
	}
	f.nodes = nil

	n := f.prepare("a")
	n.args = append(n.args, "--listen", "127.0.0.1:0")
	begun := time.Now()
	f.launch(n)
	fromRecords := time.Since(begun)
	f.eventually("it has copied what it knows", f.patience, func() bool { return newerThan(n, begun) })
	info, err := os.Stat(filepath.Join(n.data, "memory"))
	if err != nil {
		t.Fatal(err)
	}
	most := statusOf(n.cmd.Process.Pid, "VmHWM")
	if err := n.stop(); err != nil {
		t.Fatal(err)
	}
	begun = time.Now()
	if err := n.start(); err != nil {
		t.Fatal(err)
	}
	fromCopy := time.Since(begun)
	begun = time.Now()
	near := f.edge("near", n)
	fed := time.Since(begun)
	time.Sleep(20 * time.Second) // what was used to start is given back
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s | %s | %s |", grouped(tokens),
		size(statusOf(n.cmd.Process.Pid, "VmRSS")), size(most), seconds(fromRecords), size(info.Size()), seconds(fromCopy),
		seconds(fed), size(statusOf(near.cmd.Process.Pid, "VmRSS")))
}

// fill puts tokens beside the records, each with a secret and two applications, a thousand an account.
func (f *fleet) fill(tokens int) {
	f.Helper()
	ctx, stop := context.WithTimeout(f.Context(), 40*time.Minute)
	defer stop()
	c, err := pgx.Connect(ctx, f.pg.SocketURL(f.database))
	if err != nil {
		f.Fatal(err)
	}
	defer c.Close(context.WithoutCancel(ctx))
	accounts, at := tokens/1000, time.Now().UnixMilli()
	for _, step := range []string{
		`INSERT INTO accounts SELECT g + 1, 'filled_' || g, 'Filled', '', 'UTC', '', @at, 0, 0, 0, '', '', '', '', '', '', 0
			FROM generate_series(1, @accounts) g`,
		`INSERT INTO users SELECT g + 1, 'user' || g || '@example.com', 'user' || g || '@example.com', 'U', '', '{}', 0, @at
			FROM generate_series(1, @accounts * 10) g`,
		`INSERT INTO members SELECT 2 + (g - 1) / 10, g + 1, 2, @at, '' FROM generate_series(1, @accounts * 10) g`,
		`INSERT INTO tokens SELECT 2 + (g - 1) / 1000, g, 1 + g % 2,
				CASE WHEN g % 2 = 0 THEN 2 + (g - 1) / 1000 * 10 + g % 10 ELSE 0 END,
				2, 1, '', @at, '', 0, 0, '', 0, '', 0, '', 0, 0
			FROM generate_series(1, @accounts * 1000) g`,
		`INSERT INTO secrets SELECT 2 + (g - 1) / 1000, g, g, sha256(('filled-' || g)::bytea), 'abc…wxyz', @at
			FROM generate_series(1, @accounts * 1000) g`,
		`INSERT INTO apps SELECT 2 + (g - 1) / 2000, 1 + (g - 1) / 2, g, CASE WHEN g % 2 = 0 THEN 'monitor' ELSE 'deploy' END,
				2, '', 0, @at
			FROM generate_series(1, @accounts * 2000) g`,
		`UPDATE counters SET last = @accounts * 2000 + 1`,
		`ANALYZE`,
	} {
		text := strings.NewReplacer("@at", fmt.Sprint(at), "@accounts", fmt.Sprint(accounts)).Replace(step)
		if _, err := c.Exec(ctx, text); err != nil {
			f.Fatalf("%s: %v", text, err)
		}
	}
}

// TestFiguresStreams measures what it costs a node to feed many followers, and how long a change takes until
// all have it: on one node, and by way of four edges.
func TestFiguresStreams(t *testing.T) {
	needFigures(t)
	table := []string{
		"| followers | memory of the node | CPU at rest | CPU a change | a change is confirmed by all: p50 | p99 |",
		"| ---: | ---: | ---: | ---: | ---: | ---: |",
	}
	for _, followers := range []int{1, 100, 1000} {
		t.Run(fmt.Sprint(followers), func(t *testing.T) {
			f := newFleet(t, []string{"a", "b"})
			table = append(table, f.streamed(fmt.Sprint(followers), followers, f.nodes[0]))
		})
		fmt.Println(table[len(table)-1])
	}
	t.Run("tree", func(t *testing.T) {
		f := newFleet(t, []string{"a", "b"})
		var edges []*node
		for i := range 4 {
			edges = append(edges, f.edge(fmt.Sprint("edge", i), f.nodes[0]))
		}
		table = append(table, f.streamed("1,000 behind 4 edges", 1000, edges...))
	})
	fmt.Println(table[len(table)-1])
	writePage(t, "streams", table)
}

// streamed has many programs follow, each one of some nodes, and measures what the first node does for them.
func (f *fleet) streamed(what string, followers int, feeds ...*node) string {
	s := f.storm(0, 0, 0)
	a, b := f.nodes[0], f.nodes[1]
	before := len(f.receipt(s).Confirmed)
	credential := f.credential("many")
	var all []*follow.Follower
	for i := range followers {
		one, err := follow.New(follow.Options{
			Server: feeds[i%len(feeds)].url, Credential: credential, Name: fmt.Sprint("follower", i),
		})
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, one)
	}
	defer closeAll(all)
	for _, one := range all {
		if err := one.Ready(f.Context()); err != nil {
			f.Fatal(err)
		}
	}
	f.eventually("all confirm", time.Minute, func() bool { return len(f.receipt(s).Confirmed) == before+followers })
	const rest = 10 * time.Second
	spent := cpuOf(a.cmd.Process.Pid)
	time.Sleep(rest)
	atRest := cpuOf(a.cmd.Process.Pid) - spent
	const changes = 100
	var took []time.Duration
	begun := time.Now()
	spent = cpuOf(a.cmd.Process.Pid)
	missing := 0
	for i := range changes {
		body := map[string]any{"description": fmt.Sprint("change ", i)}
		status, text := b.operate("PUT", "/v2"+s.tokens[i%20].cid, body, nil)
		receipt, ok := readReceipt(text)
		if status != 200 || !ok {
			f.Fatalf("a change answers %d %.200s", status, text)
		}
		missing += before + followers - len(receipt.Confirmed)
		took = append(took, receipt.After)
	}
	busy := cpuOf(a.cmd.Process.Pid) - spent - atRest*time.Since(begun)/rest
	if missing > 0 {
		f.Logf("%d confirmations did not come within the time that a receipt waits", missing)
	}
	slices.Sort(took)
	return fmt.Sprintf("| %s | %s | %.1f %% of a core | %s | %s | %s |", what, size(statusOf(a.cmd.Process.Pid, "VmRSS")),
		100*atRest.Seconds()/rest.Seconds(), ms(busy/changes), ms(at(took, 0.5)), ms(at(took, 0.99)))
}

// closeAll has them go, all at once.
func closeAll(all []*follow.Follower) {
	gone, stop := context.WithCancel(context.Background())
	stop()
	var closing sync.WaitGroup
	for _, one := range all {
		closing.Go(func() { one.Close(gone) })
	}
	closing.Wait()
}

// receipt is that of a change that was made for it.
func (f *fleet) receipt(s *storm) ostiary.Receipt {
	body := map[string]any{"description": time.Now().String()}
	_, text := f.nodes[1].operate("PUT", "/v2"+s.tokens[0].cid, body, nil)
	receipt, _ := readReceipt(text)
	return receipt
}

// statusOf is one of the sizes that the system tells of a process, in bytes.
func statusOf(pid int, name string) int64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return n << 10
		}
	}
	return 0
}

func size(n int64) string {
	if n < 1e9 {
		return fmt.Sprintf("%.0f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// grouped writes a number with commas.
func grouped(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%s,%03d", grouped(n/1000), n%1000)
}

// writePage puts a table between its marks on the page, if there is one.
func writePage(t *testing.T, name string, table []string) {
	t.Helper()
	if *page == "" || t.Failed() {
		return
	}
	text, err := os.ReadFile(*page)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+name+": written by make bench-nodes -->\n", "<!-- end -->"
	head, rest, found := strings.Cut(string(text), begin)
	_, tail, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no place for the table %s", *page, name)
	}
	all := head + begin + strings.Join(table, "\n") + "\n" + end + tail
	if err := os.WriteFile(*page, []byte(all), 0o644); err != nil {
		t.Fatal(err)
	}
}
