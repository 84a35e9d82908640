package main

import (
	"context"
	"fmt"
	"slices"

	"ostiary"
	"ostiary/internal/store"
)

// A record is what the database holds of a load when all is over.
type record struct {
	head   uint64
	tokens map[string][]ostiary.ID // by description
	made   map[ostiary.ID]entry    // where the log first has a token
	hashes map[ostiary.ID][]ostiary.Hash
	apps   map[string][]entry     // by name
	gone   map[ostiary.ID][]entry // where a token is retired
}

// An entry is one fact of the log.
type entry struct {
	revision uint64
	fact     ostiary.Fact
}

func newRecord() *record {
	return &record{
		tokens: map[string][]ostiary.ID{}, made: map[ostiary.ID]entry{}, hashes: map[ostiary.ID][]ostiary.Hash{},
		apps: map[string][]entry{}, gone: map[ostiary.ID][]entry{},
	}
}

// readRecord reads the log and the tokens, as one more node would.
func readRecord(ctx context.Context, folder, url string) (r *record, err error) {
	db, err := store.Open(ctx, folder, store.Options{Database: store.ReadDSN(url)})
	if err != nil {
		return nil, err
	}
	defer db.Close()
	r = newRecord()
	if err := db.Changes(ctx, 0, r.add); err != nil {
		return nil, err
	}
	return r, db.View(ctx, func(reader ostiary.Reader) error {
		accounts, err := reader.Accounts()
		for _, a := range accounts {
			tokens, err := reader.Tokens(a.ID)
			if err != nil {
				return err
			}
			for _, t := range tokens {
				r.tokens[t.Description] = append(r.tokens[t.Description], t.ID)
			}
		}
		return err
	})
}

func (r *record) add(c ostiary.Change) error {
	if c.Revision != r.head+1 {
		return fmt.Errorf("the log goes from revision %d to %d", r.head, c.Revision)
	}
	r.head = c.Revision
	for _, f := range c.Facts {
		e := entry{c.Revision, f}
		switch {
		case f.Token != nil:
			if _, there := r.made[f.Token.ID]; !there {
				r.made[f.Token.ID] = e
			}
			if f.Token.Retired {
				r.gone[f.Token.ID] = append(r.gone[f.Token.ID], e)
			}
		case f.Secret != nil:
			r.hashes[f.Secret.Token] = append(r.hashes[f.Secret.Token], f.Secret.Hash)
		case f.App != nil:
			r.apps[f.App.Name] = append(r.apps[f.App.Name], e)
		}
	}
	return nil
}

// find says how often a change is in the log, and whether it is what was asked for and acknowledged.
func (r *record) find(c *change) (times int, same bool) {
	switch c.kind {
	case makeToken:
		ids := r.tokens[c.name]
		if len(ids) == 0 {
			return 0, false
		}
		made, there := r.made[ids[0]]
		t := made.fact.Token
		same = there && ids[0] == c.token && c.at(made) && t.Privilege == ostiary.Normal && t.Default == ostiary.Allow &&
			(c.hash == ostiary.Hash{} || slices.Contains(r.hashes[c.token], c.hash))
		return len(ids), same
	case retireToken:
		gone := r.gone[c.token]
		return len(gone), len(gone) > 0 && c.at(gone[0])
	}
	apps := r.apps[c.name]
	if len(apps) == 0 {
		return 0, false
	}
	a := apps[0].fact.App
	return len(apps), c.at(apps[0]) && a.Token == c.token && a.State == ostiary.Allowed && !a.Gone
}

// at says that an entry has the revision that the change's receipt gave.
func (c *change) at(e entry) bool { return e.revision == c.revision }

// An outcome is what became of all changes.
type outcome struct {
	acked, lost, twice       int
	unsure                   int // the client did not know at first
	madeBefore, madeByRepeat int // what the repeat then said
	unsettled                int
	words                    []string // what is wrong
}

func (r *record) judge(changes []*change) (o outcome) {
	for _, c := range changes {
		times, same := r.find(c)
		if times > 1 {
			o.twice++
			o.tell("%s is in the log %d times", c.name, times)
		}
		switch {
		case !c.acked:
			o.unsettled++
			o.tell("%s was never answered; it is in the log %d times", c.name, times)
			continue
		case times == 0:
			o.lost++
			o.tell("%s was acknowledged at revision %d, and is not in the log", c.name, c.revision)
		case !same:
			o.lost++
			o.tell("%s was acknowledged at revision %d, and is something else in the log", c.name, c.revision)
		}
		o.acked++
		if c.unsure() {
			o.unsure++
			if c.repeated {
				o.madeBefore++
			} else {
				o.madeByRepeat++
			}
		}
	}
	return o
}

func (o *outcome) tell(format string, args ...any) {
	if len(o.words) < 10 {
		o.words = append(o.words, fmt.Sprintf(format, args...))
	}
}
