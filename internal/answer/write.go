package answer

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// body has the keys that every error has, and two that stand only where there is something to say.
type body struct {
	Code        string `json:"code"`
	Message     string `json:"message"`
	Explanation string `json:"explanation"`
	Reference   string `json:"reference"`
	Server      string `json:"server"`
	Status      int    `json:"status"`
	Tag         string `json:"tag"`
	Field       string `json:"field,omitempty"`
	Detail      any    `json:"detail,omitempty"`
}

// bodyV1 is what clients of the first API read besides.
type bodyV1 struct {
	Success bool   `json:"success"`
	Error   string `json:"error"`
	body
}

// Write sends the answer. The tag is that of its line in the request log.
func (t *Table) Write(w http.ResponseWriter, a Answer, tag string) {
	send(w, a.Status, t.Render(w.Header(), a, tag))
}

// Render is Write for who sends the answer in another way: it sets the headers, and gives the body.
func (t *Table) Render(h http.Header, a Answer, tag string) []byte {
	t.writeHeaders(h, a, tag)
	b := t.body(a, tag)
	return jsonText(b, func() any { b.Detail = nil; return b })
}

// WriteForProxy is Write where a proxy asks.
func (t *Table) WriteForProxy(w http.ResponseWriter, a Answer, tag string) {
	send(w, a.Status, t.RenderForProxy(w.Header(), a, tag))
}

// RenderForProxy is Render where a proxy asks. nginx drops the body of a refusal, and can give back a
// header: X-Ostiary-Refusal is the body once more.
func (t *Table) RenderForProxy(h http.Header, a Answer, tag string) []byte {
	body := t.Render(h, a, tag)
	h["X-Ostiary-Refusal"] = []string{asciiJSON(body)}
	return body
}

// WriteV1 sends the answer with the keys "success" and "error" of the first API besides.
func (t *Table) WriteV1(w http.ResponseWriter, a Answer, tag string) {
	t.writeHeaders(w.Header(), a, tag)
	b := bodyV1{Error: a.Message, body: t.body(a, tag)}
	send(w, a.Status, jsonText(b, func() any { b.Detail = nil; return b }))
}

func (t *Table) body(a Answer, tag string) body {
	b := body{
		Code: a.Code, Message: a.Message, Explanation: a.Explanation, Server: t.set.Server,
		Status: a.Status, Tag: tag, Field: a.Field, Detail: a.Detail,
	}
	if t.set.Reference != "" {
		b.Reference = t.set.Reference + a.Code
	}
	return b
}

// writeHeaders repeats what gateways drop with the body.
func (t *Table) writeHeaders(h http.Header, a Answer, tag string) {
	h["Content-Type"] = []string{"application/json"}
	h["Cache-Control"] = []string{"no-store"}
	h["X-Ostiary-Code"] = []string{a.Code}
	if tag != "" {
		h["X-Ostiary-Tag"] = []string{headerText(tag)}
	}
	if a.Status == http.StatusUnauthorized {
		h["Www-Authenticate"] = []string{t.challenge}
	}
	if a.ApprovalURL != "" {
		h["X-Circonus-Token-Approval-Url"] = []string{headerText(a.ApprovalURL)}
	}
	if a.RetryAfter > 0 {
		h["Retry-After"] = []string{strconv.Itoa(a.RetryAfter)}
	}
	if a.Allow != "" {
		h["Allow"] = []string{headerText(a.Allow)}
	}
	if a.Revision > 0 {
		h["X-Ostiary-Revision"] = []string{strconv.FormatUint(a.Revision, 10)}
	}
	if behind := Behind(a.Behind); behind != "" {
		h["X-Ostiary-Behind"] = []string{behind}
	}
}

// Behind is the value of the header that says how far a node is behind, in whole seconds, rounded up.
// It is empty for a node that is fresh, and then there is no header.
func Behind(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}

func send(w http.ResponseWriter, status int, text []byte) {
	w.Header()["Content-Length"] = []string{strconv.Itoa(len(text))}
	w.WriteHeader(status)
	w.Write(text)
}

// jsonText is a body, or what plain makes of it where a detail cannot be written as JSON. json.Marshal
// escapes what HTML and scripts could trip over, and replaces invalid UTF-8.
func jsonText(b any, plain func() any) []byte {
	text, err := json.Marshal(b)
	if err != nil {
		text, _ = json.Marshal(plain())
	}
	return append(text, '\n')
}

// asciiJSON is JSON that can stand in a header's value: on one line, and what is no printable ASCII as
// \u and its number. json.Marshal has escaped control characters already, and they are in strings alone.
func asciiJSON(text []byte) string {
	var b strings.Builder
	for _, r := range strings.TrimRight(string(text), "\n") {
		if r <= '~' {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}

// headerText drops what may not stand in a header's value: all but printable ASCII.
func headerText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
}

// quotedText is for between the quotes of a header's parameter.
func quotedText(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(headerText(s))
}
