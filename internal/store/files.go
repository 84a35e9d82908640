package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"ostiary/internal/hold"
)

func makeDir(dir string) error { return os.MkdirAll(dir, 0o700) }

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

const toDo = "run ostiary init to make a new one, or ostiary restore to bring back a backup"

// needFile refuses a database that is missing or empty: SQLite would make a new one of it.
func needFile(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s is not there; %s", ErrMissing, path, toDo)
	}
	if err != nil {
		return fmt.Errorf("opening the database: %w", err)
	}
	if info.Size() == 0 {
		return fmt.Errorf("%w: %s is empty; %s", ErrMissing, path, toDo)
	}
	return nil
}

// checkFile refuses what is no database of ours as well. It must not run while SQLite has the file
// open: closing a file takes away the locks that the process holds on it.
func checkFile(path string) error {
	if err := needFile(path); err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("opening the database: %w", err)
	}
	defer f.Close()
	var header [100]byte
	n, err := io.ReadFull(f, header[:])
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("reading the database: %w", err)
	}
	if n < len(header) || !strings.HasPrefix(string(header[:]), "SQLite format 3\x00") {
		return fmt.Errorf("%s is not a database; move it away, then %s", path, toDo)
	}
	if binary.BigEndian.Uint32(header[68:]) != applicationID {
		return fmt.Errorf("%s is the database of another program; choose another folder", path)
	}
	return nil
}

// lockDir keeps a second server out of a folder.
func lockDir(dir string) (*hold.Lock, error) {
	l, err := hold.Folder(dir)
	var busy *hold.InUse
	if errors.As(err, &busy) {
		return nil, fmt.Errorf("%w: %s", ErrInUse, busy.Held())
	}
	return l, err
}

// syncDir makes the names in a folder last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// setLogAside renames the write-ahead log that a deleted database left: SQLite would take it for that of
// the database which comes in its place, and mix the two. Its index goes.
func setLogAside(place string) error {
	if log := place + "-wal"; exists(log) {
		if err := os.Rename(log, freeName(place+".lost-wal")); err != nil {
			return err
		}
	}
	if err := os.Remove(place + "-shm"); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// freeName is the first name of the form base-N that is not taken.
func freeName(base string) string {
	for n := 1; ; n++ {
		name := fmt.Sprintf("%s-%d", base, n)
		if !exists(name) {
			return name
		}
	}
}
