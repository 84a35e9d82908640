package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ostiary/internal/config"
	"ostiary/internal/serve"
)

func demoCommand() *cobra.Command {
	var keep string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See it run, with nothing to set up",
		Long: "Start a server on records made for it: the account social_networks, an admin, a normal and a read-only\n" +
			"user, two tokens, and a small API behind a proxy. It prints a story of three lines to paste, and runs\n" +
			"until Ctrl-C; then its folder is removed.\n\n" +
			"With --json it prints one line once everything answers, for programs that want something real to test\n" +
			"against, and ends on SIGTERM.",
		Example: `  ostiary demo
  ostiary demo --json --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0
  ostiary demo --keep ./playground`,
		Args: takes(),
	}
	cfg := config.Register(cmd.Flags(), "listen", "admin-listen", "access-log", "log-level", "public-url",
		"assertion-audience", "auth-listen", "proxy-listen", "upstream", "rules")
	cmd.Flags().StringVar(&keep, "keep", "", "make the records in `DIR`, and leave them there")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one line of JSON once everything answers")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if _, err := cfg.Load(cmd.Flags(), os.Environ()); err != nil {
			return &usageError{err}
		}
		show := printStory
		if asJSON {
			show = printStaged
		}
		return demo(cmd, cfg, keep, show)
	}
	return cmd
}

func demo(cmd *cobra.Command, cfg *config.Config, keep string,
	show func(*cobra.Command, *stage) error,
) (err error) {
	ctx, stop := untilOrphaned(cmd.Context())
	defer stop()
	cfg.Data = keep
	if keep == "" {
		if cfg.Data, err = os.MkdirTemp("", "ostiary-demo-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(cfg.Data)) }()
	}
	s := &stage{Data: cfg.Data}
	if err := s.build(ctx); err != nil {
		return err
	}
	if cfg.ProxyListen == "" {
		api, end, err := startEcho()
		if err != nil {
			return err
		}
		defer end()
		cfg.ProxyListen, cfg.Upstream = "127.0.0.1:0", api
	}
	n, err := openWhereFree(ctx, cmd, cfg)
	if err != nil {
		return withExit(err)
	}
	n.Start()
	s.URL, s.AuthURL, s.AdminURL, s.ProxyURL = n.URL(), n.AuthURL(), n.AdminURL(), n.ProxyURL()
	if err := errors.Join(answers(ctx, s.URL+"/readyz"), show(cmd, s)); err != nil {
		return errors.Join(err, n.Close(context.WithoutCancel(ctx)))
	}
	return n.serveUntil(ctx)
}

// openWhereFree opens the node. A default address that is taken is named, and a free one used.
func openWhereFree(ctx context.Context, cmd *cobra.Command, cfg *config.Config, with ...func(*node)) (*node, error) {
	for try := 1; ; try++ {
		n, err := openNode(ctx, *cfg, cmd.ErrOrStderr(), with...)
		if !errors.Is(err, serve.ErrTaken) || try == 3 {
			return n, err
		}
		evade(cmd, &cfg.Listen, cmd.Flags().Lookup("listen"))
		evade(cmd, &cfg.AdminListen, cmd.Flags().Lookup("admin-listen"))
	}
}

// evade replaces a default address that is taken by a free port. What somebody asked for stays.
func evade(cmd *cobra.Command, address *string, flag *pflag.Flag) {
	if flag.Changed || *address != flag.DefValue {
		return
	}
	l, err := net.Listen("tcp", *address)
	if err == nil {
		l.Close()
		return
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s is taken by another program; the demo takes a free port instead.\n", *address)
	*address = "127.0.0.1:0"
}

// answers waits until a page answers with 200.
func answers(ctx context.Context, url string) error {
	ctx, stop := context.WithTimeout(ctx, 10*time.Second)
	defer stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
			err = errors.New(res.Status)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the demo does not answer at %s: %w", url, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// untilOrphaned ends when a 'go run' that started this program is gone: it does not pass SIGTERM on.
func untilOrphaned(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := context.WithCancel(ctx)
	exe, err := os.Executable()
	if err != nil || !startedByGoRun(exe) {
		return ctx, stop
	}
	parent := os.Getppid()
	go func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for os.Getppid() == parent {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
		stop()
	}()
	return ctx, stop
}

func printStaged(cmd *cobra.Command, s *stage) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", text)
	return err
}

func printStory(cmd *cobra.Command, s *stage) error {
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "Ostiary runs at %s, on records made for you in %s.\n"+
		"Open that address in a browser, and sign in as one of these. Its API is described at %s/docs.\n\n",
		s.URL, s.Data, s.URL)
	t := newTable("USER", "ROLE", "PASSWORD", "TOKEN", "NEW APPS", "SECRET")
	for _, u := range s.Users {
		id, state, secret := "-", "-", "-"
		for _, token := range s.Tokens {
			if token.Owner == u.ID {
				id, state, secret = token.ID, token.Default, token.Secret
			}
		}
		t.row(u.Email, label(u.Role), u.Password, id, state, secret)
	}
	t.print(out)
	bob := s.Tokens[1]
	curl := fmt.Sprintf("curl -i -u my-script:%s %s/v2/user/current", bob.Secret, s.URL)
	_, err := fmt.Fprintf(out, `
The story in three lines, to paste into another terminal here. A new application shows bob's token,
and is refused:

  %s

Its name waits for approval. It is on bob's page, where it turns up by itself while the page is open.
Allow it there, or here:

  %s app allow --data %s %s my-script

The same request is let through:

  %s

The same line with %s asks a small API behind the proxy, which
answers with what reached it.

Ctrl-C ends the demo. The log follows, a line for each request that is refused.
`, curl, calling(), quoted(s.Data), bob.ID, curl, s.ProxyURL)
	return err
}
