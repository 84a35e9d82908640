package usage_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/store/pgtest"
	"ostiary/internal/usage"
)

// eventually flushes until that succeeds.
func eventually(t *testing.T, u *usage.Usage) {
	t.Helper()
	var err error
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if err = u.Flush(t.Context()); err == nil {
			return
		}
	}
	t.Fatalf("no flush succeeds: %v", err)
}

func endBackends(t *testing.T, c *pgtest.Cluster, database string) {
	t.Helper()
	c.Exec(t, "postgres", `
		SELECT pg_terminate_backend(pid)
		FROM pg_stat_activity
		WHERE datname = $1`, database)
}

func TestCountsStayInMemoryWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	c := pgtest.Start(t)
	database := c.Database(t)
	readOnly := func(how string) func() {
		return func() {
			c.Exec(t, "postgres", "ALTER DATABASE "+database+" SET default_transaction_read_only = "+how)
			endBackends(t, c, database)
		}
	}
	u := at(c, database)(t, never)
	count(u, key(1), noon, ostiary.OK)
	flush(t, u)
	want := uint64(1)
	for _, away := range []struct {
		name      string
		go_, back func()
	}{
		{"stopped", func() { c.Stop(t) }, func() { c.Again(t) }},
		{"killed", func() {
			c.Exec(t, "postgres", "CHECKPOINT") // a crash may take what was written last
			c.Kill(t)
		}, func() { c.Again(t) }},
		{"read-only", readOnly("on"), readOnly("off")},
	} {
		away.go_()
		for range 3 {
			count(u, key(1), noon, ostiary.OK)
			if err := u.Flush(t.Context()); err == nil {
				t.Fatalf("%s: a flush succeeded", away.name)
			}
		}
		use, _, err := u.Token(t.Context(), key(1).Token)
		if err == nil || use.Count != 3 {
			t.Errorf("%s: the page shows %d requests, %v; want those in memory, and an error", away.name, use.Count, err)
		}
		away.back()
		eventually(t, u)
		want += 3
		if use, _, err := u.Token(t.Context(), key(1).Token); err != nil || use.Count != want {
			t.Errorf("%s, and back: %d requests, %v; want %d", away.name, use.Count, err, want)
		}
	}
}

func TestKilledBackendsLoseNothingAndCountNothingTwice(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	database := c.Database(t)
	u := at(c, database)(t, never)
	flush(t, u)
	quit := make(chan struct{})
	var killer sync.WaitGroup
	killer.Go(func() {
		for {
			select {
			case <-quit:
				return
			case <-time.After(30 * time.Millisecond):
				endBackends(t, c, database)
			}
		}
	})
	const rounds, tokens = 5, 700
	for range rounds {
		for i := range tokens {
			count(u, key(i), noon, ostiary.OK)
		}
		for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			u.Flush(t.Context())
		}
	}
	close(quit)
	killer.Wait()
	eventually(t, u)
	if got := total(t, u, 1); got != rounds*tokens {
		t.Errorf("%d requests, want %d", got, rounds*tokens)
	}
}

// A muffler stands between a node and the server, and loses what is said about the next commit.
type muffler struct {
	net.Listener
	server string
	armed  atomic.Bool // lose the next commit …
	before bool        // … before it reaches the server
	hold   time.Duration
}

func (m *muffler) serve() {
	for {
		client, err := m.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", m.server)
		if err != nil {
			client.Close()
			continue
		}
		go func() {
			io.Copy(client, server)
			client.Close()
		}()
		go m.listen(client, server)
	}
}

func (m *muffler) listen(client, server net.Conn) {
	defer server.Close()
	buffer := make([]byte, 1<<16)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		if !bytes.Contains(buffer[:n], []byte("commit\x00")) || !m.armed.CompareAndSwap(true, false) {
			server.Write(buffer[:n])
			continue
		}
		client.Close()
		if m.before {
			return
		}
		time.Sleep(m.hold) // it is on its way for a while
		server.Write(buffer[:n])
		time.Sleep(100 * time.Millisecond)
		return
	}
}

// muffled opens a Usage behind a muffler.
func muffled(t *testing.T, database string, before bool, hold time.Duration) (*usage.Usage, *muffler) {
	t.Helper()
	c := pgtest.Shared(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	m := &muffler{Listener: listener, server: fmt.Sprintf("127.0.0.1:%d", c.Port), before: before, hold: hold}
	go m.serve()
	through, err := url.Parse(c.URL(database))
	if err != nil {
		t.Fatal(err)
	}
	through.Host = listener.Addr().String()
	return openURL(t, through.String(), never), m
}

func TestACommitThatIsNeverAnsweredCountsOnce(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	for _, what := range []struct {
		name   string
		before bool          // the server never hears of it
		hold   time.Duration // the server hears of it so much later
	}{{"lost", true, 0}, {"made", false, 0}, {"made later", false, 1500 * time.Millisecond}} {
		t.Run(what.name, func(t *testing.T) {
			u, m := muffled(t, c.Database(t), what.before, what.hold)
			for round := range uint64(3) {
				count(u, key(1), noon, ostiary.OK)
				m.armed.Store(round != 1) // also the very first commit of a writer
				if err := u.Flush(t.Context()); (err == nil) != (round == 1) {
					t.Fatalf("round %d: %v", round, err)
				}
				count(u, key(1), noon, ostiary.OK)
				if use, _, err := u.Token(t.Context(), key(1).Token); err == nil && use.Count != 2*round+2 {
					t.Errorf("round %d: the page shows %d requests, want %d", round, use.Count, 2*round+2)
				}
				eventually(t, u)
			}
			if got := total(t, u, 1); got != 6 {
				t.Errorf("%d requests, want 6", got)
			}
		})
	}
}

// While nobody can find out whether the last counts were written, a page shows those that are in memory.
func TestCountsInDoubtAreShownOnce(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	database := c.Database(t)
	u, m := muffled(t, database, false, 0)
	kept, forgotten := key(1), key(2)
	flush(t, u)
	count(u, kept, noon, ostiary.OK)
	count(u, forgotten, noon, ostiary.OK)
	m.armed.Store(true)
	if err := u.Flush(t.Context()); err == nil {
		t.Fatal("a flush that was not answered succeeded")
	}
	c.Exec(t, database, `ALTER TABLE use_writers ADD CONSTRAINT closed CHECK (batch < 0) NOT VALID`)
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if use, _, err := u.Token(t.Context(), kept.Token); err == nil || use.Count != 1 {
			t.Fatalf("the page shows %d requests, %v; want the one in memory, and an error", use.Count, err)
		}
	}
	if err := u.Forget(t.Context(), forgotten); err == nil {
		t.Fatal("what was written was forgotten")
	}
	count(u, forgotten, noon, ostiary.OK)
	c.Exec(t, database, `ALTER TABLE use_writers DROP CONSTRAINT closed`)
	eventually(t, u)
	for k, want := range map[ostiary.UseKey]uint64{kept: 1, forgotten: 2} { // the first one could not be forgotten
		if use, _, err := u.Token(t.Context(), k.Token); err != nil || use.Count != want {
			t.Errorf("token %d: %d requests, %v; want %d", k.Token, use.Count, err, want)
		}
	}
}

func TestAFrozenServerHoldsUpAPageForASecond(t *testing.T) {
	t.Parallel()
	c := pgtest.Start(t)
	u := at(c, c.Database(t))(t, usage.Options{Every: time.Hour, Patience: time.Second})
	count(u, key(1), noon, ostiary.OK)
	eventually(t, u)
	resume := c.Pause(t)
	count(u, key(1), noon, ostiary.OK)
	var flushing sync.WaitGroup
	flushing.Go(func() {
		if err := u.Flush(t.Context()); err == nil {
			t.Error("a flush succeeded")
		}
	})
	began := time.Now()
	for range 20 { // a page asks several times
		if use, _, err := u.Token(t.Context(), key(1).Token); err == nil || use.Count != 1 {
			t.Errorf("the page shows %d requests, %v; want the one in memory, and an error", use.Count, err)
		}
	}
	took := time.Since(began)
	t.Logf("a page waits for %v", took.Round(time.Millisecond))
	if took > 2500*time.Millisecond {
		t.Errorf("a page waits for %v, want about a second", took)
	}
	flushing.Wait()
	resume()
	eventually(t, u)
	if use, _, err := u.Token(t.Context(), key(1).Token); err != nil || use.Count != 2 {
		t.Errorf("%d requests, %v; want 2", use.Count, err)
	}
}

// Nobody who reads a log or an error learns the URL, however it is mistyped.
func TestTheURLIsNeverTold(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	const secret = "s3cr3t"
	right := c.URL(c.Database(t))
	for _, url := range []string{
		strings.Replace(right, pgtest.Password, secret, 1),                      // refused
		strings.Replace(right, pgtest.Password, "12/"+secret, 1),                // the rest is the database
		strings.Replace(right, pgtest.Password+"@127.0.0.1", secret+".test", 1), // the password is the host
		strings.Replace(right, "postgres:"+pgtest.Password, secret, 1),          // … or the user
		strings.Replace(right, pgtest.Password, "%zz"+secret, 1),                // no URL
		strings.Replace(right, pgtest.Password, secret+"#", 1),                  // cut off
		"postgres://user:" + secret + "@127.0.0.1:1/none?sslmode=disable",       // nobody listens
		"postgres://user:" + secret + "@[::1/none",                              // no URL either
		"host=127.0.0.1 port=1 user=u password=" + secret + " dbname=d sslmode=disable",
		"host=127.0.0.1 port=" + secret + " user=u password = '" + secret,
		right + "&sslrootcert=/" + secret + "/none&sslmode=verify-full",
		right + "&" + secret + "=1", // a setting that no server has
		right + "&" + secret, secret,
	} {
		var said bytes.Buffer
		log := slog.New(slog.NewTextHandler(&said, nil))
		u, err := usage.OpenPostgres(t.Context(), url, usage.Options{
			Every: 20 * time.Millisecond, Log: log, Patience: 2 * time.Second,
		})
		errs := []error{err}
		if err == nil {
			count(u, key(1), noon, ostiary.OK)
			_, _, err = u.Token(context.Background(), 1)
			errs = append(errs, err, u.Flush(context.Background()))
			time.Sleep(50 * time.Millisecond)
			errs = append(errs, u.Close())
		}
		all := fmt.Sprintf("%v %+v %s", errs, errs, &said)
		if strings.Contains(all, secret) || strings.Contains(all, pgtest.Password) {
			t.Errorf("%s is told: %s", url, all)
		}
		if len(errs) > 1 && errs[1] == nil {
			t.Errorf("%s works", url)
		}
		t.Logf("%s\n\t%v\n\t%s", url, errs, strings.TrimSpace(said.String()))
	}
}
