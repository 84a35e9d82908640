package config

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"ostiary"
)

// A RuleLine is a rule, and where it stands.
type RuleLine struct {
	ostiary.Rule
	Line int
	Text string
}

// ReadRules reads the file that --rules names: METHODS PATH ROLE a line, such as
//
//	DELETE,PUT  /admin/**  Admin
//	*           /status    Read-Only
//
// with * for every method or every path. No file gives no rules. Its error names every line that is
// no rule.
func ReadRules(file string) ([]RuleLine, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the rules: %w", err)
	}
	var rules []RuleLine
	var wrong []error
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		rule, err := parseRule(line)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s:%d: %w", file, n, err))
		}
		rules = append(rules, RuleLine{rule, n, line})
	}
	if wrong != nil {
		return nil, errors.Join(wrong...)
	}
	return rules, nil
}

// LoadRules is ReadRules for who does not ask where a rule stands.
func LoadRules(file string) ([]ostiary.Rule, error) {
	lines, err := ReadRules(file)
	return Rules(lines), err
}

// Rules are the rules alone, in order.
func Rules(lines []RuleLine) []ostiary.Rule {
	var rules []ostiary.Rule
	for _, l := range lines {
		rules = append(rules, l.Rule)
	}
	return rules
}

// An Idle rule never answers: By stands before it, and matches all that it does.
type Idle struct{ Rule, By RuleLine }

// IdleRules finds the rules that never answer.
func IdleRules(lines []RuleLine) (all []Idle) {
	for i, rule := range lines {
		for _, earlier := range lines[:i] {
			if earlier.Covers(rule.Rule) {
				all = append(all, Idle{rule, earlier})
				break
			}
		}
	}
	return all
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
		if !ostiary.IsMethod(m) {
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
