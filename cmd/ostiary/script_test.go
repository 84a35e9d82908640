package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"ostiary/internal/store/pgtest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"ostiary": main})
}

// The scripts are the manual of the command: each one does a task against a real server.
func TestScripts(t *testing.T) {
	testscript.Run(t, scripts(testscript.Params{Dir: "testdata"}, func(*testscript.Env) {}))
}

// What the command does is the same where the records are in PostgreSQL.
func TestScriptsOnPostgreSQL(t *testing.T) {
	c := pgtest.Shared(t)
	anew := func(env *testscript.Env) { env.Setenv("OSTIARY_DATABASE", c.URL(c.Database(t))) }
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	files = slices.DeleteFunc(files, func(file string) bool {
		switch filepath.Base(file) {
		case "audit.txt", "backup.txt", "first-steps.txt", "password.txt", "starting.txt":
			return true // about SQLite's file, or about several folders with records of their own
		}
		return false
	})
	testscript.Run(t, scripts(testscript.Params{Files: files}, anew))
}

// These are about PostgreSQL alone. pg STATEMENT changes the database behind the program's back.
func TestScriptsAboutPostgreSQL(t *testing.T) {
	c := pgtest.Shared(t)
	p := scripts(testscript.Params{Dir: "testdata/postgresql"}, func(env *testscript.Env) {
		name := c.Database(t)
		env.Setenv("DATABASE", c.URL(name))
		env.Setenv("DBNAME", name)
		for _, name := range []string{"LISTEN2", "LISTEN3"} {
			address, err := freeAddress()
			if err != nil {
				t.Fatal(err)
			}
			env.Setenv(name, address)
		}
		env.Setenv("PASSWORD", pgtest.Password)
	})
	p.Cmds["pg"] = func(ts *testscript.TestScript, _ bool, args []string) {
		c.Exec(t, ts.Getenv("DBNAME"), args[0])
	}
	testscript.Run(t, p)
}

func scripts(p testscript.Params, more func(*testscript.Env)) testscript.Params {
	p.Deadline = time.Now().Add(5 * time.Minute) // a server that should have refused to start goes on
	p.Setup = func(env *testscript.Env) error {
		address, err := freeAddress()
		env.Setenv("LISTEN", address)
		env.Setenv("URL", "http://"+address)
		more(env)
		return err
	}
	p.Cmds = map[string]func(*testscript.TestScript, bool, []string){
		"await": await, "http": request, "exits": exits, "get": get, "env-from": envFrom, "sql": change,
		"write": write, "http-soon": requestSoon,
	}
	return p
}

var nextPort atomic.Int32

// freeAddress stays clear of the ports that the system hands out by itself, so that no script is
// given the one that another script was promised.
func freeAddress() (string, error) {
	for {
		port := 12000 + (os.Getpid()*40+int(nextPort.Add(1)))%18000
		address := "127.0.0.1:" + strconv.Itoa(port)
		if l, err := net.Listen("tcp", address); err == nil {
			return address, l.Close()
		}
	}
}

// await DATA waits until a server answers on a data folder.
func await(ts *testscript.TestScript, neg bool, args []string) {
	data := ts.MkAbs(args[0])
	for range 500 {
		c := newSocketClient(data)
		if _, err := c.get(context.Background(), "/v2/operator/status"); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Fatalf("no server answers on %s", args[0])
}

// http APP SECRETFILE METHOD PATH sends a request with a token, and prints status and body.
func request(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 4 {
		ts.Fatalf("usage: http APP SECRETFILE METHOD PATH")
	}
	req, err := http.NewRequest(args[2], ts.Getenv("URL")+args[3], nil)
	ts.Check(err)
	req.SetBasicAuth(args[0], strings.TrimSpace(ts.ReadFile(args[1])))
	req.Header.Set("X-Original-Method", args[2])
	req.Header.Set("X-Original-URI", args[3])
	res, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%s\n%s", res.Status, body)
}

// http-soon STATUS APP SECRETFILE METHOD PATH sends a request until it is answered so, for two seconds.
func requestSoon(ts *testscript.TestScript, neg bool, args []string) {
	for end := time.Now().Add(2 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		req, err := http.NewRequest(args[3], ts.Getenv("URL")+args[4], nil)
		ts.Check(err)
		req.SetBasicAuth(args[1], strings.TrimSpace(ts.ReadFile(args[2])))
		res, err := http.DefaultClient.Do(req)
		ts.Check(err)
		res.Body.Close()
		if strconv.Itoa(res.StatusCode) == args[0] {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%s is answered with %d, want %s", args[4], res.StatusCode, args[0])
		}
	}
}

// exits CODE COMMAND… runs a command, and compares its exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	code := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("%s exits with %d, want %s", strings.Join(args[1:], " "), code, args[0])
	}
}

// get URL prints a page, and fails unless the answer is 200; ! get fails if there is one.
func get(ts *testscript.TestScript, neg bool, args []string) {
	res, err := http.Get(args[0])
	if err == nil {
		io.Copy(ts.Stdout(), res.Body)
		res.Body.Close()
	}
	if ok := err == nil && res.StatusCode == http.StatusOK; ok == neg {
		ts.Fatalf("GET %s: %v", args[0], err)
	}
}

// env-from NAME FILE sets a variable to what a file holds.
func envFrom(ts *testscript.TestScript, neg bool, args []string) {
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile(args[1])))
}

// write FILE TEXT writes a text to a file.
func write(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(args[1]+"\n"), 0o600))
}

// sql DATA STATEMENT changes the database of a folder behind the program's back.
func change(ts *testscript.TestScript, neg bool, args []string) {
	db, err := sql.Open("sqlite", filepath.Join(ts.MkAbs(args[0]), databaseName))
	ts.Check(err)
	defer db.Close()
	result, err := db.Exec(args[1])
	ts.Check(err)
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		ts.Fatalf("%s changed %d rows: %v", args[1], n, err)
	}
}
