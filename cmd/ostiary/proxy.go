package main

import (
	"log/slog"
	"net/url"
	"time"

	"ostiary/internal/authority"
	"ostiary/internal/config"
	"ostiary/internal/gate"
	"ostiary/internal/serve"
)

// proxyIdle is how long the next byte of a caller's body may take.
const proxyIdle = time.Minute

// openDoors opens those doors that have a listener of their own.
func openDoors(o *serve.Options, doors *gate.Gate, a *authority.Authority, cfg config.Config, log *slog.Logger) error {
	if cfg.AuthListen != "" {
		o.Fast = gate.NewFast(doors, log)
	}
	if cfg.ProxyListen == "" {
		return nil
	}
	upstream, err := url.Parse(cfg.Upstream)
	if err != nil {
		return err
	}
	o.Proxy = gate.NewProxy(doors, gate.ProxySettings{
		Upstream: upstream, Still: a.Still, Wait: cfg.UpstreamTime, Idle: proxyIdle, Log: log,
	})
	return nil
}
