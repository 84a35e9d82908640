package follow

import (
	"context"
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
func (f *Follower) Stale(lease time.Duration) Trouble {
	return Trouble{
		Is:   func() error { return f.Overdue(lease) },
		Says: "decisions are made beyond the lease, as --serve-stale wants it: retirements elsewhere may be missing",
		Over: "decisions are made within the lease again",
	}
}

// Overdue is that decisions are made now that another node would not make, with that lease; nil while none are.
func (f *Follower) Overdue(lease time.Duration) error {
	if f.lease.limit != Forever {
		return nil
	}
	if f.lease.since.Load() == never {
		return fmt.Errorf("nobody knows how old memory is, and the lease is %v", lease)
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
