package authority_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/authority"
)

// An edge says who turned up. It is believed about a name that a request could have, and about no other.
func TestWhatNoRequestCouldBringIsNotPutOnRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.newToken(t, w.as(w.bob), ostiary.UserToken, ostiary.Normal, ostiary.Allow)
	before := w.dir.Revision()
	for _, name := range []string{"", "a,b", " a", "a\n", strings.Repeat("a", 101), "\xff"} {
		_, err := w.Meet(t.Context(), authority.Contact{Account: w.account, Token: made.ID, Name: name})
		if reason(err) != ostiary.CheckAppName(name) {
			t.Errorf("a contact named %q is answered %v", name, err)
		}
	}
	for _, c := range []authority.Contact{
		{Account: w.account, Token: made.ID + 1, Name: "x"}, {Account: w.account + 1, Token: made.ID, Name: "x"},
	} {
		if _, err := w.Meet(t.Context(), c); err == nil {
			t.Errorf("a contact of token %d on account %d is put on record", c.Token, c.Account)
		}
	}
	if w.dir.Revision() != before {
		t.Errorf("something was put on record: at %d, before %d", w.dir.Revision(), before)
	}
	long := strings.Repeat("x", 10_000)
	if _, err := w.Meet(t.Context(), authority.Contact{
		Account: w.account, Token: made.ID, Name: "x", Agent: long, Request: "GET " + long,
	}); err != nil {
		t.Fatal(err)
	}
	found := errors.New("found")
	err := w.store.Changes(t.Context(), before, func(c ostiary.Change) error {
		if n := len(c.Story.Agent) + len(c.Story.Details["request"]); n > 500 {
			t.Errorf("%d bytes of what an edge said stand in the log", n)
		}
		return found
	})
	if !errors.Is(err, found) {
		t.Errorf("the contact is not in the log: %v", err)
	}
}

// Each edge keeps the pace of an account by itself, and may say what it likes: together they keep it here.
func TestEdgesTogetherKeepThePaceOfAnAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.newToken(t, w.as(w.bob), ostiary.UserToken, ostiary.Normal, ostiary.Allow)
	before := w.dir.Revision()
	meet := func(name string, tooFast bool) {
		t.Helper()
		if _, err := w.Meet(t.Context(), authority.Contact{
			Account: w.account, Token: made.ID, Name: name, TooFast: tooFast,
		}); err != nil {
			t.Fatal(err)
		}
	}
	begun := time.Now()
	for i := range 100 {
		meet(fmt.Sprint("app", i), false)
	}
	most := 10 + 10*int(time.Since(begun)/time.Second+1)
	if n := w.dir.Counts(made.ID).Apps; n < 10 || n > most {
		t.Errorf("of 100 applications that came at once %d are on record, want 10 a second", n)
	}
	for range 20 {
		meet("x", true)
	}
	told := 0
	if err := w.store.Changes(t.Context(), before, func(c ostiary.Change) error {
		if c.Story.What == "app.cap" {
			told++
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if told != 1 {
		t.Errorf("the log was told %d times that the account goes too fast, want once", told)
	}
	meet("app0", false) // it is on record already, and costs nothing of the pace
}
