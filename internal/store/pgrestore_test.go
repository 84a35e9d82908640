package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ostiary"
	"ostiary/internal/store"
	"ostiary/internal/store/pgtest"
	"ostiary/internal/store/storetest"
)

var link = ostiary.Hash{5}

// A past is a database of PostgreSQL with a backup, and changes that were made after it.
type past struct {
	cluster *pgtest.Cluster
	name    string
	on      store.Options
	backup  string
	now     reading // what the records say
}

// newPast makes n tokens before the backup, and retires one and makes another after it.
func newPast(t *testing.T, c *pgtest.Cluster, n int) *past {
	t.Helper()
	p := &past{cluster: c, name: c.Database(t), backup: filepath.Join(t.TempDir(), "backup")}
	p.on = store.Options{Database: store.ReadDSN(c.URL(p.name))}
	db, err := store.Create(t.Context(), filepath.Join(t.TempDir(), "data"), p.on)
	ok(t, err)
	ok(t, storetest.Fill(t.Context(), db, n))
	change(t, db, func(w ostiary.Writer) error {
		return errors.Join(w.PutPassword(1, "hash"), w.PutInvitation(ostiary.Invitation{Account: 1, ID: 1}), w.PutLink(link, 1, 1))
	})
	ok(t, db.Backup(t.Context(), p.backup))
	retire(t, db, 1)
	change(t, db, addUser)
	p.now = readAll(t, db, link)
	ok(t, db.Close())
	return p
}

// schemas are those that restores have made.
func (p *past) schemas(t *testing.T) []string {
	t.Helper()
	return pgtest.Column[string](t, p.cluster, p.name,
		`SELECT nspname::TEXT FROM pg_namespace WHERE nspname LIKE '%restor%'`)
}

func (p *past) restore(t *testing.T) (store.RestoreReport, error) {
	t.Helper()
	return store.Restore(t.Context(), filepath.Join(t.TempDir(), "data"), p.backup, p.on, by)
}

// whole says by the epoch which records are there, and fails unless they are all of those, or all of the
// backup's.
func (p *past) whole(t *testing.T) (epoch uint64) {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "data"), p.on)
	ok(t, err)
	defer func() { ok(t, db.Close()) }()
	holds(t, db)
	got := readAll(t, db, link)
	if db.Epoch() > 1 {
		last := got.Changes[len(got.Changes)-1].Story
		if got.Tokens[0].RetiredOn.IsZero() || len(got.Users) != len(p.now.Users)-1 || last.What != "restore" {
			t.Errorf("the restored records: token 1 is %+v, %d users, and the log ends with %+v",
				got.Tokens[0], len(got.Users), last)
		}
		return db.Epoch()
	}
	if d := cmp.Diff(p.now.Head, got.Head); d != "" || len(got.Facts) != len(p.now.Facts) {
		t.Errorf("the old records have %d facts of %d, and end elsewhere:\n%s", len(got.Facts), len(p.now.Facts), d)
	}
	return db.Epoch()
}

const restoreChild = "OSTIARY_STORE_TEST_RESTORE"

// TestRestoreChild is run in a process of its own, which is killed.
func TestRestoreChild(t *testing.T) {
	args := strings.Split(os.Getenv(restoreChild), "\n")
	if len(args) != 3 {
		t.Skip("only for the tests that start it")
	}
	fmt.Println("ready")
	_, err := store.Restore(context.Background(), args[0], args[1], store.Options{Database: store.ReadDSN(args[2])}, by)
	ok(t, err)
}

// startRestore restores in another process, and returns when that begins.
func (p *past) startRestore(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestRestoreChild$")
	args := []string{filepath.Join(t.TempDir(), "data"), p.backup, p.cluster.URL(p.name)}
	cmd.Env = append(os.Environ(), restoreChild+"="+strings.Join(args, "\n"))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	ok(t, err)
	ok(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	_, err = out.Read(make([]byte, 6))
	ok(t, err)
	return cmd
}

func TestARestoreThatIsKilledLeavesTheOldRecordsOrTheNewOnes(t *testing.T) {
	t.Parallel()
	p := newPast(t, pgtest.Shared(t), 2000)
	began := time.Now()
	ok(t, p.startRestore(t).Wait())
	took := time.Since(began)
	last := p.whole(t)
	if last != 2 {
		t.Fatalf("a restore that is left alone ends in epoch %d", last)
	}
	old, renewed := 0, 0
	for range 8 {
		cmd := p.startRestore(t)
		time.Sleep(rand.N(took * 9 / 8))
		cmd.Process.Kill()
		cmd.Wait()
		soon(t, "the server has noticed", func() bool { return len(p.cluster.Backends(t, p.name, "")) == 0 })
		switch epoch := p.whole(t); epoch {
		case last:
			old++
		case last + 1:
			renewed++
			last++
		default:
			t.Fatalf("epoch %d follows %d", epoch, last)
		}
	}
	t.Logf("a restore takes %s; of 8 that were killed %d left the old records, %d the new ones", took, old, renewed)
	if old == 0 {
		t.Error("none was killed before it was done")
	}
	if _, err := p.restore(t); err != nil {
		t.Errorf("what a killed one left keeps others from restoring: %v", err)
	}
}

// hold keeps a table from a restore, as whoever reads it does.
func (p *past) hold(t *testing.T, read func(ostiary.Reader) error) (letGo func()) {
	t.Helper()
	db := join(t, p.cluster.URL(p.name))
	held, end, ended := make(chan bool), make(chan bool), make(chan bool)
	go func() {
		defer close(ended)
		db.View(context.Background(), func(r ostiary.Reader) error {
			err := read(r)
			close(held)
			<-end
			return err
		})
	}()
	<-held
	return sync.OnceFunc(func() { close(end); <-ended })
}

func users(r ostiary.Reader) error    { _, err := r.Users(); return err }
func accounts(r ostiary.Reader) error { _, err := r.Accounts(); return err }

// begin restores, and returns when the tables are filled and wait for those that somebody reads.
func (p *past) begin(t *testing.T) (done chan error) {
	t.Helper()
	done = make(chan error, 1)
	go func() { _, err := p.restore(t); done <- err }()
	soon(t, "the restore waits for the old tables", func() bool { return p.waits(t) })
	return done
}

func (p *past) waits(t *testing.T) bool {
	return len(pgtest.Column[int](t, p.cluster, p.name, `
		SELECT pid FROM pg_stat_activity
		WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'LOCK TABLE%'`)) > 0
}

func TestAServerThatDiesInTheMiddleOfARestoreHasTheOldRecords(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(*testing.T, *past){
		"its backend": func(t *testing.T, p *past) {
			p.cluster.Exec(t, p.name, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
				WHERE datname = current_database() AND wait_event_type = 'Lock'`)
		},
		"all of it": func(t *testing.T, p *past) { p.cluster.Kill(t); p.cluster.Again(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPast(t, pgtest.Start(t), 1000)
			letGo := p.hold(t, users)
			done := p.begin(t)
			harm(t, p)
			if err := <-done; err == nil {
				t.Error("the restore says that it was made")
			}
			letGo()
			if epoch := p.whole(t); epoch != 1 {
				t.Errorf("the epoch is %d", epoch)
			}
			_, err := p.restore(t)
			ok(t, err)
			if epoch := p.whole(t); epoch != 2 {
				t.Errorf("restored again, the epoch is %d", epoch)
			}
		})
	}
}

func TestWhoeverUsesTheDatabaseKeepsARestoreOut(t *testing.T) {
	t.Parallel()
	p := newPast(t, pgtest.Shared(t), 10)
	db := join(t, p.cluster.URL(p.name))
	put := func(stopped bool) {
		t.Helper()
		ok(t, db.Registry().PutNodes(t.Context(), ostiary.Node{ID: "x", Name: "host-x:8700", Stopped: stopped}))
	}
	refused := func(what string, err, want error, words ...string) {
		t.Helper()
		if err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", what, err, want)
			return
		}
		for _, w := range words {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q does not say %q", what, err, w)
			}
		}
		if epoch := p.whole(t); epoch != 1 {
			t.Errorf("%s: the epoch is %d", what, epoch)
		}
		if schemas := p.schemas(t); len(schemas) > 0 {
			t.Errorf("%s: it leaves the schemas %v", what, schemas)
		}
	}
	put(false)
	letGo := p.hold(t, users) // it is refused before it would have to wait for this
	_, err := p.restore(t)
	letGo()
	refused("a node at work", err, store.ErrAtWork, "host-x:8700", "stop each")
	put(true)

	letGo = p.hold(t, accounts)
	done := p.begin(t)
	put(false)
	letGo()
	refused("a node that begins meanwhile", <-done, store.ErrAtWork, "host-x:8700")
	put(true)

	letGo = p.hold(t, accounts)
	done = p.begin(t)
	change := make(chan error, 1)
	go func() { change <- tryChange(db) }()
	_, second := p.restore(t)
	letGo()
	ok(t, <-done)
	if second == nil || !strings.Contains(second.Error(), "another restore is under way") {
		t.Errorf("a second restore at once: got %v", second)
	}
	wantRefused(t, <-change) // it waited for the lock, and met another log
	if epoch := p.whole(t); epoch != 2 {
		t.Errorf("the epoch is %d", epoch)
	}
	if d := cmp.Diff([]string{"before_restore_1"}, p.schemas(t)); d != "" {
		t.Errorf("the schemas (-want +got):\n%s", d)
	}
	var says error
	for range 100 { // it asks a new connection first
		if says = db.Degraded(); says != nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if says == nil || !strings.Contains(says.Error(), "restart it") {
		t.Errorf("a node that goes on over a restore says %v", says)
	}
}
