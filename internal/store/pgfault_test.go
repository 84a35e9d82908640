package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/store"
	"ostiary/internal/store/pgtest"
)

// inTime runs something, and fails if it takes longer.
func inTime(t *testing.T, limit time.Duration, what string, do func()) {
	t.Helper()
	began := time.Now()
	do()
	if took := time.Since(began); took > limit {
		t.Errorf("%s took %s, longer than %s", what, took.Round(time.Millisecond), limit)
	}
}

// soon waits for a claim as long as a database may need to come back.
func soon(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 20 seconds: %s", what)
		}
	}
}

func canRead(db *store.DB) bool {
	return db.View(context.Background(), func(r ostiary.Reader) error {
		_, err := r.Head()
		return err
	}) == nil
}

func wantRefused(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, ostiary.ErrReadOnly) {
		t.Fatalf("a change: got %v, want %v", err, ostiary.ErrReadOnly)
	}
}

func TestNothingAcknowledgedIsLostWhenTheServerIsKilled(t *testing.T) {
	t.Parallel()
	c := pgtest.Start(t)
	url := c.URL(c.Database(t))
	nodes := []*store.DB{createOn(t, url), join(t, url)}
	var mu sync.Mutex
	acknowledged, doubtful := map[ostiary.ID]bool{}, 0
	stop := make(chan struct{})
	var all sync.WaitGroup
	for n := range 4 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				var id ostiary.ID
				err := nodes[n%2].Update(context.Background(), func(w ostiary.Writer) (err error) {
					if id, err = w.NewID("user"); err != nil {
						return err
					}
					if err := w.PutUser(ostiary.User{ID: id, Email: fmt.Sprintf("u%d@example.com", id)}); err != nil {
						return err
					}
					_, err = w.Append(1, time.Now(), ostiary.Story{What: "test"}, nil)
					return err
				})
				mu.Lock()
				if err == nil {
					acknowledged[id] = true
				} else if errors.As(err, new(*ostiary.UncertainError)) {
					doubtful++
				} else if !errors.Is(err, ostiary.ErrReadOnly) {
					t.Error(err)
				}
				mu.Unlock()
			}
		})
	}
	for range 3 {
		time.Sleep(time.Duration(200+rand.IntN(300)) * time.Millisecond)
		c.Kill(t)
		for _, node := range nodes {
			within(t, "a node says that the database is away", func() bool { return node.Degraded() != nil })
		}
		c.Again(t)
		for _, node := range nodes {
			soon(t, "a node goes on by itself", func() bool { return node.Degraded() == nil })
		}
	}
	time.Sleep(100 * time.Millisecond)
	close(stop)
	all.Wait()
	t.Logf("%d changes were acknowledged, and %d are in doubt", len(acknowledged), doubtful)
	for _, node := range nodes {
		holds(t, node)
		ok(t, node.View(t.Context(), func(r ostiary.Reader) error {
			for id := range acknowledged {
				if _, err := r.User(id); err != nil {
					return fmt.Errorf("user %d, which was acknowledged: %w", id, err)
				}
			}
			return nil
		}))
	}
	if len(acknowledged) < 20 {
		t.Errorf("only %d changes were made", len(acknowledged))
	}
}

func TestEndedConnectionsAreReplacedUnnoticed(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	name := c.Database(t)
	db := createOn(t, c.URL(name))
	addTokens(t, db, 1)
	for range 3 {
		c.Exec(t, "postgres", `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1`, name)
		if !canRead(db) {
			t.Error("reading fails")
		}
		change(t, db, count)
	}
	holds(t, db)
}

func TestARestartedServerIsFoundAgain(t *testing.T) {
	t.Parallel()
	c := pgtest.Start(t)
	db := createOn(t, c.URL(c.Database(t)))
	addTokens(t, db, 1)
	c.Stop(t)
	within(t, "changes are refused", func() bool { return db.Degraded() != nil })
	inTime(t, 3*time.Second, "a change", func() { wantRefused(t, tryChange(db)) })
	inTime(t, 3*time.Second, "reading", func() {
		if canRead(db) {
			t.Error("there is something to read")
		}
	})
	c.Again(t)
	soon(t, "changes can be made again", func() bool { return db.Degraded() == nil })
	change(t, db, count)
	holds(t, db)
}

func TestAFrozenServerHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	c := pgtest.Start(t)
	db := createOn(t, c.URL(c.Database(t)))
	addTokens(t, db, 1)
	for range 3 { // with several connections, on which nothing is heard any more
		ok(t, db.View(t.Context(), func(ostiary.Reader) error {
			return db.View(t.Context(), func(ostiary.Reader) error { return nil })
		}))
	}
	resume := c.Pause(t)
	ctx, stop := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer stop()
	inTime(t, time.Second, "reading with a deadline", func() {
		err := db.View(ctx, func(r ostiary.Reader) error { _, err := r.Head(); return err })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
		}
	})
	inTime(t, 3*time.Second, "noticing", func() {
		soon(t, "changes are refused", func() bool { return db.Degraded() != nil })
	})
	inTime(t, 12*time.Second, "reading", func() { canRead(db) })
	inTime(t, 12*time.Second, "a change", func() { wantRefused(t, tryChange(db)) })
	resume()
	soon(t, "changes can be made again", func() bool { return db.Degraded() == nil })
	change(t, db, count)
	holds(t, db)
}

func TestAFrozenBackendHoldsUpChangesForSecondsOnly(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	name := c.Database(t)
	db, other := createOn(t, c.URL(name)), join(t, c.URL(name))
	addTokens(t, db, 1)
	var resume func()
	inTime(t, 12*time.Second, "the change whose backend is frozen", func() {
		wantRefused(t, db.Update(t.Context(), func(w ostiary.Writer) error {
			if resume == nil {
				resume = pgtest.Freeze(t, c.Backends(t, name, "idle in transaction")...)
			}
			return count(w)
		}))
	})
	inTime(t, 12*time.Second, "a change of another node", func() { wantRefused(t, tryChange(other)) })
	if !canRead(db) || !canRead(other) {
		t.Error("reading fails")
	}
	resume()
	soon(t, "changes can be made again", func() bool { return db.Degraded() == nil && other.Degraded() == nil })
	change(t, other, count)
	change(t, db, count)
	holds(t, db)
}

func TestAServerThatIsReadOnlyIsLeft(t *testing.T) {
	t.Parallel()
	c := pgtest.Start(t)
	name := c.Database(t)
	db := createOn(t, c.URL(name))
	addTokens(t, db, 1)
	before := c.Backends(t, name, "")
	c.Exec(t, name, "ALTER SYSTEM SET default_transaction_read_only = on")
	c.Exec(t, name, "SELECT pg_reload_conf()")
	time.Sleep(200 * time.Millisecond)
	wantRefused(t, tryChange(db))
	within(t, "changes are refused", func() bool { return db.Degraded() != nil })
	soon(t, "no connection to it is kept", func() bool {
		canRead(db)
		for _, pid := range c.Backends(t, name, "") {
			for _, was := range before {
				if pid == was {
					return false
				}
			}
		}
		return true
	})
	c.Exec(t, "postgres", "ALTER SYSTEM RESET default_transaction_read_only")
	c.Exec(t, "postgres", "SELECT pg_reload_conf()")
	soon(t, "changes can be made again", func() bool { return db.Degraded() == nil })
	change(t, db, count)
}

// A transaction that met somebody else's is made again: fn runs twice, and the change once.
func TestAChangeThatMetAnotherIsMadeAgain(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	name := c.Database(t)
	db := createOn(t, c.URL(name))
	addTokens(t, db, 1)
	runs := 0
	change(t, db, func(w ostiary.Writer) error {
		if runs++; runs == 1 {
			if _, err := w.Account(1); err != nil {
				return err
			}
			c.Exec(t, name, "UPDATE accounts SET metrics_used = 100 WHERE id = 1")
		}
		return count(w)
	})
	ok(t, db.View(t.Context(), func(r ostiary.Reader) error {
		a, err := r.Account(1)
		if runs != 2 || a.MetricsUsed != 101 {
			t.Errorf("ran %d times and counts %d, want 2 and 101", runs, a.MetricsUsed)
		}
		return err
	}))
	holds(t, db)
}

func TestAnErrorThatWasOverlookedCommitsNothing(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	db := createOn(t, c.URL(c.Database(t)))
	addTokens(t, db, 1)
	before := head(t, db)
	err := db.Update(t.Context(), func(w ostiary.Writer) error {
		if err := count(w); err != nil {
			return err
		}
		if _, err := w.Append(1, noon, ostiary.Story{What: "test"}, nil); err != nil {
			return err
		}
		w.PutSession(ostiary.Session{ID: 1, Hash: ostiary.Hash{1}, User: 99}) // of nobody
		return nil
	})
	if err == nil || head(t, db) != before {
		t.Errorf("got %v, and the log ends at %d, want an error and %d", err, head(t, db).Revision, before.Revision)
	}
	change(t, db, addUser)
	err = db.Update(t.Context(), func(w ostiary.Writer) error {
		w.PutSession(ostiary.Session{ID: 2, Hash: ostiary.Hash{2}, User: 1})
		w.PutSession(ostiary.Session{ID: 3, Hash: ostiary.Hash{3}, User: 99})
		return nil
	})
	if err == nil {
		t.Error("a change without an entry is acknowledged, and PostgreSQL has undone it")
	}
}

func TestHintsOfOtherNodesAreHeard(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	name := c.Database(t)
	db, other := createOn(t, c.URL(name)), join(t, c.URL(name))
	hints := db.Hints(t.Context())
	addTokens(t, other, 1)
	heard := func(limit time.Duration) {
		t.Helper()
		end, got := time.Now().Add(limit), uint64(0)
		for time.Now().Before(end) {
			revision := change(t, other, count)
			for again := time.After(300 * time.Millisecond); got < revision && again != nil; {
				select {
				case got = <-hints:
				case <-again:
					again = nil
				}
			}
			if got >= revision {
				return
			}
		}
		t.Fatalf("nothing newer than %d was heard of within %s", got, limit)
	}
	heard(5 * time.Second)
	listening := func() []int {
		return pgtest.Column[int](t, c, name,
			`SELECT pid FROM pg_stat_activity WHERE datname = current_database()
				AND (query LIKE 'LISTEN%' OR query LIKE '%transaction_read_only%')`)
	}
	c.Exec(t, name, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid()`)
	heard(5 * time.Second)
	pgtest.Freeze(t, listening()...)
	heard(8 * time.Second)
}

// A server that has no connection to spare is no reason to give up those that are open.
func TestAServerWithoutRoomKeepsTheConnectionsThatItHas(t *testing.T) {
	t.Parallel()
	c := pgtest.Start(t, "max_connections = 12", "superuser_reserved_connections = 3", "max_wal_senders = 0")
	name := c.Database(t)
	c.Exec(t, name, "CREATE ROLE plain LOGIN PASSWORD '"+pgtest.Password+"'")
	c.Exec(t, name, "GRANT ALL ON SCHEMA public TO plain")
	url := strings.Replace(c.URL(name), "//"+pgtest.User, "//plain", 1)
	db := createOn(t, url)
	addTokens(t, db, 1)
	canRead(db)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			db.View(t.Context(), func(ostiary.Reader) error { time.Sleep(500 * time.Millisecond); return nil })
		})
	}
	other, err := store.Open(t.Context(), t.TempDir(), store.Options{Database: store.ReadDSN(url)})
	all.Wait()
	if err == nil {
		ok(t, other.Close())
	}
	if !canRead(db) {
		t.Error("reading fails")
	}
	change(t, db, count)
	soon(t, "it is well", func() bool { return db.Degraded() == nil })
}

func TestNoConnectionIsLeftBehind(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	name := c.Database(t)
	db, err := store.Create(t.Context(), t.TempDir(), store.Options{Database: store.ReadDSN(c.URL(name))})
	ok(t, err)
	addTokens(t, db, 1)
	ctx, stop := context.WithCancel(t.Context())
	db.Hints(ctx)
	for range 20 {
		change(t, db, count)
		canRead(db)
	}
	who := pgtest.Column[string](t, c, name,
		`SELECT application_name FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
	if got := strings.Join(who, " "); strings.ReplaceAll(got, "ostiary", "") != strings.Repeat(" ", len(who)-1) {
		t.Errorf("the connections are called %q", got)
	}
	stop()
	ok(t, db.Close())
	soon(t, "all connections end", func() bool { return len(c.Backends(t, name, "")) == 0 })
}
