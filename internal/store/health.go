package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"ostiary"
)

// A cause is why no changes can be made. The first that applies is told.
type cause int

const (
	forGood  cause = iota // until a restart
	files                 // the database's files were deleted or replaced
	marks                 // the mark cannot be written
	database              // the database refuses: full, read-only, locked
	causes
)

type health struct {
	mu  sync.Mutex
	why [causes]error
}

// set says why no changes can be made, or with nil that this is over. What is for good stays as
// it was first said.
func (h *health) set(c cause, why error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c == forGood && h.why[c] != nil {
		return
	}
	h.why[c] = why
}

func (h *health) get() (cause, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c, why := range h.why {
		if why != nil {
			return cause(c), why
		}
	}
	return causes, nil
}

// Degraded is nil, or why no changes can be made. It is true within a second.
func (db *DB) Degraded() error {
	_, why := db.health.get()
	return readOnly(why)
}

// writable refuses a change that cannot be made. Where the database refused the last one, the
// next is tried all the same: the cause may be gone.
func (db *DB) writable() error {
	db.health.set(files, db.engine.sameFiles())
	c, why := db.health.get()
	if why == nil || c == database {
		return nil
	}
	if c == marks {
		return readOnly(db.markAgain())
	}
	return readOnly(why)
}

// note counts an error of the database, and keeps what it says about changes to come.
func (db *DB) note(err error) {
	db.errors.Add(1)
	switch {
	case syncFailed(err):
		db.health.set(forGood, fmt.Errorf("the disk failed; restart the server: %w", err))
	case refuses(err):
		db.health.set(database, err)
	}
}

// watchEvery is how often the files are looked at.
const watchEvery = 300 * time.Millisecond

// watch keeps what Degraded says true while nobody makes a change.
func (db *DB) watch() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	var told string
	for {
		select {
		case <-db.closing:
			return
		case <-tick.C:
		}
		db.health.set(files, db.engine.sameFiles())
		if c, _ := db.health.get(); c == marks || c == database {
			db.probe(c)
		}
		told = db.tell(told)
	}
}

// tell logs what has changed since it was last told.
func (db *DB) tell(told string) string {
	_, why := db.health.get()
	now := ""
	if why != nil {
		now = why.Error()
	}
	switch {
	case now == told:
	case why != nil:
		db.log.Error("no changes can be made", "error", why)
	default:
		db.log.Info("changes can be made again")
	}
	return now
}

// probe tries whether the cause is gone, unless a change is under way and tries the same.
func (db *DB) probe(c cause) {
	select {
	case db.turn <- struct{}{}:
	default:
		return
	}
	defer func() { <-db.turn }()
	if c == marks {
		db.markAgain()
		return
	}
	w, err := db.begin(context.Background())
	if err != nil {
		return
	}
	_, err = w.conn.exec(`
		UPDATE probe
		SET count = count + 1
		WHERE id = 1`)
	if err != nil {
		db.undo()
		return
	}
	if _, err := w.conn.exec(commit); err != nil {
		db.undo()
		return
	}
	db.health.set(database, nil)
}

// readOnly marks an error as one for which no change can be made. A record that does not exist and
// one that would break a constraint are the caller's errors.
func readOnly(err error) error {
	if err == nil || errors.Is(err, ostiary.ErrReadOnly) || errors.Is(err, ostiary.ErrNotFound) || callersFault(err) {
		return err
	}
	return fmt.Errorf("%w: %w", ostiary.ErrReadOnly, err)
}
