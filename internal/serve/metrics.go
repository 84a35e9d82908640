package serve

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"ostiary"
	"ostiary/internal/answer"
)

// Metrics count what the server does, in a registry of their own.
type Metrics struct {
	registry   *prometheus.Registry
	doors      [len(doors)]doorMetrics
	suppressed prometheus.Counter
	changes    *prometheus.CounterVec
	changeTook prometheus.Histogram
}

// doors are the labels of what answers requests. The last stands for any other.
var doors = [...]string{"auth", "proxy", "api", "page", "socket", "other"}

// doorMetrics are found before any request comes, so that counting one allocates nothing.
type doorMetrics struct {
	reasons []prometheus.Counter // by ostiary.Reason
	took    prometheus.Observer
}

// NewMetrics makes the metrics of requests, changes and the log, and those of the process.
func NewMetrics(version string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	decisions := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "ostiary_decisions_total",
		Help: "Requests answered, by door and reason. The reason ok was let through.",
	}, []string{"door", "reason"})
	took := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "ostiary_request_duration_seconds",
		Help:    "Time from a request's headers to its answer, by door.",
		Buckets: []float64{25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 5e-3, 25e-3, 100e-3, 250e-3, 1, 5},
	}, []string{"door"})
	for i, door := range doors {
		m.doors[i].took = took.WithLabelValues(door)
		for _, reason := range ostiary.Reasons() {
			m.doors[i].reasons = append(m.doors[i].reasons, decisions.WithLabelValues(door, reason.String()))
		}
	}
	m.suppressed = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "ostiary_log_lines_suppressed_total",
		Help: "Refusals that were counted in a line of the log instead of written out.",
	})
	m.changes = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "ostiary_changes_total",
		Help: "Transactions that were to change records, by outcome: made, refused by a rule, failed.",
	}, []string{"outcome"})
	for _, outcome := range []string{made, refused, failed} {
		m.changes.WithLabelValues(outcome)
	}
	m.changeTook = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "ostiary_change_duration_seconds",
		Help:    "Time that a transaction which changed records took, its way to the disk included.",
		Buckets: []float64{1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 1, 5},
	})
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "ostiary_info", Help: "Always 1; the label is the version.",
		ConstLabels: prometheus.Labels{"version": version},
	})
	info.Set(1)
	m.registry.MustRegister(decisions, took, m.suppressed, m.changes, m.changeTook, info)
	return m
}

// count counts one request.
func (m *Metrics) count(e *answer.Event) {
	d := &m.doors[doorIndex(e.Door)]
	reason := int(e.Answer.Reason)
	if reason >= len(d.reasons) {
		reason = int(ostiary.Undecided)
	}
	d.reasons[reason].Inc()
	d.took.Observe(e.Took.Seconds())
}

func doorIndex(door string) int {
	for i, name := range doors {
		if name == door {
			return i
		}
	}
	return len(doors) - 1
}

// Records count what a node holds in memory.
type Records struct{ Accounts, Users, Members, Tokens, Secrets, Apps int }

// Watched are the values that others keep. Each is asked whenever the metrics are read.
type Watched struct {
	Revision    func() uint64
	Behind      func() time.Duration
	Records     func() Records
	StoreErrors func() uint64
	UseDropped  func() uint64
	LogDropped  func() uint64
	State       func() State
	Differ      func() int // nodes that do from this one
}

// Watch adds the metrics of what others keep.
func (m *Metrics) Watch(w Watched) {
	gauge := func(name, help string, labels prometheus.Labels, value func() float64) {
		opts := prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}
		m.registry.MustRegister(prometheus.NewGaugeFunc(opts, value))
	}
	counter := func(name, help string, value func() uint64) {
		opts := prometheus.CounterOpts{Name: name, Help: help}
		m.registry.MustRegister(prometheus.NewCounterFunc(opts, func() float64 { return float64(value()) }))
	}
	gauge("ostiary_revision", "The last change that decisions are made from.", nil,
		func() float64 { return float64(w.Revision()) })
	gauge("ostiary_behind_seconds", "Time since memory was last seen to hold all of the log.", nil,
		func() float64 { return w.Behind().Seconds() })
	gauge("ostiary_nodes_differ", "Nodes that hold something else than this one at the same revision.", nil,
		func() float64 { return float64(w.Differ()) })
	for kind, number := range map[string]func(Records) int{
		"account": func(r Records) int { return r.Accounts },
		"user":    func(r Records) int { return r.Users },
		"member":  func(r Records) int { return r.Members },
		"token":   func(r Records) int { return r.Tokens },
		"secret":  func(r Records) int { return r.Secrets },
		"app":     func(r Records) int { return r.Apps },
	} {
		gauge("ostiary_directory_records", "Records in memory, by kind.", prometheus.Labels{"kind": kind},
			func() float64 { return float64(number(w.Records())) })
	}
	for part, trouble := range map[string]func(State) error{
		"decisions": func(s State) error { return s.Decisions },
		"changes":   func(s State) error { return s.Changes },
		"follow":    func(s State) error { return s.Follow },
		"compare":   func(s State) error { return s.Compare },
		"stale":     func(s State) error { return s.Stale },
	} {
		gauge("ostiary_degraded", "1 while a part does not work: decisions, changes, following the log, holding what "+
			"other nodes hold (compare), staying within the lease (stale).",
			prometheus.Labels{"part": part}, func() float64 {
				if trouble(w.State()) != nil {
					return 1
				}
				return 0
			})
	}
	counter("ostiary_store_errors_total", "Errors that the database answered with.", w.StoreErrors)
	counter("ostiary_use_dropped_total", "Requests that were not counted as use, for want of memory.",
		w.UseDropped)
	counter("ostiary_log_lines_dropped_total", "Log lines that were lost because nobody read them fast enough.",
		w.LogDropped)
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry,
		promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
}
