package ostiary_test

import (
	"fmt"
	"strings"
	"testing"

	"ostiary"
)

func TestFirstRuleThatMatchesIsNamed(t *testing.T) {
	t.Parallel()
	rules := []ostiary.Rule{
		{Methods: []string{"GET"}, Path: "/a/**", Role: ostiary.Normal},
		{Path: "/a/b", Role: ostiary.Admin},
		{Path: "/c", Role: ostiary.Admin},
	}
	for question, want := range map[string]int{
		"GET /a/b": 0, "PUT /a/b": 1, "PUT /c": 2, "PUT /%63": 2, "PUT /d": -1,
	} {
		method, path, _ := strings.Cut(question, " ")
		got, err := ostiary.FirstMatch(rules, method, path)
		if err != nil || got != want {
			t.Errorf("%s: rule %d and %v, want %d", question, got, err, want)
		}
	}
	if at, err := ostiary.FirstMatch(rules, "GET", "/a//b"); err == nil || at != -1 {
		t.Errorf("a path that could mean two things: rule %d and %v, want a refusal", at, err)
	}
}

// Every pattern of at most three segments is tried on every path of at most four.
func TestRuleCoversAnotherIfItMatchesAllThatTheOtherDoes(t *testing.T) {
	t.Parallel()
	patterns := append(texts(3, "a", "b", "*"), "")
	for _, p := range append(texts(2, "a", "b", "*"), "") {
		patterns = append(patterns, p+"/**")
	}
	paths := texts(4, "a", "b", "c", "")
	matched := map[string][]bool{}
	for _, pattern := range patterns {
		rules := []ostiary.Rule{{Path: pattern, Role: ostiary.Admin}}
		for _, path := range paths {
			at, err := ostiary.FirstMatch(rules, "GET", path)
			matched[pattern] = append(matched[pattern], err == nil && at == 0)
		}
	}
	for _, p := range patterns {
		for _, q := range patterns {
			want := true
			for i := range paths {
				// A path that could mean two things never gets as far as a rule on paths.
				want = want && (matched[p][i] || !matched[q][i] || p == "/**" && strings.Contains(paths[i], "//"))
			}
			if p == "/*/**" && (q == "" || q == "/**") {
				continue // both are every path, which Covers does not see
			}
			if got := (ostiary.Rule{Path: p}).Covers(ostiary.Rule{Path: q}); got != want {
				t.Errorf("a rule on %q covers one on %q: %t, want %t", p, q, got, want)
			}
		}
	}
}

func TestRuleCoversAnotherOnlyWithAllItsMethods(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		methods, other string
		want           bool
	}{
		{"", "", true},
		{"", "GET", true},
		{"GET", "", false},
		{"GET PUT", "PUT", true},
		{"PUT", "GET PUT", false},
	} {
		r, other := ostiary.Rule{Methods: strings.Fields(c.methods)}, ostiary.Rule{Methods: strings.Fields(c.other)}
		if got := r.Covers(other); got != c.want {
			t.Errorf("a rule on %q covers one on %q: %t, want %t", c.methods, c.other, got, c.want)
		}
	}
}

// texts are all paths of one to n segments.
func texts(n int, segments ...string) (all []string) {
	longest := []string{""}
	for range n {
		var longer []string
		for _, before := range longest {
			for _, s := range segments {
				longer = append(longer, fmt.Sprintf("%s/%s", before, s))
			}
		}
		all, longest = append(all, longer...), longer
	}
	return all
}
