package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"ostiary"
)

// refuseMark refuses to make a database where one that had changes is missing.
func refuseMark(path string) error {
	seen, err := readMark(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && seen.Revision == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: there is none, and the mark %s says that there was one at revision %d; "+
		"restore a backup, or choose another folder to begin anew", ErrBehind, path, seen.Revision)
}

// meetMark compares the database with the mark, and lets the mark follow it. One that is behind is refused
// unless that is meant: somebody says so, or it was restored since.
func (db *DB) meetMark(ctx context.Context, path string, o Options) error {
	seen, err := readMark(path)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return err
	}
	restored := !missing && db.Epoch() > seen.epoch
	behind := error(nil)
	if !missing && !restored {
		if behind, err = db.compare(db.writing, db.head, seen.Head, "the mark "+path); err != nil {
			return err
		}
		if behind != nil && !o.AcceptRollback {
			return behind
		}
	}
	if err := db.openMarks(path, seen.seq); err != nil {
		return err
	}
	switch {
	case restored:
		err = db.beginEpoch(ctx, seen)
	case behind != nil:
		db.log.Warn("a database from the past is accepted", "revision", db.head.Revision, "seen", seen.Revision)
		// What it knows as retired may be missing from the list, if it is another node's or the list is new.
		if err = db.recall(ctx, 0); err == nil {
			err = db.retireAgain(ctx, "the database was put back in time")
		}
		if err == nil {
			_, err = db.writing.exec(endSessions)
		}
	case missing:
		if db.head.Revision > 0 {
			db.log.Warn("the mark was missing and is made anew: an older database would not have been noticed",
				"mark", path)
		}
		err = db.recall(ctx, 0)
	default:
		err = db.recall(ctx, seen.Revision)
	}
	if err != nil {
		return fmt.Errorf("bringing the mark up to date: %w", err)
	}
	if err := db.mark.write(db.head); err != nil {
		return fmt.Errorf("writing the mark: %w", err)
	}
	return nil
}

// compare says whether a log that ends at a head is behind what was seen, or went another way.
func (db *DB) compare(c *conn, head, seen ostiary.Head, by string) (behind, err error) {
	const toDo = "restore a newer backup, or start with --accept-rollback to go on from here: " +
		"what was changed since is lost, and retired tokens stay retired"
	if seen.Revision > head.Revision {
		return fmt.Errorf("%w: it is at revision %d, %s at %d; %s",
			ErrBehind, head.Revision, by, seen.Revision, toDo), nil
	}
	if seen.Revision == 0 {
		return nil, nil
	}
	at, err := headAt(c, seen.Revision)
	if err != nil && !errors.Is(err, ostiary.ErrNotFound) {
		return nil, err
	}
	if at != seen {
		return fmt.Errorf("%w: it is at revision %d, but its revision %d is not the one that %s has seen; %s",
			ErrBehind, head.Revision, seen.Revision, by, toDo), nil
	}
	return nil, nil
}

func (db *DB) openMarks(path string, seq uint64) (err error) {
	if db.retired, err = openRetired(path + ".retired"); err != nil {
		return fmt.Errorf("opening the list of retired tokens: %w", err)
	}
	if db.mark, err = openMark(path, seq); err != nil {
		return fmt.Errorf("opening the mark: %w", err)
	}
	db.mark.epoch = db.Epoch()
	return nil
}

// remember writes what a change retired, and the mark, to the disk.
func (db *DB) remember(w *writer) error {
	if err := db.retired.add(w.retiring); err != nil {
		return err
	}
	return db.mark.write(db.head)
}

// markAgain tries what remember could not do.
func (db *DB) markAgain() error {
	err := db.retired.add(nil)
	if err == nil {
		err = db.mark.write(db.head)
	}
	if err != nil {
		err = fmt.Errorf("the mark cannot be written: %w", err)
	}
	db.noteMark(err)
	return err
}

// noteMark keeps what a write of the mark says about changes to come.
func (db *DB) noteMark(err error) {
	if errors.Is(err, errUnsynced) {
		db.health.set(forGood, err)
	}
	db.health.set(marks, err)
}

// recall adds to the list what was retired after a revision, by changes that were not acknowledged
// or while there was no list.
func (db *DB) recall(ctx context.Context, after uint64) error {
	return db.view(ctx, func(r *reader) error {
		if after == 0 || db.retired.fresh {
			hashes, err := r.retiredSecrets()
			if err != nil {
				return err
			}
			return db.retired.learn(hashes)
		}
		hashes, err := r.retiredAfter(after)
		if err != nil {
			return err
		}
		return db.retired.add(hashes)
	})
}

// retiredBy gives the secrets of the tokens that facts say are retired.
func (r *reader) retiredBy(facts []ostiary.Fact) (out []ostiary.Hash, err error) {
	for _, f := range facts {
		if f.Token == nil || !f.Token.Retired {
			continue
		}
		secrets, err := r.Secrets(f.Token.Account, f.Token.ID)
		if err != nil {
			return nil, err
		}
		for _, s := range secrets {
			out = append(out, s.Hash)
		}
	}
	return out, nil
}

const rollbackBy ostiary.By = "operator:rollback"

// retireAgain retires the tokens on the list that this database still lets in, with an entry each: each
// stands in its account's log, and is found where its token is looked for.
func (db *DB) retireAgain(ctx context.Context, because string) error {
	known, err := db.retired.all()
	if err != nil {
		return err
	}
	return db.Update(ctx, func(w ostiary.Writer) error {
		_, err := w.(*writer).retireAgain(known, because)
		return err
	})
}

func (w *writer) retireAgain(known map[ostiary.Hash]bool, because string) (again int, err error) {
	at := time.Now().UTC().Truncate(time.Millisecond)
	tokens, err := w.liveAmong(known)
	if err != nil {
		return 0, err
	}
	for _, t := range tokens {
		t.RetiredOn, t.RetiredBy = at, rollbackBy
		if err := w.PutToken(t); err != nil {
			return 0, err
		}
		story := ostiary.Story{
			What: "token.retire", By: rollbackBy, Token: t.ID, User: t.Owner,
			Details: map[string]string{"because": because},
		}
		if _, err := w.Append(t.Account, at, story, nil); err != nil {
			return 0, err
		}
	}
	return len(tokens), nil
}

// liveAmong gives the tokens that are not retired though a secret of theirs is known to be.
func (r *reader) liveAmong(known map[ostiary.Hash]bool) (out []ostiary.Token, err error) {
	seen := map[ostiary.ID]bool{}
	for h := range known {
		var account, id ostiary.ID
		err := r.conn.one(`
			SELECT account_id, token_id
			FROM secrets
			WHERE hash = $1`, []any{h[:]}, &account, &id)
		if errors.Is(err, ostiary.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		t, err := r.Token(account, id)
		if err != nil {
			return nil, err
		}
		if t.RetiredOn.IsZero() && !seen[id] {
			seen[id] = true
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b ostiary.Token) int { return int(a.ID) - int(b.ID) })
	return out, nil
}
