package directory_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"ostiary"
	"ostiary/internal/directory"
)

// A million tokens with two applications each may take 400 MB; 250 is the aim.
func TestATokenWithTwoApplicationsTakesLessThan300Bytes(t *testing.T) {
	const tokens = 100_000
	before := heap()
	d := directory.New()
	if err := d.Load(context.Background(), crowd{tokens: tokens}); err != nil {
		t.Fatal(err)
	}
	if got := (heap() - before) / tokens; got > 300 {
		t.Errorf("%d bytes a token, want at most 300", got)
	}
	want := directory.Size{
		Accounts: 100, Users: 10_000, Members: 10_000, Tokens: tokens, Secrets: tokens, Apps: 2 * tokens,
	}
	if got := d.Size(); got != want {
		t.Errorf("size %+v, want %+v", got, want)
	}
	c := crowd{tokens: tokens}
	for range 10_000 {
		i := rand.IntN(tokens)
		if f := look(d, c.secret(i).Hash(), c.app(i, 1)); f.Token.ID != c.token(i).ID || f.App.ID != ostiary.ID(2*i+2) {
			t.Fatalf("token %d: got %+v", i, f)
		}
		if f := look(d, c.secret(i+tokens).Hash(), c.app(i, 1)); f.Known {
			t.Fatalf("token %d does not exist, got %+v", i+tokens, f)
		}
	}
	runtime.KeepAlive(d)
}

func TestADecisionAllocatesNothing(t *testing.T) {
	d := told(t)
	var f ostiary.Facts
	for _, app := range []string{"curl", "unknown"} {
		if n := testing.AllocsPerRun(100, func() { d.Look(hash1, app, &f) }); n != 0 {
			t.Errorf("%v allocations for %q", n, app)
		}
	}
}

func TestAThousandApplicationsAreAllFound(t *testing.T) {
	d := told(t)
	order := rand.Perm(1000)
	for _, i := range order {
		apply(t, d, nil, app(fmt.Sprint("app", i), ostiary.ID(i+10), ostiary.AppState(i%3)))
	}
	for i := range 1000 {
		want := *app(fmt.Sprint("app", i), ostiary.ID(i+10), ostiary.AppState(i%3)).App
		if got := look(d, hash1, want.Name).App; got != want {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	}
	for _, name := range []string{"", "app", "app1000", "zzz", "app1\x00"} {
		if got := look(d, hash1, name).App; got != (ostiary.AppFact{}) {
			t.Errorf("%q: got %+v", name, got)
		}
	}
	if got := d.Counts(3); got.Apps != 1001 || got.Waiting != 334 {
		t.Errorf("got %+v, want 1001 applications, 334 of them waiting", got)
	}
}
