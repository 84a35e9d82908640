package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"ostiary"
)

// An Identity is who a request comes from, as the door proved it (contract 6).
type Identity struct {
	Account   string // the short name
	AccountID ostiary.ID
	User      string       // the owner's e-mail; empty for a token of the account itself
	Role      ostiary.Role // what the token can use
	TokenID   ostiary.ID
	App       string
	Revision  uint64 // at which the door decided
	Assertion string // the same, signed, to be passed on; empty where the door signs nothing
}

type identityKey struct{}

// IdentityFrom gives the identity that Protect put into the context of a request.
func IdentityFrom(ctx context.Context) (Identity, bool) {
	id, ok := ctx.Value(identityKey{}).(Identity)
	return id, ok
}

// identityHeaders are those of a 200. Each is there once, and none is empty.
func identityHeaders() [7]string {
	return [7]string{
		"X-Ostiary-Account", "X-Ostiary-Account-Id", "X-Ostiary-User", "X-Ostiary-Role", "X-Ostiary-Token-Id",
		"X-Ostiary-App", "X-Ostiary-Revision",
	}
}

// readIdentity reads a 200. One that lacks a part of the identity, or has one that cannot be read,
// lets nothing through: what answers at the door's address may not be a door.
func readIdentity(h http.Header) (Answer, error) {
	var text [7]string
	sent := http.Header{}
	for i, name := range identityHeaders() {
		value, ok := once(h, name)
		if !ok || value == "" {
			return Answer{}, fmt.Errorf("a 200 comes without %s, or with more than one", name)
		}
		text[i], sent[name] = value, h[name]
	}
	var errs [7]error
	id := Identity{App: text[5]}
	id.Account, errs[0] = decoded(text[0])
	id.AccountID, errs[1] = ostiary.ParseID(text[1])
	if text[2] != "-" {
		id.User, errs[2] = decoded(text[2])
	}
	id.Role, errs[3] = ostiary.ParseRole(text[3])
	id.TokenID, errs[4] = ostiary.ParseID(text[4])
	if ostiary.CheckAppName(id.App) != ostiary.OK {
		errs[5] = errors.New("not a name of an application")
	}
	id.Revision, errs[6] = strconv.ParseUint(text[6], 10, 64)
	for i, err := range errs {
		if err != nil {
			return Answer{}, fmt.Errorf("a 200 comes with an unreadable %s", identityHeaders()[i])
		}
	}
	if values := h["X-Ostiary-Assertion"]; len(values) > 0 {
		if len(values) > 1 || values[0] == "" {
			return Answer{}, errors.New("a 200 comes with more than one X-Ostiary-Assertion, or an empty one")
		}
		id.Assertion, sent["X-Ostiary-Assertion"] = values[0], values
	}
	return Answer{Identity: id, Status: http.StatusOK, Header: sent, let: true}, nil
}

// decoded reads a text in which the door wrote all but plain characters as %XX.
func decoded(s string) (string, error) {
	if !strings.Contains(s, "%") {
		return s, nil
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b = append(b, s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", errors.New("it ends within a %XX")
		}
		n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return "", errors.New("it has a % without two hexadecimal digits")
		}
		b = append(b, byte(n))
		i += 2
	}
	if !utf8.Valid(b) {
		return "", errors.New("it is not UTF-8")
	}
	return string(b), nil
}
