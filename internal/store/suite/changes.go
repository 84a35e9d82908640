package suite

import (
	"context"
	"errors"
	"sync"

	"ostiary"
)

func entryHoldsWhatWasPut(w *world) {
	w.tokens()
	token := ostiary.Token{Account: 1, ID: 1, Kind: ostiary.UserToken, Owner: 1, Privilege: ostiary.ReadOnly}
	app := ostiary.App{Account: 1, Token: 1, ID: 1, Name: "a", State: ostiary.Allowed}
	told := ostiary.Story{
		What: "token.change", By: "/user/1", For: 2, From: "192.0.2.1", Agent: "curl", Tag: "t1", Token: 1, App: 1,
		AppName: "a", User: 1, Details: map[string]string{"privilege": "Normal → Read Only"},
	}
	w.ok(w.s.Update(w.Context(), func(tx ostiary.Writer) error {
		if err := errors.Join(tx.PutToken(token), tx.PutApp(app)); err != nil {
			return err
		}
		_, err := tx.Append(1, noon.Add(999), told, nil)
		return err
	}))
	all := w.changes()
	got := all[len(all)-1]
	w.same("facts", got.Facts, []ostiary.Fact{token.Fact(), app.Fact()})
	w.same("time", got.At, noon)
	w.same("account", got.Account, ostiary.ID(1))
	if len(got.Story.Salt) != 32 || got.Story.Salt == all[0].Story.Salt {
		w.Fatalf("the salt is %q, want 16 random bytes in hex", got.Story.Salt)
	}
	told.Salt = got.Story.Salt
	w.same("story", *got.Story, told)
	w.same("head", w.head(), ostiary.Head{Revision: got.Revision, Chain: got.Chain})
	w.verify()
}

// verify walks the chain from its beginning.
func (w *world) verify() {
	w.Helper()
	var chain ostiary.Hash
	for i, c := range w.changes() {
		w.same("revision", c.Revision, uint64(i+1))
		_, facts := ostiary.EncodeFacts(c.Facts)
		w.same("digest of facts", c.FactDigest, facts)
		if c.Story != nil {
			_, digest := ostiary.EncodeStory(c.Story)
			w.same("digest of story", c.StoryDigest, digest)
		}
		chain = ostiary.Link(chain, c)
		w.same("chain", c.Chain, chain)
	}
}

func revisionsHaveNoGap(w *world) {
	w.people()
	w.ok(w.s.Update(w.Context(), func(tx ostiary.Writer) error {
		for i := range 3 {
			err := tx.PutMember(ostiary.Member{Account: 1, User: ostiary.ID(i + 1), Role: ostiary.Normal})
			if err != nil {
				return err
			}
			revision, err := tx.Append(1, noon, story, nil)
			if err != nil {
				return err
			}
			w.same("revision", revision, uint64(i+2))
			head, err := tx.Head()
			if err != nil {
				return err
			}
			w.same("head inside the transaction", head.Revision, revision)
		}
		return nil
	}))
	for i, c := range w.changes()[1:] {
		w.same("facts", c.Facts, []ostiary.Fact{
			ostiary.Member{Account: 1, User: ostiary.ID(i + 1), Role: ostiary.Normal}.Fact(),
		})
	}
	w.verify()
}

func noChangeWithoutEntry(w *world) {
	w.people()
	before := w.head()
	user := ostiary.User{ID: 9, Email: "late@example.com"}
	err := w.s.Update(w.Context(), func(tx ostiary.Writer) error { return tx.PutUser(user) })
	if err == nil {
		w.Fatal("a record was put without an entry")
	}
	err = w.s.Update(w.Context(), func(tx ostiary.Writer) error {
		if _, err := tx.Append(1, noon, story, nil); err != nil {
			return err
		}
		return tx.PutUser(user)
	})
	if err == nil {
		w.Fatal("a record was put after the last entry")
	}
	missing(w, "the user", func(r ostiary.Reader) (ostiary.User, error) { return r.User(9) })
	w.same("head", w.head(), before)
}

func errorChangesNothing(w *world) {
	w.people()
	before := w.head()
	mine := errors.New("mine")
	err := w.s.Update(w.Context(), func(tx ostiary.Writer) error {
		if err := tx.PutUser(ostiary.User{ID: 9, Email: "late@example.com"}); err != nil {
			return err
		}
		if _, err := tx.NewID("user"); err != nil {
			return err
		}
		if _, err := tx.Append(1, noon, story, nil); err != nil {
			return err
		}
		return mine
	})
	if err != mine {
		w.Fatalf("got %v, want the error as it is", err)
	}
	if err := w.s.View(w.Context(), func(ostiary.Reader) error { return mine }); err != mine {
		w.Fatalf("a view gives %v, want the error as it is", err)
	}
	missing(w, "the user", func(r ostiary.Reader) (ostiary.User, error) { return r.User(9) })
	w.same("head", w.head(), before)
}

func panicChangesNothing(w *world) {
	w.people()
	before := w.head()
	try := func(do func()) {
		w.Helper()
		defer func() {
			if recover() == nil {
				w.Fatal("the panic was swallowed")
			}
		}()
		do()
	}
	for range 20 { // more often than there are connections
		try(func() {
			w.s.Update(context.Background(), func(tx ostiary.Writer) error {
				tx.PutUser(ostiary.User{ID: 9, Email: "late@example.com"})
				tx.Append(1, noon, story, nil)
				panic("mine")
			})
		})
		try(func() {
			w.s.View(context.Background(), func(ostiary.Reader) error { panic("mine") })
		})
	}
	w.same("head", w.head(), before)
	w.change(func(tx ostiary.Writer) error { return tx.PutUser(ostiary.User{ID: 9, Email: "late@example.com"}) })
}

func nothingPut(w *world) {
	w.people()
	before := w.head()
	w.ok(w.s.Update(w.Context(), func(tx ostiary.Writer) error {
		_, err := tx.Users()
		return err
	}))
	w.same("head", w.head(), before)
}

func viewIsOneSnapshot(w *world) {
	w.people()
	w.view(func(r ostiary.Reader) error {
		before, err := r.Head()
		if err != nil {
			return err
		}
		w.change(func(tx ostiary.Writer) error { return tx.PutUser(ostiary.User{ID: 9, Email: "late@example.com"}) })
		if _, err := r.User(9); !errors.Is(err, ostiary.ErrNotFound) {
			w.Fatalf("a snapshot sees what came later: %v", err)
		}
		after, err := r.Head()
		w.same("head", after, before)
		return err
	})
	w.same("users", len(read(w, ostiary.Reader.Users)), 4)
}

func updatesAreSerializable(w *world) {
	w.people()
	const each, tellers = 20, 8
	var all sync.WaitGroup
	for range tellers {
		all.Go(func() {
			for range each {
				err := w.s.Update(w.Context(), func(tx ostiary.Writer) error {
					a, err := tx.Account(1)
					if err != nil {
						return err
					}
					a.MetricsUsed++
					if err := tx.PutAccount(a); err != nil {
						return err
					}
					_, err = tx.Append(1, noon, story, nil)
					return err
				})
				if err != nil {
					w.Error(err)
				}
			}
		})
	}
	all.Wait()
	a := read(w, func(r ostiary.Reader) (ostiary.Account, error) { return r.Account(1) })
	w.same("count", a.MetricsUsed, int64(each*tellers))
	w.same("revision", w.head().Revision, uint64(each*tellers+1))
	w.verify()
}

func cancelledCall(w *world) {
	w.people()
	before := w.head()
	ctx, stop := context.WithCancel(w.Context())
	stop()
	err := w.s.Update(ctx, func(ostiary.Writer) error { panic("run") })
	if !errors.Is(err, context.Canceled) {
		w.Fatalf("got %v, want %v", err, context.Canceled)
	}
	err = w.s.View(ctx, func(ostiary.Reader) error { panic("run") })
	if !errors.Is(err, context.Canceled) {
		w.Fatalf("got %v, want %v", err, context.Canceled)
	}
	// Once it has begun, a change is finished.
	ctx, stop = context.WithCancel(w.Context())
	defer stop()
	w.ok(w.s.Update(ctx, func(tx ostiary.Writer) error {
		stop()
		if err := tx.PutUser(ostiary.User{ID: 9, Email: "late@example.com"}); err != nil {
			return err
		}
		_, err := tx.Append(1, noon, story, nil)
		return err
	}))
	w.same("revision", w.head().Revision, before.Revision+1)
}
