package store

import (
	"context"
	"errors"
	"fmt"

	"ostiary"
)

// meet gives where the log ends. Where other nodes append to it too, it must go on from what this one has
// seen, and what they retired goes on its list. The caller has the turn.
func (db *DB) meet(r *reader) (ostiary.Head, error) {
	if db.engine.shared() {
		return db.meetOthers(r)
	}
	head, err := r.Head()
	if err == nil && head != db.head {
		err = fmt.Errorf("another program has changed the database: it is at revision %d, not %d; restart the server",
			head.Revision, db.head.Revision)
		db.health.set(forGood, err)
	}
	return head, err
}

// meetOthers reads from the last entry that was seen, which must still be the same one: one query as a rule.
func (db *DB) meetOthers(r *reader) (ostiary.Head, error) {
	head, seen := ostiary.Head{}, db.head
	known := seen // what this node decides by, which may be further
	if k := db.seen.Load(); k != nil && k.Revision > known.Revision {
		known = *k
	}
	for first := true; ; first = false {
		changes, err := readChanges(r.conn, max(head.Revision, seen.Revision, 1)-1, batch)
		if err != nil {
			return head, err
		}
		if first && seen.Revision > 0 && (len(changes) == 0 || headOf(changes[0]) != seen) {
			return head, db.wentBack(r, seen)
		}
		for _, c := range changes {
			if c.Revision == known.Revision && headOf(c) != known {
				return head, db.wentBack(r, known)
			}
			if c.Revision <= max(head.Revision, seen.Revision) {
				head = headOf(c)
				continue
			}
			hashes, err := r.retiredBy(c.Facts)
			if err == nil {
				err = db.meetEpoch(r, c)
			}
			if err != nil {
				return head, err
			}
			db.retired.waiting = append(db.retired.waiting, hashes...)
			head = headOf(c)
		}
		if len(changes) < batch {
			if head.Revision < known.Revision {
				return head, db.wentBack(r, known)
			}
			db.head = head
			return head, nil
		}
	}
}

func headOf(c ostiary.Change) ostiary.Head { return ostiary.Head{Revision: c.Revision, Chain: c.Chain} }

// An olderError says that a server's log is not the one that this node has seen.
type olderError struct {
	error
	seen ostiary.Head
}

func (e *olderError) Unwrap() error { return e.error }

// wentBack says that the log on a server is not the one that this node has seen. Another server may have taken over
// from it: what is open is asked no more.
func (db *DB) wentBack(r *reader, seen ostiary.Head) error {
	head, err := r.Head()
	if err != nil {
		return err
	}
	behind, err := db.compare(r.conn, head, seen, "this server")
	if err != nil || behind == nil {
		return err
	}
	if epoch, err := readEpoch(r.conn); err == nil && epoch > db.Epoch() {
		behind = fmt.Errorf("%w: a backup was restored while this server ran; restart it", ErrBehind)
	}
	if why, _ := db.health.get(); why == forGood { // it was asked again
		return behind
	}
	db.lost.Add(1)
	return &olderError{behind, seen}
}

// askAgain stops changes for good where a server's log went back: unless a new connection, on which a commit is
// acknowledged, shows what this node has seen. The caller has the turn.
func (db *DB) askAgain(older *olderError) {
	made, err := db.engine.made(db, older.seen)
	switch {
	case err != nil:
		db.health.set(database, err)
	case !made:
		db.health.set(forGood, older.error)
	}
}

// Seen says what this node decides by. A database that knows less is one from the past, also where this
// node has made no change since.
func (db *DB) Seen(head ostiary.Head) {
	for {
		old := db.seen.Load()
		if old != nil && old.Revision >= head.Revision || db.seen.CompareAndSwap(old, &head) {
			return
		}
	}
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
		_, err := db.meet(r)
		return err
	})
	older := (*olderError)(nil)
	switch {
	case errors.As(err, &older):
		db.askAgain(older)
	case errors.Is(err, context.DeadlineExceeded):
		db.note(&lostError{errSilent})
	case err == nil && db.head != before:
		db.markAgain()
	}
}
