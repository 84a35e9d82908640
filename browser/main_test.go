// Package browser_test shows the pages to people with a real Chromium, who find everything by role
// and accessible name, and use a mouse and a keyboard.
package browser_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

var update = flag.Bool("update", false, "write the pictures in docs/pictures anew")

// program is the path of the built ostiary.
var program string

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "browser")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "ostiary")
	build := exec.Command("go", "build", "-C", "..", "-buildvcs=false", "-o", program, "./cmd/ostiary")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the program: %v\n%s", err, out)
		os.Exit(1)
	}
	if *update {
		clearPictures()
	}
	code := m.Run()
	closeChromium()
	os.RemoveAll(dir)
	os.Exit(code)
}

// clearPictures removes all: some may be of states that are no more.
func clearPictures() {
	old, err := filepath.Glob(filepath.Join(picturesFolder, "*-*-*.png"))
	for _, path := range old {
		err = errors.Join(err, os.Remove(path))
	}
	if err = errors.Join(err, os.MkdirAll(picturesFolder, 0o755)); err != nil {
		panic(err)
	}
}

// chromium starts one browser for all tests; every person has a profile of their own in it.
var chromium = sync.OnceValues(func() (context.Context, error) {
	path, err := findChromium()
	if err != nil {
		return nil, err
	}
	usual := chromedp.DefaultExecAllocatorOptions[:]
	all, stop := chromedp.NewExecAllocator(context.Background(), append(usual,
		chromedp.ExecPath(path), chromedp.Flag("headless", "new"), chromedp.Flag("no-sandbox", true),
		chromedp.Flag("disable-gpu", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("lang", "en-GB"),
		chromedp.Flag("host-resolver-rules", "MAP *.example.com 127.0.0.1"),
		chromedp.Flag("font-render-hinting", "none"))...)
	ctx, quit := chromedp.NewContext(all)
	closers = append(closers, quit, stop)
	return ctx, chromedp.Do(ctx)
})

var closers []func() // filled by chromium alone

func closeChromium() {
	for _, end := range closers {
		end()
	}
}

func findChromium() (string, error) {
	if path := os.Getenv("OSTIARY_TEST_CHROMIUM"); path != "" {
		return path, nil
	}
	path, err := exec.LookPath("chromium")
	if err != nil {
		return "", fmt.Errorf("chromium is missing; scripts/install-test-needs installs it: %w", err)
	}
	return path, nil
}

// missing skips on a laptop, and fails where CI runs.
func missing(t *testing.T, what string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(what, args...)
	}
	t.Skipf(what, args...)
}
