package docs_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The guide's Go is built as it stands, in files that are there for the go command alone; the test in
// it is run.
func TestGoOfTheGuideRuns(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds three packages")
	}
	page, err := os.ReadFile("guide/go-programs.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllSubmatch(page, -1)
	if len(blocks) != 3 {
		t.Fatalf("the page has %d blocks of Go, want 3", len(blocks))
	}
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	// A program and a package are built where no folder is; a test is run where one is.
	places := []string{"program/main.go", "jobs/jobs.go", "guide/page_test.go"}
	dir, replace := t.TempDir(), map[string]string{}
	for i, block := range blocks {
		file := filepath.Join(dir, strconv.Itoa(i)+".go")
		if err := os.WriteFile(file, block[1], 0o600); err != nil {
			t.Fatal(err)
		}
		replace[filepath.Join(here, places[i])] = file
	}
	overlay := filepath.Join(dir, "overlay.json")
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"build", "-buildvcs=false", "-overlay", overlay, "-o", os.DevNull, "./program"},
		{"build", "-overlay", overlay, "./jobs"},
		{"test", "-overlay", overlay, "-run", "TestNewApplicationWaits", "-v", "./guide"},
	} {
		out, err := exec.Command("go", args...).CombinedOutput()
		if err != nil || args[0] == "test" && !strings.Contains(string(out), "--- PASS: TestNewApplicationWaits") {
			t.Errorf("go %s: %v\n%s", args[0], err, out)
		}
	}
}
