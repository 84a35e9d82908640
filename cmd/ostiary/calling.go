package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// calling is how a person calls this very program again from the same folder.
func calling() string {
	exe, err := os.Executable()
	if err != nil {
		return "ostiary"
	}
	if startedByGoRun(exe) {
		if _, err := os.Stat("cmd/ostiary/main.go"); err == nil {
			return "go run ./cmd/ostiary"
		}
		return quoted(exe)
	}
	if found, err := exec.LookPath("ostiary"); err == nil && same(found, exe) {
		return "ostiary"
	}
	return quoted(exe)
}

var goRun = regexp.MustCompile(`/go-build\d+/b\d+/exe/[^/]+$`)

// startedByGoRun: the go command builds into a folder of its own, which it removes afterwards.
func startedByGoRun(exe string) bool {
	return goRun.MatchString(filepath.ToSlash(exe))
}

func same(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	two, err := os.Stat(b)
	return err == nil && os.SameFile(one, two)
}

// quoted makes a word safe for a shell.
func quoted(s string) string {
	safe := func(r rune) bool {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		return letter || '0' <= r && r <= '9' || strings.ContainsRune("/._-+:@%", r)
	}
	if s != "" && strings.TrimFunc(s, safe) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
