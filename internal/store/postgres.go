package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"ostiary"
)

// How long a node waits for the database, and the database for a node. One that is frozen in the middle
// of a change holds up the others until its connection is ended, which is before they give up.
const (
	connectWithin = 2 * time.Second // each host
	frozenFor     = 3 * time.Second // a change of which nothing more is heard is undone
	lockWithin    = 5 * time.Second
	statementFor  = time.Minute     // of a change
	patience      = 8 * time.Second // until a server that does not answer is given up
	lookUpWithin  = 5 * time.Second
	pingWithin    = time.Second
	wordWithin    = 2 * time.Second
	readingFor    = 10 * time.Minute // a statement that reads; its rows may be used slowly
)

// Whoever makes a change takes the lock before anything is read: so no change works on a snapshot that
// misses another one, whichever node made it. Reading takes no lock and waits for none.
const (
	beginReading = `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY`
	beginWriting = `BEGIN ISOLATION LEVEL SERIALIZABLE; LOCK TABLE head IN EXCLUSIVE MODE`
)

// A postgres is a database of PostgreSQL that several nodes share.
type postgres struct {
	config    *pgx.ConnConfig // as it was given, for what is neither a change nor reading
	unhurried *pgx.ConnConfig // the same, with commits that do not wait for a disk

	writing *sql.DB
	reading *sql.DB
	words   *sql.DB // for what nodes say of themselves
	vows    *sql.DB // the same, where it must last

	registry *Registry
	lost     *atomic.Uint64 // grows: a connection that is older leads to nobody knows where
	watch    *conn          // asks whether the database is there

	latest  chan uint64 // a revision to tell the others; holds the newest
	ctx     context.Context
	stop    context.CancelFunc
	telling sync.WaitGroup
}

var _ engine = (*postgres)(nil)

// openPostgres opens records that exist, and brings their schema up to date.
// Lost grows where connections turn out to be gone.
func openPostgres(ctx context.Context, at DSN, lost *atomic.Uint64, log *slog.Logger) (*postgres, error) {
	config, hosts, err := configure(at)
	if err != nil {
		return nil, err
	}
	if err := examine(ctx, config, log); err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	if err := migratePostgres(ctx, config, log); err != nil {
		return nil, err
	}
	e := &postgres{config: config, lost: lost, latest: make(chan uint64, 1)}
	e.ctx, e.stop = context.WithCancel(context.Background())
	unbroken := config.Copy()
	unbroken.DialFunc = uncancelled(config.DialFunc)
	e.writing = pool(unbroken, nil, map[string]time.Duration{
		"lock_timeout": lockWithin, "statement_timeout": statementFor, "idle_in_transaction_session_timeout": frozenFor,
	})
	e.reading = pool(config, nil, map[string]time.Duration{
		"statement_timeout": readingFor, "idle_in_transaction_session_timeout": readingFor,
	})
	e.unhurried = config.Copy()
	e.unhurried.RuntimeParams["synchronous_commit"] = "off"
	e.words = pool(e.unhurried, lost, map[string]time.Duration{"statement_timeout": wordWithin})
	// A word that must last is never cut short by the server: that ends the waiting for its copies alone.
	e.vows = pool(unbroken, nil, nil)
	e.words.SetMaxOpenConns(4)
	e.words.SetMaxIdleConns(4)
	e.registry = &Registry{quick: e.words, lasting: e.vows, lost: lost, hosts: hosts}
	e.telling.Go(e.tell)
	return e, nil
}

// configure reads the URL, and demands what must hold however it was written.
func configure(at DSN) (*pgx.ConnConfig, *hosts, error) {
	c, err := at.parse()
	if err != nil {
		return nil, nil, err
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = connectWithin
	}
	h := &hosts{tried: map[string]time.Time{}, dialer: &net.Dialer{
		Timeout:         c.ConnectTimeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 2 * time.Second, Interval: time.Second, Count: 3},
		Control:         giveUpAfter(patience),
	}}
	c.DialFunc, c.AfterConnect = h.dial, h.connected
	c.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	c.OnPgError = func(_ *pgconn.PgConn, e *pgconn.PgError) (goOn bool) {
		fatal := e.SeverityUnlocalized == "FATAL" || e.SeverityUnlocalized == "PANIC"
		return !fatal && postgresFault(e.Code) != lost
	}
	c.OnNotice = noteWarning
	c.RuntimeParams["application_name"] = "ostiary"
	c.RuntimeParams["client_encoding"] = "UTF8"
	return c, h, nil
}

// pool opens connections. Those that were open when lost grew are not handed out again; nil: whoever uses the pool
// sees to that.
func pool(config *pgx.ConnConfig, lost *atomic.Uint64, times map[string]time.Duration) *sql.DB {
	c := config.Copy()
	for name, d := range times {
		c.RuntimeParams[name] = strconv.FormatInt(d.Milliseconds(), 10)
	}
	return sql.OpenDB(pgConnector{stdlib.GetConnector(*c), lost})
}

// connect opens a connection within the time in which a server must answer.
func (e *postgres) connect(ctx context.Context, changes bool) (*conn, error) {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	pool, begin := e.reading, beginReading
	if changes {
		pool, begin = e.writing, beginWriting
	}
	c, err := newConn(ctx, pool)
	if err != nil {
		return nil, err
	}
	c.begin, c.patience = begin, patience
	return c, nil
}

func (e *postgres) shared() bool   { return true }
func (e *postgres) present() error { return nil }

// askWritable gives a row as long as the server takes changes: one that has become a copy of another would
// go on answering.
const askWritable = `SELECT 1 WHERE current_setting('transaction_read_only') = 'off'`

var errReadOnlyServer = errors.New("the database is read-only")

// alive asks on a connection of its own.
func (e *postgres) alive() error {
	age := e.lost.Load()
	if e.watch != nil && e.watch.age != age {
		e.watch.close()
		e.watch = nil
	}
	if e.watch == nil {
		c, err := e.connect(e.ctx, false)
		if err != nil {
			return err
		}
		c.patience, c.age, e.watch = pingWithin, age, c
	}
	var one int
	err := e.watch.one(askWritable, nil, &one)
	if errors.Is(err, ostiary.ErrNotFound) {
		err = &lostError{errReadOnlyServer}
	}
	if err != nil {
		e.watch.close()
		e.watch = nil
	}
	return err
}

// seal writes where the log ends now.
func (e *postgres) seal(w *writer) error {
	n, err := w.conn.exec(`
		UPDATE head
		SET revision = $1, chain = $2
		WHERE id = 1 AND revision = $3`, w.head.Revision, w.head.Chain[:], w.from.Revision)
	if err == nil && n != 1 {
		err = fmt.Errorf("the table head does not say revision %d, where the log ended", w.from.Revision)
	}
	return err
}

// made asks on a new connection, which may lead to another server, and asks again for some seconds.
func (e *postgres) made(_ *DB, at ostiary.Head) (made bool, err error) {
	ctx, stop := context.WithTimeout(context.Background(), lookUpWithin)
	defer stop()
	for {
		if made, err = e.look(ctx, at); err == nil {
			return made, nil
		}
		select {
		case <-ctx.Done():
			return false, err
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// look takes the lock first: a transaction whose connection was lost may still be about to commit, and
// holds the lock until it is over. What it reads counts once a commit after it is acknowledged: a server
// that waits for its copies has then copied this too.
func (e *postgres) look(ctx context.Context, at ostiary.Head) (bool, error) {
	c, err := e.connect(ctx, true)
	if err != nil {
		return false, err
	}
	defer c.close()
	c.base = ctx
	if _, err := c.exec(c.begin); err != nil {
		return false, err
	}
	found, err := headAt(c, at.Revision)
	if err != nil && !errors.Is(err, ostiary.ErrNotFound) {
		return false, err
	}
	return err == nil && found == at, c.writeProbe()
}

// committed has the others told, if somebody listens: off the way of the change.
func (e *postgres) committed(_ *conn, at ostiary.Head, _ int) {
	select {
	case <-e.latest: // an older one that was not told yet
	default:
	}
	e.latest <- at.Revision
}

func (e *postgres) compact(ctx context.Context, _ *conn) error {
	c, err := pgx.ConnectConfig(ctx, e.config)
	if err != nil {
		return &lostError{err}
	}
	defer c.Close(ctx)
	_, err = c.Exec(ctx, `VACUUM FULL log`)
	return err
}

func (e *postgres) close() error {
	e.stop()
	e.telling.Wait()
	if e.watch != nil {
		e.watch.close()
	}
	e.registry.close()
	return errors.Join(e.writing.Close(), e.reading.Close(), e.words.Close(), e.vows.Close())
}
