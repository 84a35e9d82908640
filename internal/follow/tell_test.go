package follow_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ostiary/internal/directory"
	"ostiary/internal/follow"
)

func TestAnAlarmIsToldAtOnceAndEveryMinute(t *testing.T) {
	t.Parallel()
	var d follow.Due
	told := ""
	for second := range 200 {
		now := time.Duration(second) * time.Second
		tell, over := d.Due(second >= 10 && second < 140 || second == 150, now)
		if tell {
			told += " told at " + now.String()
		}
		if over {
			told += " over at " + now.String()
		}
	}
	if want := " told at 10s told at 1m10s told at 2m10s over at 2m20s told at 2m30s over at 2m31s"; told != want {
		t.Errorf("got%s, want%s", told, want)
	}
}

func TestATroubleIsToldWhileItLasts(t *testing.T) {
	t.Parallel()
	said := &lines{}
	var well atomic.Bool
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		follow.Tell(ctx, slog.New(slog.NewTextHandler(said, nil)), follow.Trouble{
			Is: func() error {
				if well.Load() {
					return nil
				}
				return errors.New("the reason")
			},
			Says: "it is wrong", Over: "it is over",
		})
	})
	eventually(t, "it is told", func() bool { return said.count(`level=ERROR msg="it is wrong" error="the reason"`) == 1 })
	well.Store(true)
	eventually(t, "it is said to be over", func() bool { return said.count(`level=INFO msg="it is over"`) == 1 })
	stop()
	running.Wait()
}

// A node that goes on says how far behind it is; one that does not go on needs no alarm of this kind.
func TestOnlyANodeThatGoesOnIsOverdue(t *testing.T) {
	t.Parallel()
	for limit, want := range map[time.Duration]string{
		time.Minute: "", follow.Forever: "1m1s behind, and the lease is 1m0s",
	} {
		w, clock := shared(t, limit)
		w.look()
		clock.forward(time.Minute)
		if err := w.follow.Overdue(time.Minute); err != nil {
			t.Errorf("within the lease: %v", err)
		}
		clock.forward(time.Second)
		err := w.follow.Overdue(time.Minute)
		if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("beyond the lease: %v, want %q", err, want)
		}
		w.look()
		if err := w.follow.Overdue(time.Minute); err != nil {
			t.Errorf("level again: %v", err)
		}
	}
	never := follow.NewShared(nil, directory.New(), follow.Forever, nil, slog.New(slog.DiscardHandler))
	if err := never.Overdue(time.Minute); err == nil || !strings.Contains(err.Error(), "nobody knows") {
		t.Errorf("memory of unknown age: %v", err)
	}
}
