package store

import (
	"context"
	"errors"
	"fmt"

	"ostiary"
)

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
	w, err := db.begin(ctx)
	if err != nil {
		return err
	}
	return db.finish(w, fn)
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
	select {
	case db.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-db.closing:
		return fmt.Errorf("%w: %w", ostiary.ErrReadOnly, errClosed)
	}
}

// begin starts a transaction. SQLite has one writer at a time: a transaction that will write says
// so when it begins.
func (db *DB) begin(ctx context.Context) (*writer, error) {
	if err := db.needWriting(ctx); err != nil {
		return nil, err
	}
	if _, err := db.writing.exec(beginWriting); err != nil {
		return nil, readOnly(err)
	}
	w := &writer{reader: reader{ctx: context.WithoutCancel(ctx), conn: db.writing, db: db}}
	head, err := w.Head()
	if err == nil && head != db.head {
		err = fmt.Errorf("another program has changed the database: it is at revision %d, not %d; restart the server",
			head.Revision, db.head.Revision)
		db.health.set(forGood, err)
	}
	if err != nil {
		db.undo()
		return nil, readOnly(err)
	}
	w.head = head
	return w, nil
}

// needWriting opens the connection again that a failure ended.
func (db *DB) needWriting(ctx context.Context) (err error) {
	if db.writing != nil {
		return nil
	}
	if db.writing, err = db.newWriting(ctx); err != nil {
		db.note(err)
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
		return err
	}
	if w.broken != nil {
		return w.broken
	}
	if len(w.facts) > 0 || w.unsaid {
		return errNoEntry
	}
	if !w.wrote {
		return nil
	}
	if w.retiring, err = w.retiredBy(w.made); err != nil {
		return readOnly(err)
	}
	done = true
	if _, err := w.conn.exec(commit); err != nil {
		if err := db.lookUp(w, err); err != nil {
			return err
		}
	}
	return db.committed(w)
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
	if ioFailed(failed) {
		// The system may have dropped what it could not write, and says so only once: nothing that
		// this process reads shows what is on the disk.
		err := fmt.Errorf("the disk failed while a change was being written; restart the server: %w", failed)
		db.health.set(forGood, err)
		db.undo()
		return &ostiary.UncertainError{Facts: w.made, Err: err}
	}
	db.undo()
	var head ostiary.Head
	err := db.view(context.Background(), func(r *reader) (err error) {
		head, err = r.Head()
		return err
	})
	switch {
	case err != nil:
		db.health.set(forGood, fmt.Errorf("a change may have been made or not; restart the server: %w", failed))
		return &ostiary.UncertainError{Facts: w.made, Err: errors.Join(failed, err)}
	case head == w.head && w.entries > 0:
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
	if err := db.engine.sameFiles(); err != nil {
		db.health.set(files, err)
		return &ostiary.UncertainError{Facts: w.made, Err: err}
	}
	if w.entries > 0 {
		if err := db.remember(w); err != nil {
			// The change is made. But a copy of the database from before it would not be noticed,
			// so it is not acknowledged, and none follows until the mark can be written.
			err = fmt.Errorf("the change was made, but the mark cannot be written: %w", err)
			db.health.set(marks, err)
			return &ostiary.UncertainError{Facts: w.made, Err: err}
		}
	}
	// The log is looked at every few changes only: most write less than a dozen pages.
	if db.unchecked += 1 + len(w.made); db.unchecked >= 32 {
		db.unchecked = 0
		checkpointIfLong(w.conn)
	}
	return nil
}
