package pgtest

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// URL names a database over TCP, with the password.
func (c *Cluster) URL(database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(User, Password),
		Host: fmt.Sprintf("127.0.0.1:%d", c.Port), Path: "/" + database, RawQuery: "sslmode=disable",
	}
	return u.String()
}

// SocketURL names a database over the socket, which asks for no password.
func (c *Cluster) SocketURL(database string) string {
	query := url.Values{"host": {c.dir}, "port": {fmt.Sprint(c.Port)}}
	return (&url.URL{Scheme: "postgres", User: url.User(User), Path: "/" + database, RawQuery: query.Encode()}).String()
}

// Database makes an empty database, and gives its name. It goes with the cluster: dropping each by itself
// takes longer than most tests.
func (c *Cluster) Database(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test_%d", c.named.Add(1))
	c.Exec(t, "postgres", "CREATE DATABASE "+name+" TEMPLATE template0")
	return name
}

// Exec runs a statement as the superuser.
func (c *Cluster) Exec(t testing.TB, database, statement string, args ...any) {
	t.Helper()
	err := c.with(database, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, statement, args...)
		return err
	})
	if err != nil {
		t.Fatalf("pgtest: %s: %v", statement, err)
	}
}

func (c *Cluster) with(database string, fn func(context.Context, *pgx.Conn) error) error {
	ctx, stop := context.WithTimeout(context.Background(), 20*time.Second)
	defer stop()
	conn, err := pgx.Connect(ctx, c.SocketURL(database))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return fn(ctx, conn)
}

// Column reads the first column of every row of a query.
func Column[T any](t testing.TB, c *Cluster, database, query string, args ...any) (out []T) {
	t.Helper()
	err := c.with(database, func(ctx context.Context, conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, query, args...)
		if err != nil {
			return err
		}
		out, err = pgx.CollectRows(rows, pgx.RowTo[T])
		return err
	})
	if err != nil {
		t.Fatalf("pgtest: %s: %v", query, err)
	}
	return out
}

// Backends gives the processes that serve a database's connections. state chooses those that do
// something: "idle", "idle in transaction", "active"; an empty one chooses all.
func (c *Cluster) Backends(t testing.TB, database, state string) []int {
	t.Helper()
	return Column[int](t, c, "postgres", `
		SELECT pid
		FROM pg_stat_activity
		WHERE datname = $1 AND ($2 = '' OR state = $2)
		ORDER BY pid`, database, state)
}

// Standby starts a server that follows this one, on this machine, and ends it when the test ends.
func (c *Cluster) Standby(t testing.TB, settings ...string) *Cluster {
	t.Helper()
	s, err := newCluster()
	if err == nil {
		t.Cleanup(s.remove)
		err = s.run("pg_basebackup", "--pgdata", s.data(), "--write-recovery-conf", "--checkpoint", "fast",
			"--no-sync", "--host", c.dir, "--port", fmt.Sprint(c.Port), "--username", User)
	}
	if err == nil {
		err = s.configure(append([]string{
			fmt.Sprintf("port = %d", s.Port), "unix_socket_directories = '" + s.dir + "'",
		}, settings...))
	}
	if err == nil {
		err = s.launch()
	}
	if err != nil {
		t.Fatalf("pgtest: a standby: %v", err)
	}
	return s
}

// Promote makes a standby take changes.
func (c *Cluster) Promote(t testing.TB) {
	t.Helper()
	if err := c.run("pg_ctl", "promote", "--wait", "--pgdata", c.data()); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
}

// Dir is where the server's socket is; its data is in a folder below.
func (c *Cluster) Dir() string { return filepath.Clean(c.dir) }
