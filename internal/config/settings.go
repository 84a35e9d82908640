package config

import (
	"time"

	"github.com/spf13/pflag"

	"ostiary"
)

const configName = "config"

// edges are the settings of ostiary edge alone.
const edges = "Edges"

// A setting is one line of the reference. The word in back quotes in its help is what its value is.
type setting struct {
	group string
	name  string
	help  string
	value pflag.Value
}

// settings lists every setting, with its default in place.
func settings(c *Config) []setting {
	caps := ostiary.DefaultCaps()
	return []setting{
		{"Records", configName, "`FILE` with settings, one a line: name = value", text(&c.File, "", nil)},
		{
			"Records", "data", "`DIR` where the records are, made by ostiary init",
			text(&c.Data, "/var/lib/ostiary", notEmpty),
		},
		{"Records", "database", "`URL` of the PostgreSQL that holds the records, postgres://USER:PASSWORD@HOST/NAME; " +
			"as a flag everybody on this machine can read it (default: SQLite, in the data folder)", &hidden{&c.Database}},
		{
			"Records", "database-file", "`FILE` whose first line is that URL; only the server's user should be able to read it",
			text(&c.DatabaseFile, "", nil),
		},
		{"Records", "mark", "`FILE` that says how far this node has seen; elsewhere than the records, it notices " +
			"that the whole folder was put back in time (default: in the data folder)", text(&c.Mark, "", nil)},
		{"Records", "accept-rollback", "start also with records that are older than what this node has seen; " +
			"the retirements that it knows are kept", toggle(&c.AcceptRollback)},
		{"Records", "use-flush", "write who used what this often, as a `DURATION`", span(&c.UseFlush, "5s")},

		{
			"Several nodes", "node-name", "`NAME` of this node in receipts and logs (default: the host's name and the port)",
			text(&c.NodeName, "", printable),
		},
		{
			"Several nodes", "lease", "a `DURATION` for which requests are decided without hearing from the database; " +
				"longer than the database takes to fail over",
			lasting(&c.Lease, "60s", 5*time.Second),
		},
		{"Several nodes", "serve-stale", "decide also after the lease, however old memory is: " +
			"receipts then never call this node safe", toggle(&c.ServeStale)},
		{
			"Several nodes", "confirm-within", "a `DURATION` for which a change waits until the other nodes have it",
			span(&c.ConfirmWithin, "2s"),
		},

		{edges, "server", "`URL` of the node that an edge follows, without a path", text(&c.Server, "", originURL)},
		{
			edges, "credential-file", "`FILE` with the credential that 'ostiary node issue' printed",
			text(&c.CredentialFile, "", nil),
		},

		{
			"Listening", "listen", "`ADDRESS` for requests, the API and the pages; port 0 picks a free one",
			text(&c.Listen, "127.0.0.1:8700", address),
		},
		{"Listening", "admin-listen", "`ADDRESS` for metrics, and for profiles to loopback callers; " +
			"empty for none", text(&c.AdminListen, "127.0.0.1:8701", addressOrNone)},
		{"Listening", "auth-listen", "`ADDRESS` of the fast door, which answers /auth alone and costs half: HOST:PORT, " +
			"or unix:PATH for proxies of this machine in the server's group (default: none)", text(&c.AuthListen, "", socketOrNone)},
		{
			"Listening", "proxy-listen", "`ADDRESS` of the reverse proxy in front of the API of --upstream (default: none)",
			text(&c.ProxyListen, "", addressOrNone),
		},
		{
			"Listening", "upstream", "`URL` of the API behind the reverse proxy, without a path: http://127.0.0.1:9000",
			text(&c.Upstream, "", originURL),
		},
		{
			"Listening", "upstream-timeout", "a `DURATION` in which that API must begin its answer",
			span(&c.UpstreamTime, "60s"),
		},
		{"Listening", "tls-cert", "`FILE` with the certificate and its chain, in PEM", text(&c.TLSCert, "", nil)},
		{"Listening", "tls-key", "`FILE` with the certificate's key, in PEM", text(&c.TLSKey, "", nil)},
		{
			"Listening", "trusted-peers", "proxies that are believed about the request they ask about and where it " +
				"comes from: `ADDRESSES` and prefixes between commas, or the word loopback",
			text(&c.TrustedPeers, "loopback", nil),
		},
		{"Listening", "public-url", "`URL` of the pages, without a path: it makes links and the approval address " +
			"(default: where it listens)", text(&c.PublicURL, "", originURL)},
		{
			"Listening", "api-url", "`URL` of the API, for what people paste (default: the public URL)",
			text(&c.APIURL, "", baseURL),
		},

		{
			"Tokens and requests", "token-format", "`FORMAT` of new tokens: ostiary or uuid; both are accepted",
			text(&c.TokenFormat, "ostiary", oneOf("ostiary", "uuid")),
		},
		{
			"Tokens and requests", "token-prefix", "`TEXT` that tokens begin with: letters, digits and _. Tokens " +
				"that begin otherwise stop working",
			text(&c.TokenPrefix, ostiary.DefaultSecretPrefix, prefix),
		},
		{
			"Tokens and requests", "token-header", "`NAME` of the header that carries the token",
			text(&c.TokenHeader, "X-Circonus-Auth-Token", headerName),
		},
		{
			"Tokens and requests", "app-header", "`NAME` of the header that carries the application's name",
			text(&c.AppHeader, "X-Circonus-App-Name", headerName),
		},
		{
			"Tokens and requests", "more-headers", "further `PAIRS` of headers, as TOKEN:APP between commas",
			&pairs{at: &c.MoreHeaders},
		},
		{
			"Tokens and requests", "account-header", "`NAME` of the header that names the account",
			text(&c.AccountHeader, "X-Circonus-Account-ID", headerName),
		},
		{"Tokens and requests", "rules", "`FILE` that says which role requests to the API behind the door need: " +
			"METHODS PATH ROLE a line, the first that matches answers", text(&c.Rules, "", nil)},
		{
			"Tokens and requests", "rate-limit", "requests a second of one token, as a `NUMBER`; 0 for no limit",
			rate(&c.RateLimit, "0"),
		},

		{"Signed identity", "assertion-audience", "`NAME` of the API behind the door: identities are signed for it, " +
			"as X-Ostiary-Assertion; empty for none", text(&c.AssertionAudience, "", printable)},
		{
			"Signed identity", "assertion-key-life", "a `DURATION` after which another key signs",
			lasting(&c.AssertionKeyLife, "720h", 4*time.Hour),
		},

		{
			"Pages", "session-idle", "a `DURATION` after which a browser that was not used is signed out",
			lasting(&c.SessionIdle, "12h", time.Minute),
		},
		{
			"Pages", "session-lifetime", "a `DURATION` after which everybody signs in again",
			lasting(&c.SessionLifetime, "168h", time.Minute),
		},
		{"Pages", "install-commands", "`FILE` with commands that are shown beside a new token: NAME = TEMPLATE a " +
			"line", text(&c.InstallCommands, "", nil)},

		{
			"Caps", "max-waiting-apps-per-token", "`NUMBER` of applications that may wait for a decision",
			count(&c.MaxWaitingAppsPerToken, caps.WaitingPerToken),
		},
		{
			"Caps", "max-apps-per-token", "`NUMBER` of applications on record",
			count(&c.MaxAppsPerToken, caps.AppsPerToken),
		},
		{
			"Caps", "max-apps-per-account", "`NUMBER` of applications on record",
			count(&c.MaxAppsPerAccount, caps.AppsPerAccount),
		},
		{
			"Caps", "max-new-apps-per-second", "`NUMBER` of new applications an account and second",
			count(&c.MaxNewAppsPerSecond, caps.NewAppsPerSecond),
		},
		{
			"Caps", "max-tokens-per-user", "`NUMBER` of live tokens of one user",
			count(&c.MaxTokensPerUser, caps.TokensPerUser),
		},

		{"Log", "access-log", "log every request, not only what was refused or failed", toggle(&c.AccessLog)},
		{"Log", "log-level", "least `LEVEL` of the program's own messages: debug, info, warn or error. " +
			"Refused and failed requests are always logged", level(&c.LogLevel, "info")},
	}
}
