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
	"ostiary/internal/hold"
)

// Why a database is not opened or made. The text around it says what to do next.
var (
	ErrExists  = errors.New("there is a database already")
	ErrMissing = errors.New("there is no database")
	ErrBehind  = errors.New("the database is older than what this node has seen")
	ErrInUse   = errors.New("the database is in use")
	ErrNewer   = errors.New("the database was written by a newer version")
	ErrAway    = errors.New("the database cannot be reached")
)

// Options say where the records and the mark lie, and what to accept.
type Options struct {
	Database       DSN          // of PostgreSQL; zero: SQLite in the folder
	Mark           string       // path of the mark file; empty: DIR/mark
	AcceptRollback bool         // open a database that is behind the mark
	Log            *slog.Logger // may be nil
}

// readers is how many snapshots can be read at once.
const readers = 8

// DB is an ostiary.Store. Its folder, where the mark lies, belongs to it until it is closed; on SQLite the
// records lie there too.
type DB struct {
	dir     string
	log     *slog.Logger
	lock    *hold.Lock
	engine  engine
	mark    *mark
	retired *retired

	turn    chan struct{} // holds one element while somebody changes records
	writing *conn         // guarded by turn; nil after it failed
	head    ostiary.Head  // guarded by turn: where the log ended when it was last changed
	reading chan *conn    // connections that nobody reads from; nil for one not opened yet

	recent recent
	seen   atomic.Pointer[ostiary.Head] // what this node decides by

	epoch atomic.Uint64
	lost  atomic.Uint64 // connections that turned out to be gone

	health health
	errors atomic.Uint64

	closing  chan struct{} // closed by Close
	watching sync.WaitGroup
	closed   sync.Once
}

var _ ostiary.Store = (*DB)(nil)

// Create makes the folder and new records, in it or in an empty database of PostgreSQL, and opens them.
func Create(ctx context.Context, dir string, o Options) (*DB, error) {
	if err := makeDir(dir); err != nil {
		return nil, fmt.Errorf("making the folder: %w", err)
	}
	l, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	makeNew := create
	if o.Database.given() {
		makeNew = createPostgres
	}
	if err := makeNew(ctx, dir, o); err != nil {
		l.Release()
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

// Open opens the records. It never makes any. With PostgreSQL it makes the folder: a node that joins has
// seen nothing yet.
func Open(ctx context.Context, dir string, o Options) (*DB, error) {
	need := func() error { return needFile(filepath.Join(dir, fileName)) }
	if o.Database.given() {
		need = func() error { return makeDir(dir) }
	}
	if err := need(); err != nil {
		return nil, err
	}
	l, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	return open(ctx, dir, o, l)
}

// open takes over the lock.
func open(ctx context.Context, dir string, o Options, l *hold.Lock) (*DB, error) {
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
		if faultOf(err) == damaged {
			err = fmt.Errorf("%w; the file is damaged, or another one's log lies beside it: restore a backup", err)
		}
		return nil, errors.Join(err, db.release())
	}
	db.watching.Go(db.watch)
	return db, nil
}

func (db *DB) start(ctx context.Context, o Options) (err error) {
	name := filepath.Join(db.dir, fileName)
	if o.Database.given() {
		name = "the database"
		err = db.startPostgres(ctx, o.Database)
	} else {
		err = db.startSQLite(ctx, name)
	}
	if err != nil {
		return err
	}
	if db.writing, err = db.connect(context.WithoutCancel(ctx), true); err != nil {
		return fmt.Errorf("opening %s: %w", name, err)
	}
	if db.head, err = readHead(db.writing); err == nil {
		err = db.takeEpoch(db.writing)
	}
	if err != nil {
		return fmt.Errorf("opening %s: %w", name, err)
	}
	return db.meetMark(ctx, markPath(db.dir, o), o)
}

func (db *DB) startSQLite(ctx context.Context, file string) error {
	if err := checkFile(file); err != nil {
		return err
	}
	e, err := openSQLite(ctx, file)
	if err != nil {
		return fmt.Errorf("opening %s: %w", file, err)
	}
	db.engine = e
	return e.begin(ctx, db.log)
}

func (db *DB) startPostgres(ctx context.Context, at DSN) error {
	e, err := openPostgres(ctx, at, &db.lost, db.log)
	if err != nil {
		return err
	}
	db.engine = e
	return nil
}

// connect opens a connection for changes, or one for reading.
func (db *DB) connect(ctx context.Context, changes bool) (*conn, error) {
	age := db.lost.Load()
	c, err := db.engine.connect(ctx, changes)
	if err != nil {
		db.note(err)
		return nil, fmt.Errorf("opening a connection: %w", err)
	}
	c.seen, c.age = db.note, age
	return c, nil
}

// batch is how many entries of the log one transaction reads, so that none keeps the write-ahead
// log from being reused for long.
const batch = 500

// Changes gives the log after a revision. fn is not called inside a transaction, and may stop the
// walk with an error. What this process has just written is not read back.
func (db *DB) Changes(ctx context.Context, after uint64, fn func(ostiary.Change) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	held := db.recent.after(after)
	for _, c := range held {
		if err := fn(c); err != nil {
			return err
		}
		after = c.Revision
	}
	// Where other nodes make changes too, what this one holds is not all that there is.
	if held != nil && !db.engine.shared() {
		return nil
	}
	return eachChange(after, batch, fn, func(after uint64) (changes []ostiary.Change, err error) {
		err = db.once(ctx, func(r *reader) (err error) {
			changes, err = readChanges(r.conn, after, batch)
			return err
		})
		return changes, err
	})
}

// eachChange walks the log in batches of so many. What stands before an entry that cannot be read is given
// all the same.
func eachChange(
	after uint64, atOnce int, fn func(ostiary.Change) error, read func(uint64) ([]ostiary.Change, error),
) error {
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
		if len(changes) < atOnce {
			return nil
		}
	}
}

// Hints gives revisions that other nodes say they have made, soon after they did; nil on SQLite, where
// there are no others. It may miss some: the truth is what View says.
func (db *DB) Hints(ctx context.Context) <-chan uint64 { return db.engine.hints(ctx) }

// ErrorCount is how many errors the database has answered with.
func (db *DB) ErrorCount() uint64 { return db.errors.Load() }

// Close waits for the change and the snapshots that are under way, and gives up the folder.
func (db *DB) Close() (err error) {
	db.closed.Do(func() {
		if db.engine.shared() && db.Degraded() == nil {
			db.observe() // the mark of a node that makes no changes says how far it has seen
		}
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
	return errors.Join(append(errs, db.lock.Release())...)
}
