package usage_test

import (
	"bytes"
	"context"
	"database/sql"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/usage"
)

// rows counts the rows of a table, on a connection of its own.
func rows(t *testing.T, file, table string) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow(`SELECT count(*) FROM ` + table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// written is a file with the use of some tokens.
func written(t *testing.T, tokens int) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "use.db")
	u := open(t, file, never)
	for i := range tokens {
		count(u, key(i), noon, ostiary.OK)
	}
	if err := u.Close(); err != nil {
		t.Fatal(err)
	}
	return file
}

func damage(t *testing.T, file string, at, n int64) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(bytes.Repeat([]byte{0xA5}, int(n)), at); err != nil {
		t.Fatal(err)
	}
}

func TestADamagedFileIsMovedAsideAndBegunAnew(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(*testing.T, string)
	}{
		{"text", func(t *testing.T, file string) {
			if err := os.WriteFile(file, []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{"header", func(t *testing.T, file string) { damage(t, file, 0, 100) }},
		{"pages", func(t *testing.T, file string) { damage(t, file, 40_000, 40_000) }},
		{"cut", func(t *testing.T, file string) {
			if err := os.Truncate(file, 50_000); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := written(t, 2000)
			c.damage(t, file)
			var said bytes.Buffer
			u := open(t, file, usage.Options{Every: time.Hour, Log: slog.New(slog.NewJSONHandler(&said, nil))})
			count(u, key(1), noon, ostiary.OK)
			flush(t, u)
			if use, _, err := u.Token(t.Context(), key(1).Token); err != nil || use.Count != 1 {
				t.Errorf("got %d requests, %v; want 1, from a new file", use.Count, err)
			}
			if aside, _ := filepath.Glob(file + ".damaged-*"); len(aside) != 1 {
				t.Errorf("aside lie %v, want one file", aside)
			}
			if !strings.Contains(said.String(), "moved aside") {
				t.Errorf("the log says %q", &said)
			}
		})
	}
}

func TestDamageWhileRunningIsSurvived(t *testing.T) {
	const tokens = 16_000 // more than SQLite keeps in its cache
	file := written(t, tokens)
	u := open(t, file, never)
	damage(t, file, 100_000, 1_500_000)
	for i := range tokens {
		count(u, key(i), noon, ostiary.OK)
	}
	if err := u.Flush(t.Context()); err == nil {
		t.Fatal("the flush did not find the damage")
	}
	flush(t, u)
	last := key(tokens - 1).Token
	if use, _, err := u.Token(t.Context(), last); err != nil || use.Count != 1 {
		t.Errorf("%d requests of the last token, %v; want the one since the damage", use.Count, err)
	}
}

func TestOnlyTheServersUserReadsTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "use.db")
	u := open(t, file, never)
	count(u, key(1), noon, ostiary.OK)
	flush(t, u)
	all, err := filepath.Glob(file + "*")
	if err != nil || len(all) == 0 {
		t.Fatal(all, err)
	}
	for _, name := range all {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v; want 0600", filepath.Base(name), info.Mode(), err)
		}
	}
}

func TestAnEmptyOrMissingFileIsBegun(t *testing.T) {
	file := filepath.Join(t.TempDir(), "with space & ?#%.db")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	u := open(t, file, never)
	count(u, key(1), noon, ostiary.OK)
	flush(t, u)
	if n := rows(t, strings.NewReplacer("?", "%3f", "#", "%23", "%", "%25").Replace(file), "uses"); n != 1 {
		t.Errorf("%d rows in the file, want 1", n)
	}
}

func TestCountsStayInMemoryUntilTheFileCanBeWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "later")
	u := open(t, filepath.Join(dir, "use.db"), never)
	count(u, key(1), noon, ostiary.OK)
	if err := u.Flush(t.Context()); err == nil {
		t.Fatal("a flush into a folder that does not exist succeeded")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	flush(t, u)
	if n := rows(t, filepath.Join(dir, "use.db"), "uses"); n != 1 {
		t.Errorf("%d rows in the file, want 1", n)
	}
}

func TestAFailedFlushLosesNothingAndCountsNothingTwice(t *testing.T) {
	t.Parallel()
	file := written(t, 2000)
	u := open(t, file, never)
	db, err := sql.Open("sqlite", "file:"+file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 600 {
		count(u, key(i), noon, ostiary.OK)
	}
	if _, err := conn.ExecContext(t.Context(), `BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	var meanwhile sync.WaitGroup
	meanwhile.Go(func() { // the flush waits for a second before it gives up
		time.Sleep(300 * time.Millisecond)
		for i := range 600 {
			count(u, key(i), noon, ostiary.OK)
		}
	})
	if err := u.Flush(t.Context()); err == nil {
		t.Fatal("a flush succeeded while somebody else was writing")
	}
	meanwhile.Wait()
	if got := total(t, u, 2); got != 3200 {
		t.Errorf("%d requests after the failed flush, want 3200", got)
	}
	if _, err := conn.ExecContext(t.Context(), `ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		flush(t, u)
		if got := total(t, u, 2); got != 3200 {
			t.Errorf("%d requests after the flush, want 3200", got)
		}
	}
	if n := rows(t, file, "uses"); n != 2000 {
		t.Errorf("%d rows in the file, want 2000", n)
	}
}

func TestAFlushEndsWithItsContext(t *testing.T) {
	u := open(t, filepath.Join(t.TempDir(), "use.db"), never)
	for i := range 2000 {
		count(u, key(i), noon, ostiary.OK)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := u.Flush(ctx); err == nil {
		t.Error("a flush that was called off succeeded")
	}
	flush(t, u)
	if got := total(t, u, 2); got != 2000 {
		t.Errorf("%d requests, want 2000", got)
	}
}

func TestClosingSaysThatTheLastCountsAreLost(t *testing.T) {
	file := filepath.Join(t.TempDir(), "gone", "use.db")
	u := open(t, file, never)
	count(u, key(1), noon, ostiary.OK)
	if err := u.Close(); err == nil || !strings.Contains(err.Error(), "what was counted last is not in "+file) {
		t.Errorf("got %v", err)
	}
}
