package credential

import (
	"encoding/base64"
	"net/http"
	"strings"
)

// maxBasic bounds what is decoded. No name and token of ours come near it.
const maxBasic = 4096

// readAuthorization takes what Authorization holds. Schemes other than Basic and Bearer belong to
// somebody else.
func (r *Reader) readAuthorization(h http.Header, value string, f *found) {
	scheme, rest, _ := strings.Cut(value, " ")
	rest = strings.TrimLeft(rest, " ")
	switch {
	case strings.EqualFold(scheme, "Basic"):
		app, token, ok := basic(rest)
		if !ok {
			f.any = true
			return
		}
		f.add(r.format, token, app)
	case strings.EqualFold(scheme, "Bearer"):
		if !r.format.HasShape(rest) {
			f.any = f.any || rest != ""
			return
		}
		app, ok := r.bearerApp(h)
		f.bad = f.bad || !ok
		f.add(r.format, rest, app)
	}
}

// inAuthorization says whether a value of Authorization holds something of a token's shape.
func (r *Reader) inAuthorization(value string) bool {
	scheme, rest, _ := strings.Cut(value, " ")
	rest = strings.TrimLeft(rest, " ")
	if strings.EqualFold(scheme, "Basic") {
		_, rest, _ = basic(rest)
	}
	return r.format.HasShape(rest)
}

// basic reads user name and password. A password that is empty is nothing shown.
func basic(text string) (user, password string, ok bool) {
	if len(text) > maxBasic {
		return "", "", false
	}
	plain, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "", "", false
	}
	if len(plain) == 0 {
		return "", "", true
	}
	user, password, ok = strings.Cut(string(plain), ":")
	// A copy: names are kept, and this one would keep the password beside it in memory.
	return strings.Clone(user), password, ok
}

// bearerApp is the application name that goes with a bearer token: the main pair's header, else the
// only one that another pair's header gives. Two that differ are none.
func (r *Reader) bearerApp(h http.Header) (app string, ok bool) {
	for i, p := range r.pairs {
		name := first(h[p.app])
		if i == 0 && name != "" {
			return name, true
		}
		if app != "" && name != "" && name != app {
			return "", false
		}
		if name != "" {
			app = name
		}
	}
	return app, true
}
