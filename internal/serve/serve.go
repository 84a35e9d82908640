// Package serve is what makes a server of the doors: listeners, shutdown, the request log, metrics
// and health.
package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Options say what a server serves.
type Options struct {
	Gate     http.Handler // /auth and all below it
	Pages    Pages        // the requests that it owns; nil: none
	Keys     http.Handler // /.well-known/jwks.json; nil: there are none
	Feed     Feed         // /feed, for programs that follow the log; nil: there is none
	API      http.Handler // whatever else comes to the main listener
	Fast     Door         // at the address for questions alone; nil where there is none
	Proxy    Door         // the same for the reverse proxy
	Operator http.Handler // the management socket; Operator gives who speaks
	State    func() State
	Metrics  *Metrics
	TLSCert  string // files; empty: no TLS
	TLSKey   string
	Log      *slog.Logger
}

// Pages are what people see in a browser.
type Pages interface {
	http.Handler
	Owns(r *http.Request) bool
	Close() // ends the answers that stay open; nothing new is begun
}

// A Feed is streams that stay open.
type Feed interface {
	http.Handler
	Close() // ends them
}

// A Door answers at a listener of its own, until it is shut down.
type Door interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
	Close() error // breaks off what is there
}

// A Server answers at its listeners until it is shut down.
type Server struct {
	listeners           *Listeners
	log                 *slog.Logger
	main, admin, socket *http.Server
	doors               []door // those at listeners of their own
	serving             sync.WaitGroup
	broken              chan error
}

type door struct {
	Door
	at net.Listener
}

// New makes a server of taken addresses. It owns them from now on, also after an error.
func New(l *Listeners, o Options) (*Server, error) {
	s := &Server{listeners: l, log: o.Log, broken: make(chan error, 5)}
	d := &dispatcher{
		gate: o.Gate, keys: o.Keys, pages: o.Pages, api: o.API,
		alive: alive, ready: ready(o.State, false), log: o.Log,
	}
	s.main = s.server(d)
	if o.Feed != nil {
		d.feed = o.Feed
		s.main.RegisterOnShutdown(o.Feed.Close)
	}
	if o.Pages != nil {
		s.main.RegisterOnShutdown(o.Pages.Close)
	}
	s.admin = s.server(admin(o.Metrics, o.State))
	s.admin.WriteTimeout = 5 * time.Minute // a profile is written for as long as the caller asks
	s.socket = s.server(o.Operator)
	s.socket.ConnContext = withPeer
	s.socket.WriteTimeout = 0 // a backup is as long as it is
	l.socket.log = o.Log
	if l.secure {
		cert, err := loadCertificate(o.TLSCert, o.TLSKey, o.Log)
		if err != nil {
			l.Close()
			return nil, err
		}
		s.main.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: cert.get}
		if l.proxy != nil {
			set := s.main.TLSConfig.Clone()
			set.NextProtos = []string{"h2", "http/1.1"}
			l.proxy = tls.NewListener(l.proxy, set)
		}
	}
	if o.Fast != nil {
		s.doors = append(s.doors, door{o.Fast, l.auth})
	}
	if o.Proxy != nil {
		s.doors = append(s.doors, door{o.Proxy, l.proxy})
	}
	return s, nil
}

func (s *Server) server(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       slowest,
		WriteTimeout:      slowest,
		IdleTimeout:       3 * time.Minute, // longer than a proxy's, so that the proxy closes first
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          errorLog(s.log),
		// Else net/http lets OPTIONS * through by itself, without a look at the token.
		DisableGeneralOptionsHandler: true,
	}
}

// Start begins to answer, and says so.
func (s *Server) Start() {
	l := s.listeners
	s.serve(func() error {
		if l.secure {
			return s.main.ServeTLS(l.main, "", "")
		}
		return s.main.Serve(l.main)
	})
	if l.admin != nil {
		s.serve(func() error { return s.admin.Serve(l.admin) })
	}
	s.serve(func() error { return s.socket.Serve(l.socket) })
	for _, d := range s.doors {
		s.serve(func() error { return d.Serve(d.at) })
	}
	s.log.Info("listening", "url", l.URL(), "admin_url", l.AdminURL(), "socket", l.socket.path,
		"fast_url", l.FastURL(), "proxy_url", l.ProxyURL())
	notify("READY=1")
}

func (s *Server) serve(run func() error) {
	s.serving.Go(func() {
		if err := run(); err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			s.broken <- fmt.Errorf("a listener broke down: %w", err)
		}
	})
}

// Broken gives an error when a listener breaks down.
func (s *Server) Broken() <-chan error { return s.broken }

// Shutdown stops taking requests and finishes those that have begun. When ctx ends it breaks off
// those that are still there, and says so.
func (s *Server) Shutdown(ctx context.Context) error {
	notify("STOPPING=1")
	var ending sync.WaitGroup
	all := []Door{s.main, s.socket}
	for _, d := range s.doors {
		all = append(all, d)
	}
	errs := make([]error, len(all))
	for i, d := range all {
		ending.Go(func() { errs[i] = end(ctx, d) })
	}
	ending.Wait()
	// The metrics can be read until the last request has gone; a profile is not waited for.
	s.admin.Close()
	s.listeners.Close()
	s.serving.Wait()
	return errors.Join(errs...)
}

func end(ctx context.Context, d Door) error {
	err := d.Shutdown(ctx)
	if err != nil {
		d.Close()
		return fmt.Errorf("requests were broken off: %w", err)
	}
	return nil
}
