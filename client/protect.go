package client

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Protect asks the door about every request, and hands to next only what is let through. A refusal
// goes to the caller as the door said it. Next sees the request without the headers of the
// credential and without any that begins with X-Ostiary-, in whatever spelling they came, and finds
// out by IdentityFrom who sent it.
//
// The door is asked about the method, and the request's target as it was sent. A target that is no
// path (OPTIONS *, or http://host/path) cannot be asked about, and is refused with 400; CONNECT and
// TRACE are refused with 405. Protect belongs outside of whatever changes a request's method.
//
// The caller is who sent the request to this program, or the rightmost address in X-Forwarded-For
// that the door does not trust. A server on a unix socket knows no address: put the one that is known
// into RemoteAddr first.
func (c *Client) Protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := c.ask(r)
		if !a.OK() {
			c.tell(r, &a)
			a.Write(w)
			return
		}
		r = r.WithContext(context.WithValue(r.Context(), identityKey{}, a.Identity))
		r.Header = c.cleaned(r.Header)
		next.ServeHTTP(w, r)
	})
}

// ask asks about a request to a server.
func (c *Client) ask(r *http.Request) Answer {
	if r.Method == http.MethodConnect || r.Method == http.MethodTrace {
		a := c.refusal(http.StatusMethodNotAllowed, "MethodNotAllowed", "CONNECT and TRACE are not served here",
			"Allow lists the methods that are served.")
		a.Header["Allow"] = []string{"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"}
		return a
	}
	if !strings.HasPrefix(r.RequestURI, "/") {
		return c.refusal(http.StatusBadRequest, "InvalidValue", "the target of the request is not a path",
			"Send the request with a path that begins with /, and the host in the header Host.")
	}
	peer, _ := netip.ParseAddrPort(r.RemoteAddr)
	return c.Check(r.Context(), Request{
		Method: r.Method, URI: r.RequestURI, Header: r.Header, From: peer.Addr(),
	})
}

// tell writes down why a request could not be asked about. A caller who has gone is no trouble.
func (c *Client) tell(r *http.Request, a *Answer) {
	if a.Err == nil || r.Context().Err() != nil {
		return
	}
	c.log.WarnContext(r.Context(), "the door could not be asked, and the request was refused",
		"tag", a.Tag, "error", a.Err.Error())
}

// cleaned is what next sees of the caller's headers.
func (c *Client) cleaned(h http.Header) http.Header {
	clean := make(http.Header, len(h))
	for name, values := range h {
		if !c.Removes(name) {
			clean[name] = values
		}
	}
	return clean
}

// Removes says whether a header of the caller's may not go on to what is behind the door: one of the
// credential, or one that begins with X-Ostiary-, in any spelling.
func (c *Client) Removes(name string) bool {
	plain := spelt(name)
	same := func(h string) bool { return strings.EqualFold(h, plain) }
	return ours(plain) || slices.ContainsFunc(c.headers, same)
}

// ours says whether a name, in plain spelling, is one that only the door may say.
func ours(plain string) bool {
	const prefix = "x-ostiary-"
	return len(plain) >= len(prefix) && strings.EqualFold(plain[:len(prefix)], prefix)
}

// spelt writes a header's name as the servers do that take _, . and the like for -.
func spelt(name string) string {
	return strings.Map(func(c rune) rune {
		if '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' {
			return c
		}
		return '-'
	}, name)
}
