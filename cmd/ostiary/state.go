package main

import (
	"context"
	"errors"
	"fmt"

	"ostiary"
	"ostiary/internal/api"
	"ostiary/internal/directory"
	"ostiary/internal/serve"
)

// state says what the node can do now.
func (n *node) state() serve.State {
	s := serve.State{
		Changes: n.db.Degraded(), Follow: n.follower.Err(), Compare: n.nodes.Differ(), Stale: n.follower.Overdue(n.cfg.Lease),
	}
	var f ostiary.Facts
	n.directory.Look(ostiary.Hash{}, "", &f)
	f.Behind, f.Lease = n.follower.Lease()
	switch {
	case !f.Ready:
		s.Decisions = errors.New("memory does not hold the records")
	case !f.MayDecide():
		s.Decisions = fmt.Errorf("nothing was heard from the database for longer than the lease of %v", f.Lease)
	}
	if f.Ready && f.Behind > ostiary.FreshFor {
		s.Behind = f.Behind
	}
	return s
}

// recordsIn counts what memory holds.
func recordsIn(d *directory.Directory) serve.Records {
	s := d.Size()
	return serve.Records{
		Accounts: s.Accounts, Users: s.Users, Members: s.Members, Tokens: s.Tokens, Secrets: s.Secrets, Apps: s.Apps,
	}
}

func (n *node) watched() serve.Watched {
	return serve.Watched{
		Revision:    n.directory.Revision,
		Behind:      n.follower.Behind,
		Records:     func() serve.Records { return recordsIn(n.directory) },
		StoreErrors: n.db.ErrorCount,
		UseDropped:  n.usage.Dropped,
		LogDropped:  n.out.Dropped,
		State:       n.state,
		Differ:      n.differing,
	}
}

// differing counts the nodes that differ from this one.
func (n *node) differing() (count int) {
	for _, c := range n.nodes.Compared() {
		if c.Differs {
			count++
		}
	}
	return count
}

// status is how the node is doing, for the operator.
func (n *node) status(context.Context) api.Status {
	size, state := n.directory.Size(), n.state()
	s := api.Status{
		Version: programVersion(), Revision: n.directory.Revision(),
		Accounts: size.Accounts, Tokens: size.Tokens, Apps: size.Apps,
	}
	for _, err := range []error{state.Decisions, state.Changes, state.Follow, state.Compare, state.Stale} {
		if err != nil {
			s.Degraded = append(s.Degraded, err.Error())
		}
	}
	return s
}
