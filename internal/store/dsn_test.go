package store_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"ostiary/internal/store"
	"ostiary/internal/store/pgtest"
)

func TestADSNNeverPrintsItself(t *testing.T) {
	t.Parallel()
	d := store.ReadDSN("postgres://u:hunter2@h/x")
	o := store.Options{Database: d}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "at", d, "options", o)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "at", d, "options", o)
	text, err := json.Marshal(o)
	ok(t, err)
	shown := fmt.Sprintf("%v %+v %#v %s %q %x", d, d, d, d, d, d) + fmt.Sprint(o, &o) + log.String() + string(text)
	if strings.Contains(shown, "hunter2") || strings.Contains(shown, fmt.Sprintf("%x", "hunter2")) {
		t.Fatalf("the password is in %s", shown)
	}
}

// Texts that cannot be read, servers that are not there and ones that refuse: no error shows the password.
func TestErrorsOfTheDatabaseShowNoPassword(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	wrong := strings.Replace(c.URL(c.Database(t)), pgtest.Password, "hunter2", 1)
	for _, text := range []string{
		wrong,
		"postgres://u:hunter2@127.0.0.1:1/x",
		"postgres://u:hunter2@127.0.0.1:1,127.0.0.1:2/x?target_session_attrs=any",
		"postgres://u:hunter2@127.0.0.1:port/x",
		"postgres://u:hun:ter2:hunter2@127.0.0.1:1/x",
		"postgres://u:hunter2@[::1/x",
		"postgres://u:%zzhunter2@h/x",
		"postgres://u:hunter2/x@h/y z",
		"postgres:/u:hunter2@h/x",
		"postgres//u:hunter2@h/x",
		"POSTGRES://u:hunter2@h/x",
		"mysql://u:hunter2@h/x",
		"host=127.0.0.1 port=1 user=u password=hunter2",
		"host=127.0.0.1 port=1 user=u password = 'hunter2",
		"host=127.0.0.1 port=x user=u password='hunter2'",
		"user=u pass word=hunter2",
		"postgres://127.0.0.1:1/x?password=hunter2&connect_timeout=hunter2",
		"postgres://127.0.0.1:1/x?sslmode=hunter2",
		"hunter2",
	} {
		db, err := store.Open(t.Context(), t.TempDir(), store.Options{Database: store.ReadDSN(text)})
		if err == nil {
			db.Close()
			t.Errorf("%q is opened", text)
			continue
		}
		if shown := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(shown, "hunter2") {
			t.Errorf("%q: the password is in %s", text, shown)
		}
	}
}
