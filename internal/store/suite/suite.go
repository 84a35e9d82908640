// Package suite is what every engine of the store must pass.
package suite

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ostiary"
)

// Run tests an engine. open gives a new, empty store, and closes it when the test ends.
func Run(t *testing.T, open func(t *testing.T) ostiary.Store) {
	for _, claim := range []struct {
		name string
		test func(*world)
	}{
		{"AccountsAreKept", accountsAreKept},
		{"UsersAreKept", usersAreKept},
		{"EmailsAreUniqueWithoutRegardToCase", emailsAreUnique},
		{"MembersAreKept", membersAreKept},
		{"InvitationsAndLinksAreKept", invitationsAreKept},
		{"PasswordsAreKept", passwordsAreKept},
		{"SessionsAreKept", sessionsAreKept},
		{"SessionsEnd", sessionsEnd},
		{"SessionsLieOutsideTheLog", sessionsLieOutside},
		{"TokensAreKept", tokensAreKept},
		{"SecretsAreKept", secretsAreKept},
		{"AppsAreKept", appsAreKept},
		{"EdgesAreKept", edgesAreKept},
		{"AppsAreFoundByAPartOfTheirName", appsAreFoundByAPartOfTheirName},
		{"AccountsAreApart", accountsAreApart},
		{"WhatIsMissingIsNotFound", whatIsMissing},
		{"IDsAreNeverUsedTwice", idsAreNeverUsedTwice},
		{"AnEntryHoldsWhatWasPut", entryHoldsWhatWasPut},
		{"RevisionsHaveNoGap", revisionsHaveNoGap},
		{"NoChangeWithoutAnEntry", noChangeWithoutEntry},
		{"AnErrorChangesNothing", errorChangesNothing},
		{"APanicChangesNothing", panicChangesNothing},
		{"NothingPutChangesNothing", nothingPut},
		{"AViewIsOneSnapshot", viewIsOneSnapshot},
		{"UpdatesAreSerializable", updatesAreSerializable},
		{"ACancelledCallChangesNothing", cancelledCall},
		{"TheLogIsFiltered", logIsFiltered},
		{"TheLogIsPaged", logIsPaged},
		{"AKeyIsFoundAgain", keyIsFoundAgain},
		{"ErasedStoriesStillVerify", erasedStories},
		{"StoriesReadBackAsTheyWereDigested", storiesReadBack},
		{"ChangesGoOnFromARevision", changesGoOn},
		{"FactsReplayToTheRecords", factsReplay},
		{"ASnapshotCanBeStopped", snapshotCanBeStopped},
	} {
		t.Run(claim.name, func(t *testing.T) {
			t.Parallel()
			claim.test(&world{T: t, s: open(t)})
		})
	}
}

// A world is a store under test.
type world struct {
	*testing.T
	s ostiary.Store
}

var (
	noon  = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	story = ostiary.Story{What: "test"}
)

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatalf("got error %v, want none", err)
	}
}

func (w *world) same(what string, got, want any) {
	w.Helper()
	if d := cmp.Diff(want, got, netipEqual); d != "" {
		w.Fatalf("%s differs (-want +got):\n%s", what, d)
	}
}

// change makes one entry, and gives its revision.
func (w *world) change(fn func(ostiary.Writer) error) (revision uint64) {
	w.Helper()
	w.ok(w.s.Update(w.Context(), func(tx ostiary.Writer) error {
		if err := fn(tx); err != nil {
			return err
		}
		var err error
		revision, err = tx.Append(1, noon, story, nil)
		return err
	}))
	return revision
}

func (w *world) view(fn func(ostiary.Reader) error) {
	w.Helper()
	w.ok(w.s.View(w.Context(), fn))
}

func (w *world) head() (h ostiary.Head) {
	w.Helper()
	w.view(func(r ostiary.Reader) (err error) {
		h, err = r.Head()
		return err
	})
	return h
}

func (w *world) changes() (out []ostiary.Change) {
	w.Helper()
	w.ok(w.s.Changes(w.Context(), 0, func(c ostiary.Change) error {
		out = append(out, c)
		return nil
	}))
	return out
}

// read gives one record, or fails the test.
func read[T any](w *world, fn func(ostiary.Reader) (T, error)) (out T) {
	w.Helper()
	w.view(func(r ostiary.Reader) (err error) {
		out, err = fn(r)
		return err
	})
	return out
}

// missing demands ErrNotFound.
func missing[T any](w *world, what string, fn func(ostiary.Reader) (T, error)) {
	w.Helper()
	err := w.s.View(context.Background(), func(r ostiary.Reader) error {
		_, err := fn(r)
		return err
	})
	if !errors.Is(err, ostiary.ErrNotFound) {
		w.Fatalf("%s: got %v, want %v", what, err, ostiary.ErrNotFound)
	}
}

// people puts account 1 and 2, and the users 1 to 3.
func (w *world) people() {
	w.Helper()
	w.change(func(tx ostiary.Writer) error {
		return errors.Join(
			tx.PutAccount(ostiary.Account{ID: 1, ShortName: "one", Name: "One"}),
			tx.PutAccount(ostiary.Account{ID: 2, ShortName: "two", Name: "Two"}),
			tx.PutUser(ostiary.User{ID: 1, Email: "ann@example.com"}),
			tx.PutUser(ostiary.User{ID: 2, Email: "bob@example.com"}),
			tx.PutUser(ostiary.User{ID: 3, Email: "cy@example.com"}),
		)
	})
}

// tokens puts the tokens 1 and 2 on account 1 and 3 on account 2, after people.
func (w *world) tokens() {
	w.Helper()
	w.people()
	w.change(func(tx ostiary.Writer) error {
		return errors.Join(
			tx.PutToken(ostiary.Token{Account: 1, ID: 1, Kind: ostiary.UserToken, Owner: 1, Privilege: ostiary.Normal}),
			tx.PutToken(ostiary.Token{Account: 1, ID: 2, Kind: ostiary.AccountToken, Privilege: ostiary.Admin}),
			tx.PutToken(ostiary.Token{Account: 2, ID: 3, Kind: ostiary.UserToken, Owner: 1, Privilege: ostiary.Normal}),
		)
	})
}
