package web_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"ostiary"
	"ostiary/internal/answer"
	"ostiary/internal/credential"
	"ostiary/internal/web"
)

// full are the logins on a disk that is full.
type full struct{ browsers }

func (full) SignOut(context.Context, ostiary.SecretText) error {
	return fmt.Errorf("%w: the disk is full", ostiary.ErrReadOnly)
}

// Whoever signs out at a borrowed browser and walks away is signed out there.
func TestSignOutEmptiesTheBrowserWhereNothingCanBeWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	read, err := credential.New(credential.Settings{})
	w.ok(err)
	pages, err := web.New(w.authority, full{browsers{Logins: w.logins}}, read, credential.Trusted{}, answer.New(answer.Settings{}),
		&w.events, web.Options{PublicURL: w.URL, Now: w.clock.Now})
	w.ok(err)
	r, answer := w.bob.asksFor("/logout"), httptest.NewRecorder()
	r.Method = http.MethodPost
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	pages.ServeHTTP(answer, r)
	if text := answer.Body.String(); answer.Code != http.StatusServiceUnavailable || !strings.Contains(text, "This browser is signed out.") {
		t.Errorf("signing out is answered with %d:\n%s", answer.Code, text)
	}
	cookies := answer.Result().Cookies()
	if len(cookies) != 1 || !strings.HasPrefix(cookies[0].Name, "ostiary-session") || cookies[0].MaxAge >= 0 {
		t.Errorf("the browser is given %v", cookies)
	}
}

func TestTooManyTriesSayWhenToComeBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bob.signIn()
	guesser := w.stranger()
	for range 5 {
		guesser.post("/login", "email", "bob@example.com", "password", "a guess")
	}
	p := guesser.post("/login", "email", "bob@example.com", "password", "a guess")
	if p.status != http.StatusTooManyRequests || p.header.Get("Retry-After") == "" {
		t.Errorf("the sixth guess is answered with %d, to come back in %q seconds", p.status, p.header.Get("Retry-After"))
	}
	for range 5 {
		w.bob.post("/profile/email", "email", "new@example.com", "password", "a guess")
	}
	p = w.bob.post("/profile/email", "email", "new@example.com", "password", "a guess")
	if p.status != http.StatusTooManyRequests || p.header.Get("Retry-After") == "" {
		t.Errorf("the sixth guess on the profile is answered with %d, to come back in %q seconds",
			p.status, p.header.Get("Retry-After"))
	}
}
