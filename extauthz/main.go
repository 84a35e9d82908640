// Command extauthz answers Envoy's gRPC ext_authz by asking the door of an authority.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"ostiary/client"
)

const usage = `extauthz answers Envoy's gRPC ext_authz (envoy.service.auth.v3.Authorization)
by asking the door of Ostiary about every request. It logs JSON lines to standard error,
and ends on SIGTERM.

  extauthz --listen 127.0.0.1:8702 --auth http://127.0.0.1:8700/auth

`

// settings are what the flags say.
type settings struct {
	listen, auth, headers string
	timeout               time.Duration
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	set, err := read(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		os.Exit(2)
	}
	if err := run(ctx, set, log); err != nil {
		log.Error("ended", "error", err.Error())
		os.Exit(1)
	}
}

// read reads the flags, and prints what is wrong with them.
func read(args []string, to io.Writer) (settings, error) {
	var set settings
	f := flag.NewFlagSet("extauthz", flag.ContinueOnError)
	f.SetOutput(to)
	f.Usage = func() {
		fmt.Fprint(to, usage)
		f.PrintDefaults()
	}
	f.StringVar(&set.listen, "listen", "127.0.0.1:8702",
		"`ADDRESS` that Envoy asks at, or unix:PATH. Nobody else may reach it: whoever asks is believed")
	f.StringVar(&set.auth, "auth", "http://127.0.0.1:8700/auth", "`URL` of the door, or unix:PATH")
	f.StringVar(&set.headers, "headers", "",
		"`NAMES` of the credential's headers between commas, where the authority has others than its defaults")
	f.DurationVar(&set.timeout, "timeout", time.Second,
		"a `DURATION` in which the door answers; that of Envoy must be longer")
	if err := f.Parse(args); err != nil {
		return set, err
	}
	if f.NArg() > 0 {
		err := fmt.Errorf("%q is no flag", f.Arg(0))
		fmt.Fprintln(to, err)
		return set, err
	}
	return set, nil
}

// run answers until ctx ends.
func run(ctx context.Context, set settings, log *slog.Logger) error {
	o := client.Options{URL: set.auth, Timeout: set.timeout, Connections: 256}
	if set.headers != "" {
		for name := range strings.SplitSeq(set.headers, ",") {
			o.Headers = append(o.Headers, strings.TrimSpace(name))
		}
	}
	asks, err := client.New(o)
	if err != nil {
		return err
	}
	defer asks.Close()
	l, err := listen(set.listen)
	if err != nil {
		return err
	}
	log.Info("listening", "address", l.Addr().String(), "auth", set.auth)
	return serve(ctx, l, &door{client: asks, log: log}, log)
}
