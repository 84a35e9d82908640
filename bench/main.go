// Bench measures what the door costs, as ratios in one run: the machine may be busy, so whatever is
// compared takes turns, and CPU time counts, not requests a second.
//
//	go run ./bench decision     a decision in process, at 10,000 and 1,000,000 tokens
//	go run ./bench doors        each door against bare handlers and other proxies, with 100,000 tokens, under wrk
//	go run ./bench change       a change over the management socket against bare durable commits
//	go run ./bench flush        changes while use is written, against changes while none is
//	go run ./bench              all of them
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

var parts = []struct {
	name string
	run  func(folder string) error
}{
	{"decision", decision}, {"doors", doors}, {"change", change}, {"flush", flush},
}

func run(args []string) error {
	if len(args) == 2 && args[0] == "bare" {
		return bare(args[1])
	}
	for _, p := range parts {
		if len(args) > 0 && !slices.Contains(args, p.name) {
			continue
		}
		folder, err := os.MkdirTemp("", "ostiary-bench-")
		if err != nil {
			return err
		}
		err = p.run(folder)
		os.RemoveAll(folder)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

// cpu is the CPU time of this process (syscall.RUSAGE_SELF) or of this thread (rusageThread) so far.
func cpu(who int) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

const rusageThread = 1

// median is the middle of a list, or the upper of its two middles.
func median[T int | float64 | time.Duration](of []T) T {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}

// spread writes the lowest and the highest of a list.
func spread(of []float64) string { return fmt.Sprintf("%.2f–%.2f", slices.Min(of), slices.Max(of)) }

// program builds the program under test into a folder.
func program(folder string) (string, error) {
	path := filepath.Join(folder, "ostiary")
	return path, command("go", "build", "-o", path, "./cmd/ostiary").Run()
}
