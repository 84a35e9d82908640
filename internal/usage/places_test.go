package usage_test

import (
	"path/filepath"
	"testing"
	"time"

	"ostiary/internal/store/pgtest"
	"ostiary/internal/usage"
)

// An opener opens a Usage that writes where the others of the same opener do.
type opener func(testing.TB, usage.Options) *usage.Usage

// places are where uses can be written; each call gives an empty one.
var places = []struct {
	name string
	new  func(testing.TB) opener
}{
	{"file", inFile},
	{"postgres", inPostgres},
}

func inFile(t testing.TB) opener {
	file := filepath.Join(t.TempDir(), "use.db")
	return func(t testing.TB, opt usage.Options) *usage.Usage { return open(t, file, opt) }
}

func inPostgres(t testing.TB) opener {
	c := pgtest.Shared(t)
	return at(c, c.Database(t))
}

// patient: machines that run tests are busy with others.
func patient(opt usage.Options) usage.Options {
	if opt.Patience == 0 {
		opt.Patience = 10 * time.Second
	}
	return opt
}

// at opens a Usage on a database of a cluster.
func at(c *pgtest.Cluster, database string) opener {
	return func(t testing.TB, opt usage.Options) *usage.Usage { return openURL(t, c.URL(database), opt) }
}

func openURL(t testing.TB, url string, opt usage.Options) *usage.Usage {
	t.Helper()
	u, err := usage.OpenPostgres(t.Context(), url, patient(opt))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { u.Close() })
	return u
}

// everywhere runs a test on each place.
func everywhere(t *testing.T, test func(t *testing.T, open opener)) {
	for _, p := range places {
		t.Run(p.name, func(t *testing.T) { test(t, p.new(t)) })
	}
}
