package directory

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"ostiary"
)

// ErrCopy says that a local copy cannot be used: it is torn, damaged, or of another version.
var ErrCopy = errors.New("the local copy cannot be used")

// OpenCopy makes a directory from a file that [Directory.WriteCopy] wrote. The directory is not ready:
// whether decisions may be made from it is for the caller to say. An error says what is wrong with the
// file, and then there is no directory. Where there is no file it is fs.ErrNotExist.
func OpenCopy(path string) (*Directory, Copy, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, Copy{}, fmt.Errorf("opening the local copy: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no file")
	}
	var d *Directory
	var about Copy
	if err == nil {
		d, about, err = readCopy(f, info.Size())
	}
	if err != nil {
		return nil, Copy{}, fmt.Errorf("%w: %s: %w", ErrCopy, path, err)
	}
	return d, about, nil
}

func readCopy(f io.Reader, size int64) (*Directory, Copy, error) {
	if size == 0 {
		return nil, Copy{}, errors.New("it is empty")
	}
	sum := sha256.New()
	body := io.TeeReader(io.LimitReader(f, max(0, size-sha256.Size)), sum)
	r := &copyReader{in: bufio.NewReaderSize(body, 256<<10), contents: newContents(), size: size}
	var begin [len(copyMagic) + 1]byte
	if _, err := io.ReadFull(r.in, begin[:]); err != nil || string(begin[:len(copyMagic)]) != copyMagic {
		return nil, Copy{}, errors.New("it is no copy of a directory, or no more than its beginning")
	}
	if v := begin[len(copyMagic)]; v != copyVersion {
		return nil, Copy{}, fmt.Errorf("it is of version %q, and this program reads version %q", v, copyVersion)
	}
	if err := r.records(); err != nil {
		return nil, Copy{}, err
	}
	var stored [sha256.Size]byte
	if _, err := io.ReadFull(f, stored[:]); err != nil {
		return nil, Copy{}, fmt.Errorf("reading its checksum: %w", err)
	}
	if stored != [sha256.Size]byte(sum.Sum(nil)) {
		return nil, Copy{}, errors.New("it is damaged: its checksum does not hold")
	}
	return r.directory()
}

// A copyReader takes a copy apart, record by record.
type copyReader struct {
	in         *bufio.Reader
	size       int64 // of the file: nothing in it can be longer
	record     []byte
	contents   *contents
	room       room
	about      Copy
	restricted []restricted
	facts      ostiary.Hash
	emails     ostiary.Hash
}

// restricted is what a record says for now: until the log has a revision, or for good where that is zero.
type restricted struct {
	fact  ostiary.Fact
	until uint64
}

var errTorn = errors.New("it is torn: it ends before its last record does")

// records reads all of them. The first says what the copy is, and behind the last one nothing follows.
func (r *copyReader) records() error {
	if err := r.next(); err != nil {
		return err
	}
	if err := r.readAbout(); err != nil {
		return err
	}
	for {
		if err := r.next(); err != nil {
			return err
		}
		if r.record[0] == kindEnd {
			break
		}
		if err := r.apply(); err != nil {
			return err
		}
	}
	if err := r.readEnd(); err != nil {
		return err
	}
	if _, err := r.in.ReadByte(); err == nil {
		return errors.New("it goes on behind its last record")
	}
	return nil
}

// next reads a record. It has at least one byte.
func (r *copyReader) next() error {
	size, err := binary.ReadUvarint(r.in)
	switch {
	case err == nil && size == 0:
		return errRecord
	case err == nil && size > uint64(r.size):
		return errTorn
	case err == nil:
		r.record = append(r.record[:0], make([]byte, size)...)
		_, err = io.ReadFull(r.in, r.record)
	}
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errTorn
	}
	return err
}

func (r *copyReader) apply() error {
	switch r.record[0] {
	case kindEmail:
		user, email, err := readEmail(r.record)
		if err != nil {
			return err
		}
		r.contents.setEmail(user, email)
	case kindRestricted, kindDoubted:
		return r.restrict()
	default:
		f, err := r.room.read(r.record)
		if err != nil {
			return err
		}
		r.contents.set(f)
	}
	return nil
}

func (r *copyReader) restrict() (err error) {
	in := input{rest: r.record[1:]}
	var less restricted
	if r.record[0] == kindDoubted {
		if less.until = in.number(); in.bad || less.until == 0 {
			return errRecord
		}
	}
	less.fact, err = new(room).read(in.rest)
	r.restricted = append(r.restricted, less)
	return err
}

func (r *copyReader) readAbout() error {
	in := input{rest: r.record}
	in.bad = in.byte() != kindAbout
	r.about = Copy{
		Boot: in.text(), Queried: time.Duration(in.signed()), At: time.UnixMilli(in.signed()).UTC(),
		Epoch: in.text(),
	}
	return in.end()
}

func (r *copyReader) readEnd() error {
	in := input{rest: r.record[1:]}
	r.about.Head = ostiary.Head{Revision: in.number(), Chain: in.hash()}
	r.facts, r.emails = in.hash(), in.hash()
	return in.end()
}

// directory is what was read, once it is seen to be what was written.
func (r *copyReader) directory() (*Directory, Copy, error) {
	c := r.contents
	c.addUp()
	if c.facts.hash() != r.facts || c.emails.hash() != r.emails {
		return nil, Copy{}, errors.New("what it holds is not what its digest says")
	}
	for _, less := range r.restricted {
		if less.until == 0 {
			c.restrict(less.fact)
			continue
		}
		c.doubt(less.fact, less.until)
	}
	d := New()
	d.contents, d.chain = c, r.about.Head.Chain
	d.revision.Store(r.about.Head.Revision)
	d.held.begin(d.digests())
	return d, r.about, nil
}
