package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestInstallCommandsAreReadLineByLine(t *testing.T) {
	t.Parallel()
	got, err := readInstallCommands(strings.NewReader(`
# what a new host runs
One Step Install = curl -sSL {api}/install \
    | bash -s -- --key {token} --app {app}
Terraform        = export ACME_TOKEN={token}
`))
	want := []InstallCommand{
		{"One Step Install", "curl -sSL {api}/install \\\n    | bash -s -- --key {token} --app {app}"},
		{"Terraform", "export ACME_TOKEN={token}"},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
}

func TestInstallCommandsThatShowNoTokenAreRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Name":              "1: a line is",
		"= {token}":         "1: a line is",
		"\nName =":          "2: a line is",
		"Name = echo {app}": "does not use {token}",
	} {
		if _, err := readInstallCommands(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}
