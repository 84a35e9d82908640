package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var placeholder = regexp.MustCompile(`@[A-Z0-9_]+@`)

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What a person puts into values.sed, and what this program puts in, is all that the files want.
func TestNothingInTheFilesIsLeftUnfilled(t *testing.T) {
	values := placeholder.FindAllString(read(t, "values.sed"), -1)
	p := &place{folder: "/f", bin: "/b", port: 14000}
	m := &machine{place: p, name: "db2", address: addresses[1], folder: "/f/db2"}
	for _, name := range []string{"etcd.env", "patroni.yml"} {
		text := read(t, name)
		wanted := placeholder.FindAllString(text, -1)
		if len(wanted) < 5 {
			t.Fatalf("%s wants only %q: this test reads it wrongly", name, wanted)
		}
		for _, one := range wanted {
			if one != "@NAME@" && one != "@ADDRESS@" && !slices.Contains(values, one) {
				t.Errorf("%s wants %s, which values.sed does not give", name, one)
			}
		}
		filled := p.fill(text, m)
		if left := placeholder.FindAllString(filled, -1); len(left) > 0 {
			t.Errorf("%s for trying still wants %q", name, left)
		}
		for _, wrong := range []string{":2379", ":2380", ":5432", ":8008", "/var/", "/usr/", "required"} {
			if strings.Contains(filled, wrong) {
				t.Errorf("%s for trying still has %q", name, wrong)
			}
		}
	}
	for _, name := range values {
		if !strings.Contains(read(t, "etcd.env")+read(t, "patroni.yml"), name) {
			t.Errorf("values.sed gives %s, which nothing wants", name)
		}
	}
}

// README.md says how values.sed is used.
func TestTheFilesAreFilledInAsTheReadmeSays(t *testing.T) {
	sed, err := exec.LookPath("sed")
	if err != nil {
		t.Skip(err)
	}
	for _, name := range []string{"etcd.env", "patroni.yml"} {
		this := "s/@NAME@/db1/g; s/@ADDRESS@/192.0.2.11/g"
		out, err := exec.Command(sed, "-e", this, "-f", "../values.sed", "../"+name).Output()
		if err != nil {
			t.Fatal(err)
		}
		left := placeholder.FindAllString(string(out), -1)
		if len(left) > 0 || !strings.Contains(string(out), "192.0.2.11:2379") {
			t.Errorf("%s is left with %q", name, left)
		}
	}
}

// The lock of a dead leader lasts for ttl, after that Patroni needs a moment; the nodes must last longer.
func TestTheLeaseIsLongerThanAFailover(t *testing.T) {
	text := read(t, "patroni.yml")
	for _, want := range []string{
		"ttl: 30\n", "loop_wait: 10\n", "retry_timeout: 10\n", "primary_start_timeout: 15\n", "failsafe_mode: true\n",
		"synchronous_mode: true\n", "synchronous_mode_strict: true\n", "mode: required\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("patroni.yml does not say %q", want)
		}
	}
	if lease != "60s" {
		t.Errorf("the nodes have a lease of %s", lease)
	}
}
