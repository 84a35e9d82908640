package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"ostiary"
)

const (
	maxBody  = 64 << 10
	maxDepth = 16 // lists and objects within each other; no object of ours needs five
)

// readBody reads the body and makes its fields ready, whatever the Content-Type says. What is wrong
// with it is told by the fields, since callers learn other things first.
func (c *call) readBody() {
	c.body = &fields{}
	if c.r.Method == "GET" || c.r.Method == "HEAD" {
		return
	}
	text, err := io.ReadAll(io.LimitReader(c.r.Body, maxBody+1))
	c.text = text
	switch {
	case len(text) > maxBody:
		c.body.err = ostiary.Refuse(ostiary.TooLarge, "A request body has at most 64 KiB.")
	case err != nil:
		c.body.err = ostiary.Refuse(ostiary.BadValue, "The body ended before its time.")
	case c.route.takes != "":
		c.body.values, c.body.err = parseObject(text)
	}
}

// parseObject reads one JSON object, strictly: UTF-8, no key twice, nothing after it, not deep. No
// text at all is an object without keys.
func parseObject(text []byte) (map[string]any, error) {
	if !utf8.Valid(text) {
		return nil, ostiary.Refuse(ostiary.BadValue, "The body is not UTF-8.")
	}
	if len(bytes.Trim(text, " \t\r\n")) == 0 {
		return nil, nil
	}
	p := parser{json.NewDecoder(bytes.NewReader(text))}
	p.UseNumber()
	v, err := p.value("", 0)
	if err != nil {
		var refusal *ostiary.Refusal
		if errors.As(err, &refusal) {
			return nil, err
		}
		return nil, ostiary.Refuse(ostiary.BadValue, "The body is not valid JSON.")
	}
	if _, err := p.Token(); err != io.EOF {
		return nil, ostiary.Refuse(ostiary.BadValue, "Something follows the JSON object in the body.")
	}
	values, ok := v.(map[string]any)
	if !ok {
		return nil, ostiary.Refuse(ostiary.BadValue, "The body is not a JSON object.")
	}
	return values, nil
}

type parser struct{ *json.Decoder }

// value reads one value. at is its name in dotted form, for messages.
func (p parser) value(at string, depth int) (any, error) {
	token, err := p.Token()
	if err != nil {
		return nil, err
	}
	if text, ok := token.(string); ok {
		return text, checkString(at, text)
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	if depth == maxDepth {
		return nil, ostiary.RefuseField(at, "The JSON is too deep.")
	}
	if delim == '[' {
		return p.list(at, depth)
	}
	return p.object(at, depth)
}

func (p parser) list(at string, depth int) (any, error) {
	list := []any{}
	for p.More() {
		v, err := p.value(at, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := p.Token()
	return list, err
}

func (p parser) object(at string, depth int) (any, error) {
	values := map[string]any{}
	for p.More() {
		token, err := p.Token()
		if err != nil {
			return nil, err
		}
		name, _ := token.(string)
		full := join(at, name)
		if err := checkString(full, name); err != nil {
			return nil, err
		}
		if _, twice := values[name]; twice {
			return nil, ostiary.RefuseField(full, "The key is there twice.")
		}
		if values[name], err = p.value(full, depth+1); err != nil {
			return nil, err
		}
	}
	_, err := p.Token()
	return values, err
}

// checkString refuses half a surrogate pair, which reads as U+FFFD.
func checkString(at, text string) error {
	if strings.ContainsRune(text, utf8.RuneError) {
		return ostiary.RefuseField(at, "The text holds U+FFFD, or half of a surrogate pair.")
	}
	return nil
}

func join(at, name string) string {
	const longest = 100
	if at != "" {
		name = at + "." + name
	}
	if len(name) > longest {
		return strings.ToValidUTF8(name[:longest], "") + "…"
	}
	return name
}
