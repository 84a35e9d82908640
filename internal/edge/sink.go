package edge

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"ostiary"
	"ostiary/internal/directory"
	"ostiary/internal/feed"
)

// A sink is memory as the feed fills it.
type sink struct{ e *Edge }

func (s sink) Head() ostiary.Head { return s.e.Directory.Head() }

func (s sink) Holds() ostiary.Digests { return s.e.Directory.Holds() }

func (s sink) Apply(c ostiary.Change, emails map[ostiary.ID]string) error {
	if err := s.e.memory.Apply(c, emails); err != nil {
		return err
	}
	return s.e.ring.Add(c, emails)
}

// mostCopy bounds what a server can put on this disk: about 150 million tokens.
const mostCopy = 16 << 30

// Fill takes a whole copy. It comes by way of a file, so that half of one is never believed. The file has no name:
// it holds hashes of secrets and e-mails, and nothing of it stays, however this process ends.
func (s sink) Fill(r io.Reader, why feed.Fill) error {
	f, err := os.CreateTemp(s.e.opt.Data, part)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := os.Remove(f.Name()); err != nil {
		return err
	}
	if err := receive(f, r, mostCopy); err != nil {
		return fmt.Errorf("receiving a copy: %w", err)
	}
	copied, _, err := directory.CopyFrom(f)
	if err != nil {
		return err
	}
	if why == feed.Wrong {
		copied.KeepNarrowed(s.e.Directory)
	} else {
		copied.KeepTaken(s.e.Directory, why == feed.OtherLog)
	}
	copied.SetReady(true)
	return s.e.become(copied)
}

// receive writes what comes, if that is not more than most.
func receive(w io.Writer, r io.Reader, most int64) error {
	n, err := io.Copy(w, io.LimitReader(r, most+1))
	if err == nil && n > most {
		err = fmt.Errorf("it is larger than %d bytes", most)
	}
	return err
}

// part is how the file is called for the moment that it has a name.
const part = "memory-*.part"

// removeParts removes what earlier versions left, or a process that was killed in that moment.
func removeParts(folder string) error {
	entries, err := os.ReadDir(folder)
	for _, e := range entries {
		if is, _ := filepath.Match(part, e.Name()); is {
			err = errors.Join(err, os.Remove(filepath.Join(folder, e.Name())))
		}
	}
	return err
}
