package main

import (
	"context"
	"errors"

	"ostiary"
	"ostiary/internal/authority"
	"ostiary/internal/feed"
	"ostiary/internal/follow"
)

// A fed directory tells the ring of each change, once it holds it.
type fed struct {
	follow.Directory
	heads interface{ Head() ostiary.Head }
	ring  *feed.Ring
}

func (f fed) Load(ctx context.Context, records ostiary.Viewer) error {
	if err := f.Directory.Load(ctx, records); err != nil {
		return err
	}
	f.ring.Begin(f.heads.Head())
	return nil
}

func (f fed) Apply(c ostiary.Change, emails map[ostiary.ID]string) error {
	if err := f.Directory.Apply(c, emails); err != nil {
		return err
	}
	return f.ring.Add(c, emails)
}

// newFeed serves programs that follow this node.
func (n *node) newFeed() *feed.Server {
	return feed.NewServer(n.directory, n.ring, feed.Options{
		Name: n.me.Name, Lease: n.follower.HandOn, Vouch: n.nodes.Vouch, Said: n.nodes.Said, Differs: n.nodes.Differs,
		Log: n.log, Chain: n.chainAt, Folder: n.cfg.Data,
		Meet: func(ctx context.Context, c feed.Contact) (uint64, error) {
			return n.Authority.Meet(ctx, authority.Contact{
				Account: c.Account, Token: c.Token, Name: c.Name, From: c.From, Agent: c.Agent, Request: c.Request,
				TooFast: c.TooFast,
			})
		},
		Use: func(_ context.Context, text []byte) error {
			uses, err := feed.ReadUses(text)
			for _, u := range uses {
				n.usage.Add(u.Key, u.Hour, u.Use)
			}
			return err
		},
	})
}

// chainAt is the log's chain at a revision. An end of the log before it is no error: what is held there is of another.
func (n *node) chainAt(ctx context.Context, revision uint64) (chain ostiary.Hash, err error) {
	errRead := errors.New("read")
	err = n.db.Changes(ctx, revision-1, func(c ostiary.Change) error {
		chain = c.Chain
		return errRead
	})
	if errors.Is(err, errRead) {
		err = nil
	}
	return chain, err
}
