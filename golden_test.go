package ostiary_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden pages anew")

// golden compares a page with the one that people reviewed.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("the rules answer otherwise than %s says; if that is meant, run make golden and review it (-page +now):\n%s", path, diff)
	}
}

// A choice is one of the things that an answer can depend on, with all its values.
type choice struct {
	name   string
	values []string
}

// tree asks for the answer to every combination of the choices, and writes them as a tree. Values
// with the same answers below them share a line, and a choice that makes no difference is left out.
func tree(choices []choice, answer func(at []int) string) string {
	var b strings.Builder
	for _, line := range branch(choices, make([]int, 0, len(choices)), answer) {
		b.WriteString(line + "\n")
	}
	return b.String()
}

func branch(choices []choice, at []int, answer func([]int) string) []string {
	if len(at) == len(choices) {
		return []string{"→ " + answer(at)}
	}
	c := choices[len(at)]
	var texts []string
	var names []string
	var subs [][]string
	for i, v := range c.values {
		sub := branch(choices, append(at, i), answer)
		text := strings.Join(sub, "\n")
		same := false
		for j := range texts {
			if texts[j] == text {
				names[j] += " or " + v
				same = true
			}
		}
		if !same {
			texts, names, subs = append(texts, text), append(names, v), append(subs, sub)
		}
	}
	if len(subs) == 1 {
		return subs[0]
	}
	var lines []string
	for j, sub := range subs {
		head := strings.TrimSpace(c.name + " " + names[j])
		if len(sub) == 1 && strings.HasPrefix(sub[0], "→") {
			lines = append(lines, head+" "+sub[0])
			continue
		}
		lines = append(lines, head)
		for _, l := range sub {
			lines = append(lines, "    "+l)
		}
	}
	return lines
}
