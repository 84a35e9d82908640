package usage

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"ostiary"
)

// A writer numbers its transactions, and each writes its number with what it counts. So a transaction whose
// commit was never answered counts once, whether it was made or not.
type writer struct {
	name  string // another one after each start
	batch int64  // the number of the last transaction
	doubt []row  // those of the last transaction, if nobody knows whether it was made; they are in memory too
}

func newWriter() writer { return writer{name: rand.Text()} }

func (w *writer) forget(k ostiary.UseKey) {
	w.doubt = slices.DeleteFunc(w.doubt, func(r row) bool { return r.token == k.Token && r.app == k.App })
}

// The table has a row for each writer. late counts the transactions that changed hours which others may keep
// in memory, because they are over.
const putWriter = `
INSERT INTO use_writers (writer, batch, late, at)
VALUES ($1, $2, $3, $4)
ON CONFLICT (writer) DO UPDATE SET
  batch = excluded.batch,
  late = use_writers.late + excluded.late,
  at = excluded.at`

// commit runs fn in a numbered transaction.
func (u *Usage) commit(ctx context.Context, late bool, fn func(conn) error) error {
	u.writer.batch++
	n := 0
	if late {
		n = 1
	}
	return u.record.write(ctx, func(c conn) error {
		if _, err := c.exec(putWriter, u.writer.name, u.writer.batch, n, u.opt.Now().UnixMilli()); err != nil {
			return err
		}
		return fn(c)
	})
}

// settle finds out whether the transaction in doubt was made. It waits for one that is still being made: both
// change the same row.
func (u *Usage) settle(ctx context.Context) error {
	if u.writer.doubt == nil {
		return nil
	}
	var batch int64
	err := u.record.write(ctx, func(c conn) error {
		_, err := c.exec(`
INSERT INTO use_writers (writer, batch, late, at)
VALUES ($1, 0, 0, $2)
ON CONFLICT (writer) DO UPDATE SET
  at = excluded.at`, u.writer.name, u.opt.Now().UnixMilli())
		if err != nil {
			return err
		}
		return c.each(`
SELECT batch
FROM use_writers
WHERE writer = $1`, func(rows *sql.Rows) error { return rows.Scan(&batch) }, u.writer.name)
	})
	if err != nil {
		return fmt.Errorf("%w: %w", errInDoubt, err)
	}
	if batch == u.writer.batch {
		u.memory.takeAway(u.writer.doubt)
	}
	u.writer.doubt = nil
	return nil
}

// reading keeps this node from writing until done is called. Who reads meanwhile sees each of its requests
// once, in memory or in what is written.
func (u *Usage) reading(ctx context.Context) (done func()) {
	u.writing.RLock()
	if u.writer.doubt == nil {
		return u.writing.RUnlock
	}
	u.writing.RUnlock()
	u.writing.Lock()
	u.settle(ctx) // where that fails, read does as well
	u.writing.Unlock()
	u.writing.RLock()
	return u.writing.RUnlock
}

// read runs fn on what is written. While something is in doubt only memory counts.
func (u *Usage) read(ctx context.Context, fn func(conn) error) error {
	if u.writer.doubt != nil {
		return errInDoubt
	}
	return u.record.read(ctx, fn)
}

// lateness is a text that differs once hours were changed that are over.
func lateness(c conn) (text string, err error) {
	err = c.each(`
SELECT writer, late
FROM use_writers
WHERE late > 0
ORDER BY writer`, func(rows *sql.Rows) error {
		var writer string
		var late int64
		err := rows.Scan(&writer, &late)
		text += fmt.Sprintf("%s %d\n", writer, late)
		return err
	})
	return text, err
}

// pruneWriters removes those that have not written for a week.
func pruneWriters(c conn, now time.Time) error {
	_, err := c.exec(`
DELETE FROM use_writers
WHERE at < $1`, now.Add(-week*time.Hour).UnixMilli())
	return err
}
