package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"ostiary"
	"ostiary/internal/answer"
	"ostiary/internal/api"
	"ostiary/internal/assertion"
	"ostiary/internal/authority"
	"ostiary/internal/config"
	"ostiary/internal/credential"
	"ostiary/internal/directory"
	"ostiary/internal/feed"
	"ostiary/internal/follow"
	"ostiary/internal/gate"
	"ostiary/internal/login"
	"ostiary/internal/serve"
	"ostiary/internal/usage"
)

// A node is one server: the records of a data folder, memory that follows them, and what answers.
type node struct {
	Authority *authority.Authority

	cfg       config.Config
	log       *slog.Logger
	out       *serve.Writer
	metrics   *serve.Metrics
	requests  *serve.RequestLog
	db        records
	registry  follow.Registry // of the nodes on one database; nil: this one is alone
	absent    error           // why the database could not be opened yet
	kept      ostiary.Head    // that the local copy holds
	directory *directory.Directory
	follower  *follow.Follower
	nodes     *follow.Nodes
	me        ostiary.Node   // this node as the others know it
	ring      *feed.Ring     // the last changes, for those that follow this node
	keeper    *follow.Keeper // of the local copy; nil: none is kept
	usage     *usage.Usage
	logins    *login.Logins
	keys      *assertion.Keys               // nil: identities are not signed
	recent    *assertion.Recent             // what changed lately; nil like keys
	now       func() time.Time              // nil: the clock
	around    func(serve.Pages) serve.Pages // nil: the pages alone
	listeners *serve.Listeners
	server    *serve.Server

	// Never touched, so it takes no memory of the machine's; but garbage is collected once the heap
	// has doubled with it, which in a small node is after thousands of requests instead of hundreds.
	ballast []byte

	halt      context.CancelFunc // ends following
	following sync.WaitGroup
}

// openNode opens the records, loads memory from them and takes the addresses. Its log goes to logs.
// A caller waits in line at the addresses until Start.
func openNode(ctx context.Context, cfg config.Config, logs io.Writer, with ...func(*node)) (*node, error) {
	// Whatever this process makes belongs to its user alone: hashes and addresses are in it.
	syscall.Umask(0o077)
	n := &node{
		cfg: cfg, out: serve.NewWriter(logs, cfg.TokenPrefix), metrics: serve.NewMetrics(programVersion()),
		ballast: make([]byte, 64<<20),
	}
	for _, set := range with {
		set(n)
	}
	n.log = serve.NewLogger(n.out, cfg.LogLevel)
	n.requests = serve.NewRequestLog(n.out, cfg.AccessLog, n.metrics)
	if err := n.open(ctx); err != nil {
		return nil, errors.Join(err, n.Close(ctx))
	}
	return n, nil
}

func (n *node) open(ctx context.Context) (err error) {
	cfg := n.cfg
	if err := n.openRecords(ctx); err != nil {
		return err
	}
	n.warnOfOpenFolder()
	counted := n.metrics.CountChanges(n.db)
	n.directory = directory.New()
	plain, err := n.openKeys()
	if err != nil {
		return err
	}
	n.ring = new(feed.Ring)
	followed := fed{plain, n.directory, n.ring}
	if err := n.openNodes(ctx, counted, followed); err != nil {
		return err
	}
	if err := n.loadMemory(ctx, counted, followed); err != nil {
		return err
	}
	if err := n.nodes.Speak(ctx); err != nil { // it is said again every two seconds
		n.log.Debug("this node could not say that it is there", "error", err)
	}
	lead, _ := n.registry.(usage.Lead) // both kinds are
	n.usage, err = openUsage(ctx, cfg.Data, cfg.Database.Reveal(), usage.Options{
		Every: cfg.UseFlush, Now: n.now, Log: n.log, Lead: lead,
	})
	if err != nil {
		return err
	}
	rules, err := config.LoadRules(cfg.Rules)
	if err != nil {
		return err
	}
	n.Authority = authority.New(counted, n.directory, n.follower, n.usage, authority.Settings{
		Format: formatOf(cfg), Caps: capsOf(cfg), RatePerSec: cfg.RateLimit, Rules: rules, Nodes: n.nodes, Log: n.log, Now: n.now,
	})
	n.listeners, err = serve.Listen(serve.Addresses{
		Main: cfg.Listen, Admin: cfg.AdminListen, Auth: cfg.AuthListen, Proxy: cfg.ProxyListen, Data: cfg.Data, TLS: cfg.TLSCert != "",
	})
	if err != nil {
		return err
	}
	return n.join(rules)
}

// openUsage opens the record of use: a file in the data folder, or tables beside the records that nodes share.
func openUsage(ctx context.Context, data, database string, o usage.Options) (*usage.Usage, error) {
	if database != "" {
		return usage.OpenPostgres(ctx, database, o)
	}
	return usage.Open(filepath.Join(data, "use.db"), o)
}

// join makes the doors, and the server that serves them.
func (n *node) join(rules []ostiary.Rule) error {
	cfg := n.cfg
	trusted, read, err := reading(cfg)
	if err != nil {
		return err
	}
	pages := cmp.Or(cfg.PublicURL, n.URL())
	calls := cmp.Or(cfg.APIURL, pages)
	answers := answersOf(pages, calls)
	native := api.New(n.Authority, read, trusted, answers, n.requests, api.Options{
		PublicURL: pages, APIURL: calls, Hash: login.Hash, Status: n.status, Backup: n.db.Backup, Nodes: n.nodes,
	})
	pagesOf, err := n.newPages(read, trusted, answers, pages, calls)
	if err != nil {
		return err
	}
	var shown serve.Pages = pagesOf
	if n.around != nil {
		shown = n.around(shown)
	}
	n.metrics.Watch(n.watched())
	doors := &gate.Gate{
		Check: n.Authority, Read: read, Trusted: trusted, Rules: rules, Answers: answers, Log: n.requests,
	}
	var keys http.Handler
	if n.keys != nil {
		doors.Sign = assertion.New(n.keys, n.recent, pages, cfg.AssertionAudience)
		keys = n.keys
	}
	options := serve.Options{
		Gate: gate.NewForward(doors), Keys: keys, Pages: shown, API: native.Public(),
		Operator: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			native.Operator(serve.Operator(r.Context())).ServeHTTP(w, r)
		}),
		Feed: n.newFeed(), State: n.state, Metrics: n.metrics, TLSCert: cfg.TLSCert, TLSKey: cfg.TLSKey, Log: n.log,
	}
	if err := openDoors(&options, doors, n.Authority, cfg, n.log); err != nil {
		return err
	}
	n.server, err = serve.New(n.listeners, options)
	return err
}

// reading says whom the doors believe, and how they read credentials.
func reading(cfg config.Config) (credential.Trusted, *credential.Reader, error) {
	trusted, err := credential.ParseTrusted(cfg.TrustedPeers)
	if err != nil {
		return trusted, nil, err
	}
	read, err := credential.New(credential.Settings{
		Format: formatOf(cfg), Token: cfg.TokenHeader, App: cfg.AppHeader, MorePairs: cfg.MoreHeaders,
		Account: cfg.AccountHeader,
	})
	return trusted, read, err
}

// answersOf is the table of answers, with the addresses of the pages and of the API.
func answersOf(pages, calls string) *answer.Table {
	host, _ := os.Hostname() // without one, answers do not name the server
	return answer.New(answer.Settings{Server: host, Realm: "Ostiary", PublicURL: pages, Reference: calls + "/docs#"})
}

// Start follows the log, and answers.
func (n *node) Start() {
	ctx, halt := context.WithCancel(context.Background())
	n.halt = halt
	if n.registry != nil {
		n.keeper = follow.NewKeeper(n.copyFile(), n.directory, n.follower, n.kept, n.log)
		n.following.Go(func() { n.keeper.Run(ctx) })
	}
	n.nodes.MendWith(n.mend)
	n.following.Go(func() { n.follower.Run(ctx) })
	n.following.Go(func() { n.nodes.Run(ctx) })
	n.following.Go(func() { follow.Tell(ctx, n.log, follow.Stale(n.overdue)) })
	if n.keys != nil {
		n.following.Go(func() { n.keys.Run(ctx) })
	}
	n.server.Start()
}

// URL is where the node listens, as a caller on this machine writes it.
func (n *node) URL() string { return n.listeners.URL() }

// AuthURL is where proxies ask.
func (n *node) AuthURL() string { return n.URL() + "/auth" }

// ProxyURL is where the reverse proxy listens; empty where there is none.
func (n *node) ProxyURL() string { return n.listeners.ProxyURL() }

// AdminURL is where metrics are; empty where the settings want none.
func (n *node) AdminURL() string { return n.listeners.AdminURL() }

// Close finishes the requests that have begun, puts on record and writes down what they left
// behind, and gives everything up. What ctx is too short for is broken off, and the log says so.
func (n *node) Close(ctx context.Context) error {
	var errs []error
	switch {
	case n.halt != nil:
		n.tell("requests were broken off", n.server.Shutdown(ctx))
	case n.listeners != nil:
		n.listeners.Close()
	}
	if n.Authority != nil {
		n.tell("new applications were not put on record", n.closeAuthority(ctx))
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
		n.log.Info("stopped")
	}
	flush, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer stop()
	n.out.Close(flush) // a reader that is gone takes its lines with it
	return errors.Join(errs...)
}

// closeAuthority does not wait for a database that is away: it does not come back in time.
func (n *node) closeAuthority(ctx context.Context) error {
	if n.db.Degraded() != nil {
		short, stop := context.WithTimeout(ctx, 100*time.Millisecond)
		defer stop()
		ctx = short
	}
	return n.Authority.Close(ctx)
}

func (n *node) tell(what string, err error) {
	if err != nil {
		n.log.Warn(what, "error", err)
	}
}

func formatOf(c config.Config) ostiary.SecretFormat {
	return ostiary.SecretFormat{Prefix: c.TokenPrefix, UUID: c.TokenFormat == "uuid"}
}

func capsOf(c config.Config) ostiary.Caps {
	return ostiary.Caps{
		WaitingPerToken: c.MaxWaitingAppsPerToken, AppsPerToken: c.MaxAppsPerToken,
		AppsPerAccount: c.MaxAppsPerAccount, NewAppsPerSecond: c.MaxNewAppsPerSecond,
		TokensPerUser: c.MaxTokensPerUser,
	}
}

// warnOfOpenFolder: the records hold no secret, but hashes, addresses and the socket lie there.
func (n *node) warnOfOpenFolder() {
	info, err := os.Stat(n.cfg.Data)
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		n.log.Warn("other users of this machine can look into the data folder; chmod 700 keeps them out",
			"folder", n.cfg.Data, "mode", info.Mode().Perm().String())
	}
}
