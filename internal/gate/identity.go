package gate

import (
	"errors"
	"net/http"
	"net/netip"
	"strconv"

	"ostiary"
	"ostiary/internal/answer"
)

// noStore is the Cache-Control of every answer. It is shared, and nobody writes to it.
var noStore = []string{"no-store"}

// An identity is who shows a token, as values of headers (contract 6). Every one is there and none
// is empty: some proxies keep the caller's own copy of one that is missing.
type identity [behind + 1]string

// The places of what is not always there: the signed identity, which is empty where nothing is signed,
// and for how many seconds this node has not heard of changes, which is empty while it is fresh.
const (
	assertion = 7
	behind    = 8
)

// identityNames are the headers of an identity, in the order of its values.
var identityNames = [len(identity{})]string{
	"X-Ostiary-Account", "X-Ostiary-Account-Id", "X-Ostiary-User", "X-Ostiary-Role", "X-Ostiary-Token-Id",
	"X-Ostiary-App", "X-Ostiary-Revision", "X-Ostiary-Assertion", "X-Ostiary-Behind",
}

// prove fills the identity in from a decision, and gives the caller's address in text.
func (i *identity) prove(d *ostiary.Decision, from netip.Addr) (string, error) {
	user := "-"
	if d.Kind != ostiary.AccountToken {
		user = headerSafe(d.Email)
	}
	account := headerSafe(d.AccountName)
	named := ostiary.CheckAppName(d.AppName) == ostiary.OK
	if user == "" || account == "" || !named || d.Account == 0 || d.Token == 0 {
		return "", errors.New("the decision lacks a part of the identity: account, owner, token or application")
	}

	// One text for all the numbers: one allocation.
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
	*i = identity{
		account, text[:endAccount], user, d.Role.String(),
		text[endAccount:endToken], d.AppName, text[endToken:endRevision], "", answer.Behind(d.Behind),
	}
	return text[endRevision:], nil
}

// onto puts the identity on an answer. Its values get a list of their own, because an answer may be
// read after the job is used again. With Cache-Control they are eight entries, which is what a small
// map holds without growing.
func (i *identity) onto(h http.Header) {
	v := *i
	h["Cache-Control"] = noStore
	for n, name := range identityNames {
		if v[n] != "" {
			h[name] = v[n : n+1 : n+1]
		}
	}
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
