package follow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ostiary"
)

// Look compares the directory with the end of the log, catches up, and so renews the lease.
func (f *Follower) Look(ctx context.Context) error {
	at := f.dir.Head()      // once: this node may make a change while it looks
	asOf := f.lease.clock() // from before the query: whatever it does not show came later
	head, err := f.head(ctx)
	if err != nil {
		return err
	}
	switch err = f.meet(ctx, at, head); {
	case f.hasMet(head, asOf):
		err = f.errBack(head)
	case f.doubt != nil && (errors.Is(err, ErrBack) || err == nil && f.met.Load() != nil):
		f.doubt() // this may be a server that was left alone: the one on which words last says how it is
		return f.errBack(head)
	case errors.Is(err, ErrBack):
		err = f.back(ctx, head)
	case err == nil && f.doubt == nil: // else a word does that
		err = f.restore(ctx)
	}
	if err == nil || f.hasMet(head, asOf) {
		f.lease.renew(asOf)
	}
	return err
}

// meet is reach, but where memory was narrowed by a log that lacks what it holds, and that log has gone on: memory
// is narrowed by that too, and has met that end of it.
func (f *Follower) meet(ctx context.Context, at, head ostiary.Head) error {
	if f.met.Load().on(head, never) {
		return ErrBack
	}
	err := f.reach(ctx, at, head)
	if met := f.met.Load(); met != nil && errors.Is(err, ErrBack) && head.Revision > met.end.Revision {
		if failed := f.goOn(ctx, head); failed != nil {
			return fmt.Errorf("following the log that lacks changes: %w", failed)
		}
	}
	return err
}

// reach brings memory to where a log ends, as it was read while memory stood at a head or later. ErrBack: that
// log does not have all that memory held.
func (f *Follower) reach(ctx context.Context, at, head ostiary.Head) error {
	switch {
	case head == at:
		return nil
	case head.Revision <= at.Revision:
		return ErrBack
	}
	if err := f.CatchUp(ctx, head.Revision); err != nil {
		return err
	}
	held, known := f.dir.HeldAt(head.Revision)
	switch {
	case !known:
		return fmt.Errorf("following the log: it is not known what memory held at revision %d", head.Revision)
	case held.Head != head:
		return ErrBack
	}
	return nil
}

// settle takes where the log ends on a server that can say so for all: what was written there lasts. Memory held at, or
// more, at asOf, before the server was asked. It gives nil once memory decides by all of that, and renews the lease.
func (f *Follower) settle(ctx context.Context, asOf time.Duration, at, head ostiary.Head) error {
	err := f.meet(ctx, at, head)
	switch {
	case errors.Is(err, ErrBack) && f.hasMet(head, asOf):
	case errors.Is(err, ErrBack):
		if err = f.back(ctx, head); !f.hasMet(head, asOf) {
			return err
		}
	case err != nil:
		return err
	default:
		if err := f.restore(ctx); err != nil {
			return err
		}
	}
	f.lease.renew(asOf)
	return nil
}

func (f *Follower) head(ctx context.Context) (head ostiary.Head, err error) {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	err = f.log.View(ctx, func(r ostiary.Reader) (err error) {
		head, err = r.Head()
		return err
	})
	return head, err
}
