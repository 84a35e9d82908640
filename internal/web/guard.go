package web

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// A guard knows the addresses that are ours.
type guard struct {
	origin string // of --public-url: "https://tokens.example.com"
	host   string // of the same
	secure bool   // it is https, here or at a proxy in front
	cross  *http.CrossOriginProtection
}

func newGuard(publicURL string) guard {
	g := guard{cross: http.NewCrossOriginProtection()}
	u, err := url.Parse(publicURL)
	if err != nil || u.Host == "" {
		return g
	}
	g.secure = u.Scheme == "https"
	g.host = g.withoutDefaultPort(strings.ToLower(u.Host))
	g.origin = u.Scheme + "://" + g.host
	return g
}

// isOurs says whether a request names us: by --public-url, or as this machine. A browser that was led here
// under another name, which somebody pointed at us, is not answered; neither is one whose proxy writes the
// name of this machine over the one that the browser knows, because the cookies hang on it.
func (g *guard) isOurs(r *http.Request, from netip.Addr) bool {
	if isLoopback(r.Host) {
		return from.IsLoopback() || from == peer(r)
	}
	return g.host != "" && strings.EqualFold(g.withoutDefaultPort(r.Host), g.host)
}

// peer is who is at the other end of the connection.
func peer(r *http.Request) netip.Addr {
	a, _ := netip.ParseAddrPort(r.RemoteAddr)
	return a.Addr().Unmap().WithZone("")
}

func (g *guard) withoutDefaultPort(host string) string {
	if g.secure {
		return strings.TrimSuffix(host, ":443")
	}
	return strings.TrimSuffix(host, ":80")
}

func isLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return strings.EqualFold(host, "localhost") || err == nil && a.Unmap().IsLoopback()
}

// isSecure says whether the browser speaks https: to us, or to the proxy in front that --public-url
// tells of.
func (g *guard) isSecure(r *http.Request) bool {
	return r.TLS != nil || g.secure && !isLoopback(r.Host)
}

// canKeepCookies says whether a browser keeps the cookie of a session. On plain http it drops one that
// is secure, and one that is not would be anybody's who listens; this machine's own traffic nobody hears.
func (g *guard) canKeepCookies(r *http.Request) bool { return g.isSecure(r) || isLoopback(r.Host) }

var errForeign = errors.New("the form was sent by a page that is not ours")

// comesFromUs says whether a change was sent by a page of ours. A browser says where a form comes from,
// in one of two headers; what says neither is refused.
func (g *guard) comesFromUs(r *http.Request) error {
	origin, site := r.Header.Values("Origin"), r.Header.Values("Sec-Fetch-Site")
	if len(origin)+len(site) == 0 || len(origin) > 1 || len(site) > 1 {
		return errForeign
	}
	if len(site) == 1 && site[0] != "same-origin" {
		return errForeign
	}
	if len(origin) == 1 && !g.isOwnOrigin(origin[0], r) {
		return errForeign
	}
	return g.cross.Check(r)
}

// isOwnOrigin compares the scheme too: a page on plain http, which anybody on the way can write, is not ours
// where ours are on https.
func (g *guard) isOwnOrigin(origin string, r *http.Request) bool {
	if !isLoopback(r.Host) {
		return strings.EqualFold(origin, g.origin)
	}
	if r.TLS != nil {
		return strings.EqualFold(origin, "https://"+r.Host)
	}
	return strings.EqualFold(origin, "http://"+r.Host)
}

// protect are the headers of every page: it runs our script and our style, and stands in no frame.
func protect(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "+
		"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	// With no-referrer a browser would send the origin of our own forms as null.
	h.Set("Referrer-Policy", "same-origin")
}
