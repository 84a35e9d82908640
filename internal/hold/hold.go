// Package hold keeps a data folder to one process.
package hold

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// ErrInUse says that another process holds a folder.
var ErrInUse = errors.New("the folder is in use")

// InUse is ErrInUse, and says by whom.
type InUse struct{ Dir, Process string }

func (e *InUse) Error() string { return ErrInUse.Error() + ": " + e.Held() }
func (e *InUse) Unwrap() error { return ErrInUse }

// Held says by whom, and what to do.
func (e *InUse) Held() string {
	return fmt.Sprintf("%s is held by process %s; stop that one, or choose another folder", e.Dir, e.Process)
}

// A Lock keeps a second process out of a folder. The system lets go of it when the process ends.
type Lock struct{ file *os.File }

// Folder takes the lock of a folder.
func Folder(dir string) (*Lock, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the folder: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		holder, _ := io.ReadAll(io.LimitReader(f, 20))
		f.Close()
		return nil, &InUse{dir, strings.TrimSpace(string(holder))}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("locking the folder: %w", err)
	}
	// The number is for people: the lock holds without it.
	if f.Truncate(0) == nil {
		fmt.Fprintln(f, os.Getpid())
	}
	return &Lock{f}, nil
}

// Release lets others in.
func (l *Lock) Release() error { return l.file.Close() }
