package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"ostiary"
)

// A RestoreReport says what a restore did.
type RestoreReport struct {
	Backup   uint64 // the revision of the backup
	Previous uint64 // of the records that were there, or of the mark; zero: neither
	Revision uint64 // where the log ends now
	Epoch    uint64 // of the log now
	Retired  int    // tokens that the backup let in, and that were retired again
	Aside    string // where the old records are now; empty: there were none

	Token, App ostiary.ID // the last ones of the backup: what came after them gets the same numbers anew
}

// A place is where a backup is put: a folder, or a database of PostgreSQL.
type place interface {
	// known gives what the records know that are there.
	known(ctx context.Context) (known, error)
	// put has the records of a file stand where these were, and gives the name that they have now. A crash
	// leaves either the old ones or the new ones.
	put(ctx context.Context, file string, old known) (aside string, err error)
	close() error
}

// known is what records know that matters once they are gone. Its zero value is that of records that are
// not there, or cannot be read.
type known struct {
	head    ostiary.Head
	epoch   uint64
	retired []ostiary.Hash
	revoked []ostiary.Hash // credentials of programs that follow the log
}

// Restore puts a backup in the place of a folder's records, or of those in PostgreSQL. The old ones are set
// aside. Tokens that are known to be retired are retired again, and the log says that it was restored.
func Restore(ctx context.Context, dir, file string, o Options, by ostiary.By) (RestoreReport, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if err := makeDir(dir); err != nil {
		return RestoreReport{}, fmt.Errorf("making the folder: %w", err)
	}
	l, err := lockDir(dir)
	if err != nil {
		return RestoreReport{}, err
	}
	r := &restoring{dir: dir, fresh: filepath.Join(dir, fileName) + ".restored", o: o, by: by}
	if err := r.run(ctx, file); err != nil {
		return r.report, errors.Join(err, l.Release())
	}
	db, err := open(ctx, dir, o, l) // as the next server will
	if err != nil {
		return r.report, fmt.Errorf("the backup is in place, but it cannot be opened: %w", err)
	}
	return r.report, db.Close()
}

type restoring struct {
	dir    string
	fresh  string // a copy of the backup, which is made what will be the records
	o      Options
	by     ostiary.By
	report RestoreReport
}

func (r *restoring) run(ctx context.Context, file string) (err error) {
	defer r.clean()
	backup, err := r.prepare(ctx, file)
	if err != nil {
		return err
	}
	var to place = &folder{path: filepath.Join(r.dir, fileName), log: r.o.Log}
	if r.o.Database.given() {
		if to, err = openTarget(ctx, r.o.Database); err != nil {
			return err
		}
	}
	defer func() { err = errors.Join(err, to.close()) }()
	old, err := to.known(ctx)
	if err != nil {
		return err
	}
	seen, err := readMark(markPath(r.dir, r.o))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	r.report.Backup = backup.head.Revision
	r.report.Previous = max(seen.Revision, old.head.Revision)
	r.report.Epoch = max(backup.epoch, old.epoch, seen.epoch) + 1
	retired, err := r.learn(old.retired)
	if err != nil {
		return err
	}
	if err := r.renew(ctx, retired, old.revoked); err != nil {
		return fmt.Errorf("making the backup ready: %w", err)
	}
	r.report.Aside, err = to.put(ctx, r.fresh, old)
	return err
}

func (r *restoring) clean() {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		os.Remove(r.fresh + suffix) // also what a restore left that did not end
	}
}

// prepare makes a copy of the backup, verifies it, brings it up to date and ends its sessions.
func (r *restoring) prepare(ctx context.Context, file string) (backup known, err error) {
	if err := checkFile(file); err != nil {
		return backup, fmt.Errorf("the backup: %w", err)
	}
	if info, err := os.Stat(file + "-wal"); err == nil && info.Size() > 0 {
		return backup, fmt.Errorf("%s is the database of a server, with changes beside it; "+
			"make a backup with ostiary backup", file)
	}
	r.clean()
	if err := copyFile(file, r.fresh); err != nil {
		return backup, fmt.Errorf("copying the backup: %w", err)
	}
	if backup, err = r.verify(ctx); err != nil {
		return backup, fmt.Errorf("the backup %s: %w", file, err)
	}
	return backup, nil
}

func (r *restoring) verify(ctx context.Context) (backup known, err error) {
	if err := checkFile(r.fresh); err != nil {
		return backup, err
	}
	e, err := openSQLite(ctx, r.fresh)
	if err != nil {
		return backup, err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	if err := e.checkWhole(ctx); err != nil {
		return backup, err
	}
	if _, _, err := e.schema(ctx); err != nil {
		return backup, err
	}
	if err := e.upgrade(ctx); err != nil {
		return backup, err
	}
	if _, err := e.writing.ExecContext(ctx, endSessions); err != nil {
		return backup, err
	}
	c, err := newConn(ctx, e.writing)
	if err != nil {
		return backup, err
	}
	defer c.close()
	report, err := Verify(ctx, &walk{c})
	if err != nil {
		return backup, err
	}
	backup.head = report.Head
	if backup.epoch, err = readEpoch(c); err != nil {
		return backup, err
	}
	return backup, c.lastIDs(&r.report)
}

// lastIDs are the last tokens and applications that were given a number.
func (c *conn) lastIDs(into *RestoreReport) error {
	for kind, id := range map[string]*ostiary.ID{"token": &into.Token, "app": &into.App} {
		err := c.one(`
			SELECT last
			FROM counters
			WHERE kind = $1`, []any{kind}, id)
		if err != nil {
			return fmt.Errorf("the counter of %ss: %w", kind, err)
		}
	}
	return nil
}

// A walk gives the log of a database that nobody else uses.
type walk struct{ conn *conn }

// walkBatch is small, since nobody waits in between, and an entry can be as long as a list of members.
const walkBatch = 20

func (w *walk) Changes(ctx context.Context, after uint64, fn func(ostiary.Change) error) error {
	return eachChange(after, walkBatch, fn, func(after uint64) ([]ostiary.Change, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return readChanges(w.conn, after, walkBatch)
	})
}

// learn adds what the old records know as retired to the list beside the mark, and gives all of the list.
func (r *restoring) learn(hashes []ostiary.Hash) (map[ostiary.Hash]bool, error) {
	list, err := openRetired(markPath(r.dir, r.o) + ".retired")
	if err != nil {
		return nil, fmt.Errorf("opening the list of retired tokens: %w", err)
	}
	err = list.learn(hashes)
	all, err2 := list.all()
	return all, errors.Join(err, err2, list.close())
}

// restoreStory is what the entry of a restore says that it is.
const restoreStory = "restore"

// renew makes of the copy what the records will be: the next epoch, with what is known as retired and revoked
// so again, and an entry that says what was done. It comes before anybody can see them.
func (r *restoring) renew(ctx context.Context, retired map[ostiary.Hash]bool, revoked []ostiary.Hash,
) (err error) {
	e, err := openSQLite(ctx, r.fresh)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	c, err := e.connect(ctx, true)
	if err != nil {
		return err
	}
	defer c.close()
	if _, err := c.exec(c.begin); err != nil {
		return err
	}
	w := &writer{reader: reader{ctx: ctx, conn: c}}
	if w.head, err = readHead(c); err != nil {
		return err
	}
	err = w.exec(`
		INSERT INTO epochs (epoch, revision)
		VALUES ($1, $2)`, r.report.Epoch, r.report.Backup)
	if err != nil {
		return err
	}
	if r.report.Retired, err = w.retireAgain(retired, becauseRestored); err != nil {
		return fmt.Errorf("retiring tokens again: %w", err)
	}
	if err := w.revokeAgain(revoked); err != nil {
		return fmt.Errorf("revoking credentials again: %w", err)
	}
	story := ostiary.Story{What: restoreStory, By: r.by, Details: map[string]string{
		"backup_revision":   strconv.FormatUint(r.report.Backup, 10),
		"previous_revision": strconv.FormatUint(r.report.Previous, 10),
		"epoch":             strconv.FormatUint(r.report.Epoch, 10),
		"previous_epoch":    strconv.FormatUint(r.report.Epoch-1, 10),
	}}
	if r.report.Revision, err = w.Append(0, time.Now(), story, nil); err != nil {
		return err
	}
	_, err = c.exec(commit)
	return err
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}
