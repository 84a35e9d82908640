package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"ostiary"
	"ostiary/internal/assertion"
	"ostiary/internal/config"
	"ostiary/internal/follow"
)

// streamsEnd is how long an open request may go on after its decision has turned, at most.
const streamsEnd = time.Second

// openNodes makes what follows the log, and puts this node on record. It comes before memory is loaded.
func (n *node) openNodes(ctx context.Context, log follow.Log, dir follow.Directory) error {
	id, err := follow.NodeID(filepath.Join(n.cfg.Data, "node"))
	if err != nil {
		return fmt.Errorf("naming this node: %w", err)
	}
	me := selfOf(n.cfg)
	me.ID = id
	n.me = me
	if n.registry == nil {
		followers, err := follow.OpenLocal(filepath.Join(n.cfg.Data, "followers"))
		if err != nil {
			return err
		}
		n.follower = follow.New(log, dir, n.log)
		n.nodes = follow.NewNodes(followers, me, n.follower, n.directory, n.cfg.ConfirmWithin, n.log)
		return n.nodes.Join(ctx)
	}
	lease := n.cfg.Lease
	if n.cfg.ServeStale {
		lease = follow.Forever
	}
	n.follower = follow.NewShared(log, dir, lease, n.db.Hints(context.Background()), n.log)
	n.nodes = follow.NewNodes(n.registry, me, n.follower, n.directory, n.cfg.ConfirmWithin, n.log)
	if err := n.nodes.Join(ctx); err != nil && n.absent == nil {
		return fmt.Errorf("putting this node on record: %w", err)
	}
	return nil
}

// selfOf is a node as the others know it, but for its id.
func selfOf(cfg config.Config) ostiary.Node {
	me := ostiary.Node{Name: cfg.NodeName, Version: programVersion(), Lease: cfg.Lease, Stale: cfg.ServeStale}
	if me.Name == "" {
		me.Name = hostAndPort(cfg.Listen)
	}
	if cfg.ProxyListen != "" {
		me.Tail = streamsEnd
	}
	if cfg.AssertionAudience != "" {
		me.Signs = assertion.Life
		me.Tail = max(me.Tail, me.Signs)
	}
	return me
}

func hostAndPort(listen string) string {
	host, err := os.Hostname()
	if err != nil {
		host = "node"
	}
	_, port, err := net.SplitHostPort(listen)
	if err != nil || port == "0" {
		return host
	}
	return net.JoinHostPort(host, port)
}
