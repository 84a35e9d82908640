package web

import (
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"ostiary"
)

// A cookie's name says how far it may be trusted: under https it begins with __Host-, and no other host and
// no plain page can set it. On this machine two servers differ by their port alone, which cookies do not.
func (v *visit) cookieName(name string) string {
	if v.guard.isSecure(v.r) {
		return "__Host-ostiary-" + name
	}
	if _, port, err := net.SplitHostPort(v.r.Host); err == nil {
		return "ostiary-" + name + "-" + port
	}
	return "ostiary-" + name
}

// cookie is what the browser brought; empty for nothing, or for one given twice.
func (v *visit) cookie(name string) string {
	all := v.r.CookiesNamed(v.cookieName(name))
	if len(all) != 1 {
		return ""
	}
	return all[0].Value
}

func (v *visit) setCookie(name, value string, lasts time.Duration) {
	c := &http.Cookie{
		Name: v.cookieName(name), Value: value, Path: "/", HttpOnly: true, Secure: v.guard.isSecure(v.r),
		SameSite: http.SameSiteLaxMode, MaxAge: int(lasts / time.Second),
	}
	if value == "" {
		c.MaxAge = -1
	}
	h := v.w.Header()
	h["Set-Cookie"] = slices.DeleteFunc(h["Set-Cookie"], func(earlier string) bool {
		return strings.HasPrefix(earlier, c.Name+"=")
	})
	http.SetCookie(v.w, c)
}

// The names of our cookies.
const (
	sessionCookie = "session"
	knownCookie   = "known"   // by which a browser that has signed in before is known
	accountCookie = "account" // which account was looked at last
)

const (
	thisBrowser = 0 // a cookie that ends with the browser
	aYear       = 365 * 24 * time.Hour
)

// signIn gives the browser the cookies of a session that has just begun.
func (v *visit) signIn(in SignedIn) {
	v.setCookie(sessionCookie, in.Cookie.Reveal(), thisBrowser)
	v.setCookie(knownCookie, in.Known, aYear)
}

func (v *visit) sessionSecret() ostiary.SecretText {
	return ostiary.ReadSecret(v.cookie(sessionCookie))
}
