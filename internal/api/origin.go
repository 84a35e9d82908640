package api

import (
	"net/http"
	"net/url"
	"strings"
)

// crossSite says whether a page of another site sent the request. Browsers send passwords of HTTP
// Basic along with what any page asks for; programs send neither header.
func (c *call) crossSite() bool {
	if c.operator != "" {
		return false
	}
	for _, site := range c.r.Header["Sec-Fetch-Site"] {
		if site != "same-origin" && site != "none" {
			return true
		}
	}
	for _, origin := range c.r.Header["Origin"] {
		if !c.ownOrigin(origin) {
			return true
		}
	}
	return false
}

// ownOrigin: the addresses that we were told, and the one that the request names. Who sees only
// plain HTTP may stand behind a proxy that ends TLS.
func (c *call) ownOrigin(origin string) bool {
	own := []string{originOf(c.opt.PublicURL), originOf(c.opt.APIURL), "https://" + c.r.Host}
	if c.r.TLS == nil {
		own = append(own, "http://"+c.r.Host)
	}
	for _, o := range own {
		if o != "" && strings.EqualFold(o, origin) {
			return true
		}
	}
	return false
}

func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// publish are the headers of every answer that is JSON.
func publish(h http.Header) {
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
}
