package main

import (
	"fmt"
	"slices"
)

// Names of contestants that others are compared with.
const (
	bareName   = "bare net/http, 204"
	authName   = "/auth"
	fastName   = "fast door"
	mapName    = "nginx, map of the tokens"
	passName   = "nginx, proxy_pass"
	askingName = "nginx asking the fast door"
	socketName = "nginx asking the fast door, by socket"
	proxyName  = "our proxy"
	caddyName  = "Caddy, reverse_proxy"
)

func (f *field) report() error {
	for _, c := range f.all {
		fmt.Printf("  %-40s %6.1f µs of CPU a request (%s), %.2f times bare\n",
			c.name, median(c.costs), spread(c.costs), f.ratio(c, bareName))
	}
	return nil
}

func (f *field) named(name string) *contestant {
	return f.all[slices.IndexFunc(f.all, func(c *contestant) bool { return c.name == name })]
}

// ratio is the median of what a contestant costs beside another in the same round.
func (f *field) ratio(c *contestant, to string) float64 {
	other := f.named(to)
	var all []float64
	for round, cost := range c.costs {
		all = append(all, cost/other.costs[round])
	}
	return median(all)
}
