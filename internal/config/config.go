// Package config reads the settings: flags, then OSTIARY_* environment variables, then a file.
package config

import (
	"log/slog"
	"time"

	"github.com/spf13/pflag"
)

// A Config is every setting of the program, checked one by one.
type Config struct {
	File string // from which settings are read besides

	Data           string
	Database       Secret // the URL of PostgreSQL; zero: SQLite in Data
	DatabaseFile   string // whose first line is Database
	Mark           string // empty: in Data
	AcceptRollback bool
	UseFlush       time.Duration

	NodeName      string        // empty: the host's name and the port
	Lease         time.Duration // how long decisions are made without hearing from a database that others write
	ServeStale    bool          // go on after that
	ConfirmWithin time.Duration // how long a change waits for the other nodes

	Server         string // the URL of the node that an edge follows
	CredentialFile string

	Listen       string
	AdminListen  string // empty: none
	AuthListen   string // HOST:PORT or unix:PATH; empty: none
	ProxyListen  string // empty: no proxy
	Upstream     string // the URL of the API behind the proxy
	UpstreamTime time.Duration
	TLSCert      string
	TLSKey       string
	TrustedPeers string
	PublicURL    string // without a slash at the end; empty: where it listens
	APIURL       string // the same; empty: PublicURL

	TokenFormat   string // "ostiary" or "uuid"
	TokenPrefix   string
	TokenHeader   string
	AppHeader     string
	MoreHeaders   [][2]string // further headers for token and application name
	AccountHeader string
	Rules         string // a file

	AssertionAudience string        // empty: identities are not signed
	AssertionKeyLife  time.Duration // how long one key signs

	SessionIdle     time.Duration
	SessionLifetime time.Duration
	InstallCommands string // a file

	RateLimit float64 // requests a second of one token; zero: no limit

	MaxWaitingAppsPerToken int
	MaxAppsPerToken        int
	MaxAppsPerAccount      int
	MaxNewAppsPerSecond    int
	MaxTokensPerUser       int

	AccessLog bool
	LogLevel  slog.Level
}

// Register makes the named settings flags of a command; without names, all but those of an edge. --config
// always is. The Config has the defaults until Load has read the rest.
func Register(fs *pflag.FlagSet, names ...string) *Config {
	c := &Config{}
	for _, s := range settings(c) {
		if s.name == configName || len(names) == 0 && s.group != edges || contains(names, s.name) {
			flag := fs.VarPF(s.value, s.name, "", s.help)
			if _, isSwitch := s.value.(*onOff); isSwitch {
				flag.NoOptDefVal = "true"
			}
		}
	}
	return c
}

// RegisterEdge makes the settings of an edge flags of a command.
func RegisterEdge(fs *pflag.FlagSet) *Config {
	var names []string
	for _, s := range settings(&Config{}) {
		switch s.group {
		case edges, "Several nodes", "Listening", "Tokens and requests", "Signed identity", "Log":
			names = append(names, s.name)
		}
	}
	return Register(fs, append(names, "data")...)
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}
