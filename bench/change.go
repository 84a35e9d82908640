package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite"
)

// change compares changes over the management socket with bare single-row durable commits on the
// same disk, one at a time, in turns.
func change(folder string) error {
	data := filepath.Join(folder, "data")
	if err := filled(data, 1000); err != nil {
		return err
	}
	path, err := program(folder)
	if err != nil {
		return err
	}
	node, err := startServe(path, data)
	if err != nil {
		return err
	}
	defer node.end()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(folder, "bare.db")+
		"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.Exec(`CREATE TABLE row (id INTEGER PRIMARY KEY, text TEXT NOT NULL)`); err != nil {
		return err
	}
	insert, err := db.Prepare(`INSERT INTO row (text) VALUES ($1)`)
	if err != nil {
		return err
	}
	socket := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(data, "ostiary.sock"))
		},
	}}
	commits := func(i int) error { _, err := insert.Exec(fmt.Sprint("commit ", i)); return err }
	changes := func(i int) error { return describe(socket, i) }

	fmt.Println("A change over the management socket, against a bare durable commit of one row")
	var bare, ours, ratio []float64
	for round := range rounds + 1 {
		b, err := perSecond(2*time.Second, commits)
		if err != nil {
			return err
		}
		o, err := perSecond(2*time.Second, changes)
		if err != nil {
			return err
		}
		if round == 0 {
			continue // everything warm
		}
		bare, ours, ratio = append(bare, b), append(ours, o), append(ratio, o/b)
	}
	fmt.Printf("  bare commits %.0f a second (%s)\n  changes      %.0f a second (%s)\n  ratio %.2f (%s), wanted at least 0.25\n",
		median(bare), spread(bare), median(ours), spread(ours), median(ratio), spread(ratio))
	return nil
}

// describe changes the description of a token to one that it never had.
func describe(c *http.Client, i int) error {
	body := strings.NewReader(fmt.Sprintf(`{"description":"change %d"}`, time.Now().UnixNano()))
	r, err := http.NewRequest(http.MethodPut, fmt.Sprintf("http://ostiary/v2/token/%d", 1+i%1000), body)
	if err != nil {
		return err
	}
	w, err := c.Do(r)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(w.Body)
	w.Body.Close()
	if w.StatusCode != http.StatusOK {
		err = errors.Join(err, fmt.Errorf("%s: %s", w.Status, text))
	}
	return err
}

func perSecond(long time.Duration, do func(i int) error) (float64, error) {
	begun, n := time.Now(), 0
	for time.Since(begun) < long {
		if err := do(n); err != nil {
			return 0, err
		}
		n++
	}
	return float64(n) / time.Since(begun).Seconds(), nil
}
