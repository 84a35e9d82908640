package main

import (
	"net/url"
	"time"

	"ostiary/internal/gate"
)

// proxyIdle is how long the next byte of a caller's body may take.
const proxyIdle = time.Minute

func (n *node) newProxy(doors *gate.Gate) (*gate.Proxy, error) {
	upstream, err := url.Parse(n.cfg.Upstream)
	if err != nil {
		return nil, err
	}
	return gate.NewProxy(doors, gate.ProxySettings{
		Upstream: upstream, Still: n.Authority.Still, Wait: n.cfg.UpstreamTime, Idle: proxyIdle, Log: n.log,
	}), nil
}
