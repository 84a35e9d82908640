package api

import (
	"slices"
	"strings"

	"ostiary"
)

// A route is one thing that the API serves. The same words make its place in the document.
type route struct {
	method   string
	path     string       // "/v2/token/{token}"; a word in braces stands for one segment
	plain    bool         // also served without /v2
	need     ostiary.Role // zero: as ostiary.Need says for the method
	operator bool         // on the management socket alone
	says     string       // what it does, a sentence
	takes    string       // schema of the body; empty: none is read
	gives    string       // schema of the answer, or of each element of a list
	list     bool
	filters  []string // of a list that knows its own
	asks     bool     // reads a body, and changes nothing

	// early makes out what a caller learns before that a body is not valid (contract 3.2).
	early func(*call) error
	do    handler
}

// find gives the route for a path as it was sent, the values of its words in braces, and the methods
// that the path serves. Nothing is cleaned or decoded: a path that could mean two things is no path.
func (d *door) find(method, path string) (found *route, args []string, allow string) {
	full := path
	if !strings.HasPrefix(path, "/v2/") {
		full = "/v2" + path
	}
	if method == "HEAD" {
		method = "GET"
	}
	pattern, methods := "", []string{"OPTIONS"}
	for i := range d.routes {
		r := &d.routes[i]
		if r.operator && d.operator == "" || full != path && !r.plain || pattern != "" && r.path != pattern {
			continue
		}
		values, ok := match(r.path, full)
		if !ok {
			continue
		}
		pattern, args = r.path, values
		methods = append(methods, r.method)
		if r.method == "GET" {
			methods = append(methods, "HEAD")
		}
		if r.method == method {
			found = r
		}
	}
	if pattern == "" {
		return nil, nil, ""
	}
	slices.Sort(methods)
	return found, args, strings.Join(methods, ", ")
}

// match compares segment by segment.
func match(pattern, path string) (args []string, ok bool) {
	for {
		p, restP, moreP := strings.Cut(pattern, "/")
		s, restS, moreS := strings.Cut(path, "/")
		if strings.HasPrefix(p, "{") && s != "" {
			args = append(args, s)
		} else if p != s {
			return nil, false
		}
		if moreP != moreS {
			return nil, false
		}
		if !moreP {
			return args, true
		}
		pattern, path = restP, restS
	}
}
