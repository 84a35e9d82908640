package pgtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A Disk is a small one, in memory, that a test can fill.
type Disk struct{ dir string }

// NewDisk makes a folder, and mounts a disk of a size ("64m") on it until the test ends. The test is skipped
// where that is not allowed, and fails with CI=true.
func NewDisk(t testing.TB, dir, size string) *Disk {
	t.Helper()
	err := os.Mkdir(dir, 0o700)
	if err != nil {
		t.Fatal(err)
	}
	d, err := newDisk(dir, size, "")
	if err != nil {
		needs(t, err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	return d
}

func newDisk(dir, size, options string) (*Disk, error) {
	if err := syscall.Mount("none", dir, "tmpfs", 0, "mode=700,size="+size+options); err != nil {
		return nil, fmt.Errorf("a disk of a certain size takes root and Linux: %w", err)
	}
	return &Disk{dir}, nil
}

// needs skips a test for want of something, and fails it with CI=true.
func needs(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	t.Skip(err)
}

func (d *Disk) ballast() string { return filepath.Join(d.dir, "ballast") }

// Fill leaves no room at all.
func (d *Disk) Fill(t testing.TB) {
	t.Helper()
	f, err := os.OpenFile(d.ballast(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 64<<10); err == nil; {
		_, err = f.Write(block) // the last one is written in part
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("pgtest: filling a disk: %v", err)
	}
}

// Free gives back the room that Fill took.
func (d *Disk) Free(t testing.TB) {
	t.Helper()
	if err := os.Remove(d.ballast()); err != nil {
		t.Fatal(err)
	}
}

// StartOnDisks starts a cluster like Start, with its data on a disk of a size of its own, and its write-ahead
// log on another one.
func StartOnDisks(t testing.TB, data, log string, settings ...string) (c *Cluster, dataDisk, logDisk *Disk) {
	t.Helper()
	need(t)
	c, err := newCluster()
	if err == nil {
		t.Cleanup(c.remove)
		dataDisk, logDisk, err = c.disks(data, log)
		if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS) {
			needs(t, err)
		}
	}
	if err == nil {
		err = c.init(settings, "--wal-segsize", "1", "--waldir", logDisk.dir)
	}
	if err == nil {
		err = c.launch()
	}
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	return c, dataDisk, logDisk
}

func (c *Cluster) disks(data, log string) (dataDisk, logDisk *Disk, err error) {
	options := ""
	if c.owner != nil {
		options = fmt.Sprintf(",uid=%d,gid=%d", c.owner.Uid, c.owner.Gid)
	}
	for _, dir := range []string{c.data(), c.logDir()} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return nil, nil, err
		}
	}
	if dataDisk, err = newDisk(c.data(), data, options); err == nil {
		logDisk, err = newDisk(c.logDir(), log, options)
	}
	return dataDisk, logDisk, err
}

// logDir is where the write-ahead log lies, if that has a disk of its own.
func (c *Cluster) logDir() string { return filepath.Join(c.dir, "wal") }
