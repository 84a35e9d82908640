package ostiary

import (
	"net/url"
	"slices"
	"strings"
)

// A Rule says which role requests of an API need. The first rule that matches answers.
type Rule struct {
	Methods []string // in capitals; empty: every method
	Path    string   // "/exact", "/one/*/segment", "/everything/below/**", decoded; empty: every path
	Role    Role
}

// Need is the role that a request needs (contract 3.3): the first rule that matches, else Read
// Only for GET, HEAD and OPTIONS, and Normal for every other method. A path that could mean two
// things is refused as UnclearPath where a rule looks at paths, so that no rule can be dodged by it.
func Need(rules []Rule, method, path string) (Role, error) {
	at, err := FirstMatch(rules, method, path)
	if err != nil {
		return NoRole, err
	}
	if at >= 0 {
		return rules[at].Role, nil
	}
	switch method {
	case "GET", "HEAD", "OPTIONS":
		return ReadOnly, nil
	}
	return Normal, nil
}

// FirstMatch is the index of the rule that answers a request, and -1 where none matches. The path
// comes as it was sent, and is compared as the API reads it: /%61dmin is /admin. Its error is
// UnclearPath.
func FirstMatch(rules []Rule, method, path string) (int, error) {
	plain, _ := url.PathUnescape(path) // one that cannot be decoded is unclear
	for i, r := range rules {
		if r.Path != "" && unclear(path) {
			return -1, Refuse(UnclearPath, "The path could mean two things.")
		}
		if r.matches(method, plain) {
			return i, nil
		}
	}
	return -1, nil
}

func (r Rule) matches(method, path string) bool {
	return (len(r.Methods) == 0 || slices.Contains(r.Methods, method)) &&
		(r.Path == "" || pathMatches(r.Path, path))
}

// Covers says whether every request that the other rule matches, this one matches too: behind it,
// the other never answers. The other's pattern is compared as if it were a path, in which * is a
// segment that no name matches.
func (r Rule) Covers(other Rule) bool {
	if len(r.Methods) > 0 && len(other.Methods) == 0 {
		return false
	}
	for _, m := range other.Methods {
		if len(r.Methods) > 0 && !slices.Contains(r.Methods, m) {
			return false
		}
	}
	pattern := other.Path
	if pattern == "" {
		pattern = "/**" // every path begins with /
	}
	above, deep := strings.CutSuffix(pattern, "/**")
	if deep && r.Path != "" && !strings.HasSuffix(r.Path, "/**") {
		return false
	}
	return r.Path == "" || pathMatches(r.Path, above)
}

// pathMatches compares segment by segment: * stands for one, ** at the end for any number, none
// among them.
func pathMatches(pattern, path string) bool {
	for {
		p, restP, moreP := strings.Cut(pattern, "/")
		if p == "**" && !moreP {
			return true
		}
		s, restS, moreS := strings.Cut(path, "/")
		if p != s && p != "*" || moreP != moreS {
			return moreP && restP == "**" && (p == s || p == "*") && !moreS
		}
		if !moreP {
			return true
		}
		pattern, path = restP, restS
	}
}

// unclear says whether two programs could read this path as two different ones.
func unclear(path string) bool {
	if strings.ContainsAny(path, ";\\\x00") || strings.Contains(path, "//") {
		return true
	}
	lower := strings.ToLower(path)
	for _, code := range []string{"%2f", "%5c", "%00", "%2e", "%3b", "%25"} {
		if strings.Contains(lower, code) {
			return true
		}
	}
	for seg := range strings.SplitSeq(path, "/") {
		if seg == "." || seg == ".." {
			return true
		}
	}
	_, err := url.PathUnescape(path)
	return err != nil
}

// Raise is the need of a request where a door was told to ask for a role at least: it never lowers.
func Raise(need, atLeast Role) Role { return max(need, atLeast) }

// IsMethod knows methods in capitals. Some servers read "delete" as DELETE, and rules do not.
func IsMethod(s string) bool {
	for i := range len(s) {
		if c := s[i]; c != '-' && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return s != "" && len(s) <= 32
}
