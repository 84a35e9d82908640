// Package credential reads the token and the application name out of a request's headers, and the
// caller's address, for every door (contract 3.1).
package credential

import (
	"fmt"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"ostiary"
)

// Settings name the headers. Empty fields have the names of the contract.
type Settings struct {
	Format    ostiary.SecretFormat
	Token     string      // X-Circonus-Auth-Token
	App       string      // X-Circonus-App-Name
	MorePairs [][2]string // further headers for token and application name
	Account   string      // X-Circonus-Account-ID
}

// A pair is two headers that carry a token and its application's name. The first is the main one.
type pair struct{ token, app string }

// A Reader finds credentials in headers.
type Reader struct {
	format  ostiary.SecretFormat
	pairs   []pair
	account string
}

// New makes a Reader. X-Auth-Token and X-App-Name are a pair besides those of the settings.
func New(s Settings) (*Reader, error) {
	r := &Reader{format: s.Format, account: "X-Circonus-Account-Id"}
	main := [2]string{"X-Circonus-Auth-Token", "X-Circonus-App-Name"}
	if s.Token != "" {
		main[0] = s.Token
	}
	if s.App != "" {
		main[1] = s.App
	}
	if s.Account != "" {
		r.account = s.Account
	}

	taken := map[string]bool{}
	var err error
	if r.account, err = headerName(r.account, taken); err != nil {
		return nil, err
	}
	for _, names := range append([][2]string{main}, s.MorePairs...) {
		var p pair
		if p.token, err = headerName(names[0], taken); err != nil {
			return nil, err
		}
		if p.app, err = headerName(names[1], taken); err != nil {
			return nil, err
		}
		r.pairs = append(r.pairs, p)
	}
	if !taken["X-Auth-Token"] && !taken["X-App-Name"] {
		r.pairs = append(r.pairs, pair{"X-Auth-Token", "X-App-Name"})
	}
	return r, nil
}

// headerName checks and takes a header for one purpose. Proxies and servers read _ and . as -, so a
// name that holds one could be set by somebody who was kept from setting the other.
func headerName(name string, taken map[string]bool) (string, error) {
	for i := range len(name) {
		if c := name[i] | 0x20; c != '-' && !('a' <= c && c <= 'z') && !('0' <= c && c <= '9') {
			return "", fmt.Errorf("header name %q: only letters, digits and - can be in one", name)
		}
	}
	canonical := textproto.CanonicalMIMEHeaderKey(name)
	switch canonical {
	case "", "Authorization", "Connection", "Content-Length", "Cookie", "Host", "Transfer-Encoding", "User-Agent":
		return "", fmt.Errorf("header name %q: it cannot carry a part of a credential", name)
	}
	if strings.HasPrefix(canonical, "X-Ostiary-") {
		return "", fmt.Errorf("header name %q: X-Ostiary- is for what Ostiary itself says", name)
	}
	if strings.HasPrefix(canonical, "X-Forwarded-") || strings.HasPrefix(canonical, "X-Original-") {
		return "", fmt.Errorf("header name %q: it is for what a proxy says", name)
	}
	if taken[canonical] {
		return "", fmt.Errorf("header name %q is given twice", name)
	}
	taken[canonical] = true
	return canonical, nil
}

// Headers are the canonical names of all headers that can carry a credential, Authorization among
// them: what is removed before a request is passed on.
func (r *Reader) Headers() []string {
	var names []string
	for _, p := range r.pairs {
		names = append(names, p.token, p.app)
	}
	return append(names, "Authorization")
}

// Strip removes the token's own headers: whatever carries something of a token's shape, and the name of
// the application beside it. What belongs to somebody else stays.
func (r *Reader) Strip(h http.Header) {
	for _, p := range r.pairs {
		if tokens := h[p.token]; len(tokens) == 0 || slices.ContainsFunc(tokens, r.format.HasShape) {
			delete(h, p.token)
			delete(h, p.app)
		}
	}
	if slices.ContainsFunc(h["Authorization"], r.inAuthorization) {
		delete(h, "Authorization")
	}
	delete(h, r.account)
}

// AccountHeader is the canonical name of the header that names the account.
func (r *Reader) AccountHeader() string { return r.account }

// Read finds the credential. A carrier is a pair of headers, or Authorization with Basic or Bearer.
// The one carrier that holds something of a token's shape counts, and the others belong to somebody
// else; two that differ are no credential, and neither is a header given twice.
func (r *Reader) Read(h http.Header) ostiary.Credential {
	c := ostiary.Credential{Account: readAccount(h[r.account])}
	var f found
	for _, p := range r.pairs {
		token, app := h[p.token], h[p.app]
		if len(token) > 1 || len(app) > 1 {
			c.Shown = ostiary.ShownBad
			return c
		}
		if len(token) == 1 {
			f.add(r.format, token[0], first(app))
		}
	}
	switch auth := h["Authorization"]; len(auth) {
	case 0:
	case 1:
		r.readAuthorization(h, auth[0], &f)
	default:
		f.bad = true
	}

	switch {
	case !f.any && !f.bad:
		c.Shown = ostiary.ShownNothing
	case f.bad || !r.format.Holds(f.token) || r.inName(f.app, f.token):
		c.Shown = ostiary.ShownBad
	default:
		c.Shown, c.Token, c.App = ostiary.ShownToken, ostiary.ReadSecret(f.token), f.app
	}
	return c
}

// found gathers what the carriers hold.
type found struct {
	any        bool // something was shown
	bad        bool // two tokens or applications that differ
	token, app string
}

// add takes what one carrier holds.
func (f *found) add(format ostiary.SecretFormat, token, app string) {
	if token == "" {
		return
	}
	f.any = true
	if !format.HasShape(token) {
		return
	}
	if f.token == "" {
		f.token, f.app = token, app
		return
	}
	if f.app != app || !sameToken(f.token, token) {
		f.bad = true
	}
}

// sameToken compares as Hash does: a UUID without regard to case.
func sameToken(a, b string) bool {
	const uuid = 36
	return a == b || len(a) == uuid && strings.EqualFold(a, b)
}

func readAccount(values []string) ostiary.ID {
	if len(values) == 0 {
		return ostiary.AnyAccount
	}
	if len(values) == 1 {
		if id, err := ostiary.ParseID(strings.TrimPrefix(values[0], "/account/")); err == nil {
			return id
		}
	}
	return ostiary.UnclearAccount
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}
