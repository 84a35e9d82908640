package store

import (
	"context"
	"errors"
	"fmt"

	"ostiary"
)

// View shows fn one snapshot. It waits while eight others are being read.
func (db *DB) View(ctx context.Context, fn func(ostiary.Reader) error) error {
	return db.view(ctx, func(r *reader) error { return fn(r) })
}

func (db *DB) view(ctx context.Context, fn func(*reader) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	base, end := db.base(ctx)
	defer end()
	c, err := db.borrow(ctx, base)
	if err != nil {
		return err
	}
	ended := false
	defer func() {
		if !ended {
			db.giveBack(c, false)
		}
	}()
	if c, err = db.beginOn(base, c, false); err != nil {
		return fmt.Errorf("beginning to read: %w", err)
	}
	err = fn(&reader{ctx: ctx, conn: c, db: db})
	ended = true
	if db.engine.shared() {
		go db.endView(c) // what was read is read: nobody needs to wait for a server
		return err
	}
	if end := db.endView(c); end != nil && err == nil {
		err = fmt.Errorf("ending to read: %w", end)
	}
	return err
}

func (db *DB) endView(c *conn) error {
	c.base = context.Background()
	_, err := c.exec(rollback)
	db.giveBack(c, err == nil)
	return err
}

// once shows fn what one statement reads. With a server that saves beginning and ending a transaction: two
// of three times on the way there and back.
func (db *DB) once(ctx context.Context, fn func(*reader) error) error {
	if !db.engine.shared() {
		return db.view(ctx, fn)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	base, end := db.base(ctx)
	defer end()
	c, err := db.borrow(ctx, base)
	if err != nil {
		return err
	}
	defer func() { db.giveBack(c, err == nil) }()
	c.base, c.conflict = base, false
	err = fn(&reader{ctx: ctx, conn: c, db: db})
	if faultOf(err) == lost && base.Err() == nil && !errors.Is(err, errSilent) { // it may have been gone for long
		c.close()
		if c, err = db.connect(base, false); err != nil {
			return err
		}
		c.base = base
		err = fn(&reader{ctx: ctx, conn: c, db: db})
	}
	return err
}

// base is what reading goes by. Who goes away costs no connection; who has a deadline is held to it, by a
// server that may fall silent.
func (db *DB) base(ctx context.Context) (context.Context, context.CancelFunc) {
	if at, limited := ctx.Deadline(); limited && db.engine.shared() {
		return context.WithDeadline(context.Background(), at)
	}
	return context.Background(), func() {}
}

// borrow takes a connection that nobody reads from.
func (db *DB) borrow(ctx, base context.Context) (*conn, error) {
	select {
	case <-db.closing:
		return nil, errClosed
	default:
	}
	select {
	case c := <-db.reading:
		c = db.openOne(c)
		if c != nil && c.age == db.lost.Load() {
			return c, nil
		}
		if c != nil {
			c.close()
		}
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-db.closing:
		return nil, errClosed
	}
	c, err := db.connect(base, false)
	if err != nil {
		db.reading <- nil
	}
	return c, err
}

// openOne exchanges a connection that is not open yet for one that is, if there is one.
func (db *DB) openOne(c *conn) *conn {
	for range readers {
		if c != nil {
			break
		}
		select {
		case another := <-db.reading:
			db.reading <- c
			c = another
		default:
			return c
		}
	}
	return c
}

// giveBack returns a connection. One whose transaction may still be open is not used again.
func (db *DB) giveBack(c *conn, whole bool) {
	if c != nil && !whole {
		c.close()
		c = nil
	}
	if c != nil {
		c.base = context.Background()
	}
	db.reading <- c
}

var errClosed = errors.New("the store is closed")
