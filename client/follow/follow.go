// Package follow decides about requests inside a Go program. It follows a server of Ostiary over one stream and
// holds the same memory, so a decision takes no question to anybody, and a retired token is refused here as
// soon as anywhere. It is 'ostiary edge' as a library; package client needs nothing of it.
package follow

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"ostiary"
	"ostiary/client"
	"ostiary/internal/answer"
	"ostiary/internal/authority"
	"ostiary/internal/credential"
	"ostiary/internal/edge"
	"ostiary/internal/gate"
)

// Options say whom to follow.
type Options struct {
	// Server is the URL of the server, without a path. Credential is what 'ostiary node issue' printed.
	Server, Credential string

	// Name is how receipts name this program; empty is the host's name.
	Name string

	// Folder is where a local copy is kept, so that the program can begin without the server; empty for none.
	// It belongs to this program alone: a second one that begins with it gets an error.
	Folder string

	// Lease is how long decisions are made without hearing from the server, 24 hours at most. Zero is 60 seconds.
	Lease time.Duration

	// Rules say which role requests need; nil is reading for Read Only, and the rest for Normal.
	Rules []ostiary.Rule

	// Prefix is what tokens begin with, if the server's setting --token-prefix says something of its own.
	Prefix string

	// Log is told what goes wrong; nil is slog.Default().
	Log *slog.Logger
}

// A Follower decides.
type Follower struct {
	edge *edge.Edge
	door http.Handler
	log  *slog.Logger
}

// New begins to follow. It does not wait: Ready does. Until then the answer is 503.
func New(o Options) (*Follower, error) {
	log := cmp.Or(o.Log, slog.Default())
	format := ostiary.SecretFormat{Prefix: cmp.Or(o.Prefix, ostiary.DefaultSecretPrefix)}
	if !authority.EdgeFormat().Holds(o.Credential) {
		return nil, errors.New("the credential is not one that 'ostiary node issue' printed")
	}
	node, err := o.node()
	if err != nil {
		return nil, err
	}
	if o.Folder != "" {
		if err := os.MkdirAll(o.Folder, 0o700); err != nil {
			return nil, err
		}
	}
	read, err := credential.New(credential.Settings{Format: format})
	if err != nil {
		return nil, err
	}
	trusted, err := credential.ParseTrusted("loopback")
	if err != nil {
		return nil, err
	}
	e, err := edge.New(edge.Options{
		Server: strings.TrimSuffix(o.Server, "/"), Credential: ostiary.ReadSecret(o.Credential), Node: node, Data: o.Folder,
		Settings: authority.Settings{Format: format, Rules: o.Rules, Log: log}, Log: log,
	})
	if err != nil {
		return nil, err
	}
	f := &Follower{edge: e, log: log}
	f.door = gate.NewForward(&gate.Gate{
		Check: e, Read: read, Trusted: trusted, Rules: o.Rules, Log: quiet{},
		Answers: answer.New(answer.Settings{Server: node.Name, Realm: "Ostiary", PublicURL: o.Server}),
	})
	e.Start()
	return f, nil
}

// node is this program as the other nodes know it.
func (o Options) node() (ostiary.Node, error) {
	n := ostiary.Node{Name: o.Name, Version: "library", Lease: cmp.Or(o.Lease, time.Minute)}
	if n.Name == "" {
		host, err := os.Hostname()
		if err != nil {
			return n, err
		}
		n.Name = host
	}
	return n, nil
}

// Ready returns once decisions are made, or ctx ends; then it says what keeps them from it.
func (f *Follower) Ready(ctx context.Context) error { return f.edge.Ready(ctx) }

// Err is why the server is not followed at this moment; nil while it is.
func (f *Follower) Err() error { return f.edge.Err() }

// Client asks this follower as it would ask a door: its Protect and its Check work in the same way.
func (f *Follower) Client() (*client.Client, error) {
	return client.New(client.Options{Transport: inside{f.door}, Log: f.log})
}

// Decide decides about a token and the name of an application, for a request that needs a role; NoRole
// where only the credential is asked about. Where it cannot decide, the reason is Unavailable.
func (f *Follower) Decide(ctx context.Context, token, app string, need ostiary.Role) ostiary.Decision {
	q := ostiary.Question{Need: need, At: time.Now()}
	q.Shown, q.Token, q.App = ostiary.ShownToken, ostiary.ReadSecret(token), app
	return f.edge.Check(ctx, &q)
}

// Close ends following, and hands on what was counted last, as far as ctx lasts.
func (f *Follower) Close(ctx context.Context) error { return f.edge.Close(ctx) }

// quiet is a request log that nobody reads: the program has its own.
type quiet struct{}

func (quiet) Record(*answer.Event) string { return "" }

// inside asks a door in this process.
type inside struct{ door http.Handler }

func (i inside) RoundTrip(r *http.Request) (*http.Response, error) {
	r.RemoteAddr, r.RequestURI = "127.0.0.1:0", r.URL.RequestURI()
	a := &answered{header: http.Header{}}
	i.door.ServeHTTP(a, r)
	return &http.Response{
		StatusCode: cmp.Or(a.status, http.StatusOK), Header: a.header, Body: io.NopCloser(&a.body), Request: r,
	}, nil
}

// An answered request was answered in this process.
type answered struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (a *answered) Header() http.Header         { return a.header }
func (a *answered) WriteHeader(status int)      { a.status = cmp.Or(a.status, status) }
func (a *answered) Write(b []byte) (int, error) { return a.body.Write(b) }
