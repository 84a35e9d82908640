package authority_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/authority"
	"ostiary/internal/follow"
)

func TestLogPageNamesEverybodyAndEverythingInIt(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	name := "Bob"
	last := "Miller"
	if _, _, err := w.SetUser(ctx, w.as(w.bob), w.bob, authority.UserPatch{FirstName: &name, LastName: &last}); err != nil {
		t.Fatal(err)
	}
	bobs := w.named(t, w.as(w.bob), ostiary.UserToken, "Laptop")
	alices := w.named(t, w.as(w.alice), ostiary.AccountToken, "Nightly export")
	made := w.newToken(t, w.with(bobs.ID), ostiary.UserToken, ostiary.ReadOnly, ostiary.Deny)

	page, err := w.LogPage(ctx, w.as(w.alice), ostiary.LogFilter{What: "token.*"})
	if err != nil || !page.All || len(page.Changes) != 3 || page.More || len(page.People) != 3 {
		t.Fatalf("%+v: %v", page, err)
	}
	bobToken := ostiary.By(fmt.Sprintf("/token/%d", bobs.ID))
	for by, want := range map[ostiary.By]string{
		"/user/2": "Bob Miller", "/user/1": "alice@example.com", bobToken: "Laptop " + bobs.Hint,
	} {
		if page.Names[by] != want {
			t.Errorf("%s is called %q, not %q", by, page.Names[by], want)
		}
	}
	if got := page.Tokens[alices.ID]; got != (authority.TokenName{Description: "Nightly export", Hint: alices.Hint, Kind: ostiary.AccountToken}) {
		t.Errorf("the token is called %+v", got)
	}
	page, err = w.LogPage(ctx, w.as(w.bob), ostiary.LogFilter{Limit: 1})
	if err != nil || page.All || !page.More || len(page.Changes) != 1 || page.Changes[0].Story.Token != made.ID {
		t.Errorf("Bob reads %+v: %v", page.Changes, err)
	}
	all, err := w.LogPage(ctx, w.as(w.bob), ostiary.LogFilter{})
	if err != nil || len(all.Changes) != 2 || all.Tokens[alices.ID].Hint != "" {
		t.Errorf("Bob reads of other tokens: %+v, %v", all.Tokens, err)
	}
	if page, err = w.LogPage(ctx, w.as(w.carol), ostiary.LogFilter{}); err != nil || len(page.Changes) != 0 {
		t.Errorf("Carol reads %+v: %v", page.Changes, err)
	}
	stranger := w.newUser(t, operator, "erin@example.com", ostiary.NoRole)
	if _, err := w.LogPage(ctx, w.as(stranger), ostiary.LogFilter{}); reason(err) != ostiary.Hidden {
		t.Errorf("a stranger is told %v", err)
	}
}

func TestTokenThatIsNotToBeSeenHasANumberForAName(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	maker := w.newToken(t, w.as(w.alice), ostiary.AccountToken, ostiary.Admin, ostiary.Allow)
	c := operator
	c.Account = w.account
	bobs := w.named(t, w.as(w.bob), ostiary.UserToken, "Laptop")
	if _, _, err := w.DecideName(ctx, w.with(maker.ID), bobs.ID, "cron", ostiary.Allowed); err != nil {
		t.Fatal(err)
	}
	_, names, err := w.Card(ctx, w.as(w.bob), bobs.ID)
	by := ostiary.By(fmt.Sprintf("/token/%d", maker.ID))
	if err != nil || names[by] != "token "+maker.ID.String() {
		t.Errorf("Bob is told that %q decided: %v", names[by], err)
	}
}

func TestNewsAreWhatTheCallerMaySee(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	bobs := w.named(t, w.as(w.bob), ostiary.UserToken, "Bob's")
	at := w.dir.Revision()
	w.named(t, w.as(w.alice), ostiary.AccountToken, "not Bob's")
	w.ask(bobs.Secret, "cron", ostiary.ReadOnly)
	w.ask(bobs.Secret, "grafana", ostiary.ReadOnly)
	kinds := func(user ostiary.ID, after uint64) []string {
		t.Helper()
		news, err := w.News(ctx, w.as(user), after)
		if err != nil || news.Revision != w.dir.Revision() {
			t.Fatalf("%+v: %v", news, err)
		}
		return news.Kinds
	}
	for user, want := range map[ostiary.ID][]string{
		w.alice: {"token.create", "app.new"}, w.bob: {"app.new"}, w.carol: nil,
	} {
		if got := kinds(user, at); !slices.Equal(got, want) {
			t.Errorf("user %d is told of %v, not %v", user, got, want)
		}
	}
	if got := kinds(w.alice, w.dir.Revision()); got != nil {
		t.Errorf("nothing happened, and Alice is told of %v", got)
	}
	at = w.dir.Revision()
	if _, err := w.SetRole(ctx, w.as(w.alice), w.bob, ostiary.ReadOnly); err != nil {
		t.Fatal(err)
	}
	if got := kinds(w.bob, at); !slices.Equal(got, []string{"member.role"}) {
		t.Errorf("Bob, whose role was lowered, is told of %v", got)
	}
	if got := kinds(w.carol, at); got != nil {
		t.Errorf("Carol is told of %v", got)
	}
	list, err := w.Leave(ctx, w.as(w.alice), w.bob)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.RemoveMember(ctx, w.as(w.alice), w.bob, nil, list.Confirm); err != nil {
		t.Fatal(err)
	}
	if _, err := w.News(ctx, w.as(w.bob), at); reason(err) != ostiary.Hidden {
		t.Errorf("Bob, who was removed, is told %v", err)
	}
}

// A countedStore is a real one that counts how often all tokens of an account are read.
type countedStore struct {
	ostiary.Store
	reads *int
}

func (s countedStore) View(ctx context.Context, fn func(ostiary.Reader) error) error {
	return s.Store.View(ctx, func(r ostiary.Reader) error { return fn(countedReader{r, s.reads}) })
}

type countedReader struct {
	ostiary.Reader
	reads *int
}

func (r countedReader) Tokens(account ostiary.ID) ([]ostiary.Token, error) {
	*r.reads++
	return r.Reader.Tokens(account)
}

func TestNewsOfAMemberReadNoTokensThatDidNotChange(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	bobs := w.named(t, w.as(w.bob), ostiary.UserToken, "Bob's")
	at := w.dir.Revision()
	w.named(t, w.as(w.alice), ostiary.AccountToken, "not Bob's")
	w.ask(bobs.Secret, "cron", ostiary.ReadOnly)
	reads := 0
	counted := authority.New(countedStore{w.store, &reads}, w.dir, follow.New(w.store, w.dir, nil), w.usage, authority.Settings{})
	for user, want := range map[ostiary.ID][]string{w.bob: {"app.new"}, w.carol: nil} {
		news, err := counted.News(ctx, w.as(user), at)
		if err != nil || !slices.Equal(news.Kinds, want) {
			t.Errorf("user %d is told of %v (%v), want %v", user, news.Kinds, err, want)
		}
	}
	if reads != 0 {
		t.Errorf("for two changes all tokens were read %d times, want none", reads)
	}
}

func TestNewsAfterALongAbsenceAreStillOnesOwn(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	bobs := w.named(t, w.as(w.bob), ostiary.UserToken, "Bob's")
	alices := w.named(t, w.as(w.alice), ostiary.AccountToken, "not Bob's")
	at := w.dir.Revision()
	change := func(made authority.Made, n int) {
		t.Helper()
		for i := range n {
			text := fmt.Sprint(i)
			_, _, err := w.SetToken(ctx, w.as(w.alice), made.ID, authority.TokenPatch{Description: &text})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	told := func(want ...string) {
		t.Helper()
		news, err := w.News(ctx, w.as(w.bob), at)
		if err != nil || !slices.Equal(news.Kinds, want) {
			t.Errorf("Bob is told of %v (%v), want %v", news.Kinds, err, want)
		}
	}
	change(alices, 210)
	told()
	change(bobs, 1)
	if _, err := w.SetRole(ctx, w.as(w.alice), w.bob, ostiary.ReadOnly); err != nil {
		t.Fatal(err)
	}
	told("token.change", "member.role")
	change(bobs, 210)
	told("many")
}

func TestAnyNumberOfOpenPagesWaitForTheNextRevision(t *testing.T) {
	w := newWorld(t)
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	at := w.dir.Revision()
	var pages sync.WaitGroup
	errs := make([]error, 300)
	for i := range errs {
		pages.Go(func() { errs[i] = w.Wait(ctx, at) })
	}
	w.named(t, w.as(w.alice), ostiary.UserToken, "something new")
	pages.Wait()
	for _, err := range errs {
		if err != nil {
			t.Fatalf("an open page was not told: %v", err)
		}
	}
	short, end := context.WithTimeout(ctx, 20*time.Millisecond)
	defer end()
	if err := w.Wait(short, w.dir.Revision()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nothing happened, and the page is told %v", err)
	}
}
