package directory

import (
	"encoding/binary"
	"hash/crc32"
	"os"

	"ostiary"
)

// A journal is a file beside the local copy. Every change stands in it before memory holds it, so before anybody
// is told; and so does what memory narrowed. It is not synced: kill -9 leaves what was written, and after a loss
// of power the copy is from another boot, by which nobody decides.
//
//	"ostlog" "1", revision, chain, checksum                   what the first change follows
//	length, checksum of that, entry, checksum of that         one after the other
//
// The checksums are over the chain before, too: an entry fits only where it was written.
type journal struct {
	file          *os.File
	size          int64 // of all that is whole in it
	begins        int64 // where the first entry does
	entry, record []byte
}

const (
	journalMagic = "ostlog1"
	journalHead  = len(journalMagic) + 8 + 32 + 4
	entryHead    = 8 // the length and its checksum, before an entry
	entryTail    = 4 // its checksum, behind it

	entryChange   byte = 'c' // revision, chain, facts, e-mails
	entryRestrict byte = 'r' // facts
	entryDoubt    byte = 'd' // the revision at which the log tells, facts

	maxJournal = 256 << 20 // bytes; a copy that cannot be made anew for so long is given up
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is of a text that was written behind a chain.
func checksum(chain ostiary.Hash, text []byte) uint32 {
	return crc32.Update(crc32.Checksum(chain[:], castagnoli), castagnoli, text)
}

func journalPath(path string) string { return path + ".log" }

// newJournal makes an empty one, whose first change follows a head.
func newJournal(path string, at ostiary.Head) (*journal, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	j := &journal{file: f}
	b := binary.LittleEndian.AppendUint64([]byte(journalMagic), at.Revision)
	b = append(b, at.Chain[:]...)
	if err := j.write(binary.LittleEndian.AppendUint32(b, checksum(ostiary.Hash{}, b))); err != nil {
		f.Close()
		return nil, err
	}
	j.begins = j.size
	return j, nil
}

func (j *journal) write(text []byte) error {
	n, err := j.file.Write(text)
	j.size += int64(n)
	return err
}

// change writes a change down that follows a chain.
func (j *journal) change(before ostiary.Hash, c ostiary.Change, emails map[ostiary.ID]string) error {
	b := binary.AppendUvarint(append(j.begin(), entryChange), c.Revision)
	b = j.facts(append(b, c.Chain[:]...), c.Facts)
	for id, email := range emails {
		j.record = appendEmail(j.record[:0], id, email)
		b = appendFrame(b, j.record)
	}
	return j.end(before, b)
}

// narrow writes down what was narrowed where a chain stands, until a revision; for good where that is zero.
func (j *journal) narrow(at ostiary.Hash, facts []ostiary.Fact, until uint64) error {
	if until == 0 {
		return j.end(at, j.facts(append(j.begin(), entryRestrict), facts))
	}
	return j.end(at, j.facts(binary.AppendUvarint(append(j.begin(), entryDoubt), until), facts))
}

func (j *journal) facts(b []byte, facts []ostiary.Fact) []byte {
	for _, f := range facts {
		j.record = appendFact(j.record[:0], f)
		b = appendFrame(b, j.record)
	}
	return b
}

// begin is an entry that has room for its length.
func (j *journal) begin() []byte { return append(j.entry[:0], make([]byte, entryHead)...) }

// end writes an entry, all of it at once.
func (j *journal) end(chain ostiary.Hash, b []byte) error {
	binary.LittleEndian.PutUint32(b, uint32(len(b)-entryHead))
	binary.LittleEndian.PutUint32(b[4:], checksum(chain, b[:4]))
	j.entry = binary.LittleEndian.AppendUint32(b, checksum(chain, b[entryHead:]))
	if j.size+int64(len(j.entry)) > maxJournal {
		return errLong
	}
	return j.write(j.entry)
}
