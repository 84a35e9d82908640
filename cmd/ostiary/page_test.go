package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "write docs/guide/command.md anew")

const pageHead = `# The command

Every command, as its --help says it. Management commands speak to the server of a data folder, over a socket in
it that only the server's own user can open: name the folder with --data or OSTIARY_DATA. From elsewhere they
speak HTTP, and may what a token may: set OSTIARY_URL and OSTIARY_TOKEN (and OSTIARY_APP, the application's name,
which is ostiary otherwise).

| exit | means |
| --- | --- |
| 0 | done |
| 1 | refused or failed; standard error says why, and what to do next |
| 2 | wrong usage: nothing was done |
| 3 to 7 | serve did not start: no database, one from the past, one in use, one of a newer version, a taken address |

With --json a command prints the objects of the API on standard output, and nothing else. Secrets are read from
standard input or a file, and printed alone on standard output, so that they can be sent on: to a file, or to the
program that keeps them.
`

func TestCommandPageSaysWhatHelpSays(t *testing.T) {
	var page strings.Builder
	page.WriteString(pageHead)
	for _, cmd := range everyCommand(rootCommand()) {
		fmt.Fprintf(&page, "\n## %s\n\n```\n%s\n```\n", cmd.CommandPath(), help(t, cmd))
	}
	path := filepath.Join("..", "..", "docs", "guide", "command.md")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(page.String(), "\n")); diff != "" {
		t.Errorf("%s does not say what --help says (-page +help); 'make golden' writes it anew:\n%s", path, diff)
	}
}

// everyCommand is a command and all below it, but for those that cobra adds.
func everyCommand(cmd *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{cmd}
	for _, sub := range cmd.Commands() {
		all = append(all, everyCommand(sub)...)
	}
	return all
}

func help(t *testing.T, cmd *cobra.Command) string {
	t.Helper()
	var out bytes.Buffer
	args := append(strings.Fields(cmd.CommandPath())[1:], "--help")
	if code := run(args, strings.NewReader(""), &out, &out); code != exitDone {
		t.Fatalf("%s --help exits with %d: %s", cmd.CommandPath(), code, out.String())
	}
	return strings.TrimSpace(out.String())
}

func TestEveryCommandHasAnExample(t *testing.T) {
	for _, cmd := range everyCommand(rootCommand()) {
		if cmd.HasSubCommands() {
			continue
		}
		if !strings.Contains(cmd.Example, cmd.CommandPath()) || cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: short %q, example %q", cmd.CommandPath(), cmd.Short, cmd.Example)
		}
	}
}
