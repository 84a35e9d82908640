package follow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// A Trouble is told while it lasts.
type Trouble struct {
	Is         func() error // nil: all is well
	Says, Over string
}

// Tell looks once a second until ctx ends. A trouble is told at once, again every minute while it lasts, and once
// when it is over.
func Tell(ctx context.Context, log *slog.Logger, all ...Trouble) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	alarms := make([]alarm, len(all))
	for {
		for i, t := range all {
			err := t.Is()
			tell, over := alarms[i].due(err != nil, Clock())
			switch {
			case tell:
				log.Error(t.Says, "error", err)
			case over:
				log.Info(t.Over)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Stale is the trouble of a node that goes on beyond its lease, because it was told to.
func Stale(is func() error) Trouble {
	return Trouble{
		Is:   is,
		Says: "decisions are made beyond the lease, as --serve-stale wants it: retirements elsewhere may be missing",
		Over: "decisions are made within the lease again",
	}
}

// ErrAge says that nobody knows how old memory is.
var ErrAge = errors.New("nobody knows how old memory is")

// Overdue is that memory is older than the lease, of a node that goes on all the same; nil while it is not.
func (f *Follower) Overdue(lease time.Duration) error {
	if f.lease.limit != Forever {
		return nil
	}
	if f.lease.since.Load() == never {
		return fmt.Errorf("%w, and the lease is %v", ErrAge, lease)
	}
	age := f.lease.age()
	if word := f.lease.word.Load(); word != never && word != always {
		age = max(age, f.lease.clock()-time.Duration(word))
	}
	if age <= lease {
		return nil
	}
	return fmt.Errorf("memory is %v behind, and the lease is %v", age.Round(time.Second), lease)
}
