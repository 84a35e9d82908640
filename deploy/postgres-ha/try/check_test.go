package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ostiary"
)

// ran gives a load of one change of each kind, and the record of a database that has all of them.
func ran() (changes []*change, log []ostiary.Change, tokens map[string][]ostiary.ID) {
	hash := ostiary.Hash{7}
	token := ostiary.TokenFact{ID: 12, Privilege: ostiary.Normal, Default: ostiary.Allow}
	retired := token
	retired.Retired = true
	log = []ostiary.Change{
		{Revision: 1, Facts: []ostiary.Fact{{Token: &token}, {Secret: &ostiary.SecretFact{Token: 12, Hash: hash}}}},
		{Revision: 2, Facts: []ostiary.Fact{{App: &ostiary.AppFact{Token: 12, Name: "app", State: ostiary.Allowed}}}},
		{Revision: 3, Facts: []ostiary.Fact{{Token: &retired}}},
	}
	changes = []*change{
		{kind: makeToken, name: "made", token: 12, hash: hash, acked: true, revision: 1},
		{kind: allowApp, name: "app", token: 12, acked: true, revision: 2, lost: 1, repeated: true},
		{kind: retireToken, name: "gone", token: 12, acked: true, revision: 3, refused: 1},
	}
	return changes, log, map[string][]ostiary.ID{"made": {12}}
}

func judged(t *testing.T, changes []*change, log []ostiary.Change, tokens map[string][]ostiary.ID) outcome {
	t.Helper()
	r := newRecord()
	r.tokens = tokens
	for _, c := range log {
		if err := r.add(c); err != nil {
			t.Fatal(err)
		}
	}
	return r.judge(changes)
}

func TestChangesThatAreInTheLogAreFound(t *testing.T) {
	changes, log, tokens := ran()
	o := judged(t, changes, log, tokens)
	want := outcome{acked: 3, unsure: 2, madeBefore: 1, madeByRepeat: 1}
	if got := fmt.Sprint(o); got != fmt.Sprint(want) {
		t.Errorf("got %s, want %s", got, fmt.Sprint(want))
	}
}

func TestEveryFaultOfTheLogIsFound(t *testing.T) {
	other := ostiary.TokenFact{ID: 12, Privilege: ostiary.Admin, Default: ostiary.Allow}
	type (
		changes = []*change
		log     = []ostiary.Change
		tokens  = map[string][]ostiary.ID
	)
	for name, plant := range map[string]func(changes, log, tokens) log{
		"1 lost: a token is not there": func(_ changes, l log, ts tokens) log {
			delete(ts, "made")
			return l
		},
		"1 lost: a token has another privilege": func(_ changes, l log, _ tokens) log {
			l[0].Facts[0].Token = &other
			return l
		},
		"1 lost: a token has another secret": func(_ changes, l log, _ tokens) log {
			l[0].Facts[1].Secret.Hash = ostiary.Hash{8}
			return l
		},
		"1 lost: a decision is not there": func(_ changes, l log, _ tokens) log {
			l[1].Facts = nil
			return l
		},
		"1 lost: a decision is another one": func(_ changes, l log, _ tokens) log {
			l[1].Facts[0].App.State = ostiary.Denied
			return l
		},
		"1 lost: a decision is at another revision": func(c changes, l log, _ tokens) log {
			c[1].revision = 3
			return l
		},
		"1 lost: the log ends before a retirement": func(_ changes, l log, _ tokens) log {
			return l[:2]
		},
		"1 twice: two tokens were made": func(_ changes, l log, ts tokens) log {
			ts["made"] = append(ts["made"], 13)
			return l
		},
		"1 twice: a decision was made again": func(_ changes, l log, _ tokens) log {
			return append(l, ostiary.Change{Revision: 4, Facts: l[1].Facts})
		},
		"1 unsettled: a change was never answered": func(c changes, l log, _ tokens) log {
			c[2].acked = false
			return l
		},
	} {
		c, l, ts := ran()
		o := judged(t, c, plant(c, l, ts), ts)
		got := fmt.Sprintf("%d lost, %d twice, %d unsettled", o.lost, o.twice, o.unsettled)
		want, _, _ := strings.Cut(name, ":")
		if !strings.Contains(got, want) || strings.Count(got, "0 ") != 2 || len(o.words) != 1 {
			t.Errorf("%s: got %s, in words %q", name, got, o.words)
		}
	}
}

func TestALogWithAGapIsRefused(t *testing.T) {
	_, log, _ := ran()
	r := newRecord()
	if err := r.add(log[1]); err == nil {
		t.Errorf("the log may begin at revision 2")
	}
}

func TestAReportSaysWhatDidNotHold(t *testing.T) {
	good := func() *report {
		return &report{
			rows: []row{{event: event{name: "a switchover"}, requests: 9}}, outcome: outcome{acked: 3}, head: 7,
			nodes: [3]readiness{{looks: 4}, {looks: 4}, {looks: 4}}, reached: [3]uint64{7, 7, 7},
		}
	}
	if list := good().broken(); len(list) > 0 {
		t.Errorf("nothing is wrong, and it says %q", list)
	}
	for want, spoil := range map[string]func(*report){
		"1 were 503":                       func(r *report) { r.rows[0].undecided = 1 },
		"1 were answered wrongly":          func(r *report) { r.rows[0].wrong = 1 },
		"1 were not answered":              func(r *report) { r.rows[0].lost = 1 },
		"a node decided nothing for 4.0 s": func(r *report) { r.rows[0].silence = 4 * time.Second },
		"a node decided nothing for 0.0 s": func(r *report) { r.rows[0].requests = 0 },
		"1 changes were lost":              func(r *report) { r.outcome.lost = 1 },
		"1 changes were made twice":        func(r *report) { r.outcome.twice = 1 },
		"1 changes were never settled":     func(r *report) { r.outcome.unsettled = 1 },
		"no change was acknowledged":       func(r *report) { r.outcome.acked = 0 },
		"node-2 was not ready at 1 of 4":   func(r *report) { r.nodes[1].notReady = 1 },
		"node-3 answers at revision 6":     func(r *report) { r.reached[2] = 6 },
		"something odd":                    func(r *report) { r.odd = []string{"something odd"} },
	} {
		r := good()
		spoil(r)
		var out strings.Builder
		r.print(&out)
		if list := r.broken(); len(list) != 1 || !strings.Contains(list[0], want) || !strings.Contains(out.String(), want) {
			t.Errorf("want %q, got %q", want, list)
		}
	}
}
