package ostiary

import (
	"net/url"
	"strings"
)

// A Rule says which role requests of an API need. The first rule that matches answers.
type Rule struct {
	Methods []string // in capitals; empty: every method
	Path    string   // "/exact", "/one/*/segment", "/everything/below/**", decoded; empty: every path
	Role    Role
}

// Need is the role that a request needs (contract 3.3): the first rule that matches, else Read
// Only for GET, HEAD and OPTIONS, and Normal for every other method. The path comes as it was sent,
// and is compared as the API reads it: /%61dmin is /admin. Where a rule looks at paths, one that
// could mean two things is refused as UnclearPath, so that no rule can be dodged by it.
func Need(rules []Rule, method, path string) (Role, error) {
	plain, _ := url.PathUnescape(path) // one that cannot be decoded is unclear
	for _, r := range rules {
		if r.Path != "" && unclear(path) {
			return NoRole, Refuse(UnclearPath, "The path could mean two things.")
		}
		if r.matches(method, plain) {
			return r.Role, nil
		}
	}
	switch method {
	case "GET", "HEAD", "OPTIONS":
		return ReadOnly, nil
	}
	return Normal, nil
}

func (r Rule) matches(method, path string) bool {
	found := len(r.Methods) == 0
	for _, m := range r.Methods {
		found = found || m == method
	}
	return found && (r.Path == "" || pathMatches(r.Path, path))
}

// pathMatches compares segment by segment: * stands for one, ** at the end for any number.
func pathMatches(pattern, path string) bool {
	for {
		p, restP, moreP := strings.Cut(pattern, "/")
		if p == "**" && !moreP {
			return true
		}
		s, restS, moreS := strings.Cut(path, "/")
		if p != s && p != "*" || moreP != moreS {
			return moreP && restP == "**" && p == s && !moreS
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
