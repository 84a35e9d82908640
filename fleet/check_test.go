package fleet

import (
	"fmt"
	"slices"
	"time"

	"ostiary"
	"ostiary/internal/answer"
)

// A seen is one answer of one node: what was asked, and what came of it.
type seen struct {
	node       string
	sent, done time.Time
	token      ostiary.SecretText
	app        string
	need       ostiary.Role
	status     int
	code       string // of a refusal
	revision   uint64
}

// An acked is a change that was acknowledged, with its receipt.
type acked struct {
	at      time.Time
	receipt ostiary.Receipt
	about   string     // what was changed: "/token/12"
	retired ostiary.ID // the token that it retired; zero: none
}

// A doubt is a change of which its node does not know whether it was made. Until the log tells, the node may refuse
// what the records let in.
type doubt struct {
	node, about string
	from, until time.Time
}

// A log gives every change, in order.
type log interface {
	Changes(after uint64, fn func(ostiary.Change) error) error
}

// check holds what nodes answered against the log. It finds an answer that is not the one of its
// revision; a node whose revisions go back; and one that was given later than it may be after a change
// that was acknowledged: by a node that had confirmed it, at once; by any other after bound, or after the
// time that the receipt gives if that is later. A 503 is never wrong.
func check(answers []seen, changes []acked, doubts []doubt, history log, bound time.Duration) (faults []string) {
	faults = append(faults, goesBack(answers)...)
	faults = append(faults, tooLate(answers, changes, bound)...)
	faults = append(faults, notMade(changes, history)...)
	return append(faults, notAsTheModel(answers, endOf(doubts, changes, bound), history)...)
}

// endOf gives each doubt its end. A change that is acknowledged after it stands behind it in the log, which has
// told then; the node knows that a little later.
func endOf(doubts []doubt, changes []acked, bound time.Duration) []doubt {
	changes = slices.SortedFunc(slices.Values(changes), func(a, b acked) int { return a.at.Compare(b.at) })
	for i := range doubts {
		d := &doubts[i]
		next, _ := slices.BinarySearchFunc(changes, d.until, func(c acked, at time.Time) int { return c.at.Compare(at) })
		d.until = d.until.Add(24 * time.Hour)
		if next < len(changes) {
			d.until = changes[next].at.Add(bound)
		}
	}
	return doubts
}

// notMade finds changes that were acknowledged, and are not in the log at their revision.
func notMade(changes []acked, history log) (faults []string) {
	touched, retires := map[uint64][]string{}, map[uint64][]ostiary.ID{}
	history.Changes(0, func(c ostiary.Change) error {
		for _, f := range c.Facts {
			touched[c.Revision] = append(touched[c.Revision], touches(f))
			if f.Token != nil && f.Token.Retired {
				retires[c.Revision] = append(retires[c.Revision], f.Token.ID)
			}
		}
		return nil
	})
	for _, c := range changes {
		if !slices.Contains(touched[c.receipt.Revision], c.about) {
			faults = append(faults, fmt.Sprintf("%s was changed at revision %d, where the log tells of %v",
				c.about, c.receipt.Revision, touched[c.receipt.Revision]))
		}
		if c.retired != 0 && !slices.Contains(retires[c.receipt.Revision], c.retired) {
			faults = append(faults, fmt.Sprintf("token %d was retired at revision %d, and the log does not say so",
				c.retired, c.receipt.Revision))
		}
	}
	return faults
}

// touches names what a fact is about, as the API does.
func touches(f ostiary.Fact) string {
	switch {
	case f.Token != nil:
		return fmt.Sprint("/token/", f.Token.ID)
	case f.App != nil:
		return fmt.Sprint("/token/", f.App.Token)
	case f.User != nil:
		return fmt.Sprint("/user/", f.User.ID)
	}
	return ""
}

// goesBack compares answers of a node of which one ended before the other began.
func goesBack(answers []seen) (faults []string) {
	byNode := map[string][]seen{}
	for _, a := range answers {
		if a.revision != 0 {
			byNode[a.node] = append(byNode[a.node], a)
		}
	}
	for node, all := range byNode {
		begun := slices.SortedFunc(slices.Values(all), func(a, b seen) int { return a.sent.Compare(b.sent) })
		ended := slices.SortedFunc(slices.Values(all), func(a, b seen) int { return a.done.Compare(b.done) })
		var highest uint64
		next := 0
		for _, a := range begun {
			for ; next < len(ended) && ended[next].done.Before(a.sent); next++ {
				highest = max(highest, ended[next].revision)
			}
			if a.revision < highest {
				faults = append(faults, fmt.Sprintf("%s answered at revision %d after it had answered at %d",
					node, a.revision, highest))
			}
		}
	}
	return faults
}

// tooLate finds answers from before a change that was acknowledged long enough before they were asked for.
func tooLate(answers []seen, changes []acked, bound time.Duration) (faults []string) {
	type floor struct {
		from     time.Time
		revision uint64
	}
	byNode := map[string][]floor{}
	for _, a := range answers {
		byNode[a.node] = nil
	}
	for node := range byNode {
		var floors []floor
		for _, c := range changes {
			from, named := c.at.Add(bound), false
			if slices.Contains(c.receipt.Confirmed, node) {
				from, named = c.at, true
			}
			for _, u := range c.receipt.Unconfirmed {
				if u.Node == node && u.SafeAfter.After(from) {
					from, named = u.SafeAfter, true
				}
			}
			if c.receipt.Incomplete && !named {
				continue // it says that it does not know
			}
			floors = append(floors, floor{from, c.receipt.Revision})
		}
		slices.SortFunc(floors, func(a, b floor) int { return a.from.Compare(b.from) })
		for i := range floors[min(1, len(floors)):] {
			floors[i+1].revision = max(floors[i+1].revision, floors[i].revision)
		}
		byNode[node] = floors
	}
	for _, a := range answers {
		if a.revision == 0 {
			continue
		}
		floors := byNode[a.node]
		i, _ := slices.BinarySearchFunc(floors, a.sent, func(f floor, at time.Time) int { return f.from.Compare(at) })
		if i > 0 && a.revision < floors[i-1].revision {
			faults = append(faults, fmt.Sprintf("%s answered %d %s at revision %d, %v after it had to know %d",
				a.node, a.status, a.code, a.revision, a.sent.Sub(floors[i-1].from), floors[i-1].revision))
		}
	}
	return faults
}

// notAsTheModel compares each answer with that of the model at its revision, and finds retired tokens that
// were changed again.
func notAsTheModel(answers []seen, doubts []doubt, history log) (faults []string) {
	byRevision := map[uint64][]seen{}
	for _, a := range answers {
		if a.revision != 0 {
			byRevision[a.revision] = append(byRevision[a.revision], a)
		} else if a.status != 503 {
			faults = append(faults, fmt.Sprintf("%s answered %d %s without a revision", a.node, a.status, a.code))
		}
	}
	m, table := newModel(), answer.New(answer.Settings{})
	retired := map[ostiary.ID]uint64{}
	compare := func() {
		for _, a := range byRevision[m.revision] {
			q := ostiary.Question{Need: a.need, At: a.sent}
			q.Shown, q.Token, q.App = ostiary.ShownToken, a.token, a.app
			status, code := 200, ""
			if d := m.decide(&q); !d.OK() {
				row := table.Decision(&d)
				status, code = row.Status, row.Code
			}
			if (a.status != status || a.code != code) && !(a.status != 200 && m.doubted(a, doubts)) {
				faults = append(faults, fmt.Sprintf("%s answered %d %s to %s with %s at revision %d, where the records say %d %s",
					a.node, a.status, a.code, a.app, a.token, a.revision, status, code))
			}
		}
		delete(byRevision, m.revision)
	}
	err := history.Changes(0, func(c ostiary.Change) error {
		if c.Revision != m.revision+1 {
			return fmt.Errorf("the log goes from revision %d to %d", m.revision, c.Revision)
		}
		m.apply(c)
		compare()
		for _, f := range c.Facts {
			switch {
			case f.Token == nil:
			case f.Token.Retired && retired[f.Token.ID] == 0:
				retired[f.Token.ID] = c.Revision
			case retired[f.Token.ID] != 0:
				faults = append(faults, fmt.Sprintf("token %d, retired at revision %d, is changed at %d (retired: %v)",
					f.Token.ID, retired[f.Token.ID], c.Revision, f.Token.Retired))
			}
		}
		return nil
	})
	if err != nil {
		faults = append(faults, err.Error())
	}
	for revision, all := range byRevision {
		faults = append(faults, fmt.Sprintf("%s answered at revision %d, which is not in the log", all[0].node, revision))
	}
	return faults
}
