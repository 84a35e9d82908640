package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"ostiary"
	"ostiary/internal/assertion"
	"ostiary/internal/authority"
	"ostiary/internal/config"
	"ostiary/internal/directory"
	"ostiary/internal/edge"
	"ostiary/internal/follow"
	"ostiary/internal/gate"
	"ostiary/internal/serve"
)

func edgeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "edge",
		Short: "Answer requests from a memory that follows a server",
		Long: "Answer requests where the API lives, without a database: an edge follows a server over one stream, and\n" +
			"decides from its own memory. It has the doors of 'ostiary serve', and no pages and no API. Retirements and\n" +
			"denials reach it at once, and their receipts name it. Without the server it decides until its lease is over.\n\n" +
			"The operator of the server issues its credential with 'ostiary node issue'. Other edges can follow an edge.\n\n" +
			"It exits with 5 where another process holds its data folder.",
		Example: "  ostiary edge --server https://tokens.example.com --credential-file edge-credential --data /var/lib/ostiary-edge",
		Args:    takes(),
	}
	cfg := config.RegisterEdge(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		warnings, err := cfg.Load(cmd.Flags(), os.Environ())
		if err != nil {
			return &usageError{err}
		}
		if cfg.Server == "" || cfg.CredentialFile == "" {
			return wrongUsage("an edge needs --server and --credential-file")
		}
		e, err := openEdge(*cfg, cmd.ErrOrStderr())
		if err != nil {
			return withExit(err)
		}
		for _, w := range warnings {
			e.log.Warn("a setting needs a look", "what", w)
		}
		e.Start()
		return e.until(cmd.Context(), e.Close)
	}
	return cmd
}

// An edgeNode is a server whose memory follows another server.
type edgeNode struct {
	node
	edge *edge.Edge
}

func openEdge(cfg config.Config, logs io.Writer) (*edgeNode, error) {
	syscall.Umask(0o077)
	e := &edgeNode{node: node{
		cfg: cfg, out: serve.NewWriter(logs, cfg.TokenPrefix), metrics: serve.NewMetrics(programVersion()),
		ballast: make([]byte, 64<<20),
	}}
	e.log = serve.NewLogger(e.out, cfg.LogLevel)
	e.requests = serve.NewRequestLog(e.out, cfg.AccessLog, e.metrics)
	if err := e.open(); err != nil {
		return nil, errors.Join(err, e.Close(context.Background()))
	}
	return e, nil
}

func (e *edgeNode) open() (err error) {
	cfg := e.cfg
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return err
	}
	e.warnOfOpenFolder()
	credential, err := e.credential()
	if err != nil {
		return err
	}
	e.me = selfOf(cfg)
	rules, err := config.LoadRules(cfg.Rules)
	if err != nil {
		return err
	}
	if cfg.AssertionAudience != "" {
		e.keys, err = assertion.OpenKeys(filepath.Join(cfg.Data, "assertion-keys"),
			assertion.KeyOptions{Life: cfg.AssertionKeyLife, Log: e.log})
		if err != nil {
			return err
		}
		e.recent = assertion.NewRecent(nil)
	}
	e.edge, err = edge.New(edge.Options{
		Server: cfg.Server, Credential: credential, Node: e.me, Data: cfg.Data, Log: e.log, Wrap: e.wrap,
		Settings: authority.Settings{Format: formatOf(cfg), RatePerSec: cfg.RateLimit, Rules: rules, Log: e.log},
	})
	if err != nil {
		return err
	}
	e.listeners, err = serve.Listen(serve.Addresses{
		Main: cfg.Listen, Admin: cfg.AdminListen, Auth: cfg.AuthListen, Proxy: cfg.ProxyListen, Data: cfg.Data, TLS: cfg.TLSCert != "",
	})
	if err != nil {
		return err
	}
	return e.join(rules)
}

// wrap has signed identities hear of each change before memory holds it.
func (e *edgeNode) wrap(d *directory.Directory) follow.Waiter {
	if e.recent == nil {
		return d
	}
	return heard{d, e.recent}
}

// credential reads the file that holds it.
func (e *edgeNode) credential() (ostiary.SecretText, error) {
	f, err := os.Open(e.cfg.CredentialFile)
	if err != nil {
		return ostiary.SecretText{}, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Mode().Perm()&0o077 != 0 {
		e.log.Warn("other users of this machine can read the credential; chmod 600 keeps them out", "file", e.cfg.CredentialFile)
	}
	line, err := oneLine(f, e.cfg.CredentialFile)
	if err == nil && !authority.EdgeFormat().Holds(line) {
		err = fmt.Errorf("%s holds no credential of an edge; 'ostiary node issue' makes one", e.cfg.CredentialFile)
	}
	return ostiary.ReadSecret(line), err
}

func (e *edgeNode) join(rules []ostiary.Rule) error {
	cfg := e.cfg
	trusted, read, err := reading(cfg)
	if err != nil {
		return err
	}
	pages := cmp.Or(cfg.PublicURL, cfg.Server)
	answers := answersOf(pages, cmp.Or(cfg.APIURL, pages))
	doors := &gate.Gate{
		Check: e.edge, Read: read, Trusted: trusted, Rules: rules, Answers: answers, Log: e.requests,
	}
	var keys http.Handler
	if e.keys != nil {
		doors.Sign = assertion.New(e.keys, e.recent, pages, cfg.AssertionAudience)
		keys = e.keys
	}
	e.metrics.Watch(e.watched())
	nothing := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answers.Write(w, answers.Route(ostiary.NoRoute, ""), "")
	})
	options := serve.Options{
		Gate: gate.NewForward(doors), Keys: keys, API: nothing, Operator: nothing, Feed: e.edge.Feed(),
		State: e.state, Metrics: e.metrics, TLSCert: cfg.TLSCert, TLSKey: cfg.TLSKey, Log: e.log,
	}
	if err := openDoors(&options, doors, e.edge.Authority, cfg, e.log); err != nil {
		return err
	}
	e.server, err = serve.New(e.listeners, options)
	return err
}

// state says what the edge can do now. It makes no changes.
func (e *edgeNode) state() serve.State {
	s := serve.State{
		Changes: errors.New("an edge makes no changes"), Follow: e.edge.Err(), Compare: e.edge.Differ(),
		Stale: e.edge.Overdue(),
	}
	age, limit := e.edge.Follower.Lease()
	if !e.edge.MayDecide() {
		s.Decisions = fmt.Errorf("nothing was heard from the server for longer than the lease of %v", limit)
	} else if age > ostiary.FreshFor {
		s.Behind = age
	}
	return s
}

func (e *edgeNode) watched() serve.Watched {
	d := e.edge.Directory
	return serve.Watched{
		Revision:    d.Revision,
		Behind:      e.edge.Follower.Behind,
		Records:     func() serve.Records { return recordsIn(d) },
		StoreErrors: func() uint64 { return 0 },
		UseDropped:  func() uint64 { return 0 },
		LogDropped:  e.out.Dropped,
		State:       e.state,
		Differ: func() int {
			if e.edge.Differ() != nil {
				return 1
			}
			return 0
		},
	}
}

// Start follows, and answers.
func (e *edgeNode) Start() {
	ctx, halt := context.WithCancel(context.Background())
	e.halt = halt
	e.edge.Start()
	if e.keys != nil {
		e.following.Go(func() { e.keys.Run(ctx) })
	}
	e.server.Start()
}

// Close finishes the requests that have begun, and hands on what was counted.
func (e *edgeNode) Close(ctx context.Context) error {
	switch {
	case e.halt != nil:
		e.tell("requests were broken off", e.server.Shutdown(ctx))
	case e.listeners != nil:
		e.listeners.Close()
	}
	if e.edge != nil {
		e.tell("new applications were not put on record", e.edge.Close(ctx))
	}
	if e.halt != nil {
		e.halt()
		e.following.Wait()
		e.log.Info("stopped")
	}
	e.requests.Close()
	flush, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer stop()
	e.out.Close(flush)
	return nil
}
