package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/store/pgtest"
)

// A server that was left alone takes connections and acknowledges nothing. Standing first in the URL, it is where every
// new connection would lead.
func TestAWordThatDoesNotLastIsSaidElsewhere(t *testing.T) {
	if testing.Short() {
		t.Skip("waits until a server is given up")
	}
	t.Parallel()
	alone := pgtest.Start(t)
	name := alone.Database(t)
	addTokens(t, createOn(t, alone.URL(name)), 1)
	second := alone.Standby(t)
	alone.Exec(t, "postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'")
	alone.Exec(t, "postgres", "SELECT pg_reload_conf()")
	a := join(t, fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d,127.0.0.1:%d/%s?sslmode=disable",
		pgtest.User, pgtest.Password, alone.Port, second.Port, name))
	var log ostiary.Head
	speak := func() error {
		return inTwoSeconds(t, func(ctx context.Context) (err error) {
			log, err = a.Registry().KeepNodes(ctx, ostiary.Node{ID: "a", Name: "a", Lease: time.Minute})
			return err
		})
	}
	ok(t, speak())
	second.Promote(t) // nobody tells the other one
	b := join(t, second.URL(name))
	change(t, b, count)
	newest := headWithin(t, b)
	for end := time.Now().Add(10 * time.Second); speak() != nil && time.Now().Before(end); {
		time.Sleep(100 * time.Millisecond)
	}
	if log != newest {
		t.Fatalf("a word lasts where the log ends at %d, want %d", log.Revision, newest.Revision)
	}
	soon(t, "the node makes changes there", func() bool { return a.Degraded() == nil })
	change(t, a, count)
	if at := headWithin(t, a); at.Revision != newest.Revision+1 {
		t.Errorf("it reads revision %d, want %d", at.Revision, newest.Revision+1)
	}
	old := fmt.Sprintf("127.0.0.1:%d", alone.Port)
	for end := time.Now().Add(11 * time.Second); time.Now().Before(end); time.Sleep(time.Second) {
		ok(t, speak())
		if a.Registry().Leads(old) {
			t.Fatalf("words last elsewhere, and connections may lead to %s, which was left alone", old)
		}
	}
}
