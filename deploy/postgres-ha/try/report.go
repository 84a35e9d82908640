package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// mostSilent is how long a node may decide nothing while it is asked all the time. It is long because the
// machine may be busy.
const mostSilent = 3 * time.Second

// A report is everything that came of it.
type report struct {
	rows     []row
	outcome  outcome
	nodes    [3]readiness
	odd      []string
	oddMore  int
	head     uint64
	reached  [3]uint64 // the revisions that the nodes answer at in the end
	verified string    // what ostiary audit verify says
	slowest  time.Duration
}

// broken lists what was promised and did not hold.
func (r *report) broken() (list []string) {
	say := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	for _, row := range r.rows {
		for what, n := range map[string]int{
			"503": row.undecided, "answered wrongly": row.wrong, "not answered": row.lost,
		} {
			if n > 0 {
				say("%s: of %d requests %d were %s", row.name, row.requests, n, what)
			}
		}
		if row.requests == 0 || row.silence > mostSilent {
			say("%s: a node decided nothing for %s", row.name, seconds(row.silence))
		}
	}
	o := &r.outcome
	for what, n := range map[string]int{
		"were lost": o.lost, "were made twice": o.twice, "were never settled": o.unsettled,
	} {
		if n > 0 {
			say("%d changes %s", n, what)
		}
	}
	if o.acked == 0 {
		say("no change was acknowledged")
	}
	for i, n := range r.nodes {
		if n.notReady > 0 {
			say("node-%d was not ready at %d of %d looks", i+1, n.notReady, n.looks)
		}
		if r.reached[i] < r.head {
			say("node-%d answers at revision %d, where the log ends at %d", i+1, r.reached[i], r.head)
		}
	}
	list = append(append(list, o.words...), r.odd...)
	if r.oddMore > 0 {
		say("and %d more", r.oddMore)
	}
	return list
}

func (r *report) print(out io.Writer) {
	r.printEvents(out)
	r.printChanges(out)
	fmt.Fprintln(out)
	for i, n := range r.nodes {
		fmt.Fprintf(out, "node-%d: /readyz 200 at %s of %s looks; not for changes for %s; up to %d s behind; ends at revision %s\n",
			i+1, count(n.looks-n.notReady), count(n.looks), seconds(n.noChanges), whole(n.behind), count(int(r.reached[i])))
	}
	fmt.Fprintf(out, "\nostiary audit verify: %s\n", r.verified)
	broken := r.broken()
	if len(broken) == 0 {
		fmt.Fprintln(out, "Everything that is promised held.")
		return
	}
	fmt.Fprintln(out, "What is promised did not hold:\n  "+strings.Join(broken, "\n  "))
}

func (r *report) printEvents(out io.Writer) {
	const line = "%-29s %8s %10s %9s %5s %6s %9s %8s %8s %7s\n"
	fmt.Fprintf(out, "\n"+line,
		"", "took", "writes out", "requests", "503", "wrong", "no answer", "silence", "slowest", "behind")
	for _, e := range r.rows {
		fmt.Fprintf(out, line,
			e.name, seconds(e.to-e.from), seconds(e.writesOut), count(e.requests), count(e.undecided), count(e.wrong),
			count(e.lost), milliseconds(e.silence), milliseconds(e.slowest), strconv.Itoa(whole(e.behind))+" s")
	}
	fmt.Fprint(out, "\nWrites out: the longest time without an acknowledged change. Silence: the longest time in which a\n"+
		"node decided nothing. Behind: how old a node's memory was at most, as it said itself.\n")
}

func (r *report) printChanges(out io.Writer) {
	o := &r.outcome
	fmt.Fprintln(out)
	for _, one := range []struct {
		what  string
		value string
	}{
		{"Changes acknowledged", count(o.acked)},
		{"  lost", count(o.lost)},
		{"  made twice", count(o.twice)},
		{"  not known at first: no answer, or 503", count(o.unsure)},
		{"    the repeat found them made", count(o.madeBefore)},
		{"    the repeat made them", count(o.madeByRepeat)},
		{"  never settled", count(o.unsettled)},
		{"  from first sent to acknowledged, at most", seconds(r.slowest)},
	} {
		fmt.Fprintf(out, "%-44s %7s\n", one.what, one.value)
	}
}

func whole(d time.Duration) int { return int(d.Seconds()) }

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

func milliseconds(d time.Duration) string { return count(int(d.Milliseconds())) + " ms" }

// count writes a number with commas between thousands.
func count(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
