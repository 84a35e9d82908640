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
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"ostiary": main})
}

// The scripts are the manual of the command: each one does a task against a real server.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			address, err := freeAddress()
			env.Setenv("LISTEN", address)
			env.Setenv("URL", "http://"+address)
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await": await, "http": request, "exits": exits, "get": get, "env-from": envFrom, "sql": change,
		},
	})
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

// get URL fails unless the answer is 200; ! get fails if there is one.
func get(ts *testscript.TestScript, neg bool, args []string) {
	res, err := http.Get(args[0])
	if err == nil {
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
