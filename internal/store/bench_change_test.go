package store_test

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"ostiary"
	"ostiary/internal/store/storetest"
)

// BenchmarkChange compares a change, as authority makes one, with a bare durable commit of one row
// on the same disk, by turns. ratio is bare time over change time: how much of the disk's speed a
// change reaches.
func BenchmarkChange(b *testing.B) {
	dir := b.TempDir()
	db := create(b, filepath.Join(dir, "data"))
	if err := storetest.Fill(b.Context(), db, 2000); err != nil {
		b.Fatal(err)
	}
	bare := bareCommits(b, filepath.Join(dir, "bare.db"))
	var bareTime, changeTime time.Duration
	n := 0
	for b.Loop() {
		n++
		start := time.Now()
		bare(n)
		middle := time.Now()
		decide(b, db, n)
		bareTime += middle.Sub(start)
		changeTime += time.Since(middle)
	}
	b.ReportMetric(float64(n)/changeTime.Seconds(), "changes/s")
	b.ReportMetric(float64(n)/bareTime.Seconds(), "bare/s")
	b.ReportMetric(bareTime.Seconds()/changeTime.Seconds(), "ratio")
}

func bareCommits(b *testing.B, path string) func(n int) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(`CREATE TABLE rows (id INTEGER PRIMARY KEY, text TEXT)`); err != nil {
		b.Fatal(err)
	}
	insert, err := db.Prepare(`INSERT INTO rows (text) VALUES ($1)`)
	if err != nil {
		b.Fatal(err)
	}
	return func(int) {
		if _, err := insert.Exec("a row of a table"); err != nil {
			b.Fatal(err)
		}
	}
}

// decide allows or denies an application, with the reads that authority makes.
func decide(b testing.TB, s ostiary.Store, n int) {
	err := s.Update(b.Context(), func(w ostiary.Writer) error {
		token := ostiary.ID(1 + n%1000)
		if _, err := w.Member(1, 1); err != nil {
			return err
		}
		if _, err := w.User(1); err != nil {
			return err
		}
		if _, err := w.Token(1, token); err != nil {
			return err
		}
		app, err := w.AppByName(1, token, storetest.Apps()[0])
		if err != nil {
			return err
		}
		app.State = ostiary.AppState(1 + n%2)
		if err := w.PutApp(app); err != nil {
			return err
		}
		if _, err := w.Account(1); err != nil {
			return err
		}
		_, err = w.Append(1, time.Now(), ostiary.Story{
			What: "app.allowed", By: "/user/1", From: "192.0.2.1", Agent: "curl/8", Token: token, App: app.ID, AppName: app.Name,
		}, nil)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
}
