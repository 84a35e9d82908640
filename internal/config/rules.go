package config

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"ostiary"
)

// LoadRules reads the file that --rules names: METHODS PATH ROLE a line, such as
//
//	DELETE,PUT  /admin/**  Admin
//	*           /status    Read-Only
//
// with * for every method or every path. No file gives no rules.
func LoadRules(file string) ([]ostiary.Rule, error) { return loadFile(file, "the rules", readRules) }

// loadFile reads a file that a setting names; no file gives nothing.
func loadFile[T any](file, what string, read func(io.Reader) ([]T, error)) ([]T, error) {
	if file == "" {
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", what, err)
	}
	defer f.Close()
	all, err := read(f)
	if err != nil {
		return nil, fmt.Errorf("%s:%w", file, err)
	}
	return all, nil
}

// readRules begins its errors with the number of the line.
func readRules(r io.Reader) ([]ostiary.Rule, error) {
	var rules []ostiary.Rule
	lines := bufio.NewScanner(r)
	n := 1
	for ; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		rule, err := parseRule(line)
		if err != nil {
			return nil, fmt.Errorf("%d: %w", n, err)
		}
		rules = append(rules, rule)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%d: %w", n, err)
	}
	return rules, nil
}

func parseRule(line string) (ostiary.Rule, error) {
	parts := strings.Fields(line)
	if len(parts) < 3 {
		return ostiary.Rule{}, errors.New("a rule is: METHODS PATH ROLE")
	}
	role, err := ostiary.ParseRole(strings.Join(parts[2:], " "))
	if err != nil {
		return ostiary.Rule{}, err
	}
	rule := ostiary.Rule{Path: parts[1], Role: role}
	if rule.Path == "*" {
		rule.Path = ""
	} else if err := checkPattern(rule.Path); err != nil {
		return ostiary.Rule{}, err
	}
	if parts[0] == "*" {
		return rule, nil
	}
	rule.Methods = strings.Split(parts[0], ",")
	for _, m := range rule.Methods {
		if m == "" || strings.Trim(m, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "" {
			return ostiary.Rule{}, fmt.Errorf("%q is no method: capitals, with commas between them, or *", m)
		}
	}
	return rule, nil
}

// checkPattern refuses a path that would not mean what it seems to. Requests' paths are decoded before
// they are compared.
func checkPattern(path string) error {
	if !strings.HasPrefix(path, "/") {
		return fmt.Errorf("the path %q does not begin with /", path)
	}
	if strings.Contains(path, "%") {
		return fmt.Errorf("the path %q is encoded: write é for %%C3%%A9", path)
	}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if strings.Contains(s, "*") && s != "*" && !(s == "**" && i == len(segments)-1) {
			return fmt.Errorf("in the path %q, * stands for one whole segment, and ** for all below at the end", path)
		}
	}
	return nil
}
