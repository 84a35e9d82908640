package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"ostiary"
)

// findUser finds one whom the caller may see, by address, id or cid.
func findUser(ctx context.Context, c *client, name string) (user, error) {
	if id, ok := cutID("/user/", name); ok {
		return getOne[user](ctx, c, "/v2/user/"+id, "user", name)
	}
	texts, err := c.list(ctx, "/v2/user", nil, everything)
	if err != nil {
		return user{}, err
	}
	users, err := decodeAll[user](texts)
	if err != nil {
		return user{}, err
	}
	for _, u := range users {
		if strings.EqualFold(u.Email, name) {
			return u, nil
		}
	}
	return user{}, noSuch("user", name)
}

// findToken finds a token by id, cid or hint. A hint may be spelt with three dots. Where it fits two
// tokens, none is found: the operator must not retire the wrong one.
func findToken(ctx context.Context, c *client, name string) (token, error) {
	if id, ok := cutID("/token/", name); ok {
		return getOne[token](ctx, c, "/v2/token/"+id, "token", name)
	}
	hint := strings.ReplaceAll(name, "...", "…")
	texts, err := c.list(ctx, "/v2/token", url.Values{"f__hint": {hint}}, 2)
	if err != nil {
		return token{}, err
	}
	switch len(texts) {
	case 0:
		return token{}, noSuch("token", name)
	case 1:
		return decode[token](texts[0])
	}
	return token{}, fmt.Errorf("more than one token has the hint %s; name it by its id", hint)
}

// cutID takes "/token/12" or "12" for the id 12.
func cutID(prefix, name string) (id string, ok bool) {
	id = strings.TrimPrefix(name, prefix)
	_, err := ostiary.ParseID(id)
	return id, err == nil
}

func getOne[T any](ctx context.Context, c *client, path, kind, name string) (one T, err error) {
	text, err := c.get(ctx, path)
	var no *refused
	if errors.As(err, &no) && no.Status == http.StatusNotFound {
		return one, noSuch(kind, name)
	}
	if err != nil {
		return one, err
	}
	return decode[T](text)
}

func noSuch(kind, name string) error {
	return fmt.Errorf("there is no %s %q that you may see; 'ostiary %[1]s list' shows all", kind, name)
}

// emails are the addresses of the users whom the caller may see, by cid.
type emails map[string]string

// ownerOf is the address of one token's owner. It is not worth an error: the cid stands in for it.
func ownerOf(ctx context.Context, c *client, t token) emails {
	if t.Owner == nil {
		return nil
	}
	text, err := c.get(ctx, "/v2"+*t.Owner)
	if err != nil {
		return nil
	}
	u, err := decode[user](text)
	if err != nil {
		return nil
	}
	return emails{u.CID: u.Email}
}

func owners(ctx context.Context, c *client) (emails, error) {
	texts, err := c.list(ctx, "/v2/user", nil, everything)
	if err != nil {
		return nil, err
	}
	users, err := decodeAll[user](texts)
	known := emails{}
	for _, u := range users {
		known[u.CID] = u.Email
	}
	return known, err
}

// of is a token's owner: the address, or the cid of somebody who is no longer a member.
func (e emails) of(t token) string {
	if t.Owner == nil {
		return "account"
	}
	return plain(cmp.Or(e[*t.Owner], *t.Owner))
}

// keep drops the objects of a list that are not wanted.
func keep[T any](texts []json.RawMessage, want func(T) bool) (kept []json.RawMessage, err error) {
	for _, text := range texts {
		one, err := decode[T](text)
		if err != nil {
			return nil, err
		}
		if want(one) {
			kept = append(kept, text)
		}
	}
	return kept, nil
}
