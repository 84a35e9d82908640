package feed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"sync"
	"time"

	"ostiary"
)

const (
	// shareFor is how long a copy is given to whoever comes, and not written anew.
	shareFor = 10 * time.Second
	// mostCopies is how many lie on the disk. Whoever still reads the oldest then is cut off.
	mostCopies = 8
)

// copies are whole copies of memory. Each is written into a file at the disk's pace, once for all who wait for one,
// and each of these reads it at its own: nobody who reads slowly holds up memory, or others.
type copies struct {
	source Source
	ring   *Ring
	folder string // empty: the system's
	ends   context.Context

	mu  sync.Mutex
	all []*written // that somebody may read, the oldest first
}

// A written copy is a file without a name: nothing of it is left when the process ends.
type written struct {
	done chan struct{} // closed once it is written, or was given up; then the rest may be read
	file *os.File
	size int64
	head ostiary.Head
	err  error
	on   time.Time

	readers int // guarded by the copies' mu; who may share it counts as one
}

// take gives a copy that is written now, or was just now and is not older than a revision. give ends it.
func (c *copies) take(least uint64) *written {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.all) > 0 {
		last := c.all[len(c.all)-1]
		if c.shared(last, least) {
			last.readers++
			return last
		}
	}
	if len(c.all) == mostCopies {
		c.drop(c.all[0])
	}
	w := &written{done: make(chan struct{}), readers: 2}
	c.all = append(c.all, w)
	go c.write(w)
	return w
}

func (c *copies) shared(w *written, least uint64) bool {
	select {
	case <-w.done:
	default:
		return true
	}
	if w.err != nil || w.head.Revision < least || time.Since(w.on) > shareFor {
		return false
	}
	_, held := c.ring.after(w.head, 0)
	return held
}

// give says that somebody reads it no more.
func (c *copies) give(w *written) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w.readers--; w.readers == 0 {
		c.drop(w)
	}
}

// drop frees a copy's room on the disk. Reading it fails from now on. Who writes it drops it once more.
func (c *copies) drop(w *written) {
	c.all = slices.DeleteFunc(c.all, func(o *written) bool { return o == w })
	if w.file != nil {
		w.file.Close()
	}
}

func (c *copies) write(w *written) {
	file, err := unnamed(c.folder)
	if err == nil {
		w.head, err = c.source.Stream(c.ends, file)
	}
	if err == nil {
		w.size, err = file.Seek(0, io.SeekCurrent)
	}
	c.mu.Lock()
	w.file, w.on, w.err = file, time.Now(), err
	if !slices.Contains(c.all, w) {
		w.err = errors.Join(err, errors.New("newer copies are waited for"))
		c.drop(w)
	}
	c.mu.Unlock()
	close(w.done)
	time.AfterFunc(shareFor, func() { c.give(w) })
}

// unnamed makes a file that goes with its last reader.
func unnamed(folder string) (*os.File, error) {
	file, err := os.CreateTemp(folder, "copy-*.part")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// slowest is what a follower must take in a second, on the whole, of a copy that is sent to it.
const slowest = 256 << 10

// transferWithin is how long a follower may take for a copy.
func transferWithin(size int64) time.Duration {
	return time.Minute + time.Duration(size/slowest)*time.Second
}

// whole sends everything. While the follower waits for that it hears each second that this server is there.
// One whose memory was wrong is given a copy that was made since: this server's may have been wrong too.
func (s *stream) whole(anew bool) error {
	least := s.at.Revision
	if anew {
		least = math.MaxUint64
	}
	w := s.copies.take(least)
	defer s.copies.give(w)
	still := time.NewTicker(time.Second)
	defer still.Stop()
	for waiting := true; waiting; {
		select {
		case <-w.done:
			waiting = false
		case <-still.C:
			if err := s.known(); err != nil {
				return err
			}
			if err := s.send(kindStill, nil); err != nil {
				return err
			}
		case <-s.ctx.Done():
			return context.Cause(s.ctx)
		}
	}
	if w.err != nil {
		return fmt.Errorf("writing a copy: %w", w.err)
	}
	if err := s.sendFile(w); err != nil {
		return fmt.Errorf("sending everything: %w", err)
	}
	s.at = w.head
	s.sends(s.at.Revision, s.at.Revision)
	return s.send(kindCopy, nil)
}

func (s *stream) sendFile(w *written) error {
	end := time.Now().Add(s.transfer(w.size))
	piece := make([]byte, 64<<10)
	for at := int64(0); at < w.size; {
		n, err := w.file.ReadAt(piece[:min(int64(len(piece)), w.size-at)], at)
		if err != nil && (err != io.EOF || n == 0) {
			return err
		}
		at += int64(n)
		if err := s.known(); err != nil {
			return err
		}
		if err := s.put(kindCopy, piece[:n]); err != nil {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("the follower has read %d bytes of %d in %v", at, w.size, s.transfer(w.size))
		}
	}
	return nil
}
