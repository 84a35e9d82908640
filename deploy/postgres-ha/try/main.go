// Command try sets up the database of this folder on one machine, three PostgreSQL with Patroni and three
// etcd, runs three nodes of Ostiary on it and a load, does to it what happens to machines, and prints what
// came of it. It exits with 1 where something that is promised did not hold.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/pflag"
)

// work is the first argument of the process that does the work.
const work = "work"

// within is how long the whole may take, however slow the machine is, where nobody asks for more.
const within = 15 * time.Minute

func main() {
	if len(os.Args) > 1 && os.Args[1] == work {
		os.Exit(worker(os.Args[2:]))
	}
	os.Exit(guard(os.Args[1:]))
}

// Options are what a person can say.
type options struct {
	folder, files, ostiary string
	basePort               int
	keep, hold             bool
	rates                  rates
}

func parse(args []string) (o options, err error) {
	flags := pflag.NewFlagSet("try", pflag.ContinueOnError)
	flags.StringVar(&o.folder, "folder", "", "`DIR` for everything, made if it is not there and empty if it is "+
		"(default: a temporary one)")
	flags.StringVar(&o.files, "files", "deploy/postgres-ha", "`DIR` with etcd.env and patroni.yml")
	flags.StringVar(&o.ostiary, "ostiary", "", "`FILE`, the program (default: built from ./cmd/ostiary)")
	flags.IntVar(&o.basePort, "base-port", 0, "`PORT`: this one and the six after it are used (default: free ones)")
	flags.BoolVar(&o.keep, "keep", false, "leave the folder, with data and logs, when it ends well")
	flags.BoolVar(&o.hold, "hold", false, "do nothing to it: say where everything is, go on until Ctrl-C, and report")
	flags.IntVar(&o.rates.askers, "askers", 2, "a `NUMBER` of callers for each node")
	flags.DurationVar(&o.rates.askEvery, "ask-every", 5*time.Millisecond, "the `PAUSE` of a caller between two requests")
	flags.IntVar(&o.rates.writers, "writers", 3, "a `NUMBER` of clients that make changes")
	flags.DurationVar(&o.rates.writeEvery, "write-every", 30*time.Millisecond, "the `PAUSE` of such a client")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("%q is no flag", flags.Arg(0))
	}
	return o, nil
}

// worker does everything, and leaves no process behind, whether it ends by itself or is told to.
func worker(args []string) (code int) {
	o, err := parse(args)
	if errors.Is(err, pflag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if !o.hold {
		var end context.CancelFunc
		ctx, end = context.WithTimeout(ctx, within)
		defer end()
	}

	p, err := newPlace(o)
	if err == nil {
		err = run(ctx, p, o)
		endFamily(os.Getpid())
		p.close(err == nil && !o.keep)
	}
	if err == nil {
		return 0
	}
	if ctx.Err() != nil && !o.hold {
		err = fmt.Errorf("broken off: %w", ctx.Err())
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}
