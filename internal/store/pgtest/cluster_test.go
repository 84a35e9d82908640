package pgtest_test

import (
	"bufio"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ostiary/internal/store/pgtest"
)

func TestDatabasesAreApart(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	a, b := c.Database(t), c.Database(t)
	c.Exec(t, a, "CREATE TABLE kept (id BIGINT)")
	if got := pgtest.Column[int64](t, c, b, "SELECT COUNT(*) FROM pg_tables WHERE tablename = 'kept'"); got[0] != 0 {
		t.Errorf("a table of one database is in the other")
	}
}

func TestTextsAreNotSortedLikeBytes(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	got := pgtest.Column[string](t, c, c.Database(t), "SELECT x FROM (VALUES ('B'), ('a'), ('C')) v (x) ORDER BY x")
	if strings.Join(got, "") != "aBC" {
		t.Errorf("got %v: a test would not see that a column sorts by itself", got)
	}
}

func TestClusterSurvivesWhatATestDoesToIt(t *testing.T) {
	t.Parallel()
	c := pgtest.Start(t)
	name := c.Database(t)
	c.Exec(t, name, "CREATE TABLE kept (id BIGINT)")
	c.Kill(t)
	c.Again(t)
	c.Exec(t, name, "INSERT INTO kept VALUES (1)")
	c.Restart(t)
	resume := c.Pause(t)
	resume()
	if got := pgtest.Column[int64](t, c, name, "SELECT id FROM kept"); len(got) != 1 {
		t.Errorf("got %v", got)
	}
	s := c.Standby(t)
	c.Kill(t)
	s.Promote(t)
	s.Exec(t, name, "INSERT INTO kept VALUES (2)")
}

const childVariable = "OSTIARY_PGTEST_CHILD"

// TestChild is run in a process of its own by the test below.
func TestChild(t *testing.T) {
	if os.Getenv(childVariable) == "" {
		t.Skip("only for the test that starts it")
	}
	c := pgtest.Shared(t)
	os.Stdout.WriteString("\ncluster " + strconv.Itoa(c.Pid()) + " " + c.Dir() + "\n")
	time.Sleep(time.Minute)
}

func TestClusterEndsWithATestThatIsKilled(t *testing.T) {
	t.Parallel()
	pgtest.Shared(t) // or skip
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.v")
	cmd.Env = append(os.Environ(), childVariable+"=yes")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	pid, dir := 0, ""
	for lines := bufio.NewScanner(out); pid == 0 && lines.Scan(); {
		if rest, found := strings.CutPrefix(lines.Text(), "cluster "); found {
			number, at, _ := strings.Cut(rest, " ")
			pid, _ = strconv.Atoi(number)
			dir = at
		}
	}
	if pid == 0 {
		t.Fatal("the child starts no cluster")
	}
	syscall.Kill(pid, syscall.SIGSTOP)
	cmd.Process.Kill()
	cmd.Wait()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		_, err := os.Stat(dir)
		if os.IsNotExist(err) && syscall.Kill(pid, 0) == syscall.ESRCH {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("process %d or folder %s is left", pid, dir)
		}
	}
}
