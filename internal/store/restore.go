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
	Previous uint64 // of the database that was there, or of the mark; zero: neither
	Revision uint64 // where the log ends now
	Retired  int    // tokens that the backup let in, and that were retired again
	Aside    string // where the old database is now; empty: there was none
}

// Restore puts a backup in the place of a folder's database. The old one is moved aside. Tokens
// that are known to be retired are retired again, and the log says that it was restored.
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
	r := &restoring{dir: dir, place: filepath.Join(dir, fileName), o: o}
	err = r.prepare(ctx, file)
	if err == nil {
		err = r.swap()
	}
	if err != nil {
		return r.report, errors.Join(err, l.release())
	}
	o.AcceptRollback = true
	db, err := open(ctx, dir, o, l)
	if err != nil {
		return r.report, err
	}
	err = r.tell(ctx, db, by)
	return r.report, errors.Join(err, db.Close())
}

type restoring struct {
	dir, place string
	o          Options
	report     RestoreReport
}

func (r *restoring) fresh() string { return r.place + ".restored" }

// prepare verifies a copy of the backup, and puts down what the old database knows as retired.
func (r *restoring) prepare(ctx context.Context, file string) error {
	if err := checkFile(file); err != nil {
		return fmt.Errorf("the backup: %w", err)
	}
	if info, err := os.Stat(file + "-wal"); err == nil && info.Size() > 0 {
		return fmt.Errorf("%s is the database of a server, with changes beside it; "+
			"make a backup with ostiary backup", file)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		os.Remove(r.fresh() + suffix) // left by a restore that did not end
	}
	if err := copyFile(file, r.fresh()); err != nil {
		return fmt.Errorf("copying the backup: %w", err)
	}
	head, _, err := inspect(ctx, r.fresh(), true)
	if err != nil {
		return fmt.Errorf("the backup %s: %w", file, err)
	}
	r.report.Backup = head.Revision
	return r.learn(ctx)
}

// learn adds what the old database knows as retired to the list beside the mark. One that cannot be
// read is no reason not to restore.
func (r *restoring) learn(ctx context.Context) error {
	if seen, _, err := readMark(markPath(r.dir, r.o)); err == nil {
		r.report.Previous = seen.Revision
	}
	if !exists(r.place) {
		return nil
	}
	head, hashes, err := inspect(ctx, r.place, false)
	if err != nil {
		r.o.Log.Warn("the old database cannot be read; what it retired is known from the mark alone", "error", err)
		return nil
	}
	r.report.Previous = max(r.report.Previous, head.Revision)
	list, err := openRetired(markPath(r.dir, r.o) + ".retired")
	if err != nil {
		return fmt.Errorf("opening the list of retired tokens: %w", err)
	}
	return errors.Join(list.learn(hashes), list.close())
}

// inspect opens a database, brings it up to date and ends its sessions if it is a backup, and gives its
// head and the secrets that it knows as retired.
func inspect(ctx context.Context, path string, backup bool) (head ostiary.Head, hashes []ostiary.Hash, err error) {
	if err := checkFile(path); err != nil {
		return head, nil, err
	}
	e, err := openSQLite(ctx, path)
	if err != nil {
		return head, nil, err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	if backup {
		if err := e.checkWhole(ctx); err != nil {
			return head, nil, err
		}
		if _, _, err := e.schema(ctx); err != nil {
			return head, nil, err
		}
		if err := e.upgrade(ctx); err != nil {
			return head, nil, err
		}
		if _, err := e.writing.ExecContext(ctx, endSessions); err != nil {
			return head, nil, err
		}
	}
	c, err := newConn(ctx, e.writing)
	if err != nil {
		return head, nil, err
	}
	defer c.close()
	if backup {
		report, err := Verify(ctx, &walk{c})
		return report.Head, nil, err
	}
	if head, err = readHead(c); err != nil {
		return head, nil, err
	}
	hashes, err = (&reader{ctx: ctx, conn: c}).retiredSecrets()
	return head, hashes, err
}

// A walk gives the log of a database that nobody else uses.
type walk struct{ conn *conn }

func (w *walk) Changes(ctx context.Context, after uint64, fn func(ostiary.Change) error) error {
	return eachChange(after, fn, func(after uint64) ([]ostiary.Change, error) {
		return readChanges(w.conn, after, batch)
	})
}

// swap puts the backup in the place of the old database, which keeps a second name.
func (r *restoring) swap() error {
	if err := r.setAside(); err != nil {
		return fmt.Errorf("moving the old database aside: %w", err)
	}
	if err := os.Rename(r.fresh(), r.place); err != nil {
		return fmt.Errorf("putting the backup in place: %w", err)
	}
	return syncDir(r.dir)
}

func (r *restoring) setAside() error {
	if !exists(r.place) {
		return setLogAside(r.place)
	}
	r.report.Aside = freeName(r.place + ".before-restore")
	// A log that lies beside the old database would be taken for the new one's.
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := os.Rename(r.place+suffix, r.report.Aside+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return os.Link(r.place, r.report.Aside)
}

// tell retires again what is known as retired, and appends an entry that says what was done.
func (r *restoring) tell(ctx context.Context, db *DB, by ostiary.By) error {
	if err := db.retireAgain(ctx, "a backup was restored"); err != nil {
		return fmt.Errorf("retiring tokens again: %w", err)
	}
	r.report.Retired = db.again
	return db.Update(ctx, func(w ostiary.Writer) error {
		story := ostiary.Story{What: "restore", By: by, Details: map[string]string{
			"backup_revision":   strconv.FormatUint(r.report.Backup, 10),
			"previous_revision": strconv.FormatUint(r.report.Previous, 10),
		}}
		var err error
		r.report.Revision, err = w.Append(0, time.Now(), story, nil)
		return err
	})
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
