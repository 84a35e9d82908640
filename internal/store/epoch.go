package store

import (
	"context"
	"fmt"

	"ostiary"
)

// An epoch is the number of a log's beginning: 1 at first, and one more with every restore. A node that has
// seen an older one knows by it that records which are behind its mark are meant to be.

// Epoch is that of the log.
func (db *DB) Epoch() uint64 { return db.epoch.Load() }

func readEpoch(c *conn) (epoch uint64, err error) {
	err = c.one(`
		SELECT MAX(epoch)
		FROM epochs`, nil, &epoch)
	return epoch, err
}

// partedAt is the last revision that this log shares with the one of an older epoch.
func partedAt(c *conn, epoch uint64) (revision uint64, err error) {
	err = c.one(`
		SELECT MIN(revision)
		FROM epochs
		WHERE epoch > $1`, []any{epoch}, &revision)
	return revision, err
}

// beginEpoch goes on from a restore that this node was not told of: what it knows as retired, and the
// records let in, is retired again.
func (db *DB) beginEpoch(ctx context.Context, seen marked) error {
	at, err := partedAt(db.writing, seen.epoch)
	if err != nil {
		return err
	}
	lost := "nothing"
	if seen.Revision > at {
		lost = fmt.Sprintf("revisions %d to %d", at+1, seen.Revision)
	}
	db.log.Warn("a backup was restored: this node goes on from there", "epoch", db.Epoch(), "before", seen.epoch,
		"lost", lost, "revision", db.head.Revision)
	if err := db.recall(ctx, 0); err != nil {
		return err
	}
	return db.retireAgain(ctx, becauseRestored)
}

const becauseRestored = "a backup was restored"

// meetEpoch is told of the changes of other nodes. One of them may be a restore that goes on from where this
// node was.
func (db *DB) meetEpoch(r *reader, c ostiary.Change) error {
	if c.Story == nil || c.Story.What != restoreStory {
		return nil
	}
	return db.takeEpoch(r.conn)
}

// takeEpoch has the mark hold the epoch that the records say.
func (db *DB) takeEpoch(c *conn) error {
	epoch, err := readEpoch(c)
	if err != nil {
		return err
	}
	db.epoch.Store(epoch)
	if db.mark != nil {
		db.mark.epoch = epoch
	}
	return nil
}
