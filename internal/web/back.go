package web

import (
	"net/url"
	"strings"

	"ostiary"
)

// back goes to the page where the form stood, if that is the list or a token, else to the one given. It
// tells there what was done.
func (v *visit) back(otherwise string, first, last uint64) reply {
	path, query := v.cameFrom(otherwise)
	if last != 0 {
		query.Set("done", doneAt(first, last))
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return to(path)
}

// cameFrom is the list or the page of a token on which somebody pressed what led here. A form says it in a
// field where a page that asks lies between; else the browser does.
func (v *visit) cameFrom(otherwise string) (path string, query url.Values) {
	for _, text := range []string{v.field("back"), v.r.Referer()} {
		u, err := url.Parse(text)
		if err != nil || text == "" || u.Host != "" && u.Host != v.r.Host {
			continue
		}
		rest, isToken := strings.CutPrefix(u.Path, "/tokens/")
		if _, err := ostiary.ParseID(rest); u.Path != "/tokens" && (!isToken || err != nil) {
			continue
		}
		query = u.Query()
		for _, spent := range []string{"done", "said", "app"} {
			query.Del(spent)
		}
		if len(v.seats) > 1 {
			query.Set("account", v.seat.Account.ID.String())
		}
		return u.Path, query
	}
	u, _ := url.Parse(v.link(otherwise))
	return u.Path, u.Query()
}

// returnTo is cameFrom as an address.
func (v *visit) returnTo(otherwise string) string {
	path, query := v.cameFrom(otherwise)
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}
