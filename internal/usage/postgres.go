package usage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// askAgain is how often a node asks whether a database that was away is back.
const askAgain = time.Second

// tries are those of a transaction that another one pushed aside.
const tries = 4

// postgresSize makes few round trips of many pairs, and a transaction last some ten milliseconds.
var postgresSize = size{pairs: 250, rows: 250}

// connections are those of this node, beside the ones that the records have.
const connections = 4

// A postgres is a database that several nodes write uses to.
type postgres struct {
	pool     *sql.DB
	patience time.Duration // for a statement; a transaction has half as long again, reading twice as long
	often    map[string]bool
	made     atomic.Bool // the tables are there

	// away is why the database is not used: it did not answer, and somebody asks whether it is back.
	away atomic.Pointer[error]

	ctx    context.Context
	stop   context.CancelFunc
	asking sync.WaitGroup
}

func newPostgres(url string, patience time.Duration, lead Lead) (*postgres, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		// In a text that cannot be read nobody knows where the password is.
		return nil, errors.New("the record of use: the database's URL cannot be read, or a file that it names")
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = patience / 2 // each host
	}
	config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	config.OnPgError = func(_ *pgconn.PgConn, e *pgconn.PgError) (keep bool) { return !lost(e) }
	config.RuntimeParams["application_name"] = "ostiary use"
	config.RuntimeParams["client_encoding"] = "UTF8"
	// A crash of the server may take the last counts, and nobody waits for its disk.
	config.RuntimeParams["synchronous_commit"] = "off"
	for name, d := range map[string]time.Duration{
		"statement_timeout": patience, "lock_timeout": patience / 2, // another node may be writing the same row
		"idle_in_transaction_session_timeout": 2 * patience, // or be frozen while it does
	} {
		config.RuntimeParams[name] = strconv.FormatInt(d.Milliseconds(), 10)
	}
	p := &postgres{pool: sql.OpenDB(connector(*config, lead)), patience: patience, often: map[string]bool{}}
	for _, text := range often(postgresSize.rows) {
		p.often[text] = true
	}
	p.pool.SetMaxOpenConns(connections)
	p.pool.SetMaxIdleConns(connections)
	p.ctx, p.stop = context.WithCancel(context.Background())
	return p, nil
}

func (p *postgres) String() string { return "the database" }

func (p *postgres) open(ctx context.Context) error {
	return p.call(ctx, 5*p.patience, func(context.Context) error { return nil })
}

func (p *postgres) read(ctx context.Context, fn func(conn) error) error {
	return p.call(ctx, 2*p.patience, func(ctx context.Context) error { return fn(pgConn{p, ctx, p.pool}) })
}

func (p *postgres) write(ctx context.Context, fn func(conn) error) error {
	return p.call(ctx, p.patience*3/2, func(ctx context.Context) error {
		for try := 1; ; try++ {
			err := p.transaction(ctx, fn)
			if err == nil || try == tries || ctx.Err() != nil || !again(err) {
				return err
			}
			wait(ctx, rand.N(time.Duration(try)*10*time.Millisecond))
		}
	})
}

func (p *postgres) transaction(ctx context.Context, fn func(conn) error) error {
	tx, err := p.pool.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return err
	}
	if err := fn(pgConn{p, ctx, tx}); err != nil {
		tx.Rollback() // on a connection that is gone, the server does it
		return err
	}
	err = tx.Commit()
	if err != nil && !undone(err) {
		return fmt.Errorf("%w: %w", errInDoubt, err)
	}
	return err
}

// call runs fn with the tables there. While the database is away it fails at once.
func (p *postgres) call(ctx context.Context, most time.Duration, fn func(context.Context) error) error {
	if why := p.away.Load(); why != nil {
		return *why
	}
	limited, stop := context.WithTimeout(ctx, most)
	defer stop()
	err := p.make(limited)
	if err == nil {
		err = fn(limited)
	}
	if err == nil {
		return nil
	}
	if stateOf(err) == undefinedTable { // somebody has removed them
		p.made.Store(false)
	}
	said := told(err)
	if lost(err) && ctx.Err() == nil {
		p.lose(said, tooSlow(err) || stateOf(err) == canceled)
	}
	return said
}

// lose has everybody fail at once until the database answers again. One that is slow gets some time first.
func (p *postgres) lose(why error, slow bool) {
	if !p.away.CompareAndSwap(nil, &why) {
		return
	}
	p.asking.Go(func() {
		if slow {
			wait(p.ctx, askAgain)
		}
		for p.ctx.Err() == nil && !p.answers() {
			wait(p.ctx, askAgain)
		}
		p.away.Store(nil)
	})
}

func (p *postgres) answers() bool {
	ctx, stop := context.WithTimeout(p.ctx, 5*p.patience)
	defer stop()
	return p.pool.PingContext(ctx) == nil
}

func (p *postgres) close() error {
	p.stop()
	p.asking.Wait()
	return p.pool.Close()
}

// A pgConn gives each statement its time.
type pgConn struct {
	*postgres
	ctx context.Context
	on  interface { // the pool or a transaction
		ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error)
		QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error)
	}
}

func (c pgConn) exec(text string, args ...any) (int64, error) {
	ctx, stop := context.WithTimeout(c.ctx, c.patience)
	defer stop()
	result, err := c.on.ExecContext(ctx, text, c.how(text, args)...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (c pgConn) each(text string, scan func(*sql.Rows) error, args ...any) error {
	ctx, stop := context.WithTimeout(c.ctx, c.patience)
	defer stop()
	rows, err := c.on.QueryContext(ctx, text, c.how(text, args)...)
	return all(rows, err, scan)
}

// how tells the driver whether to prepare a statement, which takes a round trip and memory of the server.
func (c pgConn) how(text string, args []any) []any {
	mode := pgx.QueryExecModeExec
	if c.often[text] {
		mode = pgx.QueryExecModeCacheStatement
	}
	return append([]any{mode}, args...)
}
