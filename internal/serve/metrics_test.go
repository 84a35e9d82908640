package serve

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"ostiary"
)

var update = flag.Bool("update", false, "write the golden pages anew")

func watched() Watched {
	none := func() uint64 { return 0 }
	return Watched{
		Revision: func() uint64 { return 7 }, Behind: func() time.Duration { return 0 },
		Records: func() Records { return Records{Tokens: 3} }, StoreErrors: none, UseDropped: none, LogDropped: none,
		State: func() State { return State{Changes: errors.New("full"), Stale: errors.New("late")} }, Differ: func() int { return 2 },
	}
}

func TestEveryMetricStandsOnItsPage(t *testing.T) {
	const path = "../../docs/guide/metrics.md"
	m := NewMetrics("test")
	m.Watch(watched())
	page := metricsPage(t, m)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(string(want), page); diff != "" {
		t.Errorf("the metrics are not those of %s (-want +got); -update writes it anew:\n%s", path, diff)
	}
}

func metricsPage(t *testing.T, m *Metrics) string {
	t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var page strings.Builder
	page.WriteString(`# Metrics

` + "`/metrics`" + ` on the admin listener (` + "`--admin-listen`" + `, 127.0.0.1:8701) is in the format of Prometheus. Beside the metrics below there are those of the Go runtime (` + "`go_…`" + `) and of the process (` + "`process_…`" + `).

| metric | kind | labels | what it says |
| --- | --- | --- | --- |
`)
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "ostiary_") {
			continue
		}
		labels := map[string]bool{}
		for _, one := range f.GetMetric() {
			for _, l := range one.GetLabel() {
				labels["`"+l.GetName()+"`"] = true
			}
		}
		names := make([]string, 0, len(labels))
		for l := range labels {
			names = append(names, l)
		}
		slices.Sort(names)
		fmt.Fprintf(&page, "| `%s` | %s | %s | %s |\n", f.GetName(), strings.ToLower(f.GetType().String()),
			cmp.Or(strings.Join(names, ", "), "–"), f.GetHelp())
	}
	var reasons []string
	for _, r := range ostiary.Reasons() {
		reasons = append(reasons, r.String())
	}
	fmt.Fprintf(&page, `
The reasons are: %s. The doors are %s.

What is worth an alarm:

- `+"`ostiary_degraded`"+` is 1: a part does not work. `+"`/readyz`"+` on the admin listener says why.
- `+"`ostiary_decisions_total{reason=\"unavailable\"}`"+` grows: requests are answered with 503.
- `+"`ostiary_nodes_differ`"+` is not 0: two nodes hold different records. The log names them, and [PostgreSQL](postgresql.md) says what to do.
- `+"`ostiary_store_errors_total`"+` grows: the database answers with errors.
- `+"`ostiary_log_lines_dropped_total`"+` grows: whatever reads standard error is too slow.
`, strings.Join(reasons, ", "), strings.Join(doors[:len(doors)-1], ", "))
	return page.String()
}

func value(t *testing.T, m *Metrics, name string, labels ...string) float64 {
	t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, one := range f.GetMetric() {
			got := []string{}
			for _, l := range one.GetLabel() {
				got = append(got, l.GetValue())
			}
			if slices.Equal(got, labels) {
				return one.GetCounter().GetValue() + one.GetGauge().GetValue()
			}
		}
	}
	t.Fatalf("there is no %s with %q", name, labels)
	return 0
}

func TestRequestsAreCountedByDoorAndReason(t *testing.T) {
	t.Parallel()
	m := NewMetrics("test")
	log := NewRequestLog(discard{}, false, m)
	for range 20 {
		log.Record(refusedEvent(ostiary.PendingApp, 401))
	}
	strange := refusedEvent(ostiary.Reason(200), 503)
	strange.Door = "no such door"
	log.Record(strange)
	if n := value(t, m, "ostiary_decisions_total", "auth", "pending app"); n != 20 {
		t.Errorf("%v pending requests, want 20", n)
	}
	if n := value(t, m, "ostiary_decisions_total", "other", "undecided"); n != 1 {
		t.Errorf("%v requests of a strange door, want 1", n)
	}
	if n := value(t, m, "ostiary_log_lines_suppressed_total"); n != 20-perGroup {
		t.Errorf("%v lines suppressed, want %d", n, 20-perGroup)
	}
}

func TestWhatOthersKeepIsShown(t *testing.T) {
	t.Parallel()
	m := NewMetrics("test")
	m.Watch(watched())
	for _, c := range []struct {
		name   string
		labels []string
		want   float64
	}{
		{"ostiary_revision", nil, 7},
		{"ostiary_directory_records", []string{"token"}, 3},
		{"ostiary_degraded", []string{"changes"}, 1},
		{"ostiary_degraded", []string{"decisions"}, 0},
		{"ostiary_degraded", []string{"compare"}, 0},
		{"ostiary_degraded", []string{"stale"}, 1},
		{"ostiary_nodes_differ", []string{}, 2},
	} {
		if got := value(t, m, c.name, c.labels...); got != c.want {
			t.Errorf("%s %q is %v, want %v", c.name, c.labels, got, c.want)
		}
	}
}

// changing is a store whose changes end as they are told to.
type changing struct {
	ostiary.Store
	err error
}

func (c *changing) Update(context.Context, func(ostiary.Writer) error) error { return c.err }

func TestChangesAreCountedByOutcome(t *testing.T) {
	t.Parallel()
	m := NewMetrics("test")
	for outcome, err := range map[string]error{
		made: nil, refused: fmt.Errorf("x: %w", ostiary.Refuse(ostiary.LowRole, "")), failed: errors.New("disk"),
	} {
		if got := m.CountChanges(&changing{err: err}).Update(t.Context(), nil); !errors.Is(got, err) {
			t.Errorf("the error %v came back as %v", err, got)
		}
		if n := value(t, m, "ostiary_changes_total", outcome); n != 1 {
			t.Errorf("%s: %v", outcome, n)
		}
	}
}
