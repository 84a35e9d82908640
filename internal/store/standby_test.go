package store_test

import (
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/store/pgtest"
)

// lose has a server wait for a copy that is nowhere: whatever it commits is on one machine alone.
func lose(t *testing.T, c *pgtest.Cluster) {
	t.Helper()
	c.Exec(t, "postgres", "ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
	c.Exec(t, "postgres", "SELECT pg_reload_conf()")
}

// countOnce is a change under a key: it is made, or found to have been made.
func countOnce(w ostiary.Writer) error {
	once := &ostiary.Once{Key: sha256.Sum256([]byte("key"))}
	_, _, err := w.Once(once.Key, time.Now().Add(-time.Hour))
	if !errors.Is(err, ostiary.ErrNotFound) {
		return err
	}
	if err := count(w); err != nil {
		return err
	}
	_, err = w.Append(1, time.Now(), ostiary.Story{What: "account.set"}, once)
	return err
}

// A commit that no other machine has is lost with its own. Nobody may see it before it is safe: who sees it
// would take it for made.
func TestACommitThatIsNotCopiedIsNotSeen(t *testing.T) {
	if testing.Short() {
		t.Skip("waits until a server is given up")
	}
	t.Parallel()
	c := pgtest.Start(t)
	name := c.Database(t)
	first := createOn(t, c.URL(name))
	addTokens(t, first, 1)
	second := join(t, c.URL(name))
	lose(t, c)

	const revisions = "SELECT revision FROM head"
	before := pgtest.Column[int64](t, c, name, revisions)[0]
	if err := first.Update(t.Context(), countOnce); !errors.Is(err, ostiary.ErrReadOnly) {
		t.Fatalf("a change that no other machine has ends with %v", err)
	}
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if at := pgtest.Column[int64](t, c, name, revisions)[0]; at != before {
			t.Fatalf("revision %d can be read, and no other machine has it", at)
		}
	}
	if err := second.Update(t.Context(), countOnce); !errors.Is(err, ostiary.ErrReadOnly) {
		t.Errorf("repeated on another node, it ends with %v", err)
	}

	// A server that is started again shows what it had on its own disk.
	c.Kill(t)
	c.Again(t)
	if at := pgtest.Column[int64](t, c, name, revisions)[0]; at != before+1 {
		t.Fatalf("after a restart the log ends at %d: this test needs a change there that was not copied", at)
	}
	if err := second.Update(t.Context(), countOnce); !errors.Is(err, ostiary.ErrReadOnly) {
		t.Errorf("repeated after a restart, while no other machine has it, it ends with %v", err)
	}
	c.Exec(t, "postgres", "ALTER SYSTEM RESET synchronous_standby_names")
	c.Exec(t, "postgres", "SELECT pg_reload_conf()")
	err := second.Update(t.Context(), countOnce)
	for end := time.Now().Add(20 * time.Second); err != nil && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		err = second.Update(t.Context(), countOnce)
	}
	ok(t, err)
	if at := pgtest.Column[int64](t, c, name, revisions)[0]; at != before+1 {
		t.Errorf("the log ends at %d: it was made twice", at)
	}
}
