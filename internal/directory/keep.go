package directory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"ostiary"
)

var (
	errLong     = errors.New("too much has changed since the copy was written")
	errReplaced = errors.New("memory was replaced, or its changes could not be written down, while it was written")
)

// keeping is the local copy on the disk, and the journal beside it. The two of them hold all that memory does, or
// there is no copy: from one that lacks a change nobody may begin, since others may count on that change.
type keeping struct {
	path    string   // empty: none is kept
	journal *journal // nil: nothing is written down
	copied  bool     // the copy is there that the journal goes on from
	old     bool     // a copy may lie there that lacks what memory holds
	err     error    // why the copy was taken away; nil: for what came instead
}

// Keep says where the local copy lies. It comes before anything is loaded: a copy that is found there and is not
// what memory begins from is taken away before memory holds anything else.
func (d *Directory) Keep(path string) {
	d.changing.Lock()
	defer d.changing.Unlock()
	if d.keeping.path != path {
		d.keeping = keeping{path: path, old: true}
	}
}

// Kept says whether the local copy, with what was written down since, holds all that memory does. If not, the
// error says what went wrong, if anything did.
func (d *Directory) Kept() (all bool, err error) {
	d.changing.Lock()
	defer d.changing.Unlock()
	return d.keeping.journal != nil && d.keeping.copied, d.keeping.err
}

// WriteFile writes the local copy for who knows the boot, and the clock of it when memory was last known to be all
// of the log. What changes from the moment on whose records the file holds is written down behind it.
func (d *Directory) WriteFile(ctx context.Context, path, boot string, asOf time.Duration) (ostiary.Head, error) {
	d.copying.Lock()
	defer d.copying.Unlock()
	d.Keep(path)
	k := &d.keeping
	var j *journal
	var from int64
	about := Copy{Boot: boot, Queried: asOf, At: time.Now().Truncate(time.Millisecond)}
	head, err := d.writeFile(ctx, path, about, func() (err error) {
		j, from, err = k.turn(d.head())
		return err
	}, func(unfinished string, at ostiary.Head) error {
		d.changing.Lock()
		defer d.changing.Unlock()
		return k.appear(unfinished, at, j, from)
	})
	if err != nil {
		d.changing.Lock()
		defer d.changing.Unlock()
		if k.journal != nil && !k.copied {
			k.lose(err)
		}
		return ostiary.Head{}, fmt.Errorf("writing the local copy: %w", err)
	}
	return head, nil
}

// turn is the moment whose records a copy holds: what is written down from here on is to be kept beside it.
func (k *keeping) turn(at ostiary.Head) (*journal, int64, error) {
	if k.journal == nil {
		k.drop() // it would be one that lacks something
		if k.old {
			return nil, 0, k.err
		}
		j, err := newJournal(journalPath(k.path), at)
		if err != nil {
			return nil, 0, err
		}
		k.journal, k.copied = j, false
	}
	return k.journal, k.journal.size, nil
}

// appear puts a copy that is written in its place, and then shortens the journal to what came after it. Whenever
// that is broken off, the copy that is there and the journal that is there hold everything: entries from before a
// copy are passed over when it is opened.
func (k *keeping) appear(unfinished string, at ostiary.Head, j *journal, from int64) error {
	if k.journal != j {
		return errReplaced
	}
	short, err := j.shortened(journalPath(k.path)+".new", at, from)
	if err != nil {
		return err
	}
	if err := os.Rename(unfinished, k.path); err != nil {
		return err
	}
	k.copied, k.err = true, nil
	if short == nil {
		return nil
	}
	if err := os.Rename(short.file.Name(), journalPath(k.path)); err != nil {
		return errors.Join(err, short.file.Close())
	}
	j.file.Close()
	k.journal = short
	return nil
}

// shortened is a journal without what came before a place; nil where that is nothing.
func (j *journal) shortened(path string, at ostiary.Head, from int64) (*journal, error) {
	if from == j.begins {
		return nil, nil
	}
	short, err := newJournal(path, at)
	if err != nil {
		return nil, err
	}
	n, err := io.Copy(short.file, io.NewSectionReader(j.file, from, j.size-from))
	if err == nil && n != j.size-from {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, errors.Join(err, short.file.Close(), os.Remove(path))
	}
	short.size += n
	return short, nil
}

// change writes a change down. What cannot be written down ends the copy.
func (k *keeping) change(before ostiary.Hash, c ostiary.Change, emails map[ostiary.ID]string) {
	switch {
	case k.journal != nil:
		if err := k.journal.change(before, c, emails); err != nil {
			k.lose(fmt.Errorf("writing down revision %d: %w", c.Revision, err))
		}
	case k.old:
		k.drop()
	}
}

func (k *keeping) narrow(at ostiary.Hash, facts []ostiary.Fact, until uint64) {
	switch {
	case len(facts) == 0:
	case k.journal != nil:
		if err := k.journal.narrow(at, facts, until); err != nil {
			k.lose(fmt.Errorf("writing down what was narrowed: %w", err))
		}
	case k.old:
		k.drop()
	}
}

// lose takes the copy away, and says why; nil: memory is about to be something else. A full disk does not stop it.
func (k *keeping) lose(why error) {
	if k.path == "" {
		return
	}
	if k.journal != nil {
		k.journal.file.Close()
	}
	k.journal, k.copied, k.old, k.err = nil, false, true, why
	k.drop()
}

// drop removes a copy that lacks something. What cannot be removed is tried again with every change.
func (k *keeping) drop() {
	if !k.old {
		return
	}
	if err := os.Remove(k.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		k.err = fmt.Errorf("a local copy that lacks changes cannot be removed: %w", err)
		return
	}
	k.old = false
	os.Remove(journalPath(k.path)) // without a copy it says nothing
}

// A find is the copy and the journal that a directory was opened from.
type find struct {
	path string
	size int64 // of what is whole in the journal
}

// take goes on from the copy that memory begins from, or takes away the one that is there.
func (k *keeping) take(from *find) {
	if k.path == "" {
		return
	}
	if from == nil || from.path != k.path || k.journal != nil {
		k.lose(nil)
		return
	}
	f, err := os.OpenFile(journalPath(k.path), os.O_RDWR|os.O_APPEND, 0)
	if err == nil {
		if err = f.Truncate(from.size); err != nil { // an entry that is torn
			f.Close()
		}
	}
	if err != nil {
		k.lose(fmt.Errorf("going on with the local copy: %w", err))
		return
	}
	k.journal, k.copied, k.old = &journal{file: f, size: from.size, begins: int64(journalHead)}, true, false
}

// syncDir makes the names in a folder last.
func syncDir(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
