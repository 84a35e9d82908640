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
	file *os.File
	seq  uint64 // of the last write
}

// errUnsynced says that something written may never reach the disk. The system tells it only once.
var errUnsynced = errors.New("the disk failed; restart the server")

const (
	markMagic = "ostmark1"
	slotSize  = 512 // a disk's sector: one write never touches both slots
	slotUsed  = 8 + 8 + 8 + 32 + 4
)

func markPath(dir string, o Options) string {
	if o.Mark != "" {
		return o.Mark
	}
	return filepath.Join(dir, "mark")
}

// readMark gives what a mark says. Where there is none, or it was never finished, it is ErrNotExist.
func readMark(path string) (head ostiary.Head, seq uint64, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return head, 0, err
	}
	written := false
	for n := range 2 {
		slot := make([]byte, slotSize)
		copy(slot, text[min(n*slotSize, len(text)):])
		for _, b := range slot {
			written = written || b != 0
		}
		if h, s, ok := readSlot(slot); ok && s > seq {
			head, seq = h, s
		}
	}
	switch {
	case seq > 0:
		return head, seq, nil
	case written:
		return head, 0, fmt.Errorf("the mark %s cannot be read; move it away to begin a new one", path)
	}
	return head, 0, fmt.Errorf("the mark %s is empty: %w", path, fs.ErrNotExist)
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
	slot := make([]byte, slotUsed)
	n := copy(slot, markMagic)
	binary.BigEndian.PutUint64(slot[n:], seq)
	binary.BigEndian.PutUint64(slot[n+8:], h.Revision)
	n += 16 + copy(slot[n+16:], h.Chain[:])
	binary.BigEndian.PutUint32(slot[n:], crc32.ChecksumIEEE(slot[:n]))
	if _, err := m.file.WriteAt(slot, int64(seq%2)*slotSize); err != nil {
		return err
	}
	if err := syncData(m.file); err != nil {
		return fmt.Errorf("%w: %w", errUnsynced, err)
	}
	m.seq = seq
	return nil
}

func readSlot(slot []byte) (h ostiary.Head, seq uint64, ok bool) {
	n := len(markMagic)
	sum := slotUsed - 4
	if string(slot[:n]) != markMagic || binary.BigEndian.Uint32(slot[sum:]) != crc32.ChecksumIEEE(slot[:sum]) {
		return h, 0, false
	}
	seq = binary.BigEndian.Uint64(slot[n:])
	h.Revision = binary.BigEndian.Uint64(slot[n+8:])
	copy(h.Chain[:], slot[n+16:])
	return h, seq, true
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
