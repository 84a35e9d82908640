package ostiarytest

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"ostiary"
	"ostiary/internal/answer"
	"ostiary/internal/api"
	"ostiary/internal/authority"
	"ostiary/internal/credential"
	"ostiary/internal/directory"
	"ostiary/internal/follow"
	"ostiary/internal/gate"
	"ostiary/internal/login"
	"ostiary/internal/serve"
	"ostiary/internal/store"
	"ostiary/internal/usage"
)

// A node is one run of the authority on the records of a folder.
type node struct {
	*authority.Authority

	out       *serve.Writer
	log       *slog.Logger
	metrics   *serve.Metrics
	requests  *serve.RequestLog
	db        *store.DB
	directory *directory.Directory
	follower  *follow.Follower
	usage     *usage.Usage
	listeners *serve.Listeners
	server    *serve.Server
	halt      context.CancelFunc
	following sync.WaitGroup
}

// open opens the records, loads memory from them, and answers at an address.
func open(ctx context.Context, dir, address string, rules []ostiary.Rule, logs io.Writer) (*node, error) {
	n := &node{out: serve.NewWriter(logs, ostiary.DefaultSecretPrefix), metrics: serve.NewMetrics("test")}
	n.log = serve.NewLogger(n.out, slog.LevelWarn)
	n.requests = serve.NewRequestLog(n.out, false, n.metrics)
	err := n.load(ctx, dir)
	if err == nil {
		err = n.join(dir, address, rules)
	}
	if err != nil {
		return nil, errors.Join(err, n.close(ctx))
	}
	following, halt := context.WithCancel(context.Background())
	n.halt = halt
	n.following.Go(func() { n.follower.Run(following) })
	n.server.Start()
	return n, nil
}

func (n *node) load(ctx context.Context, dir string) (err error) {
	if n.db, err = store.Open(ctx, dir, store.Options{Log: n.log}); err != nil {
		return err
	}
	n.directory = directory.New()
	if err := n.directory.Load(ctx, n.db); err != nil {
		return err
	}
	n.follower = follow.New(n.db, n.directory, n.log)
	n.usage, err = usage.Open(filepath.Join(dir, "use.db"), usage.Options{Log: n.log})
	return err
}

// join makes the doors and the API, and takes the address.
func (n *node) join(dir, address string, rules []ostiary.Rule) error {
	format := ostiary.SecretFormat{Prefix: ostiary.DefaultSecretPrefix}
	n.Authority = authority.New(n.db, n.directory, n.follower, n.usage,
		authority.Settings{Format: format, Rules: rules, Log: n.log})
	trusted, err := credential.ParseTrusted("loopback")
	if err != nil {
		return err
	}
	read, err := credential.New(credential.Settings{Format: format})
	if err != nil {
		return err
	}
	if n.listeners, err = serve.Listen(serve.Addresses{Main: address, Data: dir}); err != nil {
		return err
	}
	url := n.listeners.URL()
	answers := answer.New(answer.Settings{Server: "ostiarytest", Realm: "Ostiary", PublicURL: url})
	native := api.New(n.Authority, read, trusted, answers, n.requests, api.Options{
		PublicURL: url, APIURL: url, Hash: login.Hash, Backup: n.db.Backup,
		Status: func(context.Context) api.Status { return api.Status{Revision: n.directory.Revision()} },
	})
	n.server, err = serve.New(n.listeners, serve.Options{
		Gate: gate.NewForward(&gate.Gate{
			Check: n.Authority, Read: read, Trusted: trusted, Rules: rules, Answers: answers, Log: n.requests,
		}),
		API: native.Public(),
		Operator: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			native.Operator(serve.Operator(r.Context())).ServeHTTP(w, r)
		}),
		State:   func() serve.State { return serve.State{Changes: n.db.Degraded(), Follow: n.follower.Err()} },
		Metrics: n.metrics, Log: n.log,
	})
	return err
}

// close finishes the requests that have begun, and gives everything up.
func (n *node) close(ctx context.Context) error {
	var errs []error
	switch {
	case n.halt != nil:
		errs = append(errs, n.server.Shutdown(ctx))
	case n.listeners != nil:
		n.listeners.Close()
	}
	if n.Authority != nil {
		errs = append(errs, n.Authority.Close(ctx))
	}
	if n.halt != nil {
		n.halt()
		n.following.Wait()
	}
	if n.usage != nil {
		errs = append(errs, n.usage.Close())
	}
	n.requests.Close()
	if n.db != nil {
		errs = append(errs, n.db.Close())
	}
	flush, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer stop()
	n.out.Close(flush)
	return errors.Join(errs...)
}
