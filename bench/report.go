package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// Names of contestants that others are compared with.
const (
	floorName  = "a read and a write, no HTTP"
	bareName   = "bare net/http, 204"
	authName   = "/auth"
	fastName   = "fast door"
	mapName    = "nginx, map of the tokens"
	passName   = "nginx, proxy_pass"
	askingName = "nginx asking the fast door"
	socketName = "nginx asking the fast door, by socket"
	proxyName  = "our proxy"
	caddyName  = "Caddy, reverse_proxy"
)

// A goal is what we want of a figure: at most this much.
type goal struct {
	what string
	got  float64
	want float64
}

func (f *field) goals() []goal {
	return []goal{
		{"/auth, in times of bare net/http", f.ratio(authName, bareName), 1.25},
		{"the fast door, in times of bare net/http", f.ratio(fastName, bareName), 0.75},
		{"the fast door, in times of nginx with a map", f.ratio(fastName, mapName), 1.6},
		{"what asking the fast door adds to nginx proxy_pass, in µs", f.added(askingName, passName), 40},
		{"the same by socket, in µs", f.added(socketName, passName), 40},
		{"our proxy, in times of nginx proxy_pass", f.ratio(proxyName, passName), 4},
		{"our proxy, in times of Caddy", f.ratio(proxyName, caddyName), 0.5},
	}
}

// report prints what was measured, and writes the page and its picture.
func (f *field) report() error {
	fmt.Printf("  %-40s %8s %16s %12s\n", "", "µs", "spread", "times bare")
	for _, c := range f.all {
		fmt.Printf("  %-40s %8.1f %16s %12.2f\n", c.name, median(c.costs), spread(c.costs), f.ratio(c.name, bareName))
	}
	for _, g := range f.goals() {
		fmt.Printf("  %s: %.2f, wanted at most %g\n", g.what, g.got, g.want)
	}
	return errors.Join(
		os.WriteFile("docs/performance.md", []byte(f.page()), 0o644),
		os.WriteFile("docs/pictures/performance.svg", []byte(f.picture()), 0o644),
	)
}

func (f *field) named(name string) *contestant {
	return f.all[slices.IndexFunc(f.all, func(c *contestant) bool { return c.name == name })]
}

// ratio is the median of what a contestant costs beside another in the same round.
func (f *field) ratio(name, to string) float64 {
	return f.compare(name, to, func(a, b float64) float64 { return a / b })
}

// added is the median of what a contestant costs more than another in the same round.
func (f *field) added(name, to string) float64 {
	return f.compare(name, to, func(a, b float64) float64 { return a - b })
}

func (f *field) compare(name, to string, by func(a, b float64) float64) float64 {
	one, other := f.named(name), f.named(to)
	var all []float64
	for round, cost := range one.costs {
		all = append(all, by(cost, other.costs[round]))
	}
	return median(all)
}

// page is docs/performance.md.
func (f *field) page() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Performance

What a request costs: CPU time of the server, not requests a second, because a machine is seldom alone. Everything that is compared takes turns in one run, under the same load, %d rounds of three seconds each. The figure is the median, the spread its lowest and highest round. This page and its picture are written by `+"`make bench`"+`; nothing on it is written by hand.

![Microseconds of CPU time a request](pictures/performance.svg)

| | µs of CPU a request | spread | times bare net/http |
| --- | ---: | ---: | ---: |
`, rounds)
	for _, c := range f.all {
		fmt.Fprintf(&b, "| %s | %.1f | %s | %.2f |\n", c.name, median(c.costs), spread(c.costs), f.ratio(c.name, bareName))
	}
	b.WriteString("\nWhat we want, and what this run reached:\n\n| | wanted at most | reached |\n| --- | ---: | ---: |\n")
	for _, g := range f.goals() {
		fmt.Fprintf(&b, "| %s | %g | %.2f |\n", g.what, g.want, g.got)
	}
	fmt.Fprintf(&b, `
- **The doors** know 100,000 tokens, log and count as they do by default, and are asked about a token at random with every request.
- **nginx asking** is nginx and the door together. Both keep their connections open.
- **The proxies** stand in front of an API that answers 204, whose own time is not counted. nginx and Caddy decide about nothing; our proxy decides, takes the token off and puts the identity on.
- **The load** is wrk with one thread and 16 connections on the same machine.

Versions: %s.

The machine: %s.

To run it again: `+"`make bench`"+`, or `+"`scripts/bench doors`"+` for this page alone. [What the door costs](decisions/cost.md) says where the time goes.
`, versions(), machine())
	return b.String()
}

func versions() string {
	all := []string{"Ostiary as of this page", runtime.Version()}
	for _, p := range []struct {
		name string
		args []string
	}{{"nginx", []string{"-v"}}, {"caddy", []string{"version"}}, {"wrk", []string{"-v"}}} {
		if path, err := findProxy(p.name); err == nil {
			out, _ := exec.Command(path, p.args...).CombinedOutput()
			all = append(all, p.name+" "+regexp.MustCompile(`\d+(\.\d+)+`).FindString(string(out)))
		}
	}
	text, _ := os.ReadFile("go.mod")
	all = append(all, regexp.MustCompile(`valyala/(fasthttp v\S+)`).FindStringSubmatch(string(text))[1])
	return strings.Join(all, ", ")
}

// machine is the processor and the system, as the kernel names them.
func machine() string {
	cpus, _ := os.ReadFile("/proc/cpuinfo")
	model := "an unnamed processor"
	if m := regexp.MustCompile(`model name\s*:\s*(.+)`).FindSubmatch(cpus); m != nil {
		model = strings.TrimSpace(string(m[1]))
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return fmt.Sprintf("%d cores of %s, Linux %s", runtime.NumCPU(), model, cmp.Or(strings.TrimSpace(string(kernel)), "of unknown release"))
}
