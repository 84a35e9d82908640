package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"ostiary/internal/serve"
)

// A client speaks the native API with a server: over the socket in its data folder, as the
// operator, or over HTTP with a token.
type client struct {
	http    *http.Client
	base    string // without a slash at the end
	where   string // for messages
	token   string // empty on the socket
	app     string
	account string // empty: the token's, or the only one

	notes io.Writer // told on which nodes a change is in force; nil: nobody is
}

// socketName is the management socket's name in a data folder.
const socketName = serve.SocketName

func newSocketClient(data string) *client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) { return serve.DialSocket(ctx, data) }
	return &client{
		http: &http.Client{Transport: &http.Transport{DialContext: dial}},
		base: "http://ostiary", where: data,
	}
}

// newHTTPClient never follows a redirect: the token would go along.
func newHTTPClient(base, token, app string) *client {
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client{
		http: &http.Client{CheckRedirect: stay, Timeout: time.Minute},
		base: strings.TrimRight(base, "/"), where: base, token: token, app: app,
	}
}

// A refused error is the server's answer to a call that it did not carry out.
type refused struct {
	Code        string          `json:"code"`
	Message     string          `json:"message"`
	Explanation string          `json:"explanation"`
	Status      int             `json:"status"`
	Tag         string          `json:"tag"`
	Detail      json.RawMessage `json:"detail"`
}

func (e *refused) Error() string {
	text := plain(e.Message)
	if e.Explanation != "" && e.Explanation != e.Message {
		text += "\n" + plain(e.Explanation)
	}
	return fmt.Sprintf("%s\nThe answer was %d %s; its tag in the server's log is %s.",
		text, e.Status, plain(e.Code), plain(e.Tag))
}

func (c *client) get(ctx context.Context, path string) (json.RawMessage, error) {
	return c.call(ctx, http.MethodGet, path, nil)
}

func (c *client) post(ctx context.Context, path string, body any) (json.RawMessage, error) {
	return c.call(ctx, http.MethodPost, path, body)
}

func (c *client) put(ctx context.Context, path string, body any) (json.RawMessage, error) {
	return c.call(ctx, http.MethodPut, path, body)
}

func (c *client) delete(ctx context.Context, path string) (json.RawMessage, error) {
	return c.call(ctx, http.MethodDelete, path, nil)
}

// list reads every page of a list, or the first most objects of it.
func (c *client) list(ctx context.Context, path string, query url.Values, most int) ([]json.RawMessage, error) {
	const page = 1000
	var all []json.RawMessage
	for {
		q := url.Values{"size": {strconv.Itoa(min(page, most-len(all)))}, "from": {strconv.Itoa(len(all))}}
		for k, v := range query {
			q[k] = v
		}
		text, more, err := c.send(ctx, http.MethodGet, path+"?"+q.Encode(), nil)
		if err != nil {
			return nil, err
		}
		some, err := decode[[]json.RawMessage](text)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
		if !more || len(some) == 0 || len(all) >= most {
			return all, nil
		}
	}
}

func (c *client) call(ctx context.Context, method, path string, body any) (json.RawMessage, error) {
	text, _, err := c.send(ctx, method, path, body)
	return text, err
}

// send sends one request. more says that the list goes on.
func (c *client) send(ctx context.Context, method, path string, body any) (
	text json.RawMessage, more bool, err error,
) {
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, false, err
		}
		in = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, in)
	if err != nil {
		return nil, false, err
	}
	c.setHeaders(req.Header)
	res, err := c.http.Do(req)
	if err != nil {
		return nil, false, c.unreachable(err)
	}
	defer res.Body.Close()
	text, err = io.ReadAll(io.LimitReader(res.Body, 64<<20))
	if err != nil {
		return nil, false, fmt.Errorf("the answer broke off: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return nil, false, c.refusal(res, text)
	}
	if method != http.MethodGet && c.notes != nil {
		c.noteReceipt(text)
	}
	return text, res.Header.Get("X-Circonus-More-Items") == "true", nil
}

func (c *client) setHeaders(h http.Header) {
	h.Set("Accept", "application/json")
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", "ostiary-command/"+programVersion())
	if c.token != "" {
		h.Set("X-Circonus-Auth-Token", c.token)
		h.Set("X-Circonus-App-Name", c.app)
	}
	if c.account != "" {
		h.Set("X-Circonus-Account-ID", c.account)
	}
}

func (c *client) refusal(res *http.Response, text []byte) error {
	r := &refused{}
	if json.Unmarshal(text, r) != nil || r.Code == "" {
		return fmt.Errorf("%s answered %s, and not as Ostiary does; check the address", c.where, res.Status)
	}
	return r
}

// unreachable says what to do where nobody answers.
func (c *client) unreachable(err error) error {
	if c.token != "" {
		return fmt.Errorf("%s does not answer: %w", c.where, inner(err))
	}
	path := filepath.Join(c.where, socketName)
	switch {
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("only the server's own user can open %s; run this command as that user", path)
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no server runs on %s.\nStart it with 'ostiary serve --data %s', or name another folder with "+
			"--data or OSTIARY_DATA,\nor speak to a server over HTTP with OSTIARY_URL and OSTIARY_TOKEN", c.where, c.where)
	}
	return fmt.Errorf("the server on %s does not answer: %w", c.where, inner(err))
}

// inner drops the address that net/http writes before an error.
func inner(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

func decode[T any](text json.RawMessage) (out T, err error) {
	if err := json.Unmarshal(text, &out); err != nil {
		return out, fmt.Errorf("the server's answer cannot be read: %w", err)
	}
	return out, nil
}

// decodeAll reads every object of a list.
func decodeAll[T any](texts []json.RawMessage) ([]T, error) {
	out := make([]T, len(texts))
	for i, text := range texts {
		one, err := decode[T](text)
		if err != nil {
			return nil, err
		}
		out[i] = one
	}
	return out, nil
}

// everything is more objects than any list holds.
const everything = 1 << 30
