package store

import (
	"context"
	"errors"
	"fmt"

	"ostiary"
)

// meet takes over what other nodes have added to the log since this one looked: the chain must go on from
// what it has seen, and what they retired goes on its list. The caller has the turn.
func (db *DB) meet(r *reader, head ostiary.Head) error {
	if head == db.head {
		return nil
	}
	if !db.engine.shared() {
		err := fmt.Errorf("another program has changed the database: it is at revision %d, not %d; restart the server",
			head.Revision, db.head.Revision)
		db.health.set(forGood, err)
		return err
	}
	behind, err := db.compare(r.conn, head, db.head, "this server")
	if err != nil {
		return err
	}
	if behind != nil {
		db.health.set(forGood, behind)
		return behind
	}
	retired, err := r.retiredAfter(db.head.Revision)
	if err != nil {
		return err
	}
	db.retired.waiting = append(db.retired.waiting, retired...)
	db.head = head
	return nil
}

// retiredAfter gives the secrets of tokens that changes after a revision retired.
func (r *reader) retiredAfter(after uint64) (out []ostiary.Hash, err error) {
	for {
		changes, err := readChanges(r.conn, after, batch)
		if err != nil {
			return nil, err
		}
		for _, c := range changes {
			hashes, err := r.retiredBy(c.Facts)
			if err != nil {
				return nil, err
			}
			out = append(out, hashes...)
			after = c.Revision
		}
		if len(changes) < batch {
			return out, nil
		}
	}
}

// observe meets what other nodes have done, and lets the mark follow.
func (db *DB) observe() {
	select {
	case db.turn <- struct{}{}:
	default:
		return // a change meets it as well
	}
	defer func() { <-db.turn }()
	before := db.head
	ctx, stop := context.WithTimeout(context.Background(), pingWithin)
	defer stop()
	err := db.view(ctx, func(r *reader) error {
		head, err := r.Head()
		if err != nil {
			return err
		}
		return db.meet(r, head)
	})
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		db.note(&lostError{errSilent})
	case err == nil && db.head != before:
		db.markAgain()
	}
}
