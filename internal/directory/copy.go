package directory

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"time"

	"ostiary"
)

// A Copy says from where and when a local copy is. All but the head is the caller's, and means nothing here.
type Copy struct {
	Head    ostiary.Head  // the revision that the copy holds, and the log's chain there
	Boot    string        // which boot of the machine it is from
	Queried time.Duration // boot-time clock before the last good query of the database
	At      time.Time     // wall clock, whole milliseconds
	Epoch   string        // which life of the database it is from
}

const (
	copyMagic   = "ostcopy"
	copyVersion = '2'

	kindAbout      byte = 64 + iota // the first record
	kindRestricted                  // a fact follows: what a record says for now
	kindEnd                         // the last record
	kindDoubted                     // a revision and a fact follow: what a record says until the log tells there

	blockSize = 64 << 10 // bytes that are gathered while changes wait
	maxTail   = 64 << 20 // bytes of changes that may come while a block is written

	// rest is how long no block is gathered after one; timers make a millisecond of it. A process that
	// never rests is made to by the system, at times while it keeps changes waiting.
	rest = 250 * time.Microsecond
)

// WriteCopy writes all that the directory holds into a file, from which [OpenCopy] makes it again, and
// gives the head that the file stands at. Decisions do not wait for it, and changes for less than a
// millisecond at a time. The file appears whole or not at all: until then, and after an error, an older
// one stays.
func (d *Directory) WriteCopy(ctx context.Context, path string, about Copy) (ostiary.Head, error) {
	d.copying.Lock()
	defer d.copying.Unlock()
	head, err := d.writeFile(ctx, path, about, nil, func(unfinished string, _ ostiary.Head) error {
		return os.Rename(unfinished, path)
	})
	if err != nil {
		return ostiary.Head{}, fmt.Errorf("writing the local copy: %w", err)
	}
	return head, nil
}

// writeFile writes a copy beside its place, where appear puts it. At the moment whose records it holds turn is
// called, unless it is nil, while no change can come.
func (d *Directory) writeFile(ctx context.Context, path string, about Copy, turn func() error,
	appear func(unfinished string, at ostiary.Head) error,
) (ostiary.Head, error) {
	unfinished := path + ".new" // always this name, so that processes that are killed leave one such file
	os.Remove(unfinished)       // what cannot be removed is found next
	f, err := os.OpenFile(unfinished, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return ostiary.Head{}, err
	}
	head, err := d.copyUntil(ctx, f, about, turn)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = appear(unfinished, head)
	}
	if err != nil {
		os.Remove(unfinished) // what cannot be removed is written over
		return ostiary.Head{}, err
	}
	return head, syncDir(path)
}

// A tail is what changed while a block of a copy was written.
type tail struct {
	text, record []byte
	lost         bool // there was too much of it
}

func (t *tail) add(facts []ostiary.Fact, emails map[ostiary.ID]string) {
	for _, f := range facts {
		t.record = appendFact(t.record[:0], f)
		t.text = appendFrame(t.text, t.record)
	}
	for id, email := range emails {
		t.record = appendEmail(t.record[:0], id, email)
		t.text = appendFrame(t.text, t.record)
	}
	if len(t.text) > maxTail {
		t.text, t.lost = nil, true
	}
}

// appendFrame writes a record behind b, its length first; nothing for an empty one.
func appendFrame(b, record []byte) []byte {
	if len(record) == 0 {
		return b
	}
	return append(binary.AppendUvarint(b, uint64(len(record))), record...)
}

// A copier writes one copy. The file is a history: blocks of records as they stood when they were read,
// and before each the changes since the one before. A fact is a whole record, so whoever takes all of
// them in turn ends where the last change does, though no moment was held still.
type copier struct {
	ctx           context.Context
	dir           *Directory
	from          *contents
	out           io.Writer
	sum           hash.Hash
	block, record []byte
	certain       bool // what is in doubt is left out: the copy says what the log does
}

// copyTo writes a copy.
func (d *Directory) copyTo(ctx context.Context, out io.Writer, about Copy) (ostiary.Head, error) {
	return d.copyUntil(ctx, out, about, nil)
}

// copyUntil writes a copy, and calls turn at the moment whose records it holds, unless that is nil.
func (d *Directory) copyUntil(ctx context.Context, out io.Writer, about Copy, turn func() error) (ostiary.Head, error) {
	return d.copyBy(&copier{ctx: ctx, dir: d, out: out, sum: sha256.New()}, about, turn)
}

func (d *Directory) copyBy(w *copier, about Copy, turn func() error) (ostiary.Head, error) {
	w.block = append(w.block, copyMagic...)
	w.block = append(w.block, copyVersion)
	w.frame(about.record(w.record))
	d.changing.Lock()
	w.from, d.tail = d.contents, &tail{}
	head, err := w.history()
	if err == nil && turn != nil {
		err = turn()
	}
	d.tail = nil
	d.changing.Unlock()
	if err != nil {
		return head, err
	}
	if err := w.write(w.block); err != nil {
		return head, err
	}
	_, err = w.out.Write(w.sum.Sum(nil))
	return head, err
}

// history writes all but the last of the records, and lets changes in between the blocks.
func (w *copier) history() (ostiary.Head, error) {
	if w.dir.revision.Load() == 0 {
		return ostiary.Head{}, errors.New("there is nothing to copy: the directory was never loaded")
	}
	at := new(room)
	for f := range w.from.people(at) {
		w.fact(f)
		if err := w.pause(); err != nil {
			return ostiary.Head{}, err
		}
	}
	for id, u := range w.from.users {
		w.record = appendEmail(w.record[:0], id, u.email)
		w.frame(w.record)
		if err := w.pause(); err != nil {
			return ostiary.Head{}, err
		}
	}
	for i := 0; i < len(w.from.made); i++ { // tokens may come meanwhile
		for t := range w.from.made[i] {
			for f := range w.from.made[i][t].records(at) {
				w.fact(f)
			}
			if err := w.pause(); err != nil {
				return ostiary.Head{}, err
			}
		}
	}
	return w.end()
}

// pause writes the block, once it is full, while changes are let in.
func (w *copier) pause() error {
	if len(w.block) < blockSize {
		return nil
	}
	d := w.dir
	before := *d.tail
	d.tail.text = nil
	d.changing.Unlock()
	err := errors.Join(w.ctx.Err(), w.write(before.text), w.write(w.block))
	w.block = w.block[:0]
	time.Sleep(rest)
	d.changing.Lock()
	switch {
	case err != nil:
		return err
	case d.contents != w.from:
		return errors.New("the directory was loaded anew meanwhile")
	case d.tail.lost:
		return errors.New("more was changed than the disk took")
	}
	return nil
}

// end puts the last records into the block: what the log says of restricted records, how they stand for
// now, and where it all ends.
func (w *copier) end() (ostiary.Head, error) {
	w.block = append(w.dir.tail.text, w.block...)
	for _, logged := range w.from.narrowed {
		w.fact(logged)
	}
	for at, logged := range w.from.narrowed {
		until, doubted := w.from.doubts[at]
		if doubted && w.certain {
			continue
		}
		w.record = append(w.record[:0], kindRestricted)
		if doubted {
			w.record = binary.AppendUvarint(append(w.record[:0], kindDoubted), until)
		}
		now, _ := w.from.recorded(logged)
		w.record = appendFact(w.record, now)
		w.frame(w.record)
	}
	head := w.dir.head()
	facts, emails := w.from.facts.hash(), w.from.emails.hash()
	b := binary.AppendUvarint(append(w.record[:0], kindEnd), head.Revision)
	for _, h := range [...]ostiary.Hash{head.Chain, facts, emails} {
		b = append(b, h[:]...)
	}
	w.frame(b)
	return head, nil
}

func (w *copier) fact(f ostiary.Fact) {
	w.record = appendFact(w.record[:0], f)
	w.frame(w.record)
}

func (w *copier) frame(record []byte) { w.block = appendFrame(w.block, record) }

func (w *copier) write(text []byte) error {
	w.sum.Write(text) // it never fails
	_, err := w.out.Write(text)
	return err
}

func (about Copy) record(b []byte) []byte {
	b = appendText(append(b, kindAbout), about.Boot)
	b = binary.AppendVarint(b, int64(about.Queried))
	b = binary.AppendVarint(b, about.At.UnixMilli())
	return appendText(b, about.Epoch)
}
