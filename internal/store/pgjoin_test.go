package store_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/store"
	"ostiary/internal/store/pgtest"
)

func TestRecordsAreMadeOnce(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	name := c.Database(t)
	o := store.Options{Database: store.ReadDSN(c.URL(name))}
	refused(t, t.TempDir(), o, store.ErrMissing, "holds no records", "ostiary init")
	if n := pgtest.Column[int64](t, c, name, "SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'"); n[0] != 0 {
		t.Errorf("opening an empty database made %d tables", n[0])
	}
	createOn(t, c.URL(name))
	if _, err := store.Create(t.Context(), t.TempDir(), o); !errors.Is(err, store.ErrExists) {
		t.Errorf("a second time: got %v, want %v", err, store.ErrExists)
	}
	other := c.Database(t)
	c.Exec(t, other, "CREATE TABLE somebody (id BIGINT)")
	_, err := store.Create(t.Context(), t.TempDir(), store.Options{Database: store.ReadDSN(c.URL(other))})
	if err == nil || !strings.Contains(err.Error(), "1 tables of another program") {
		t.Errorf("in another program's database: got %v", err)
	}
}

// Nodes that begin at once on an older schema wait for each other: one brings it up to date.
func TestNodesThatBeginAtOnceDoNotCollide(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	url := c.URL(c.Database(t))
	var all sync.WaitGroup
	made := make(chan error, 4)
	for range 4 {
		dir := t.TempDir()
		all.Go(func() {
			o := store.Options{Database: store.ReadDSN(url)}
			db, err := store.Create(t.Context(), dir, o)
			if errors.Is(err, store.ErrExists) {
				db, err = store.Open(t.Context(), dir, o)
			}
			if err == nil {
				err = db.Close()
			}
			made <- err
		})
	}
	all.Wait()
	for range 4 {
		ok(t, <-made)
	}
}

// What a node retired, and what it saw others retire, is retired again in a database from the past.
func TestARollbackOfPostgreSQLKeepsRetirements(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	now, past := c.Database(t), c.Database(t)+"_past"
	one, two := t.TempDir(), t.TempDir()
	o := store.Options{Database: store.ReadDSN(c.URL(now))}
	db, err := store.Create(t.Context(), one, o)
	ok(t, err)
	addTokens(t, db, 4)
	ok(t, db.Close())
	c.Exec(t, "postgres", "CREATE DATABASE "+past+" TEMPLATE "+now)

	db, other := reopen(t, one, o), reopen(t, two, o)
	retire(t, db, 2)
	retire(t, other, 3)
	ok(t, other.Close())
	ok(t, db.Close())

	back := store.Options{Database: store.ReadDSN(c.URL(past))}
	refused(t, one, back, store.ErrBehind, "revision 1,", " 3;", "--accept-rollback")
	back.AcceptRollback = true
	db = reopen(t, one, back)
	for id := ostiary.ID(1); id <= 4; id++ {
		if got, want := !token(t, db, id).RetiredOn.IsZero(), id == 2 || id == 3; got != want {
			t.Errorf("token %d is retired: %v, want %v", id, got, want)
		}
	}
	holds(t, db)
	if text, err := os.ReadFile(filepath.Join(one, mark)); err != nil || len(text) == 0 {
		t.Errorf("the mark: %d bytes, %v", len(text), err)
	}
}

// A host that takes connections and says nothing is passed over.
func TestAHostThatDoesNotAnswerIsPassedOver(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	name := c.Database(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	ok(t, err)
	defer silent.Close()
	url := fmt.Sprintf("postgres://%s:%s@%s,127.0.0.1:%d/%s?sslmode=disable",
		pgtest.User, pgtest.Password, silent.Addr(), c.Port, name)
	db := createOn(t, url)
	addTokens(t, db, 1)
	hints := db.Hints(t.Context())
	c.Exec(t, "postgres", `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1`, name)
	inTime(t, 5*time.Second, "finding the other host again, for several connections", func() {
		change(t, db, count)
		for range 4 {
			if !canRead(db) {
				t.Error("reading fails")
			}
		}
	})
	soon(t, "it is well", func() bool { return db.Degraded() == nil })
	soon(t, "it hears", func() bool {
		change(t, db, count)
		select {
		case <-hints:
			return true
		default:
			return false
		}
	})
}
