package directory_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ostiary"
	"ostiary/internal/directory"
)

func TestWaitReturnsWithTheRevision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := told(t)
		if err := d.Wait(t.Context(), 1); err != nil {
			t.Errorf("for a revision that is there: %v", err)
		}
		done := make(chan error)
		go func() { done <- d.Wait(t.Context(), 3) }()
		synctest.Wait()
		apply(t, d, nil)
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("returned at revision %d: %v", d.Revision(), err)
		default:
		}
		apply(t, d, nil)
		if err := <-done; err != nil {
			t.Errorf("at its revision: %v", err)
		}
	})
}

func TestWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := told(t)
		began := time.Now()
		ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer stop()
		if err := d.Wait(ctx, 2); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's error", err)
		}
		if took := time.Since(began); took != 100*time.Millisecond {
			t.Errorf("took %v, want 100ms", took)
		}
	})
}

func TestTheSixtyFifthWaiterIsTurnedAwayAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := told(t)
		var waiters sync.WaitGroup
		for range 64 {
			waiters.Go(func() {
				if err := d.Wait(t.Context(), 2); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		began := time.Now()
		if err := d.Wait(t.Context(), 2); !errors.Is(err, directory.ErrBusy) || time.Since(began) != 0 {
			t.Errorf("got %v after %v, want ErrBusy at once", err, time.Since(began))
		}
		if err := d.Wait(t.Context(), 1); err != nil {
			t.Errorf("for a revision that is there: %v", err)
		}
		apply(t, d, nil)
		waiters.Wait()

		// The places are free again, those of callers who gave up too.
		for range 100 {
			ctx, stop := context.WithTimeout(t.Context(), time.Millisecond)
			if err := d.Wait(ctx, 3); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want a place to wait", err)
			}
			stop()
		}
	})
}

func TestALoadWakesWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := directory.New()
		done := make(chan error)
		go func() { done <- d.Wait(t.Context(), 7) }()
		synctest.Wait()
		records := newLedger()
		records.apply(ostiary.Change{Revision: 7, Facts: story}, nil)
		if err := d.Load(t.Context(), records); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestAnyNumberListensForTheNextChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := told(t)
		var listeners sync.WaitGroup
		for range 200 {
			listeners.Go(func() { <-d.Changed() })
		}
		synctest.Wait()
		apply(t, d, nil)
		listeners.Wait()
		select {
		case <-d.Changed():
			t.Error("a change is told that was before")
		default:
		}
		// Listeners take no place of those who wait.
		for range 100 {
			d.Changed()
		}
		if err := d.Wait(t.Context(), d.Revision()); err != nil {
			t.Error(err)
		}
	})
}
