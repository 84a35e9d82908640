package store_test

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ostiary"
	"ostiary/internal/store/pgtest"
)

// count adds one to a number of account 1, with an entry.
func count(w ostiary.Writer) error {
	a, err := w.Account(1)
	if err != nil {
		return err
	}
	a.MetricsUsed++
	return w.PutAccount(a)
}

func TestNodesOnOneDatabaseLoseNoChange(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	name := c.Database(t)
	url := c.URL(name)
	first := createOn(t, url)
	addTokens(t, first, 1)
	nodes := []ostiary.Store{first, join(t, url), join(t, url)}
	const each = 40
	var all sync.WaitGroup
	for _, node := range nodes {
		for range 2 {
			all.Go(func() {
				for range each {
					change(t, node, count)
				}
			})
		}
	}
	all.Wait()
	const made = 6 * each
	for i, node := range nodes {
		ok(t, node.View(t.Context(), func(r ostiary.Reader) error {
			a, err := r.Account(1)
			if err == nil && a.MetricsUsed != made {
				err = fmt.Errorf("node %d counts %d after %d changes", i, a.MetricsUsed, made)
			}
			return err
		}))
		after := uint64(1)
		ok(t, node.Changes(t.Context(), 1, func(c ostiary.Change) error {
			if after++; c.Revision != after {
				return fmt.Errorf("revision %d comes after %d", c.Revision, after-1)
			}
			return nil
		}))
		if after != 1+made {
			t.Errorf("node %d is given the log up to %d, want %d", i, after, 1+made)
		}
	}
	holds(t, first)
	at := head(t, first)
	row := pgtest.Column[[]byte](t, c, name, "SELECT chain FROM head WHERE revision = $1", at.Revision)
	if len(row) != 1 || !bytes.Equal(row[0], at.Chain[:]) {
		t.Errorf("the row of head is not where the log ends, revision %d", at.Revision)
	}
}

// A follower that has seen everything is given what another node adds, from every node.
func TestChangesOfAnotherNodeAreGivenBetweenOwnOnes(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	url := c.URL(c.Database(t))
	a := createOn(t, url)
	b := join(t, url)
	addTokens(t, a, 1)
	for range 3 {
		change(t, a, count)
		change(t, b, count)
	}
	change(t, a, count)
	change(t, b, count)
	for after := range uint64(9) {
		if d := cmp.Diff(changesAfter(t, a, after), changesAfter(t, b, after)); d != "" {
			t.Errorf("after %d two nodes are given different entries:\n%s", after, d)
		}
		if got := len(changesAfter(t, a, after)); got != int(9-after) {
			t.Errorf("after %d: %d entries, want %d", after, got, 9-after)
		}
	}
}

func TestTwoNodesMakeOneRecordOfOneFirstContact(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	url := c.URL(c.Database(t))
	nodes := []ostiary.Store{createOn(t, url), join(t, url)}
	addTokens(t, nodes[0], 1)
	var all sync.WaitGroup
	for i := range 20 {
		for _, node := range nodes {
			all.Go(func() {
				name := fmt.Sprintf("app-%d", i)
				err := node.Update(t.Context(), func(w ostiary.Writer) error {
					if _, err := w.AppByName(1, 1, name); err == nil {
						return nil
					}
					id, err := w.NewID("app")
					if err != nil {
						return err
					}
					if err := w.PutApp(ostiary.App{Account: 1, Token: 1, ID: id, Name: name, FirstSeenOn: noon}); err != nil {
						return err
					}
					_, err = w.Append(1, noon, ostiary.Story{What: "app.seen"}, nil)
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	ok(t, nodes[1].View(t.Context(), func(r ostiary.Reader) error {
		apps, _, err := r.CountApps(1, 1)
		if err == nil && apps != 20 {
			err = fmt.Errorf("%d records of 20 names", apps)
		}
		return err
	}))
	if entries := len(changesAfter(t, nodes[0], 1)); entries != 20 {
		t.Errorf("%d entries for 20 records", entries)
	}
}
