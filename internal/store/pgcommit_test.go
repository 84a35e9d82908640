package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/store"
	"ostiary/internal/store/pgtest"
)

// A wire stands between a node and its server, and is cut where a test says so.
type wire struct {
	t      *testing.T
	l      net.Listener
	server string

	mu     sync.Mutex
	onTalk func(sent []byte) (pass bool, cut bool, late time.Duration) // nil: passes everything on
	closed bool                                                        // takes no connections
}

func newWire(t *testing.T, c *pgtest.Cluster) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ok(t, err)
	w := &wire{t: t, l: l, server: fmt.Sprintf("127.0.0.1:%d", c.Port)}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go w.join(client)
		}
	}()
	return w
}

// url leads through the wire.
func (w *wire) url(c *pgtest.Cluster, database string) string {
	return strings.Replace(c.URL(database), w.server, w.l.Addr().String(), 1)
}

func (w *wire) join(client net.Conn) {
	w.mu.Lock()
	closed := w.closed
	w.mu.Unlock()
	server, err := net.Dial("tcp", w.server)
	if closed || err != nil {
		client.Close()
		return
	}
	go func() {
		defer client.Close()
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if err != nil {
				return
			}
			client.Write(buf[:n])
		}
	}()
	defer server.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		w.mu.Lock()
		talk := w.onTalk
		w.mu.Unlock()
		if talk == nil || !bytes.Contains(buf[:n], []byte("COMMIT\x00")) {
			server.Write(buf[:n])
			continue
		}
		pass, cut, late := talk(buf[:n])
		if cut {
			client.Close()
		}
		time.Sleep(late)
		if pass {
			server.Write(buf[:n])
		}
		if cut {
			time.Sleep(100 * time.Millisecond) // the server reads before it sees the end
			return
		}
	}
}

// cutOnce cuts the connection at the next commit.
func (w *wire) cutOnce(pass bool, late time.Duration, close bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.onTalk = func([]byte) (bool, bool, time.Duration) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.onTalk, w.closed = nil, close
		return pass, true, late
	}
}

func (w *wire) open() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = false
}

func TestACommitWhoseAnswerIsLostIsLookedUp(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	for _, one := range []struct {
		name string
		pass bool
		late time.Duration
	}{
		{"TheServerCommits", true, 0},
		{"TheServerCommitsLater", true, time.Second},
		{"TheServerNeverHears", false, 0},
		{"TheServerHearsOfTheEndLater", false, time.Second},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			name := c.Database(t)
			w := newWire(t, c)
			db := createOn(t, w.url(c, name))
			addTokens(t, db, 1)
			w.cutOnce(one.pass, one.late, false)
			var err error
			inTime(t, 6*time.Second, "looking up", func() { err = tryChange(db) })
			if one.pass {
				ok(t, err)
			} else if !errors.Is(err, ostiary.ErrReadOnly) || errors.As(err, new(*ostiary.UncertainError)) {
				t.Errorf("got %v, want %v and no doubt", err, ostiary.ErrReadOnly)
			}
			time.Sleep(one.late)
			want := uint64(1)
			if one.pass {
				want = 2
			}
			if at := head(t, db).Revision; at != want {
				t.Errorf("the log ends at %d, want %d", at, want)
			}
			change(t, db, count)
			holds(t, db)
		})
	}
}

func TestACommitThatCannotBeLookedUpIsInDoubtAndChangesGoOn(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	w := newWire(t, c)
	db := createOn(t, w.url(c, c.Database(t)))
	addTokens(t, db, 1)
	w.cutOnce(true, 0, true)
	inTime(t, 8*time.Second, "looking up in vain", func() {
		err := tryChange(db)
		doubt := (*ostiary.UncertainError)(nil)
		if !errors.As(err, &doubt) || len(doubt.Facts) != 1 || !errors.Is(err, ostiary.ErrReadOnly) {
			t.Errorf("got %v, want that it is in doubt, with its fact", err)
		}
	})
	if db.Degraded() == nil {
		t.Error("the node says nothing")
	}
	wantRefused(t, tryChange(db))
	w.open()
	soon(t, "changes can be made again", func() bool { return db.Degraded() == nil })
	change(t, db, count)
	if at := head(t, db).Revision; at != 3 {
		t.Errorf("the log ends at %d, want 3", at)
	}
	holds(t, db)
}

// A server that gives up waiting for its copies says that it has committed, with a warning.
func TestACommitWithoutItsCopiesIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	c := pgtest.Start(t)
	name := c.Database(t)
	db := createOn(t, c.URL(name))
	addTokens(t, db, 1)
	c.Exec(t, name, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
	c.Exec(t, name, "SELECT pg_reload_conf()")
	time.Sleep(200 * time.Millisecond)
	done := make(chan error, 1)
	go func() { done <- tryChange(db) }()
	waiting := `SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND datname = current_database()`
	soon(t, "the commit waits for its copy", func() bool { return len(pgtest.Column[int](t, c, name, waiting)) > 0 })
	c.Exec(t, "postgres", "SELECT pg_cancel_backend($1)", pgtest.Column[int](t, c, name, waiting)[0])
	select {
	case err := <-done:
		if !errors.As(err, new(*ostiary.UncertainError)) {
			t.Errorf("got %v, want that it is in doubt", err)
		}
	case <-time.After(15 * time.Second):
		t.Fatal("the change does not end")
	}
	c.Exec(t, "postgres", "ALTER SYSTEM RESET synchronous_standby_names")
	c.Exec(t, "postgres", "SELECT pg_reload_conf()")
	soon(t, "changes can be made again", func() bool { return db.Degraded() == nil })
	change(t, db, count)
	holds(t, db)
}

func TestAfterAFailoverTheNextCallGoesToTheNewServer(t *testing.T) {
	t.Parallel()
	first := pgtest.Start(t)
	name := first.Database(t)
	second := first.Standby(t)
	url := fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d,127.0.0.1:%d/%s?sslmode=disable&target_session_attrs=any",
		pgtest.User, pgtest.Password, first.Port, second.Port, name)
	db := createOn(t, url)
	addTokens(t, db, 3)
	retire(t, db, 1)
	soon(t, "the copy has everything", func() bool {
		return len(pgtest.Column[int](t, first, "postgres",
			`SELECT pid FROM pg_stat_replication WHERE replay_lsn = pg_current_wal_lsn()`)) == 1
	})
	first.Kill(t)
	within(t, "changes are refused", func() bool { return db.Degraded() != nil })
	wantRefused(t, tryChange(db)) // the copy takes none yet
	if canRead(db) {
		t.Error("what a copy says is read, which may be old")
	}
	second.Promote(t)
	if !canRead(db) {
		t.Error("reading fails")
	}
	change(t, db, count)
	soon(t, "it is well", func() bool { return db.Degraded() == nil })
	holds(t, db)
}

// A copy that lagged knows less than this node has seen: nothing is built upon it.
func TestAServerThatLaggedBehindIsNoticedWhileRunning(t *testing.T) {
	t.Parallel()
	first := pgtest.Start(t)
	name := first.Database(t)
	second := first.Standby(t)
	url := fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d,127.0.0.1:%d/%s?sslmode=disable",
		pgtest.User, pgtest.Password, first.Port, second.Port, name)
	db := createOn(t, url)
	addTokens(t, db, 3)
	soon(t, "the copy has everything", func() bool {
		return len(pgtest.Column[int](t, first, "postgres",
			`SELECT pid FROM pg_stat_replication WHERE replay_lsn = pg_current_wal_lsn()`)) == 1
	})
	second.Stop(t)
	change(t, db, count)
	retire(t, db, 1)
	first.Kill(t)
	second.Again(t)
	second.Promote(t)
	soon(t, "the node notices", func() bool { return errors.Is(db.Degraded(), store.ErrBehind) })
	wantRefused(t, tryChange(db))
	if !canRead(db) {
		t.Error("reading fails")
	}
}

// A node that is frozen in the middle of a change holds the lock. The server ends its connection.
func TestAFrozenNodeHoldsUpOthersForSecondsOnly(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	url := c.URL(c.Database(t))
	db := createOn(t, url)
	addTokens(t, db, 1)
	cmd, lines := child(t, t.TempDir(), "hold "+url)
	for lines.Scan() && lines.Text() != "inside" {
	}
	pgtest.Freeze(t, cmd.Process.Pid)
	inTime(t, 6*time.Second, "a change of another node", func() { change(t, db, count) })
	holds(t, db)
	ok(t, db.View(context.Background(), func(r ostiary.Reader) error {
		a, err := r.Account(1)
		if err == nil && a.MetricsUsed != 1 {
			t.Errorf("the account counts %d, want what one change counted", a.MetricsUsed)
		}
		return err
	}))
}
