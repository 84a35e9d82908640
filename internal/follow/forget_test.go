package follow_test

import (
	"errors"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/directory"
	"ostiary/internal/follow"
)

// refused demands a Conflict that says something.
func refused(t *testing.T, what string, err error, says string) {
	t.Helper()
	var r *ostiary.Refusal
	if !errors.As(err, &r) || r.Reason != ostiary.Conflict || !strings.Contains(r.Say, says) {
		t.Errorf("%s: got %v, want a conflict that says %q", what, err, says)
	}
}

func TestANodeThatMayStillDecideIsNotForgotten(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	quiet := slog.New(slog.DiscardHandler)
	reg := &brokenRegistry{Local: f.reg, quiet: time.Hour}
	dir := directory.New()
	fl := follow.NewSharedByClock(nil, dir, time.Minute, quiet, f.clock.now)
	n := follow.NewNodes(reg, ostiary.Node{ID: "a", Name: "a", Lease: time.Minute}, fl, dir, within, quiet)
	f.reg.PutNodes(t.Context(), ostiary.Node{ID: "b", Name: "b", Lease: time.Minute, Tail: 10 * time.Second},
		ostiary.Node{ID: "stopped", Name: "stopped", Lease: time.Minute, Stopped: true},
		ostiary.Node{ID: "stale", Name: "stale", Lease: time.Minute, Stale: true},
		ostiary.Node{ID: "for ever", Name: "for ever", Lease: math.MaxInt64, Tail: time.Minute})
	for _, id := range []string{"b", "stopped"} {
		refused(t, id, n.Forget(t.Context(), id, false), "may still decide, for ")
	}
	f.clock.forward(62 * time.Second)
	refused(t, "what b has let through lasts", n.Forget(t.Context(), "b", false), "for 9 seconds")
	if err := n.Forget(t.Context(), "stopped", false); err != nil {
		t.Error("a node that was stopped, after its lease:", err)
	}
	f.reg.PutNodes(t.Context(), ostiary.Node{ID: "b", Name: "b", Lease: time.Minute, Tail: 10 * time.Second}) // it is back
	f.clock.forward(9 * time.Second)
	refused(t, "b was heard of again, and only the list knows", n.Forget(t.Context(), "b", false), "for 71 seconds")
	f.clock.forward(71 * time.Second)
	if err := n.Forget(t.Context(), "b", false); err != nil {
		t.Error("a node whose lease is over:", err)
	}
	f.clock.forward(1000 * time.Hour)
	for id, says := range map[string]string{"stale": "its lease is never over", "for ever": "seconds from now"} {
		refused(t, id, n.Forget(t.Context(), id, false), says)
		if err := n.Forget(t.Context(), id, true); err != nil {
			t.Errorf("%s, by force: %v", id, err)
		}
	}
	if all, err := f.reg.Nodes(t.Context(), ostiary.Head{}); err != nil || len(all) != 0 {
		t.Errorf("on record are %v, %v", all, err)
	}
}

func TestANodeThatIsThereIsNotForgottenByForce(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "a", "b")
	refused(t, "b", f.nodes["a"].Forget(t.Context(), "b", true), "is still there")
}

func TestNobodyIsForgottenWhereTheListCannotBeRead(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	quiet := slog.New(slog.DiscardHandler)
	reg := &brokenRegistry{Local: f.reg, quiet: time.Hour}
	fl := follow.NewSharedByClock(nil, directory.New(), time.Minute, quiet, f.clock.now)
	n := follow.NewNodes(reg, ostiary.Node{ID: "a", Name: "a"}, fl, directory.New(), within, quiet)
	f.reg.PutNodes(t.Context(), ostiary.Node{ID: "b", Name: "b", Lease: time.Minute})
	reg.set(errAway)
	var r *ostiary.Refusal
	if err := n.Forget(t.Context(), "b", true); !errors.As(err, &r) || r.Reason != ostiary.Unavailable {
		t.Errorf("got %v, want that the list cannot be read", err)
	}
}
