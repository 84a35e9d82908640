package suite

import (
	"errors"
	"fmt"
	"time"

	"ostiary"
)

// tell appends entries without facts, one a minute from noon.
func (w *world) tell(stories ...ostiary.Story) {
	w.Helper()
	w.ok(w.s.Update(w.Context(), func(tx ostiary.Writer) error {
		for i, s := range stories {
			account := ostiary.ID(1)
			if s.Tag == "two" {
				account = 2
			}
			if _, err := tx.Append(account, noon.Add(time.Duration(i)*time.Minute), s, nil); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (w *world) log(f ostiary.LogFilter) (out []uint64) {
	w.Helper()
	for _, c := range read(w, func(r ostiary.Reader) ([]ostiary.Change, error) { return r.Log(f) }) {
		out = append(out, c.Revision)
	}
	return out
}

func logIsFiltered(w *world) {
	w.tell(
		ostiary.Story{What: "token.create", By: "/user/1", Token: 1, User: 1},              // 1
		ostiary.Story{What: "token.retire", By: "/user/2", Token: 2, User: 1},              // 2
		ostiary.Story{What: "app.allowed", By: "/token/3", For: 1, Token: 2, AppName: "a"}, // 3
		ostiary.Story{What: "tokenx", By: "operator:root", AppName: "A"},                   // 4
		ostiary.Story{What: "app.denied", Token: 3, AppName: "a", Tag: "two"},              // 5
	)
	for _, c := range []struct {
		what   string
		filter ostiary.LogFilter
		want   []uint64
	}{
		{"everything, newest first", ostiary.LogFilter{}, []uint64{5, 4, 3, 2, 1}},
		{"oldest first", ostiary.LogFilter{Oldest: true}, []uint64{1, 2, 3, 4, 5}},
		{"an account", ostiary.LogFilter{Account: 1}, []uint64{4, 3, 2, 1}},
		{"what", ostiary.LogFilter{What: "token.retire"}, []uint64{2}},
		{"what begins so", ostiary.LogFilter{What: "token.*"}, []uint64{2, 1}},
		{"what begins so, its case too", ostiary.LogFilter{What: "APP*"}, nil},
		{"what, anything", ostiary.LogFilter{What: "*"}, []uint64{5, 4, 3, 2, 1}},
		{"by", ostiary.LogFilter{By: "/user/2"}, []uint64{2}},
		{"by whoever begins so", ostiary.LogFilter{By: "operator:*"}, []uint64{4}},
		{"a token", ostiary.LogFilter{Token: 2}, []uint64{3, 2}},
		{"some tokens", ostiary.LogFilter{Tokens: []ostiary.ID{1, 3}}, []uint64{5, 1}},
		{"none of the tokens", ostiary.LogFilter{Tokens: []ostiary.ID{}}, nil},
		{"a person, also at work through a token", ostiary.LogFilter{User: 1}, []uint64{3, 2, 1}},
		{"a person, also one who did it", ostiary.LogFilter{Person: 1}, []uint64{3, 2, 1}},
		{"a person who did it alone", ostiary.LogFilter{Person: 2}, []uint64{2}},
		{"a person who did nothing", ostiary.LogFilter{Person: 22}, nil},
		{"a person on an account", ostiary.LogFilter{Person: 1, Account: 2}, nil},
		{"an application, its case too", ostiary.LogFilter{AppName: "a"}, []uint64{5, 3}},
		{"from", ostiary.LogFilter{From: noon.Add(3 * time.Minute)}, []uint64{5, 4}},
		{"to", ostiary.LogFilter{To: noon.Add(3 * time.Minute)}, []uint64{3, 2, 1}},
		{"all together", ostiary.LogFilter{
			Account: 1, What: "app.*", By: "/token/3", Token: 2, User: 1, AppName: "a",
			From: noon, To: noon.Add(time.Hour), Before: 5, After: 1,
		}, []uint64{3}},
		{"a text that SQL could take for more", ostiary.LogFilter{What: "' OR 1=1 --"}, nil},
		{"a text with wildcards of SQL", ostiary.LogFilter{What: "%*"}, nil},
	} {
		w.same(c.what, w.log(c.filter), c.want)
	}
}

func logIsPaged(w *world) {
	w.tell(make([]ostiary.Story, 250)...)
	w.same("default limit", len(w.log(ostiary.LogFilter{})), 100)
	w.same("first page", w.log(ostiary.LogFilter{Limit: 3}), []uint64{250, 249, 248})
	w.same("next page", w.log(ostiary.LogFilter{Limit: 3, Before: 248}), []uint64{247, 246, 245})
	w.same("forwards", w.log(ostiary.LogFilter{Limit: 2, After: 10, Oldest: true}), []uint64{11, 12})
}

func keyIsFoundAgain(w *world) {
	once := ostiary.Once{Key: ostiary.Hash{1}, Request: ostiary.Hash{2}}
	w.ok(w.s.Update(w.Context(), func(tx ostiary.Writer) error {
		_, err := tx.Append(1, noon, ostiary.Story{What: "made"}, &once)
		return err
	}))
	w.tell(ostiary.Story{What: "other"})
	find := func(key ostiary.Hash, since time.Time) (what string, was ostiary.Once, err error) {
		err = w.s.View(w.Context(), func(r ostiary.Reader) error {
			c, o, err := r.Once(key, since)
			if err != nil {
				return err
			}
			what, was = c.Story.What, o
			return nil
		})
		return what, was, err
	}
	what, was, err := find(once.Key, noon)
	w.ok(err)
	w.same("entry", what, "made")
	w.same("once", was, once)
	if _, _, err := find(once.Key, noon.Add(time.Millisecond)); !errors.Is(err, ostiary.ErrNotFound) {
		w.Fatalf("an old key: got %v, want %v", err, ostiary.ErrNotFound)
	}
	if _, _, err := find(ostiary.Hash{9}, noon); !errors.Is(err, ostiary.ErrNotFound) {
		w.Fatalf("an unknown key: got %v, want %v", err, ostiary.ErrNotFound)
	}
}

func erasedStories(w *world) {
	w.tell(
		ostiary.Story{What: "a", By: "/user/1", Token: 1, User: 1, For: 1, AppName: "n", Agent: "secret agent"},
		ostiary.Story{What: "b", By: "/user/1", Token: 1, User: 1, For: 1, AppName: "n"},
		ostiary.Story{What: "c", Tag: "two"},
		ostiary.Story{What: "d", By: "/user/1", User: 1},
	)
	erase := func() (n int) {
		w.ok(w.s.Update(w.Context(), func(tx ostiary.Writer) (err error) {
			if n, err = tx.EraseStories(1, noon.Add(2*time.Minute)); err != nil {
				return err
			}
			_, err = tx.Append(1, noon.Add(time.Hour), ostiary.Story{What: "erase"}, nil)
			return err
		}))
		return n
	}
	if w.s.Update(w.Context(), func(tx ostiary.Writer) error {
		_, err := tx.EraseStories(1, noon.Add(time.Hour))
		return err
	}) == nil {
		w.Fatal("stories were erased without an entry that says so")
	}
	w.same("erased", erase(), 2)
	w.same("erased again", erase(), 0)
	var left []string
	for _, c := range w.changes() {
		if c.Story == nil {
			left = append(left, "")
			continue
		}
		left = append(left, c.Story.What)
	}
	w.same("stories", left, []string{"", "", "c", "d", "erase", "erase"})
	for _, f := range []ostiary.LogFilter{{What: "a"}, {Token: 1}, {User: 1, To: noon.Add(2 * time.Minute)}, {AppName: "n"}} {
		w.same(fmt.Sprintf("what is found by %+v", f), w.log(f), []uint64(nil))
	}
	w.same("of the account", w.log(ostiary.LogFilter{Account: 1, Oldest: true}), []uint64{1, 2, 4, 5, 6})
	w.verify()
}

func storiesReadBack(w *world) {
	w.tell(
		ostiary.Story{What: "bytes", Agent: "a\xff\xfeb\x00c", Details: map[string]string{"k\xff": "<&>\u2028\x01"}},
		ostiary.Story{What: "nothing"},
		ostiary.Story{},
	)
	w.verify()
	w.same("agent", w.changes()[0].Story.Agent, "a\ufffd\ufffdb\x00c")
}

func changesGoOn(w *world) {
	const n = 1203 // more than one batch, and not a whole number of them
	w.tell(make([]ostiary.Story, n)...)
	seen := uint64(700)
	w.ok(w.s.Changes(w.Context(), seen, func(c ostiary.Change) error {
		w.same("revision", c.Revision, seen+1)
		seen = c.Revision
		return nil
	}))
	w.same("last", seen, uint64(n))
	mine := errors.New("mine")
	count := 0
	err := w.s.Changes(w.Context(), 0, func(ostiary.Change) error {
		count++
		return mine
	})
	if err != mine || count != 1 {
		w.Fatalf("got %v after %d, want the error as it is after 1", err, count)
	}
	w.ok(w.s.Changes(w.Context(), n+5, func(ostiary.Change) error { return mine }))
}
