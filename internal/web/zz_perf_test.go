package web_test

import (
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/authority"
)

func TestZZPerf(t *testing.T) {
	if os.Getenv("ZZPERF") == "" {
		t.Skip()
	}
	w := newWorld(t)
	var ids []ostiary.ID
	for i := range 1000 {
		p := w.alice
		if i%10 == 0 {
			p = w.bob
		}
		id, _ := w.newToken(p, authority.NewToken{Privilege: ostiary.Normal, Description: fmt.Sprint("Token ", i)})
		ids = append(ids, id)
	}
	start := time.Now()
	for b := range 100 {
		w.ok(w.store.Update(ctx, func(tx ostiary.Writer) error {
			for i := range 1000 {
				n := b*1000 + i
				app := ostiary.App{Account: w.account, Token: ids[n%900], ID: ostiary.ID(n%5000 + 1), Name: fmt.Sprint("app-", n%5000), State: ostiary.Allowed, DecidedBy: "/user/1", DecidedOn: noon}
				if err := tx.PutApp(app); err != nil {
					return err
				}
				s := ostiary.Story{What: "app.allowed", By: "/user/1", Token: ids[n%900], User: 1, App: app.ID, AppName: app.Name, From: "10.0.0.1", Agent: firefox, Tag: "0123456789abcdef"}
				if n == 50 {
					s.By, s.User, s.What = "/user/3", 3, "member.remove"
				}
				if _, err := tx.Append(w.account, noon.Add(time.Duration(n)*time.Second), s, nil); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	t.Log("filled in", time.Since(start))
	if ddl := os.Getenv("ZZDDL"); ddl != "" {
		wdir := filepath.Join(filepath.Dir(t.TempDir()), "001")
		db, err := sql.Open("sqlite", "file:"+wdir+"/ostiary.db?_pragma=busy_timeout(5000)")
		w.ok(err)
		_, err = db.Exec(ddl)
		w.ok(err)
		db.Close()
		out, _ := exec.Command("ls", "-la", wdir).Output()
		t.Log(string(out))
	}
	w.alice.signIn()
	w.bob.signIn()
	at := func(p *person, q string) {
		var best, worst time.Duration = time.Hour, 0
		var size int
		for range 8 {
			n := len(w.events.since(0))
			size = len(p.open("/audit?account=" + w.account.String() + q).body)
			took := w.events.since(n)[0].Took
			best, worst = min(best, took), max(worst, took)
		}
		t.Logf("%-12s %-40s %v to %v, %d bytes", p.email[:5], q, best, worst, size)
	}
	at(w.alice, "")
	at(w.alice, "&before=50000")
	at(w.alice, "&after=50000")
	at(w.alice, "&person="+w.alice.id.String())
	at(w.alice, "&person="+w.carol.id.String())
	at(w.alice, "&person=999")
	at(w.alice, "&person=operator")
	at(w.alice, "&token="+ids[5].String())
	at(w.alice, "&token="+ids[999].String())
	at(w.alice, "&app=app-77")
	at(w.alice, "&app=none")
	at(w.alice, "&kind=member")
	at(w.alice, "&kind=audit")
	at(w.alice, "&from=2026-03-04&to=2026-03-04")
	at(w.alice, "&from=2027-03-04")
	at(w.alice, "&to=2025-03-04")
	at(w.bob, "")
	at(w.bob, "&app=none")
	start = time.Now()
	n := len(w.alice.open("/audit.csv?account=" + w.account.String()).body)
	t.Log("csv", n, time.Since(start))
	start = time.Now()
	n = len(w.alice.open("/audit.jsonl?account=" + w.account.String()).body)
	t.Log("jsonl", n, time.Since(start))
	start = time.Now()
	n = len(w.alice.open("/audit.jsonl?app=app-77&account=" + w.account.String()).body)
	t.Log("jsonl app", n, time.Since(start))
}
