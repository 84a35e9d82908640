// Package store keeps the records in SQL. It knows no rule: it says what is written, not what it
// means. Every statement has one text for every engine; sqlite.go holds what differs.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"

	"ostiary"
)

// Why a database is not opened or made. The text around it says what to do next.
var (
	ErrExists  = errors.New("there is a database already")
	ErrMissing = errors.New("there is no database")
	ErrBehind  = errors.New("the database is older than what this node has seen")
	ErrInUse   = errors.New("the database is in use")
	ErrNewer   = errors.New("the database was written by a newer version")
)

// Options say where the mark lies, and what to accept.
type Options struct {
	Mark           string       // path of the mark file; empty: DIR/mark
	AcceptRollback bool         // open a database that is behind the mark
	Log            *slog.Logger // may be nil
}

// readers is how many snapshots can be read at once.
const readers = 8

// DB is an ostiary.Store in one folder, which belongs to it until it is closed.
type DB struct {
	dir     string
	log     *slog.Logger
	lock    *lock
	engine  *sqlite
	mark    *mark
	retired *retired

	turn    chan struct{} // holds one element while somebody changes records
	writing *conn         // guarded by turn; nil after it failed
	head    ostiary.Head  // guarded by turn: where the log ended when it was last changed
	reading chan *conn    // connections that nobody reads from; nil for one not opened yet

	recent recent

	again     int // guarded by turn: tokens that were retired again
	unchecked int // guarded by turn: facts written since the write-ahead log was looked at

	health health
	errors atomic.Uint64

	closing  chan struct{} // closed by Close
	watching sync.WaitGroup
	closed   sync.Once
}

var _ ostiary.Store = (*DB)(nil)

// Create makes the folder and a new database in it, and opens it.
func Create(ctx context.Context, dir string, o Options) (*DB, error) {
	if err := makeDir(dir); err != nil {
		return nil, fmt.Errorf("making the folder: %w", err)
	}
	l, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	if err := create(ctx, dir, o); err != nil {
		l.release()
		return nil, err
	}
	return open(ctx, dir, o, l)
}

func create(ctx context.Context, dir string, o Options) error {
	file := filepath.Join(dir, fileName)
	if exists(file) {
		return fmt.Errorf("%w: %s; to begin anew, choose another folder", ErrExists, file)
	}
	if err := refuseMark(markPath(dir, o)); err != nil {
		return err
	}
	if err := newFile(ctx, file); err != nil {
		return fmt.Errorf("making %s: %w", file, err)
	}
	return nil
}

// Open opens the database in a folder. It never makes one.
func Open(ctx context.Context, dir string, o Options) (*DB, error) {
	if err := needFile(filepath.Join(dir, fileName)); err != nil {
		return nil, err
	}
	l, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	return open(ctx, dir, o, l)
}

// open takes over the lock.
func open(ctx context.Context, dir string, o Options, l *lock) (*DB, error) {
	db := &DB{
		dir: dir, log: o.Log, lock: l,
		turn: make(chan struct{}, 1), reading: make(chan *conn, readers), closing: make(chan struct{}),
	}
	if db.log == nil {
		db.log = slog.New(slog.DiscardHandler)
	}
	for range readers {
		db.reading <- nil
	}
	if err := db.start(ctx, o); err != nil {
		if damaged(err) {
			err = fmt.Errorf("%w; the file is damaged, or another one's log lies beside it: restore a backup", err)
		}
		return nil, errors.Join(err, db.release())
	}
	db.watching.Go(db.watch)
	return db, nil
}

func (db *DB) start(ctx context.Context, o Options) (err error) {
	file := filepath.Join(db.dir, fileName)
	if err := checkFile(file); err != nil {
		return err
	}
	if db.engine, err = openSQLite(ctx, file); err != nil {
		return fmt.Errorf("opening %s: %w", file, err)
	}
	if err := db.engine.migrate(ctx, db.log); err != nil {
		return err
	}
	if db.writing, err = db.newWriting(ctx); err != nil {
		return fmt.Errorf("opening %s: %w", file, err)
	}
	if db.head, err = readHead(db.writing); err != nil {
		return fmt.Errorf("opening %s: %w", file, err)
	}
	if err := db.engine.hold(ctx); err != nil {
		return fmt.Errorf("opening %s: %w", file, err)
	}
	return db.meetMark(ctx, markPath(db.dir, o), o)
}

func (db *DB) newWriting(ctx context.Context) (*conn, error) {
	return newConn(context.WithoutCancel(ctx), db.engine.writing, db.note)
}

// View shows fn one snapshot. It waits while eight others are being read.
func (db *DB) View(ctx context.Context, fn func(ostiary.Reader) error) error {
	return db.view(ctx, func(r *reader) error { return fn(r) })
}

func (db *DB) view(ctx context.Context, fn func(*reader) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c, err := db.borrow(ctx)
	if err != nil {
		return err
	}
	whole := false
	defer func() { db.giveBack(c, whole) }()
	if _, err := c.exec(beginReading); err != nil {
		return fmt.Errorf("beginning to read: %w", err)
	}
	if err := fn(&reader{ctx: ctx, conn: c, db: db}); err != nil {
		_, end := c.exec(rollback)
		whole = end == nil
		return err
	}
	if _, err := c.exec(rollback); err != nil {
		return fmt.Errorf("ending to read: %w", err)
	}
	whole = true
	return nil
}

// borrow takes a connection that nobody reads from.
func (db *DB) borrow(ctx context.Context) (*conn, error) {
	select {
	case <-db.closing:
		return nil, errClosed
	default:
	}
	select {
	case c := <-db.reading:
		if c != nil {
			return c, nil
		}
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-db.closing:
		return nil, errClosed
	}
	c, err := newConn(context.WithoutCancel(ctx), db.engine.reading, db.note)
	if err != nil {
		db.note(err)
		db.reading <- nil
		return nil, fmt.Errorf("opening a connection: %w", err)
	}
	return c, nil
}

// giveBack returns a connection. One whose transaction may still be open is not used again.
func (db *DB) giveBack(c *conn, whole bool) {
	if !whole {
		c.close()
		c = nil
	}
	db.reading <- c
}

var errClosed = errors.New("the store is closed")

// batch is how many entries of the log one transaction reads, so that none keeps the write-ahead
// log from being reused for long.
const batch = 500

// Changes gives the log after a revision. fn is not called inside a transaction, and may stop the
// walk with an error.
func (db *DB) Changes(ctx context.Context, after uint64, fn func(ostiary.Change) error) error {
	if held := db.recent.after(after); held != nil && ctx.Err() == nil {
		for _, c := range held {
			if err := fn(c); err != nil {
				return err
			}
		}
		return nil
	}
	return eachChange(after, fn, func(after uint64) (changes []ostiary.Change, err error) {
		err = db.view(ctx, func(r *reader) (err error) {
			changes, err = readChanges(r.conn, after, batch)
			return err
		})
		return changes, err
	})
}

// eachChange walks the log in batches. What stands before an entry that cannot be read is given all
// the same.
func eachChange(after uint64, fn func(ostiary.Change) error, read func(uint64) ([]ostiary.Change, error)) error {
	for {
		changes, err := read(after)
		for _, c := range changes {
			if c.Revision != after+1 {
				return &brokenError{after + 1, fmt.Sprintf("it is missing: revision %d comes next", c.Revision)}
			}
			if err := fn(c); err != nil {
				return err
			}
			after = c.Revision
		}
		if err != nil {
			return err
		}
		if len(changes) < batch {
			return nil
		}
	}
}

// ErrorCount is how many errors the database has answered with.
func (db *DB) ErrorCount() uint64 { return db.errors.Load() }

// Close waits for the change and the snapshots that are under way, and gives up the folder.
func (db *DB) Close() (err error) {
	db.closed.Do(func() {
		close(db.closing)
		db.watching.Wait()
		db.turn <- struct{}{} // for good: nobody changes anything after this
		for range readers {
			if c := <-db.reading; c != nil {
				c.close()
			}
		}
		err = db.release()
	})
	return err
}

func (db *DB) release() error {
	var errs []error
	if db.writing != nil {
		db.writing.close()
	}
	if db.engine != nil {
		errs = append(errs, db.engine.close())
	}
	if db.mark != nil {
		errs = append(errs, db.mark.close())
	}
	if db.retired != nil {
		errs = append(errs, db.retired.close())
	}
	return errors.Join(append(errs, db.lock.release())...)
}
