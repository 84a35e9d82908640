package suite

import (
	"errors"
	"time"

	"ostiary"
)

// sessions puts the sessions 1 to 3 of Ann and 4 of Bob, which began an hour after each other.
func (w *world) sessions() (all []ostiary.Session) {
	w.Helper()
	w.people()
	for i, user := range []ostiary.ID{1, 1, 1, 2} {
		began := noon.Add(time.Duration(i) * time.Hour)
		all = append(all, ostiary.Session{
			ID: ostiary.ID(i + 1), Hash: ostiary.Hash{0xff, byte(9 - i)}, User: user, BeganOn: began, SeenOn: began,
			From: "192.0.2.1", Agent: "Öpera",
		})
	}
	w.put(all...)
	return all
}

// put writes sessions, and nothing else.
func (w *world) put(all ...ostiary.Session) {
	w.Helper()
	w.outside(func(tx ostiary.Writer) error {
		for _, s := range all {
			if err := tx.PutSession(s); err != nil {
				return err
			}
		}
		return nil
	})
}

// outside makes a change that needs no entry.
func (w *world) outside(fn func(ostiary.Writer) error) {
	w.Helper()
	w.ok(w.s.Update(w.Context(), fn))
}

func (w *world) sessionsOf(user ostiary.ID) []ostiary.Session {
	w.Helper()
	return read(w, func(r ostiary.Reader) ([]ostiary.Session, error) { return r.Sessions(user) })
}

func sessionsAreKept(w *world) {
	all := w.sessions()
	get := func(h ostiary.Hash) ostiary.Session {
		return read(w, func(r ostiary.Reader) (ostiary.Session, error) { return r.Session(h) })
	}
	w.same("by hash", get(all[1].Hash), all[1])
	w.same("of Ann", w.sessionsOf(1), all[:3])
	w.same("of Bob", w.sessionsOf(2), all[3:])
	w.same("of Cy", w.sessionsOf(3), []ostiary.Session(nil))
	missing(w, "another hash", func(r ostiary.Reader) (ostiary.Session, error) { return r.Session(ostiary.Hash{0xff}) })

	again := all[0]
	again.SeenOn = noon.Add(10 * time.Hour)
	want := again
	again.User, again.ID, again.BeganOn, again.From, again.Agent = 2, 99, again.SeenOn, "x", "x"
	w.put(again)
	w.same("put again: seen, and nothing else", get(want.Hash), want)
	w.fails("a session of nobody", func(tx ostiary.Writer) error {
		return tx.PutSession(ostiary.Session{ID: 9, Hash: ostiary.Hash{9}, User: 99})
	})
	w.fails("an id given twice", func(tx ostiary.Writer) error {
		return tx.PutSession(ostiary.Session{ID: 1, Hash: ostiary.Hash{9}, User: 1})
	})
}

func sessionsEnd(w *world) {
	all := w.sessions()
	w.outside(func(tx ostiary.Writer) error {
		return errors.Join(tx.DropSession(all[0].Hash), tx.DropSession(ostiary.Hash{7}))
	})
	w.same("after one was dropped", w.sessionsOf(1), all[1:3])
	w.outside(func(tx ostiary.Writer) error { return tx.DropSessions(1, all[2].Hash) })
	w.same("after all but one were dropped", w.sessionsOf(1), all[2:3])
	w.outside(func(tx ostiary.Writer) error { return tx.DropSessions(1, ostiary.Hash{}) })
	w.same("after all were dropped", w.sessionsOf(1), []ostiary.Session(nil))
	w.same("of Bob", w.sessionsOf(2), all[3:])

	w.put(all[:3]...)
	w.outside(func(tx ostiary.Writer) error { return tx.DropStaleSessions(all[1].SeenOn, noon) })
	w.same("after those seen before a time were dropped", w.sessionsOf(1), all[1:3])
	w.outside(func(tx ostiary.Writer) error { return tx.DropStaleSessions(noon, all[2].BeganOn) })
	w.same("after those begun before a time were dropped", w.sessionsOf(1), all[2:3])
	w.outside(func(tx ostiary.Writer) error { return tx.DropStaleSessions(noon.Add(time.Hour*99), noon) })
	w.same("of Bob", w.sessionsOf(2), []ostiary.Session(nil))
}

func sessionsLieOutside(w *world) {
	all := w.sessions()
	before, entries := w.head(), len(w.changes())
	seen := all[0]
	seen.SeenOn = noon.Add(time.Hour)
	w.put(seen)
	w.outside(func(tx ostiary.Writer) error { return tx.DropSession(all[1].Hash) })
	w.outside(func(tx ostiary.Writer) error {
		return errors.Join(tx.DropSessions(2, ostiary.Hash{}), tx.DropStaleSessions(noon, noon))
	})
	w.same("head", w.head(), before)
	w.same("entries", len(w.changes()), entries)
	mine := errors.New("mine")
	err := w.s.Update(w.Context(), func(tx ostiary.Writer) error {
		if err := tx.DropSessions(1, ostiary.Hash{}); err != nil {
			return err
		}
		return mine
	})
	if err != mine {
		w.Fatalf("got %v, want the error as it is", err)
	}
	w.same("after a change that failed", w.sessionsOf(1), []ostiary.Session{seen, all[2]})
	w.view(func(r ostiary.Reader) error {
		return r.Snapshot(func(f ostiary.Fact) error {
			if f == (ostiary.Fact{}) {
				w.Fatal("a snapshot gives a session")
			}
			return nil
		})
	})
	w.verify()
}
