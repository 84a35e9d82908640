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
	"sync"
	"time"

	_ "modernc.org/sqlite"
)

// change compares changes over the management socket with bare single-row durable commits on the
// same disk, in turns.
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
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(`CREATE TABLE row (id INTEGER PRIMARY KEY, text TEXT NOT NULL)`); err != nil {
		return err
	}
	insert, err := db.Prepare(`INSERT INTO row (text) VALUES ($1)`)
	if err != nil {
		return err
	}
	socket := &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: 8,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(data, "ostiary.sock"))
		},
	}}
	commits := func(i int) error { _, err := insert.Exec(fmt.Sprint("commit ", i)); return err }
	changes := func(i int) error { return describe(socket, i) }

	fmt.Println("Changes over the management socket, against bare durable commits of one row")
	for _, clients := range []int{1, 8} {
		if err := compare(clients, commits, changes); err != nil {
			return err
		}
	}
	return nil
}

// compare lets a number of clients commit and change in turns.
func compare(clients int, commits, changes func(i int) error) error {
	var bare, ours, ratio []float64
	for round := range rounds + 1 {
		b, err := perSecond(2*time.Second, clients, commits)
		if err != nil {
			return err
		}
		o, err := perSecond(2*time.Second, clients, changes)
		if err != nil {
			return err
		}
		if round == 0 {
			continue // everything warm
		}
		bare, ours, ratio = append(bare, b), append(ours, o), append(ratio, o/b)
	}
	fmt.Printf("  %d at a time: %.0f commits a second (%s), %.0f changes a second (%s)\n",
		clients, median(bare), spread(bare), median(ours), spread(ours))
	fmt.Printf("  %d at a time: ratio %.2f (%s), wanted at least 0.25\n", clients, median(ratio), spread(ratio))
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

// perSecond is how often a number of clients get something done, each one thing after the other.
func perSecond(long time.Duration, clients int, do func(i int) error) (float64, error) {
	begun := time.Now()
	done, errs := make([]int, clients), make([]error, clients)
	var all sync.WaitGroup
	for c := range clients {
		all.Go(func() {
			for time.Since(begun) < long && errs[c] == nil {
				errs[c] = do(c + clients*done[c])
				done[c]++
			}
		})
	}
	all.Wait()
	sum := 0
	for _, n := range done {
		sum += n
	}
	return float64(sum) / time.Since(begun).Seconds(), errors.Join(errs...)
}
