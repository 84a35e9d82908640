package main

import (
	"testing"
	"time"
)

const s = time.Second

func TestTheLongestGapIsThatOfTheEvent(t *testing.T) {
	for _, c := range []struct {
		name    string
		moments []time.Duration
		from    time.Duration
		to      time.Duration
		want    time.Duration
	}{
		{"nothing at all", nil, 10 * s, 15 * s, 5 * s},
		{"steady", []time.Duration{9 * s, 10 * s, 11 * s, 12 * s, 13 * s}, 10 * s, 13 * s, s},
		{"it begins before the event", []time.Duration{1 * s, 14 * s, 15 * s}, 10 * s, 15 * s, 13 * s},
		{"it ends after the event", []time.Duration{9 * s, 10 * s, 19 * s}, 10 * s, 15 * s, 5 * s},
		{"it is over before the event", []time.Duration{1 * s, 9 * s, 10 * s, 11 * s}, 10 * s, 12 * s, s},
		{"nothing before the event", []time.Duration{12 * s}, 10 * s, 13 * s, 2 * s},
	} {
		if got := longestGap(c.moments, event{from: c.from, to: c.to}); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestARowCountsTheRequestsOfItsEvent(t *testing.T) {
	at := func(node int, done time.Duration, v verdict) answer {
		return answer{node: node, sent: done - s/10, done: done, verdict: v}
	}
	answers := []answer{
		at(0, 1*s, wrong), at(0, 9*s, right), at(1, 9*s, right), at(2, 9*s, right),
		at(0, 10*s, right), at(1, 11*s, undecided), at(2, 12*s, unanswered), at(0, 12*s, wrong), at(0, 13*s, right),
		at(1, 14*s, right), at(2, 14*s, right), at(0, 20*s, wrong),
	}
	looks := []look{{at: 1 * s, behind: 9 * s}, {at: 11 * s, behind: 3 * s}, {at: 16 * s, behind: 8 * s}}
	changes := []*change{{acked: true, done: 10 * s}, {done: 11 * s}, {acked: true, done: 14 * s}}
	got := measure(event{"x", 10 * s, 15 * s}, answers, looks, changes)
	want := row{
		event: event{"x", 10 * s, 15 * s}, writesOut: 4 * s, requests: 7, undecided: 1, wrong: 1, lost: 1,
		silence: 5 * s, slowest: s / 10, behind: 3 * s,
	}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestReadinessCountsTheTimeWithoutChanges(t *testing.T) {
	looks := []look{
		{node: 1, at: 1 * s},
		{at: 1 * s, ready: true, changes: true},
		{at: 2 * s, ready: true, behind: 2 * s},
		{at: 3 * s, behind: 7 * s},
		{at: 5 * s, ready: true, changes: true},
		{at: 6 * s, ready: true, changes: true},
	}
	want := readiness{looks: 5, notReady: 1, noChanges: 3 * s, behind: 7 * s}
	if got := readinessOf(0, looks); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestNumbersAreWrittenForPeople(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 43730: "43,730", 1234567: "1,234,567"} {
		if got := count(n); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
}
