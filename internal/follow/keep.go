package follow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"ostiary"
)

// A Copied is memory that can be written into a file.
type Copied interface {
	Head() ostiary.Head
	// WriteFile writes all of it, and gives the head that the file stands at. The file appears whole or not
	// at all. It says of itself from which boot it is, and when memory was last known to be all of the log.
	// What changes later is written down behind it.
	WriteFile(ctx context.Context, path, boot string, asOf time.Duration) (ostiary.Head, error)
	// Kept says whether the file, with what is written down behind it, holds all that memory does; and what
	// went wrong, where it does not because of that.
	Kept() (all bool, err error)
}

// A Keeper keeps a local copy of memory, and beside it a stamp that says when memory was last known to be all
// of the log. So a node can begin without the database, within the lease that it had.
type Keeper struct {
	path   string
	memory Copied
	lease  *lease
	log    *slog.Logger
	boot   string

	kept   ostiary.Head // that the file holds
	took   time.Duration
	last   time.Duration // when it was written, on the lease's clock
	failed string        // what was last told
}

// A stamp is what is known of memory that held the log up to a head.
type stamp struct {
	Boot  string        `json:"boot"`
	Head  ostiary.Head  `json:"head"`
	AsOf  time.Duration `json:"as_of"` // on the clock of that boot
	Spoke time.Duration `json:"spoke"` // when the other nodes last heard of this one
	Lease time.Duration `json:"lease"` // that they heard of
}

// NewKeeper makes it. What the file holds already is given where memory was opened from it.
func NewKeeper(path string, memory Copied, f *Follower, holds ostiary.Head, l *slog.Logger) *Keeper {
	return &Keeper{path: path, memory: memory, lease: f.lease, log: l, boot: Boot(), kept: holds}
}

const (
	stampEvery = time.Second
	// copyEvery is the least time between two copies; it grows with the time that one takes.
	copyEvery  = 5 * time.Second
	copyEffort = 20
)

// Run keeps the copy until ctx ends, and writes it a last time.
func (k *Keeper) Run(ctx context.Context) {
	tick := time.NewTicker(stampEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
			k.keep(ctx, max(copyEvery, copyEffort*k.took))
		}
	}
	k.keep(context.WithoutCancel(ctx), 0)
}

// keep writes the copy if memory has changed and enough time has passed, and the stamp.
func (k *Keeper) keep(ctx context.Context, pause time.Duration) {
	asOf := time.Duration(k.lease.since.Load()) // first: whatever memory holds later has all of that
	if asOf < 0 {
		return // memory was never all of the log
	}
	all, err := k.memory.Kept()
	if !all {
		k.kept = ostiary.Head{}
	}
	now := k.lease.clock()
	if k.memory.Head() != k.kept && (k.last == 0 || now-k.last >= pause) {
		k.kept, err = k.memory.WriteFile(ctx, k.path, k.boot, asOf)
		k.last, k.took = k.lease.clock(), k.lease.clock()-now
	}
	head := k.memory.Head() // before it is asked whether all of that is kept
	if all, _ := k.memory.Kept(); all {
		err = errors.Join(err, k.stamp(head, asOf))
	}
	k.tell(err)
}

// stamp says that what memory holds was all of the log at a moment. It need not be on the disk: after a
// loss of power its boot is over, and it says nothing.
func (k *Keeper) stamp(head ostiary.Head, asOf time.Duration) error {
	text, err := json.Marshal(stamp{k.boot, head, asOf, time.Duration(k.lease.word.Load()), k.lease.limit})
	if err != nil {
		return err
	}
	fresh := stampPath(k.path) + ".new"
	if err := os.WriteFile(fresh, text, 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, stampPath(k.path))
}

func stampPath(path string) string { return path + ".stamp" }

func (k *Keeper) tell(err error) {
	if err == nil {
		k.failed = ""
		return
	}
	if k.failed != err.Error() {
		k.failed = err.Error()
		k.log.Warn("the local copy cannot be written; without the database this node would not start", "error", err)
	}
}

// An Opened is memory that was opened from a local copy.
type Opened interface {
	HeldAt(revision uint64) (ostiary.Digests, bool)
	Lessened() bool // it is less than the log for good
}

// Resume renews the lease of a follower whose memory was opened from a local copy: to when that, or what it
// went through as it was opened, was known to be all of the log, if that was in this boot. Others count on no more
// than the lease that they heard of, from when they last heard. It gives an error where the lease is over.
func (f *Follower) Resume(path string, memory Opened, boot string, asOf time.Duration) error {
	f.lessened.Store(memory.Lessened())
	if boot == "" || boot != Boot() {
		return errors.New("the local copy is from before this boot of the machine, or by another clock of it, so that " +
			"nobody knows how old it is")
	}
	spoke := time.Duration(never)
	s, err := readStamp(path)
	if err == nil && s.Boot == boot {
		spoke = s.Spoke
		if wentThrough(memory, s.Head) {
			asOf = s.AsOf
		}
		if limit := f.lease.limit; limit != Forever && s.Lease < limit {
			asOf, spoke = asOf-(limit-s.Lease), max(never, spoke-(limit-s.Lease))
		}
	}
	if asOf > f.lease.clock() {
		return errors.New("the local copy is from later than now, so that nobody knows how old it is")
	}
	f.lease.renew(asOf)
	if f.lease.word.Load() != always {
		f.lease.word.Store(int64(spoke)) // the next word is a first one: this node may be taken for one that has stopped
	}
	if age, limit := f.lease.left(); age > limit {
		return fmt.Errorf("the local copy is %v old, and the lease is %v", age.Round(time.Second), limit)
	}
	return nil
}

// wentThrough says whether memory held what a head names.
func wentThrough(memory Opened, head ostiary.Head) bool {
	held, found := memory.HeldAt(head.Revision)
	return found && held.Head == head
}

func readStamp(path string) (s stamp, err error) {
	text, err := os.ReadFile(stampPath(path))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return s, err
	}
	return s, json.Unmarshal(text, &s)
}
