package gate

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"ostiary"
)

const (
	door      = "/auth"
	envoyDoor = "/auth/envoy"
)

// question finds out what a door is asked about (contract 3.3): method and URI of the request, which
// only a trusted peer can say; a role in the query of /auth; the oldest revision that may answer.
// Whatever is missing or unclear is an error that names it: a door does not guess.
func (g *Gate) question(j *job) error {
	if err := g.aside(j, j.header); err != nil {
		return err
	}
	path, query, _ := strings.Cut(j.target, "?")
	if path != door && !isDoorOfHost(path) {
		uri, ok := strings.CutPrefix(j.target, envoyDoor)
		if !ok || uri == "" {
			return errors.New("the door is asked at /auth, or at /auth/envoy/ with the path of the request behind it")
		}
		return g.askAbout(j, j.method, uri, j.trusted)
	}

	method, uri, err := readQuestion(j.header)
	if err != nil {
		return err
	}
	need, err := readNeed(query)
	if err != nil {
		return err
	}
	if method == "" {
		if need == ostiary.NoRole {
			return errors.New("the proxy did not say what it asks about: it must send X-Original-Method and " +
				"X-Original-URI, or X-Forwarded-Method and X-Forwarded-Uri, or ask for /auth?need=ROLE")
		}
		j.q.Need = need
		return nil
	}
	if err := g.askAbout(j, method, uri, j.trusted); err != nil {
		return err
	}
	j.q.Need = ostiary.Raise(j.q.Need, need)
	return nil
}

// isDoorOfHost knows the door in the form of a target that is meant for proxies: http://host/auth.
func isDoorOfHost(path string) bool {
	rest, absolute := strings.CutPrefix(path, "http://")
	_, below, _ := strings.Cut(rest, "/")
	return absolute && below == door[1:]
}

// aside reads what headers say besides: the agent, and the oldest revision that may answer.
func (g *Gate) aside(j *job, h http.Header) error {
	if agent := h["User-Agent"]; len(agent) > 0 {
		j.q.Agent = g.noted(agent[0], j.q.Token)
	}
	return readMinRevision(&j.q, h["X-Ostiary-Min-Revision"])
}

// askAbout puts the request that is asked about, and the role it needs, into the question.
func (g *Gate) askAbout(j *job, method, uri string, trusted bool) error {
	if !trusted {
		return errors.New("a peer that is not among --trusted-peers says what it asks about")
	}
	if !ostiary.IsMethod(method) {
		return fmt.Errorf("the method that is asked about is malformed: %.40q", g.Read.Conceal(method, j.q.Token))
	}
	path, _, _ := strings.Cut(uri, "?")
	if !isPath(path) {
		return fmt.Errorf("the URI that is asked about has no path that begins with / and is free of spaces, "+
			"control characters and #: %.100q", g.Read.Conceal(path, j.q.Token))
	}

	need, err := ostiary.Need(g.Rules, method, path)
	if err != nil {
		// The credential is looked at first: a caller learns in the order of the contract.
		if !isUnclear(err) {
			return err
		}
		j.q.Unclear = true
	}
	j.q.Method, j.q.Path, j.q.Need = method, g.noted(path, j.q.Token), need
	return nil
}

func isUnclear(err error) bool {
	var refusal *ostiary.Refusal
	return errors.As(err, &refusal) && refusal.Reason == ostiary.UnclearPath
}

// maxNoted is how much of a path or an agent is written down, in bytes.
const maxNoted = 500

// noted is what may be written down of a text that a request sent. It is cut after secrets are
// gone from it, so that no part of one stays at the end.
func (g *Gate) noted(text string, shown ostiary.SecretText) string {
	text = g.Read.Conceal(text[:min(len(text), 2*maxNoted)], shown)
	return text[:min(len(text), maxNoted)]
}

// readQuestion reads method and URI from the two pairs of headers that proxies send. Both may be
// there where they say the same. No pair at all gives an empty method.
func readQuestion(h http.Header) (method, uri string, err error) {
	method, uri, err = readPair(h, "X-Original-Method", "X-Original-Uri")
	if err != nil {
		return "", "", err
	}
	method2, uri2, err := readPair(h, "X-Forwarded-Method", "X-Forwarded-Uri")
	if err != nil {
		return "", "", err
	}
	if method == "" {
		return method2, uri2, nil
	}
	if method2 != "" && (method != method2 || uri != uri2) {
		return "", "", errors.New("X-Original-Method and X-Original-URI say something else than " +
			"X-Forwarded-Method and X-Forwarded-Uri: the proxy must set one pair and remove the other")
	}
	return method, uri, nil
}

func readPair(h http.Header, methodName, uriName string) (method, uri string, err error) {
	methods, uris := h[methodName], h[uriName]
	if len(methods) == 0 && len(uris) == 0 {
		return "", "", nil
	}
	if len(methods) != 1 || len(uris) != 1 || methods[0] == "" || uris[0] == "" {
		return "", "", fmt.Errorf("%s and %s must be there once each, and not empty", methodName, uriName)
	}
	return methods[0], uris[0], nil
}

// readNeed reads the query of /auth: nothing, or need=ROLE once and nothing else. A misspelt need
// that was passed over would let in more than the operator wrote.
func readNeed(query string) (ostiary.Role, error) {
	if query == "" {
		return ostiary.NoRole, nil
	}
	text, ok := strings.CutPrefix(query, "need=")
	if !ok {
		return ostiary.NoRole, errors.New("the query of /auth is need=ROLE, once, and nothing else; " +
			"behind Caddy, which adds the query of its caller, write: uri /auth?")
	}
	text, err := url.QueryUnescape(text)
	if err != nil {
		return ostiary.NoRole, errors.New("need in the query of /auth is not encoded well")
	}
	need, err := ostiary.ParseRole(text)
	if err != nil {
		return ostiary.NoRole, errors.New("need in the query of /auth is not one role: Read-Only, Normal or Admin")
	}
	return need, nil
}

// readMinRevision reads X-Ostiary-Min-Revision. What cannot be read cannot be kept, so the door
// cannot decide: 503, and no verdict.
func readMinRevision(q *ostiary.Question, values []string) error {
	if len(values) == 0 {
		return nil
	}
	n, err := strconv.ParseUint(values[0], 10, 64)
	if err != nil || len(values) > 1 {
		return errors.New("X-Ostiary-Min-Revision must be one decimal number")
	}
	q.AtLeast = n
	return nil
}

// isPath leaves to the rules what a path, or a path with its query, may mean. Some servers cut one at # or
// at a space.
func isPath(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == 0x7f || c == '#' {
			return false
		}
	}
	return s != "" && s[0] == '/'
}
