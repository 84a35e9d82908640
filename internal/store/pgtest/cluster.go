// Package pgtest starts a PostgreSQL of a test's own from the programs of Debian's package, and harms it
// where a test asks for that.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// User and Password are those of every cluster's superuser. The password is asked for over TCP alone.
const (
	User     = "postgres"
	Password = "pw-of-the-tests"
)

// A Cluster is a PostgreSQL on this machine, in a folder that goes with the process that started it.
type Cluster struct {
	Port int

	dir      string // of data, socket and log
	bin      string
	owner    *syscall.Credential // nil: ourselves
	keeper   *exec.Cmd           // ends the cluster when this process is gone, however it ended
	lifeline *os.File            // its end tells the keeper

	mu     sync.Mutex
	server *exec.Cmd // nil while it is stopped
	named  atomic.Uint64
}

// shared starts one cluster in a process, the first time that it is asked for.
var shared = sync.OnceValues(func() (*Cluster, error) { return start() })

// Shared gives the cluster that all tests of a process share. A test that harms it starts its own.
func Shared(t testing.TB) *Cluster {
	t.Helper()
	need(t)
	c, err := shared()
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	return c
}

// Start starts a cluster for one test, which may harm it. Settings are lines of postgresql.conf.
func Start(t testing.TB, settings ...string) *Cluster {
	t.Helper()
	need(t)
	c, err := start(settings...)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(c.remove)
	return c
}

// need skips a test where there is no PostgreSQL, and fails it with CI=true.
func need(t testing.TB) {
	t.Helper()
	if _, err := binFolder(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// binFolder finds the newest PostgreSQL of Debian's packages, or the one in PATH.
func binFolder() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	best, newest := "", 0
	for _, path := range found {
		dir := filepath.Dir(path)
		if n, err := strconv.Atoi(filepath.Base(filepath.Dir(dir))); err == nil && n > newest {
			best, newest = dir, n
		}
	}
	if best != "" {
		return best, nil
	}
	path, err := exec.LookPath("initdb")
	if err != nil {
		return "", errors.New("needs PostgreSQL; scripts/install-test-needs installs it")
	}
	// The name in PATH may be a link into the folder where the others are.
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return "", err
	}
	return filepath.Dir(path), nil
}

// newCluster makes a folder, and starts the keeper that removes it.
func newCluster() (*Cluster, error) {
	c := &Cluster{}
	var err error
	if c.bin, err = binFolder(); err != nil {
		return nil, err
	}
	if c.owner, err = owner(); err != nil {
		return nil, err
	}
	if c.dir, err = os.MkdirTemp("", "ostiary-pg-"); err != nil {
		return nil, err
	}
	if c.owner != nil {
		if err := os.Chown(c.dir, int(c.owner.Uid), int(c.owner.Gid)); err != nil {
			return nil, err
		}
	}
	if err := c.keep(); err != nil {
		return nil, err
	}
	c.Port, err = freePort()
	return c, err
}

func start(settings ...string) (*Cluster, error) {
	c, err := newCluster()
	if err == nil {
		err = c.init(settings)
	}
	if err == nil {
		err = c.launch()
	}
	if err != nil {
		if c != nil {
			c.remove()
		}
		return nil, err
	}
	return c, nil
}

// init makes the data. Its texts are sorted as a person sorts them, which is not how bytes are.
func (c *Cluster) init(settings []string, more ...string) error {
	secret := filepath.Join(c.dir, "password")
	if err := os.WriteFile(secret, []byte(Password+"\n"), 0o644); err != nil {
		return err
	}
	err := c.run("initdb", append([]string{
		"--no-sync", "--pgdata", c.data(), "--username", User, "--pwfile", secret,
		"--auth-local", "trust", "--auth-host", "scram-sha-256", "--encoding", "UTF8",
		"--locale", "C.UTF-8", "--locale-provider", "icu", "--icu-locale", "en",
	}, more...)...)
	if err != nil {
		return err
	}
	return c.configure(append([]string{
		"listen_addresses = '127.0.0.1'", "port = " + strconv.Itoa(c.Port),
		"unix_socket_directories = '" + c.dir + "'", "unix_socket_permissions = 0700",
		"max_connections = 400", "shared_buffers = 32MB", "dynamic_shared_memory_type = mmap",
		"wal_level = replica", "max_wal_senders = 10", "hot_standby = on", "max_wal_size = 256MB",
	}, settings...))
}

func (c *Cluster) configure(lines []string) error {
	f, err := os.OpenFile(filepath.Join(c.data(), "postgresql.auto.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString("\n" + strings.Join(lines, "\n") + "\n")
	return errors.Join(err, f.Close())
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

// run runs one of PostgreSQL's programs to its end, as its user.
func (c *Cluster) run(program string, args ...string) error {
	cmd := exec.Command(filepath.Join(c.bin, program), args...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "PGPASSWORD="+Password, "LC_ALL=C.UTF-8")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.owner}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", program, err, out)
	}
	return nil
}

// launch starts the server, and waits until it answers.
func (c *Cluster) launch() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	log, err := os.OpenFile(c.LogFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(filepath.Join(c.bin, "postgres"), "-D", c.data())
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, log, log
	// In a group of its own, a key press that ends the test does not end it before the keeper does.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.owner, Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	c.server = cmd
	go cmd.Wait() // so that it leaves no zombie; who needs to know looks at /proc
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if err = c.ping(); err == nil {
			return nil
		}
		if gone(cmd.Process.Pid) || time.Now().After(end) {
			said, _ := os.ReadFile(c.LogFile())
			return fmt.Errorf("the server does not start: %w\n%s", err, said)
		}
	}
}

func (c *Cluster) ping() error {
	ctx, stop := context.WithTimeout(context.Background(), 5*time.Second)
	defer stop()
	conn, err := pgx.Connect(ctx, c.SocketURL("postgres"))
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// LogFile is where the server writes what happens.
func (c *Cluster) LogFile() string { return filepath.Join(c.dir, "log") }

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
