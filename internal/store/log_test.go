package store_test

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/store"
)

func textLog(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

func TestATamperedEntryIsFound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		statement string
		broken    uint64
	}{
		"facts":           {`UPDATE log SET facts = '[]' WHERE revision = 600`, 600},
		"a fact":          {`UPDATE log SET facts = REPLACE(facts, '"id":600', '"id":601') WHERE revision = 600`, 600},
		"story":           {`UPDATE log SET story = REPLACE(story, 'test', 'rest') WHERE revision = 600`, 600},
		"time":            {`UPDATE log SET at = at + 1 WHERE revision = 600`, 600},
		"account":         {`UPDATE log SET account_id = 2 WHERE revision = 600`, 600},
		"facts, digested": {`UPDATE log SET facts = '[]', fact_digest = x'4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945' WHERE revision = 600`, 600},
		"chain":           {`UPDATE log SET chain = fact_digest WHERE revision = 600`, 600},
		"a missing entry": {`DELETE FROM log WHERE revision = 600`, 600},
		"the first entry": {`DELETE FROM log WHERE revision = 1`, 1},
		"no JSON":         {`UPDATE log SET facts = 'x' WHERE revision = 600`, 600},
		"two entries":     {`UPDATE log SET at = CASE revision WHEN 520 THEN 0 ELSE at END, facts = CASE revision WHEN 600 THEN 'x' ELSE facts END`, 520},
		"an erased story": {`UPDATE log SET story = NULL WHERE revision = 600`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			db := create(t, dir)
			ok(t, db.Update(t.Context(), func(w ostiary.Writer) error {
				for range 700 {
					if err := addUser(w); err != nil {
						return err
					}
					if _, err := w.Append(1, noon, ostiary.Story{What: "test"}, nil); err != nil {
						return err
					}
				}
				return nil
			}))
			ok(t, db.Close())
			statement(t, dir, c.statement)
			db = reopen(t, dir, store.Options{})
			report, err := store.Verify(t.Context(), db)
			if (c.broken != 0) != errors.Is(err, store.ErrBroken) || report.Broken != c.broken {
				t.Fatalf("got %d and %v, want the break at %d", report.Broken, err, c.broken)
			}
			if want := max(c.broken, 1) - 1; c.broken != 0 && report.Head.Revision != want {
				t.Fatalf("the last entry that holds is %d, want %d", report.Head.Revision, want)
			}
		})
	}
}

func TestAnErasedStoryStillVerifies(t *testing.T) {
	t.Parallel()
	db := create(t, t.TempDir())
	addTokens(t, db, 1)
	change(t, db, addUser)
	change(t, db, func(w ostiary.Writer) error {
		_, err := w.EraseStories(1, time.Now().Add(time.Hour))
		return err
	})
	report, err := store.Verify(t.Context(), db)
	ok(t, err)
	if report.Erased != 2 || report.Head != head(t, db) {
		t.Fatalf("got %+v, want 2 erased up to %+v", report, head(t, db))
	}
}

func TestTheTextOfErasedStoriesIsGoneFromTheFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := create(t, dir)
	addTokens(t, db, 1)
	const told = "who was never here"
	for range 50 {
		ok(t, db.Update(t.Context(), func(w ostiary.Writer) error {
			long := map[string]string{"description": told + strings.Repeat(" x", 200)}
			_, err := w.Append(1, noon, ostiary.Story{What: "account.change", Details: long}, nil)
			return err
		}))
	}
	change(t, db, func(w ostiary.Writer) error {
		_, err := w.EraseStories(1, time.Now().Add(time.Hour))
		return err
	})
	ok(t, db.Compact(t.Context()))
	holds(t, db)
	ok(t, db.Close())
	text, err := os.ReadFile(filepath.Join(dir, database))
	ok(t, err)
	if n := strings.Count(string(text), told); n > 0 {
		t.Errorf("%d of 50 erased stories can still be read in the file", n)
	}
}
