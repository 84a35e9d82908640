package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"ostiary"
	"ostiary/internal/directory"
	"ostiary/internal/follow"
)

// copyFile is where memory is kept in the data folder, so that a node can begin without the database.
func (n *node) copyFile() string { return filepath.Join(n.cfg.Data, "memory") }

func (n *node) hasCopy() bool {
	_, err := os.Stat(n.copyFile())
	return err == nil
}

// loadMemory fills memory: from the local copy where that is part of the log, else from the records. Without
// the database the copy must do, within the lease.
func (n *node) loadMemory(ctx context.Context, log follow.Log, dir follow.Directory) error {
	if n.registry == nil { // nobody else writes the log, and reading it is as fast
		return dir.Load(ctx, log)
	}
	n.directory.Keep(n.copyFile())
	copied, about, err := directory.OpenKept(n.copyFile())
	switch {
	case n.absent != nil:
		if err == nil {
			err = n.beginAlone(copied, about)
		}
		if err != nil {
			return errors.Join(n.absent, err)
		}
		return nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		n.log.Warn("the local copy is of no use; memory is loaded from the database", "error", err)
	case err == nil && begins(ctx, log, copied, about.Head):
		copied.SetReady(true)
		if err := n.take(copied); err != nil {
			return err
		}
		if err := n.follower.Look(ctx); err == nil {
			return nil
		}
	}
	if err := dir.Load(ctx, log); err != nil {
		return err
	}
	return n.follower.Look(ctx)
}

// beginAlone begins without the database.
func (n *node) beginAlone(copied *directory.Directory, about directory.Copy) error {
	err := n.follower.Resume(n.copyFile(), copied, about.Boot, about.Queried)
	if err != nil && !n.cfg.ServeStale {
		return err
	}
	copied.SetReady(true)
	if err := n.take(copied); err != nil {
		return err
	}
	age, _ := n.follower.Lease()
	if err != nil {
		n.log.Error("decisions are made from a local copy whose age is not known, as --serve-stale wants it",
			"revision", about.Head.Revision, "written", about.At, "error", err)
		return nil
	}
	n.log.Warn("the database is away: decisions are made from the local copy",
		"revision", about.Head.Revision, "age", age.String(), "error", n.absent)
	return nil
}

// take makes memory that of the copy.
func (n *node) take(copied *directory.Directory) error {
	n.kept = copied.Head()
	n.ring.Begin(n.kept)
	return n.directory.Become(copied)
}

// begins says whether memory can begin from a copy where the records are there: it is of this log, and gives what that
// does. What was taken away for good, by older records that are gone again, is not in the log, and would stay.
func begins(ctx context.Context, log follow.Log, copied *directory.Directory, head ostiary.Head) bool {
	return !copied.Lessened() && inLog(ctx, log, head)
}

// inLog says whether a copy is of this log: its chain stands there at its revision.
func inLog(ctx context.Context, log follow.Log, head ostiary.Head) bool {
	if head.Revision == 0 {
		return false
	}
	found := false
	errFound := errors.New("found")
	err := log.Changes(ctx, head.Revision-1, func(c ostiary.Change) error {
		found = c.Revision == head.Revision && c.Chain == head.Chain
		return errFound
	})
	return errors.Is(err, errFound) && found
}
