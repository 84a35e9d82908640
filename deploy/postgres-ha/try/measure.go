package main

import (
	"time"
)

// An event is something that happens to the machines, until all is well again.
type event struct {
	name     string
	from, to time.Duration
}

// A row says what was seen of an event from outside.
type row struct {
	event
	writesOut time.Duration // the longest time in which no change was acknowledged
	requests  int
	undecided int           // answered 503
	wrong     int           // answered otherwise than they had to be
	lost      int           // not answered at all
	silence   time.Duration // the longest time in which one node decided nothing
	slowest   time.Duration // of all answers
	behind    time.Duration // the most that a node said it was
}

// measure looks at one event.
func measure(e event, answers []answer, looks []look, changes []*change) row {
	r := row{event: e}
	var acks []time.Duration
	for _, c := range changes {
		if c.acked {
			acks = append(acks, c.done)
		}
	}
	r.writesOut = longestGap(acks, e)
	byNode := map[int][]time.Duration{}
	for _, a := range answers {
		if a.verdict == right || a.verdict == wrong {
			byNode[a.node] = append(byNode[a.node], a.done)
		}
		if a.done < e.from || a.done >= e.to {
			continue
		}
		r.requests++
		r.slowest = max(r.slowest, a.done-a.sent)
		switch a.verdict {
		case undecided:
			r.undecided++
		case wrong:
			r.wrong++
		case unanswered:
			r.lost++
		}
	}
	for node := range 3 {
		r.silence = max(r.silence, longestGap(byNode[node], e))
	}
	for _, k := range looks {
		if k.at >= e.from && k.at < e.to {
			r.behind = max(r.behind, k.behind)
		}
	}
	return r
}

// longestGap is the longest time between two moments one after the other, of those that end in an event,
// and from the last one to the event's end.
func longestGap(moments []time.Duration, e event) (longest time.Duration) {
	last := e.from
	for i, at := range moments {
		if at >= e.to {
			break
		}
		if i > 0 && at >= e.from {
			longest = max(longest, at-moments[i-1])
		} else if at >= e.from {
			longest = max(longest, at-e.from)
		}
		last = at
	}
	return max(longest, e.to-max(last, e.from))
}

// A readiness is what a node's /readyz said during all events.
type readiness struct {
	looks, notReady int
	noChanges       time.Duration // as a sum of the times between two looks
	behind          time.Duration
}

func readinessOf(node int, looks []look) (r readiness) {
	var before look
	for _, k := range looks {
		if k.node != node {
			continue
		}
		if r.looks > 0 && !before.changes {
			r.noChanges += k.at - before.at
		}
		r.looks++
		if !k.ready {
			r.notReady++
		}
		r.behind = max(r.behind, k.behind)
		before = k
	}
	return r
}
