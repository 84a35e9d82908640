package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
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
	mu    sync.Mutex
	why   [causes]error
	since [causes]time.Time
}

// set says why no changes can be made, or with nil that this is over. What is for good stays as
// it was first said.
func (h *health) set(c cause, why error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c == forGood && h.why[c] != nil {
		return
	}
	if h.why[c] == nil && why != nil {
		h.since[c] = time.Now()
	}
	h.why[c] = why
}

// forLonger gives a cause that has lasted for some time.
func (h *health) forLonger(c cause, d time.Duration) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.why[c] == nil || time.Since(h.since[c]) < d {
		return nil
	}
	return h.why[c]
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
	db.health.set(files, db.engine.present())
	c, why := db.health.get()
	if why == nil || c == database {
		return nil
	}
	if c == marks {
		return readOnly(db.markAgain())
	}
	return readOnly(why)
}

// awayAfter is how long a database that others share may refuse changes before they are no longer tried,
// but by the probe: each would wait for a server that may not answer, and behind the one before it.
const awayAfter = 2 * time.Second

func (db *DB) away() error {
	if !db.engine.shared() {
		return nil
	}
	return readOnly(db.health.forLonger(database, awayAfter))
}

// note counts an error of the database, and keeps what it says about changes to come.
func (db *DB) note(err error) {
	db.errors.Add(1)
	switch f := faultOf(err); {
	case f == unsynced:
		db.health.set(forGood, fmt.Errorf("the disk failed; restart the server: %w", err))
	case f.refuses():
		db.health.set(database, err)
	}
	// A server that is merely slow has lost no connection but the one on which it was waited for.
	if faultOf(err) == lost && !errors.Is(err, errSilent) {
		db.lost.Add(1)
	}
}

// watchEvery is how often the database is looked at.
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
		db.health.set(files, db.engine.present())
		if err := db.engine.alive(); err != nil {
			db.note(err)
		} else if db.engine.shared() {
			db.observe()
		}
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
	if db.engine.shared() && !db.hasRoom() {
		return
	}
	w, err := db.begin(context.Background())
	if err != nil {
		return
	}
	if err := w.conn.writeProbe(); err != nil {
		db.undo()
		return
	}
	db.health.set(database, nil)
}

// hasRoom makes an entry that takes new room, and undoes it. A server whose disk is full goes on taking the
// probe, which needs none, and no change.
func (db *DB) hasRoom() bool {
	w, err := db.begin(context.Background())
	if err != nil {
		return false
	}
	long := make([]byte, 32<<10)
	rand.Read(long)
	_, err = w.Append(0, time.Now(), ostiary.Story{Agent: hex.EncodeToString(long)}, nil)
	db.undo()
	return err == nil
}

// writeProbe writes something of no meaning, and commits.
func (c *conn) writeProbe() error {
	_, err := c.exec(`
		UPDATE probe
		SET count = count + 1
		WHERE id = 1`)
	if err == nil {
		_, err = c.exec(commit)
	}
	return err
}

// readOnly marks an error as one for which no change can be made. A record that does not exist and
// one that would break a constraint are the caller's errors.
func readOnly(err error) error {
	if err == nil || errors.Is(err, ostiary.ErrReadOnly) || errors.Is(err, ostiary.ErrNotFound) || faultOf(err) == caller {
		return err
	}
	return fmt.Errorf("%w: %w", ostiary.ErrReadOnly, err)
}
