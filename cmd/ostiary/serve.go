package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/spf13/cobra"

	"ostiary/internal/config"
	"ostiary/internal/hold"
	"ostiary/internal/serve"
	"ostiary/internal/store"
)

// stopWithin is how long requests that have begun may take when the server stops.
const stopWithin = 10 * time.Second

func serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Answer requests, serve the API and keep the records",
		Long: "Answer requests at /auth, serve the API, and keep the records that 'ostiary init' made, in a data folder or\n" +
			"in PostgreSQL, which several servers may share: each has a data folder of its own.\n\n" +
			"Every setting is a flag, or an environment variable (OSTIARY_LISTEN for --listen), or a line of the file\n" +
			"that --config names; the first of these that says something counts. Logs are JSON lines on standard error.\n\n" +
			"It exits with 3 where there is no database, 4 where it is older than what this node has seen, 5 where\n" +
			"another server uses it, 6 where a newer version wrote it, and 7 where an address is taken.",
		Example: "  ostiary serve --data /var/lib/ostiary\n" +
			"  ostiary serve --config /etc/ostiary.conf --access-log",
		Args: takes(),
	}
	cfg := config.Register(cmd.Flags())
	gallery := cmd.Flags().Bool("gallery", false,
		"show every page in every state instead, on made-up records in which everybody may be anybody")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		warnings, err := cfg.Load(cmd.Flags(), os.Environ())
		if err != nil {
			return &usageError{err}
		}
		if *gallery {
			return serveGallery(cmd, cfg)
		}
		n, err := openNode(cmd.Context(), *cfg, cmd.ErrOrStderr())
		if err != nil {
			return withExit(err)
		}
		for _, w := range warnings {
			n.log.Warn("a setting needs a look", "what", w)
		}
		n.Start()
		return n.serveUntil(cmd.Context())
	}
	return cmd
}

// serveUntil answers until ctx ends, or a listener breaks down, and then closes the node.
func (n *node) serveUntil(ctx context.Context) error { return n.until(ctx, n.Close) }

// until waits for the end, and gives what closes the node its time.
func (n *node) until(ctx context.Context, end func(context.Context) error) error {
	var broken error
	select {
	case <-ctx.Done():
		n.log.Info("stopping")
	case broken = <-n.server.Broken():
		n.log.Error("stopping", "error", broken)
	}
	closing, stop := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer stop()
	return errors.Join(broken, end(closing))
}

// withExit gives an error that keeps the server from starting its exit code.
func withExit(err error) error {
	for is, code := range map[error]int{
		store.ErrMissing: exitMissing,
		store.ErrBehind:  exitBehind,
		store.ErrInUse:   exitInUse,
		hold.ErrInUse:    exitInUse,
		store.ErrNewer:   exitNewer,
		serve.ErrTaken:   exitTaken,
	} {
		if errors.Is(err, is) {
			return &exitError{code, err}
		}
	}
	return err
}
