// Package docs_test runs the shell blocks of README.md and of the guide, and holds what they print
// against the pages.
package docs_test

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"ostiary/internal/store/pgtest"
)

// A block is something to run and what it prints: a fenced sh block with the text block right after
// it, or a command in a console block with the lines below it.
type block struct {
	line    int // where it begins
	run     string
	wants   string // empty: whatever it prints
	shown   bool   // what it prints stands on the page
	console bool
}

func TestShellBlocksOfTheDocsDoWhatTheyShow(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program and starts servers")
	}
	for _, tool := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing(t, tool)
		}
	}
	bin := build(t)
	pages, err := filepath.Glob("guide/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages of the guide: %v", err)
	}
	for _, page := range append(pages, "../README.md") {
		t.Run(filepath.Base(page), func(t *testing.T) {
			text, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			// A transcript stands for itself: it has a shell of its own.
			var scripts, transcript []block
			for _, b := range read(string(text)) {
				if b.console {
					transcript = append(transcript, b)
				} else {
					scripts = append(scripts, b)
				}
			}
			if strings.Contains(string(text), exampleDatabase) {
				c := pgtest.Shared(t)
				url := c.URL(c.Database(t))
				for i := range scripts {
					scripts[i].run = strings.ReplaceAll(scripts[i].run, exampleDatabase, url)
				}
			}
			runPage(t, bin, scripts)
			runPage(t, bin, transcript)
		})
	}
}

// exampleDatabase becomes a database of the tests' own.
const exampleDatabase = "postgres://ostiary:PASSWORD@db.example.com/ostiary?sslmode=verify-full"

// missing skips on a laptop, and fails where CI runs.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing; scripts/install-test-needs installs it", what)
	}
	t.Skipf("%s is missing", what)
}

func build(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	program := filepath.Join(dir, "ostiary")
	out, err := exec.Command("go", "build", "-buildvcs=false", "-o", program, "../cmd/ostiary").CombinedOutput()
	if err != nil {
		t.Fatalf("building the program: %v\n%s", err, out)
	}
	return dir
}

func read(page string) (blocks []block) {
	var fence string // the language of the block we are in
	var body strings.Builder
	after := false // nothing but blank lines since the last sh block
	n := 0
	for line := range strings.Lines(page) {
		n++
		mark, isFence := strings.CutPrefix(strings.TrimRight(line, "\n"), "```")
		switch {
		case isFence && fence == "" && mark != "":
			fence = mark
			body.Reset()
			if mark == "sh" {
				blocks = append(blocks, block{line: n})
			}
		case isFence:
			last := len(blocks) - 1
			if fence == "sh" {
				blocks[last].run = body.String()
			} else if fence == "text" && after {
				blocks[last].wants, blocks[last].shown = body.String(), true
			} else if fence == "console" {
				blocks = append(blocks, readConsole(n, body.String())...)
			}
			after = fence == "sh"
			fence = ""
		case fence != "":
			body.WriteString(line)
		case strings.TrimSpace(line) != "":
			after = false
		}
	}
	return blocks
}

// readConsole reads a transcript: a line that begins with $ is typed, the others are printed.
func readConsole(end int, body string) (blocks []block) {
	n := end - strings.Count(body, "\n") - 1
	for line := range strings.Lines(body) {
		n++
		if typed, ok := strings.CutPrefix(line, "$ "); ok {
			blocks = append(blocks, block{line: n, run: typed, shown: true, console: true})
		} else if last := len(blocks) - 1; last >= 0 {
			blocks[last].wants += line
		}
	}
	return blocks
}

// demo is what README's first command becomes: the demo goes on running, and prints its story.
const demo = `ostiary demo --keep demo > demo.txt 2> demo.log &
until grep -qs 'Ctrl-C' demo.txt; do sleep 0.1; done
cat demo.txt
BOB=$(awk '/^bob@/ { print $NF }' demo.txt)
`

// runPage runs the blocks of one page in one shell, in a folder of their own, at ports of their own.
func runPage(t *testing.T, bin string, blocks []block) {
	t.Helper()
	if len(blocks) == 0 {
		return
	}
	main, admin := freePort(t), freePort(t)
	ports := strings.NewReplacer("127.0.0.1:8700", main, "127.0.0.1:8701", admin, "127.0.0.1:8710", freePort(t),
		"go run ./cmd/ostiary demo --keep /tmp/demo", demo, "go run ./cmd/ostiary", "ostiary", "/tmp/demo", "demo",
		"curl -i", "curl -si")
	const end = "\x1e"
	script := "set -eu\ntrap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n"
	for _, b := range blocks {
		script += ports.Replace(b.run) + "printf '" + end + "'\n"
	}

	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	cmd := exec.CommandContext(ctx, "bash", "-c", script)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+cmd.Dir, "TZ=UTC", "PS1=",
		"OSTIARY_LISTEN="+main, "OSTIARY_ADMIN_LISTEN="+admin)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()

	printed := strings.Split(strings.ReplaceAll(out.String(), "\r", ""), end)
	for i, b := range blocks {
		if i >= len(printed)-1 {
			t.Fatalf("the block at line %d fails: %v\n%s\nit printed:\n%s",
				b.line, err, b.run, printed[len(printed)-1])
		}
		if b.shown && !pattern(ports.Replace(b.wants)).MatchString(printed[i]) {
			t.Errorf("the block at line %d prints something else.\ngot:\n%s\nwant (… is anything):\n%s",
				b.line, printed[i], b.wants)
		}
	}
}

// pattern matches a text in which … stands for anything on its line, and a line of … for any lines.
func pattern(text string) *regexp.Regexp {
	p := regexp.QuoteMeta(strings.TrimSpace(text))
	p = strings.ReplaceAll(p, "\n…\n", "\n(?:.*\n)*")
	return regexp.MustCompile(`^\s*` + strings.ReplaceAll(p, "…", ".*") + `\s*$`)
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
