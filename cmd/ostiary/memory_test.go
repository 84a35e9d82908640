package main

import (
	"path/filepath"
	"testing"

	"ostiary"
	"ostiary/internal/directory"
	"ostiary/internal/store"
	"ostiary/internal/store/storetest"
)

// What older records took away for good is not in the log: a copy that has it is no beginning where that can be
// read. What is in doubt ends by the log.
func TestACopyThatIsLessThanTheLogIsNoBeginning(t *testing.T) {
	db, err := store.Create(t.Context(), t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := storetest.Fill(t.Context(), db, 10); err != nil {
		t.Fatal(err)
	}
	var all []ostiary.Fact
	err = db.View(t.Context(), func(r ostiary.Reader) error {
		return r.Snapshot(func(f ostiary.Fact) error {
			if f.User != nil {
				all = append(all, ostiary.Fact{User: &ostiary.UserFact{ID: f.User.ID, Disabled: true}})
			}
			return nil
		})
	})
	if err != nil || len(all) < 2 {
		t.Fatalf("there are %d users: %v", len(all), err)
	}
	d := directory.New()
	if err := d.Load(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "memory")
	if _, err := d.WriteFile(t.Context(), path, "boot", 0); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		narrow func()
		want   bool
	}{
		{"all of it", func() {}, true},
		{"in doubt", func() { d.Doubt(all[:1], d.Revision()+1) }, true},
		{"less for good", func() { d.Restrict(all[1:2]) }, false},
		{"less for good, also where that was in doubt", func() { d.Restrict(all[:1]) }, false},
	} {
		c.narrow()
		copied, about, err := directory.OpenKept(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := begins(t.Context(), db, copied, about.Head); got != c.want {
			t.Errorf("%s: that memory begins from it is %v, want %v", c.name, got, c.want)
		}
	}
	if begins(t.Context(), db, d, ostiary.Head{Revision: d.Revision()}) {
		t.Error("a copy of another log is a beginning")
	}
}
