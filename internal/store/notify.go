package store

import (
	"context"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// channel is where nodes tell each other which revision they made.
const channel = "ostiary_log"

// tell tells the others of revisions, as well as it can, until the engine is closed. It has a connection
// of its own, and sends after the commit: sending takes a lock that all databases of a server share.
func (e *postgres) tell() {
	var c *pgx.Conn
	var age uint64
	defer func() { drop(c) }()
	for {
		select {
		case <-e.ctx.Done():
			return
		case <-time.After(idleFor):
			drop(c)
			c = nil
		case revision := <-e.latest:
			if newer := e.lost.Load(); newer != age {
				drop(c)
				c, age = nil, newer
			}
			c = e.tellOn(c, revision)
		}
	}
}

// idleFor is how long a connection is kept for the next revision.
const idleFor = 10 * time.Second

// tellOn gives the connection back, or another where that one was gone; nil where there is none.
func (e *postgres) tellOn(c *pgx.Conn, revision uint64) *pgx.Conn {
	if c != nil && notify(e.ctx, c, revision) {
		return c
	}
	drop(c)
	ctx, stop := context.WithTimeout(e.ctx, patience)
	defer stop()
	// To notify is a commit, and need not wait for a disk, nor for copies: the change is there already.
	c, err := pgx.ConnectConfig(ctx, e.unhurried)
	if err != nil {
		return nil
	}
	notify(ctx, c, revision)
	return c
}

func notify(ctx context.Context, c *pgx.Conn, revision uint64) bool {
	ctx, stop := context.WithTimeout(ctx, pingWithin)
	defer stop()
	done, err := c.Exec(ctx, `
		SELECT pg_notify($1, $2)
		WHERE current_setting('transaction_read_only') = 'off'`, channel, strconv.FormatUint(revision, 10))
	return err == nil && done.RowsAffected() == 1
}

func drop(c *pgx.Conn) {
	if c == nil {
		return
	}
	ctx, stop := context.WithTimeout(context.Background(), time.Second)
	defer stop()
	c.Close(ctx)
}

// hints listens until ctx ends, and begins anew when its connection is gone.
func (e *postgres) hints(ctx context.Context) <-chan uint64 {
	out := make(chan uint64, 1)
	go func() {
		defer close(out)
		for ctx.Err() == nil && e.ctx.Err() == nil {
			e.listen(ctx, out)
			select {
			case <-ctx.Done():
			case <-e.ctx.Done():
			case <-time.After(pingWithin / 2):
			}
		}
	}()
	return out
}

// listen passes on what it hears until the connection fails, or others have turned out to be gone since it was
// opened: it may lead to a server that another one took over from. A connection that listens does not notice
// that the other end is gone, so it asks every second.
func (e *postgres) listen(ctx context.Context, out chan uint64) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(e.ctx, stop)()
	begun, end := context.WithTimeout(ctx, patience)
	defer end()
	age := e.lost.Load()
	c, err := pgx.ConnectConfig(begun, e.config)
	if err != nil {
		return
	}
	defer drop(c)
	if _, err := c.Exec(begun, `LISTEN `+channel); err != nil {
		return
	}
	for e.lost.Load() == age {
		heard, err := hear(ctx, c)
		if err != nil {
			return
		}
		if heard == 0 {
			continue
		}
		select {
		case <-out: // an older one that nobody has taken yet
		default:
		}
		out <- heard
	}
}

// hear waits for one revision. After a second of silence it asks whether the server is there.
func hear(ctx context.Context, c *pgx.Conn) (revision uint64, err error) {
	wait, end := context.WithTimeout(ctx, pingWithin)
	defer end()
	said, err := c.WaitForNotification(wait)
	if err == nil {
		revision, _ = strconv.ParseUint(said.Payload, 10, 64)
		return revision, nil
	}
	if ctx.Err() != nil || c.IsClosed() {
		return 0, err
	}
	ping, end := context.WithTimeout(ctx, pingWithin)
	defer end()
	done, err := c.Exec(ping, askWritable)
	if err == nil && done.RowsAffected() == 0 {
		err = errReadOnlyServer
	}
	return 0, err
}
