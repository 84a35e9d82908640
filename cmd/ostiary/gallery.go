package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/spf13/cobra"

	"ostiary/internal/config"
	"ostiary/internal/serve"
)

// serveGallery serves made-up records. They lie in a folder of their own, which is removed at the end.
func serveGallery(cmd *cobra.Command, cfg *config.Config) (err error) {
	if cmd.Flags().Changed("data") {
		return wrongUsage("--gallery makes records of its own; leave --data out")
	}
	if !isOwnMachine(cfg.Listen) {
		return wrongUsage("--gallery signs in whoever asks: it listens on this machine alone, not at %s", cfg.Listen)
	}
	cfg.Mark, cfg.AcceptRollback = "", false // they are of real records
	ctx, stop := untilOrphaned(cmd.Context())
	defer stop()
	if cfg.Data, err = os.MkdirTemp("", "ostiary-gallery-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(cfg.Data)) }()
	g, err := makeGallery(ctx, cfg.Data)
	if err != nil {
		return err
	}
	n, err := openWhereFree(ctx, cmd, cfg, func(n *node) {
		n.now = g.clock.Now
		n.around = func(pages serve.Pages) serve.Pages { return &hung{pages, g} }
	})
	if err != nil {
		return withExit(err)
	}
	n.Start()
	if err := answers(ctx, n.URL()+"/readyz"); err != nil {
		return errors.Join(err, n.Close(context.WithoutCancel(ctx)))
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "This is a gallery: made-up records, in which everybody may be anybody. "+
		"Every page in every state is listed at %s/gallery\n", n.URL())
	return n.serveUntil(ctx)
}

// isOwnMachine says whether nobody on another machine comes to an address.
func isOwnMachine(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.Unmap().IsLoopback()
}
