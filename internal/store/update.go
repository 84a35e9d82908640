package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"ostiary"
)

// tries is how often a change is made anew where somebody else's came between.
const tries = 8

// Update makes a change in one transaction, one at a time. Once the transaction has begun it is
// finished, whatever becomes of ctx.
func (db *DB) Update(ctx context.Context, fn func(ostiary.Writer) error) error {
	if err := db.takeTurn(ctx); err != nil {
		return err
	}
	defer func() { <-db.turn }()
	if err := db.writable(); err != nil {
		return err
	}
	for n := 1; ; n++ {
		w, err := db.begin(ctx)
		if err == nil {
			err = db.finish(w, fn)
		}
		if err == nil || w == nil || !w.conn.conflict || n == tries {
			return err
		}
		time.Sleep(rand.N(time.Duration(n) * 10 * time.Millisecond))
	}
}

func (db *DB) takeTurn(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-db.closing:
		return fmt.Errorf("%w: %w", ostiary.ErrReadOnly, errClosed)
	default:
	}
	for {
		if err := db.away(); err != nil {
			return err
		}
		select {
		case db.turn <- struct{}{}:
			return nil
		default:
		}
		select {
		case db.turn <- struct{}{}:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-db.closing:
			return fmt.Errorf("%w: %w", ostiary.ErrReadOnly, errClosed)
		case <-time.After(awayAfter / 4): // look again whether the database is away
		}
	}
}

// begin starts a transaction.
func (db *DB) begin(ctx context.Context) (*writer, error) {
	if err := db.needWriting(); err != nil {
		return nil, err
	}
	c, err := db.beginOn(context.Background(), db.writing, true)
	if db.writing = c; err != nil {
		return nil, readOnly(err)
	}
	w := &writer{reader: reader{ctx: context.WithoutCancel(ctx), conn: c, db: db}}
	if w.head, err = db.meet(&w.reader); err != nil {
		db.undo()
		return nil, readOnly(err)
	}
	w.from = w.head
	return w, nil
}

// beginOn begins a transaction on a connection, or on a new one where this one turns out to be gone.
// It closes the connection on which it fails.
func (db *DB) beginOn(base context.Context, c *conn, changes bool) (*conn, error) {
	c.base, c.conflict = base, false
	_, err := c.exec(c.begin)
	if faultOf(err) == lost && base.Err() == nil && !errors.Is(err, errSilent) {
		c.close()
		if c, err = db.connect(base, changes); err != nil {
			return nil, err
		}
		c.base = base
		_, err = c.exec(c.begin)
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// needWriting opens the connection again that a failure ended.
func (db *DB) needWriting() (err error) {
	if db.writing != nil && db.writing.age != db.lost.Load() {
		db.writing.close()
		db.writing = nil
	}
	if db.writing == nil {
		db.writing, err = db.connect(context.Background(), true)
	}
	return readOnly(err)
}

// finish runs fn and commits what it did. A panic of fn undoes it.
func (db *DB) finish(w *writer, fn func(ostiary.Writer) error) (err error) {
	done := false
	defer func() {
		if !done {
			db.undo()
		}
	}()
	if err := fn(w); err != nil {
		if f := faultOf(err); f.refuses() || f == conflict {
			return readOnly(err)
		}
		return err
	}
	if w.broken != nil {
		return w.broken
	}
	if len(w.facts) > 0 || w.unsaid {
		return errNoEntry
	}
	if !w.wrote && db.engine.shared() {
		done = true
		return db.found(w)
	}
	if !w.wrote {
		return nil
	}
	if w.retiring, err = w.retiredBy(w.made); err != nil {
		return readOnly(err)
	}
	if len(w.changes) > 0 {
		if err := db.engine.seal(w); err != nil {
			return readOnly(err)
		}
	}
	done = true
	if _, err := w.conn.exec(commit); err != nil {
		if err := db.lookUp(w, err); err != nil {
			return err
		}
	}
	return db.committed(w)
}

// found acknowledges what the transaction found as it was to be. A server that was started again shows also
// what it alone has; a commit after it is acknowledged once another one has both.
func (db *DB) found(w *writer) error {
	err := w.conn.writeProbe()
	if err != nil {
		db.undo()
	}
	return readOnly(err)
}

// undo gives up the open transaction, and the connection where even that fails.
func (db *DB) undo() {
	if _, err := db.writing.exec(rollback); err != nil && !noTransaction(err) {
		db.writing.close()
		db.writing = nil
	}
}

// lookUp finds out what became of a commit that failed. It returns nil if it took place after all.
func (db *DB) lookUp(w *writer, failed error) error {
	fault := faultOf(failed)
	if fault == ioFailed || fault == unsynced {
		// The system may have dropped what it could not write, and says so only once: nothing that
		// this process reads shows what is on the disk.
		err := fmt.Errorf("the disk failed while a change was being written; restart the server: %w", failed)
		db.health.set(forGood, err)
		db.undo()
		return &ostiary.UncertainError{Facts: w.made, Revision: w.head.Revision, Err: err}
	}
	db.undo()
	if w.conn.conflict {
		return readOnly(failed)
	}
	if w.entries == 0 {
		if fault == lost {
			return &ostiary.UncertainError{Err: failed}
		}
		return readOnly(failed)
	}
	made, err := db.engine.made(db, w.head)
	switch {
	case err != nil && db.engine.shared():
		db.health.set(database, failed)
		return &ostiary.UncertainError{Facts: w.made, Revision: w.head.Revision, Err: errors.Join(failed, err)}
	case err != nil:
		db.health.set(forGood, fmt.Errorf("a change may have been made or not; restart the server: %w", failed))
		return &ostiary.UncertainError{Facts: w.made, Revision: w.head.Revision, Err: errors.Join(failed, err)}
	case made:
		return nil
	}
	return readOnly(failed)
}

// committed does what must be done before a change is acknowledged.
func (db *DB) committed(w *writer) error {
	db.head = w.head
	db.recent.add(w.changes)
	if w.erased {
		db.recent.forget()
	}
	db.health.set(database, nil)
	if err := db.engine.present(); err != nil {
		db.health.set(files, err)
		return &ostiary.UncertainError{Facts: w.made, Revision: w.head.Revision, Err: err}
	}
	if w.entries > 0 {
		if err := db.remember(w); err != nil {
			// The change is made. But a copy of the database from before it would not be noticed,
			// so it is not acknowledged, and none follows until the mark can be written.
			err = fmt.Errorf("the change was made, but the mark cannot be written: %w", err)
			db.noteMark(err)
			return &ostiary.UncertainError{Facts: w.made, Revision: w.head.Revision, Err: err}
		}
	}
	db.engine.committed(w.conn, w.head, len(w.made))
	return nil
}
