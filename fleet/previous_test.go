package fleet

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ostiary/internal/store/pgtest"
)

// previous builds the program of the state that testdata/previous names, from the history of the repository. Where
// that is not here, as in a copy without it, the test is skipped, also in CI.
func previous(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "previous"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	commit := lines[len(lines)-1]
	if err := exec.Command("git", "cat-file", "-e", commit+"^{tree}").Run(); err != nil {
		t.Skipf("the history of the repository is not here: %s: %v", commit, err)
	}
	folder := t.TempDir()
	out := filepath.Join(folder, "ostiary-before")
	for _, line := range []string{
		"git -C .. archive --output " + folder + "/tree.tar " + commit,
		"tar -x -f " + folder + "/tree.tar -C " + folder,
		"nice -n 19 go -C " + folder + " build -o " + out + " ./cmd/ostiary",
	} {
		args := strings.Fields(line)
		if said, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("building the program of %s: %s: %v\n%s", commit, line, err, said)
		}
	}
	return out
}

// schema is what the database says of its tables: their version, and the least that a program must know.
func (f *fleet) schema() (version, least int64) {
	f.Helper()
	one := func(query string) int64 { return pgtest.Column[int64](f.T, f.pg, f.database, query)[0] }
	return one(`SELECT MAX(version_id) FROM migrations WHERE is_applied`),
		one(`SELECT min_program_schema FROM schema_compat`)
}

// A node of the new release begins beside one of the previous release that serves, and brings the tables up to
// date under it: both go on deciding and making changes, and each has what the other changes.
func TestThePreviousReleaseGoesOnBesideTheNewSchema(t *testing.T) {
	long(t)
	t.Parallel()
	before := previous(t)
	f := &fleet{T: t, pg: pgtest.Start(t)}
	f.database = f.pg.Database(t)
	f.run(before, "init", "--data", t.TempDir(), "--database", f.url(),
		"--account", "acme", "--email", "alice@example.com")
	old := f.prepare("old", "--listen", "127.0.0.1:0")
	old.args[0] = before
	f.launch(old)
	fresh := f.prepare("new", "--listen", "127.0.0.1:0")
	f.nodes = append(f.nodes, fresh) // it is asked as soon as it is there
	version, _ := f.schema()
	s := f.storm(2, 3, 2*time.Millisecond)
	time.Sleep(time.Second)
	f.launch(fresh)
	f.nodes = f.nodes[:2]
	time.Sleep(3 * time.Second)
	now, least := f.schema()
	t.Logf("the schema was %d and is %d, for programs that know %d or more", version, now, least)

	for _, way := range [][2]*node{{old, fresh}, {fresh, old}} {
		s.seenBy(way[0], way[1])
	}
	if err := old.stop(); err != nil {
		t.Errorf("the previous release does not stop in good order: %v", err)
	}
	err := old.start()
	switch {
	case version >= least && err != nil:
		t.Errorf("the tables are for programs of schema %d too, and the previous release does not start: %v", version, err)
	case version < least && err == nil:
		t.Errorf("the tables are for programs of schema %d or newer, and the previous release starts", least)
	case err != nil && old.cmd.ProcessState.ExitCode() != 6:
		t.Errorf("the previous release ends with %v; want exit code 6", old.cmd.ProcessState)
	case err == nil:
		s.seenBy(old, fresh)
		s.seenBy(fresh, old)
	}
	s.end(within)
	s.verify()
	if s.late.Load() > 0 {
		t.Errorf("%d answers are 503", s.late.Load())
	}
}

// seenBy makes, changes and retires a token at one node, and demands that the other decides by each change as soon
// as it is acknowledged.
func (s *storm) seenBy(one, other *node) {
	s.Helper()
	want := func(t held, app string, want int) {
		s.Helper()
		if status, _, err := other.ask(t.text, app); status != want {
			s.Errorf("%s answers %d, %v to what was changed at %s; want %d", other.name, status, err, one.name, want)
		}
	}
	t := s.apart(one)
	want(t, "app0", 200)
	s.made(one, "POST", "/v2"+t.cid+"/app", map[string]any{"name": "app0", "state": "denied"})
	want(t, "app0", 403)
	want(t, "app1", 200)
	text := s.made(one, "DELETE", "/v2"+t.cid, nil)
	want(t, "app1", 401)
	if r, ok := readReceipt(text); !ok || fmt.Sprint(r.Confirmed) != "[new old]" {
		s.Errorf("the receipt of %s says %+v", one.name, r)
	}
}
