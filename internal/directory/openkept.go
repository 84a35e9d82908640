package directory

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"ostiary"
)

// OpenKept makes a directory of the local copy that [Directory.WriteFile] wrote, and of what was written down
// behind it. All of it must fit: a last entry that is torn was never in anybody's memory; whatever else is not as it
// was written makes both of no use, and a copy without its journal may lack anything. Otherwise it is [OpenCopy].
func OpenKept(path string) (*Directory, Copy, error) {
	d, about, err := OpenCopy(path)
	if err != nil {
		return nil, Copy{}, err
	}
	size, err := d.replay(journalPath(path))
	if err != nil {
		return nil, Copy{}, fmt.Errorf("%w: %s: %w", ErrCopy, journalPath(path), err)
	}
	d.found = &find{path, size}
	about.Head = d.Head()
	return d, about, nil
}

var (
	errEntryTorn = errors.New("its last entry is torn")
	errEntry     = errors.New("it is damaged: an entry is not what was written")
)

// replay applies what a journal holds beyond the directory, and says how long it is without a torn entry.
func (d *Directory) replay(path string) (size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	r := &journalReader{in: bufio.NewReaderSize(f, 256<<10), dir: d, from: d.Head()}
	if err := r.head(); err != nil {
		return 0, err
	}
	for {
		switch err := r.next(); {
		case errors.Is(err, io.EOF), errors.Is(err, errEntryTorn):
			if r.at.Revision < r.from.Revision {
				return 0, fmt.Errorf("it ends at revision %d, and the copy is of %d", r.at.Revision, r.from.Revision)
			}
			return r.size, nil
		case err != nil:
			return 0, err
		}
	}
}

// A journalReader takes a journal apart, entry by entry.
type journalReader struct {
	in   *bufio.Reader
	dir  *Directory
	from ostiary.Head // where the copy stands
	at   ostiary.Head // where the journal does
	size int64        // of what was read
	text []byte
}

func (r *journalReader) head() error {
	var b [journalHead]byte
	if _, err := io.ReadFull(r.in, b[:]); err != nil || string(b[:len(journalMagic)]) != journalMagic {
		return errors.New("it is no journal of a local copy, or of another version")
	}
	end := journalHead - entryTail
	if binary.LittleEndian.Uint32(b[end:]) != checksum(ostiary.Hash{}, b[:end]) {
		return errEntry
	}
	r.at.Revision = binary.LittleEndian.Uint64(b[len(journalMagic):])
	copy(r.at.Chain[:], b[len(journalMagic)+8:])
	r.size = int64(journalHead)
	return r.meets()
}

// meets says whether the journal can go through the copy's head.
func (r *journalReader) meets() error {
	if r.at.Revision > r.from.Revision {
		return fmt.Errorf("it begins after revision %d, and the copy is of %d", r.at.Revision, r.from.Revision)
	}
	if r.at.Revision == r.from.Revision && r.at.Chain != r.from.Chain {
		return fmt.Errorf("it goes another way than the copy before revision %d", r.at.Revision)
	}
	return nil
}

// next reads an entry, and applies what the copy lacks.
func (r *journalReader) next() error {
	var head [entryHead]byte
	if n, err := io.ReadFull(r.in, head[:]); err != nil {
		if n == 0 {
			return io.EOF
		}
		return torn(err)
	}
	if binary.LittleEndian.Uint32(head[4:]) != checksum(r.at.Chain, head[:4]) {
		return errEntry
	}
	size := int(binary.LittleEndian.Uint32(head[:])) + entryTail
	if size > maxJournal {
		return errEntry
	}
	if cap(r.text) < size {
		r.text = make([]byte, size)
	}
	r.text = r.text[:size]
	if _, err := io.ReadFull(r.in, r.text); err != nil {
		return torn(err)
	}
	entry := r.text[:size-entryTail]
	if binary.LittleEndian.Uint32(r.text[len(entry):]) != checksum(r.at.Chain, entry) {
		return errEntry
	}
	r.size += int64(entryHead + size)
	return r.apply(entry)
}

func torn(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errEntryTorn
	}
	return err
}

func (r *journalReader) apply(entry []byte) error {
	in := input{rest: entry}
	kind := in.byte()
	if kind == entryRestrict || kind == entryDoubt {
		return r.narrow(kind, in)
	}
	c := ostiary.Change{Revision: in.number(), Chain: in.hash()}
	facts, emails, err := in.records()
	if err != nil || kind != entryChange || c.Revision != r.at.Revision+1 {
		return errors.Join(errEntry, err)
	}
	c.Facts = facts
	r.at = ostiary.Head{Revision: c.Revision, Chain: c.Chain}
	if c.Revision > r.from.Revision {
		return r.dir.Apply(c, emails)
	}
	return r.meets()
}

// narrow takes away what memory did.
func (r *journalReader) narrow(kind byte, in input) error {
	var until uint64
	if kind == entryDoubt {
		if until = in.number(); until == 0 {
			return errEntry
		}
	}
	facts, emails, err := in.records()
	if err == nil && len(emails) > 0 {
		err = errEntry
	}
	if err == nil && r.at.Revision >= r.from.Revision {
		r.dir.Doubt(facts, until) // zero: for good
	}
	return err
}

// records reads the facts and e-mails that fill the rest.
func (in *input) records() (facts []ostiary.Fact, emails map[ostiary.ID]string, err error) {
	for len(in.rest) > 0 && !in.bad {
		record := in.take(int(min(in.number(), uint64(len(in.rest))+1)))
		if len(record) == 0 {
			return nil, nil, errRecord
		}
		if record[0] == kindEmail {
			user, email, err := readEmail(record)
			if err != nil {
				return nil, nil, err
			}
			if emails == nil {
				emails = map[ostiary.ID]string{}
			}
			emails[user] = email
			continue
		}
		f, err := new(room).read(record)
		if err != nil {
			return nil, nil, err
		}
		facts = append(facts, f)
	}
	return facts, emails, in.end()
}
