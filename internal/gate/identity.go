package gate

import (
	"errors"
	"net/http"
	"net/netip"
	"strconv"

	"ostiary"
)

// noStore is the Cache-Control of every answer. It is shared, and nobody writes to it.
var noStore = []string{"no-store"}

// identify puts the identity that was proved on an answer (contract 6). Every header is there and
// none is empty: some proxies keep the caller's own copy of one that is missing. Eight entries are
// what a small map holds without growing. It also gives the caller's address in text.
func identify(h http.Header, d *ostiary.Decision, from netip.Addr) (string, error) {
	user := "-"
	if d.Kind != ostiary.AccountToken {
		user = headerSafe(d.Email)
	}
	account := headerSafe(d.AccountName)
	named := ostiary.CheckAppName(d.AppName) == ostiary.OK
	if user == "" || account == "" || !named || d.Account == 0 || d.Token == 0 {
		return "", errors.New("the decision lacks a part of the identity: account, owner, token or application")
	}

	// One text for all the numbers, and one list for all the values: two allocations.
	var room [128]byte
	b := strconv.AppendUint(room[:0], uint64(d.Account), 10)
	endAccount := len(b)
	b = strconv.AppendUint(b, uint64(d.Token), 10)
	endToken := len(b)
	b = strconv.AppendUint(b, d.Revision, 10)
	endRevision := len(b)
	if from.IsValid() {
		b = from.AppendTo(b)
	}
	text := string(b)
	v := &[7]string{
		account, text[:endAccount], user, d.Role.String(),
		text[endAccount:endToken], d.AppName, text[endToken:endRevision],
	}
	h["Cache-Control"] = noStore
	h["X-Ostiary-Account"] = v[0:1:1]
	h["X-Ostiary-Account-Id"] = v[1:2:2]
	h["X-Ostiary-User"] = v[2:3:3]
	h["X-Ostiary-Role"] = v[3:4:4]
	h["X-Ostiary-Token-Id"] = v[4:5:5]
	h["X-Ostiary-App"] = v[5:6:6]
	h["X-Ostiary-Revision"] = v[6:7:7]
	return text[endRevision:], nil
}

// headerSafe writes a text so that it survives every proxy, and so that two texts never become one:
// all but printable ASCII, and space, comma and %, as %XX of its bytes. "zoë@example.com" becomes
// "zo%C3%AB@example.com".
func headerSafe(s string) string {
	safe := true
	for i := range len(s) {
		safe = safe && plain(s[i])
	}
	if safe {
		return s
	}
	const digits = "0123456789ABCDEF"
	b := make([]byte, 0, len(s)+16)
	for i := range len(s) {
		c := s[i]
		if plain(c) {
			b = append(b, c)
			continue
		}
		b = append(b, '%', digits[c>>4], digits[c&15])
	}
	return string(b)
}

func plain(c byte) bool { return c > ' ' && c <= '~' && c != ',' && c != '%' }
