package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"ostiary"
)

// A mark is a small file that says how far the log has been acknowledged. A database that is put
// back in time is known by it. Two slots are written by turns, so that a torn write spoils the
// older one only.
type mark struct {
	file  *os.File
	seq   uint64 // of the last write
	epoch uint64 // of the log
}

// A marked head is what a mark says.
type marked struct {
	ostiary.Head
	epoch uint64
	seq   uint64 // of the write; zero: there was none
}

// errUnsynced says that something written may never reach the disk. The system tells it only once.
var errUnsynced = errors.New("the disk failed; restart the server")

const (
	markMagic = "ostmark1"
	slotSize  = 512 // a disk's sector: one write never touches both slots
	slotUsed  = 8 + 8 + 8 + 32 + 4

	// The epoch stands behind the rest, with a checksum of its own: a program that knows of none leaves it.
	epochUsed = 8 + 4
)

func markPath(dir string, o Options) string {
	if o.Mark != "" {
		return o.Mark
	}
	return filepath.Join(dir, "mark")
}

// readMark gives what a mark says. Where there is none, or it was never finished, it is ErrNotExist.
func readMark(path string) (seen marked, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return seen, err
	}
	written, epoch := false, uint64(1)
	for n := range 2 {
		slot := make([]byte, slotSize)
		copy(slot, text[min(n*slotSize, len(text)):])
		for _, b := range slot {
			written = written || b != 0
		}
		epoch = max(epoch, readSlotEpoch(slot))
		if s, ok := readSlot(slot); ok && s.seq > seen.seq {
			seen = s
		}
	}
	switch {
	case seen.seq > 0:
		seen.epoch = epoch
		return seen, nil
	case written:
		return seen, fmt.Errorf("the mark %s cannot be read; move it away to begin a new one", path)
	}
	return seen, fmt.Errorf("the mark %s is empty: %w", path, fs.ErrNotExist)
}

// openMark opens the mark for writing, and makes the file if it must.
func openMark(path string, seq uint64) (*mark, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	m := &mark{file: f, seq: seq}
	// Its full length at once: a write within it need not change the file's size.
	if info, err := f.Stat(); err != nil || info.Size() < 2*slotSize {
		if err := errors.Join(err, f.Truncate(2*slotSize), f.Sync(), syncDir(filepath.Dir(path))); err != nil {
			f.Close()
			return nil, err
		}
	}
	return m, nil
}

// write returns once the mark is on the disk. After an error it writes the other slot again.
func (m *mark) write(h ostiary.Head) error {
	seq := m.seq + 1
	slot := make([]byte, slotUsed+epochUsed)
	n := copy(slot, markMagic)
	binary.BigEndian.PutUint64(slot[n:], seq)
	binary.BigEndian.PutUint64(slot[n+8:], h.Revision)
	n += 16 + copy(slot[n+16:], h.Chain[:])
	binary.BigEndian.PutUint32(slot[n:], crc32.ChecksumIEEE(slot[:n]))
	behind := slot[slotUsed:]
	binary.BigEndian.PutUint64(behind, m.epoch)
	binary.BigEndian.PutUint32(behind[8:], crc32.ChecksumIEEE(behind[:8]))
	if _, err := m.file.WriteAt(slot, int64(seq%2)*slotSize); err != nil {
		return err
	}
	if err := syncData(m.file); err != nil {
		return fmt.Errorf("%w: %w", errUnsynced, err)
	}
	m.seq = seq
	return nil
}

func readSlot(slot []byte) (seen marked, ok bool) {
	n := len(markMagic)
	sum := slotUsed - 4
	if string(slot[:n]) != markMagic || binary.BigEndian.Uint32(slot[sum:]) != crc32.ChecksumIEEE(slot[:sum]) {
		return seen, false
	}
	seen.seq = binary.BigEndian.Uint64(slot[n:])
	seen.Revision = binary.BigEndian.Uint64(slot[n+8:])
	copy(seen.Chain[:], slot[n+16:])
	return seen, true
}

// readSlotEpoch is 0 where none was written.
func readSlotEpoch(slot []byte) uint64 {
	behind := slot[slotUsed:]
	if binary.BigEndian.Uint32(behind[8:]) != crc32.ChecksumIEEE(behind[:8]) {
		return 0
	}
	return binary.BigEndian.Uint64(behind)
}

func (m *mark) close() error { return m.file.Close() }

// retired is a file of the hashes of every secret whose token was retired. It is only ever added
// to: what stands in it is retired for good, also in a database that is put back in time.
type retired struct {
	file    *os.File
	size    int64
	waiting []ostiary.Hash // not on the disk yet
	fresh   bool           // there was no file
}

const retiredSize = len(ostiary.Hash{}) + 4 // a hash and its CRC-32

func openRetired(path string) (*retired, error) {
	fresh := !exists(path)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	// A torn record at the end was never acknowledged, and is written over.
	return &retired{file: f, size: info.Size() - info.Size()%int64(retiredSize), fresh: fresh}, nil
}

// add returns once the hashes are on the disk. After an error the next add writes them again.
func (r *retired) add(hashes []ostiary.Hash) error {
	r.waiting = append(r.waiting, hashes...)
	if len(r.waiting) == 0 {
		return nil
	}
	var text []byte
	for _, h := range r.waiting {
		text = append(text, h[:]...)
		text = binary.BigEndian.AppendUint32(text, crc32.ChecksumIEEE(h[:]))
	}
	if _, err := r.file.WriteAt(text, r.size); err != nil {
		return err
	}
	if err := syncData(r.file); err != nil {
		return fmt.Errorf("%w: %w", errUnsynced, err)
	}
	r.size += int64(len(text))
	r.waiting = nil
	return nil
}

// learn adds the hashes that are not on the list.
func (r *retired) learn(hashes []ostiary.Hash) error {
	known, err := r.all()
	if err != nil {
		return err
	}
	return r.add(slices.DeleteFunc(hashes, func(h ostiary.Hash) bool { return known[h] }))
}

// all gives every hash. A record that was spoilt is left out.
func (r *retired) all() (map[ostiary.Hash]bool, error) {
	text, err := io.ReadAll(io.NewSectionReader(r.file, 0, r.size))
	if err != nil {
		return nil, err
	}
	out := make(map[ostiary.Hash]bool, len(text)/retiredSize)
	for ; len(text) >= retiredSize; text = text[retiredSize:] {
		h := ostiary.Hash(text[:len(ostiary.Hash{})])
		if binary.BigEndian.Uint32(text[len(h):]) == crc32.ChecksumIEEE(h[:]) {
			out[h] = true
		}
	}
	return out, nil
}

func (r *retired) close() error { return r.file.Close() }
