package client

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// maxBody bounds the door's answer in bytes, and so do its headers.
const maxBody = 64 << 10

// An Answer is what the door said. The zero Answer is a refusal.
type Answer struct {
	Identity // who the request comes from; of a refusal only the Revision, where there was a decision

	Status      int    // 200, 401, 403, 429 or 503
	Code        string // "Unauthorized.PendingApp"; empty where the request was let through
	Message     string
	Explanation string
	Tag         string // of the line in the door's log
	ApprovalURL string // where a pending application can be approved
	RetryAfter  int    // seconds; zero: not said

	// Header are the identity as the door sent it where the request was let through, else what the
	// caller is to get, with Body.
	Header http.Header
	Body   []byte

	Err error // why the door could not be asked, for the program's log; it holds no secret

	let bool
}

// OK says that the request is let through.
func (a *Answer) OK() bool { return a.let }

// handedOn are the headers of a refusal that its caller gets.
func handedOn() []string {
	return []string{
		"Content-Type", "Cache-Control", "Www-Authenticate", "Retry-After", "X-Circonus-Token-Approval-Url",
		"X-Ostiary-Code", "X-Ostiary-Tag", "X-Ostiary-Revision", "X-Ostiary-Behind",
	}
}

// Write hands a refusal to the caller as it came.
func (a *Answer) Write(w http.ResponseWriter) {
	h := w.Header()
	for name, values := range a.Header {
		h[name] = values
	}
	h["Content-Length"] = []string{strconv.Itoa(len(a.Body))}
	w.WriteHeader(a.Status)
	w.Write(a.Body)
}

// read reads what may be an answer of the door. Whatever else it is, is an error, and lets nothing
// through.
func read(res *http.Response) (Answer, error) {
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err != nil {
		return Answer{}, unasked(err)
	}
	if len(body) > maxBody {
		return Answer{}, fmt.Errorf("the answer has more than %d bytes", maxBody)
	}
	switch res.StatusCode {
	case http.StatusOK:
		return readIdentity(res.Header)
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests,
		http.StatusServiceUnavailable:
		return readRefusal(res.StatusCode, res.Header, body)
	}
	return Answer{}, fmt.Errorf("the status %d is none of the door's", res.StatusCode)
}

// A refusal is the part of the door's body that is read.
type refusal struct {
	Code, Message, Explanation, Tag string
	Status                          int
}

func readRefusal(status int, h http.Header, body []byte) (Answer, error) {
	code, ok := once(h, "X-Ostiary-Code")
	if !ok || code == "" {
		return Answer{}, fmt.Errorf("the status %d comes without the door's X-Ostiary-Code", status)
	}
	var r refusal
	if err := json.Unmarshal(body, &r); err != nil {
		return Answer{}, fmt.Errorf("the body of a %d is not the door's JSON", status)
	}
	if r.Code != code || r.Status != status {
		return Answer{}, fmt.Errorf("the body of a %d says something else than its headers", status)
	}
	a := Answer{
		Status: status, Code: code, Message: r.Message, Explanation: r.Explanation, Tag: r.Tag,
		ApprovalURL: h.Get("X-Circonus-Token-Approval-Url"), Header: http.Header{}, Body: body,
	}
	for _, name := range handedOn() {
		if values := h[name]; len(values) > 0 {
			a.Header[name] = values
		}
	}
	if text := h.Get("Retry-After"); text != "" {
		seconds, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return Answer{}, errors.New("Retry-After is not a number of seconds")
		}
		a.RetryAfter = int(seconds)
	}
	if text := h.Get("X-Ostiary-Revision"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return Answer{}, errors.New("X-Ostiary-Revision is not a number")
		}
		a.Revision = n
	}
	return a, nil
}

// once is the value of a header that is there once.
func once(h http.Header, name string) (string, bool) {
	values := h[name]
	if len(values) != 1 {
		return "", false
	}
	return values[0], true
}

// Unavailable is the answer where the door could not be asked: 503, for our own trouble is never the
// caller's. A program gives it for a request that it cannot put to Check.
func (c *Client) Unavailable(err error) Answer {
	a := c.refusal(http.StatusServiceUnavailable, "Unavailable", "temporarily unavailable",
		"This says nothing about the token or the application. "+
			"Send the request again after the time in Retry-After.")
	a.RetryAfter, a.Err = 1, err
	a.Header["Retry-After"] = []string{"1"}
	return a
}

// refusal makes an answer here, with the keys of the door's.
func (c *Client) refusal(status int, code, message, explanation string) Answer {
	a := Answer{Status: status, Code: code, Message: message, Explanation: explanation, Tag: rand.Text()[:15]}
	body, _ := json.Marshal(struct {
		Code        string `json:"code"`
		Message     string `json:"message"`
		Explanation string `json:"explanation"`
		Reference   string `json:"reference"`
		Server      string `json:"server"`
		Status      int    `json:"status"`
		Tag         string `json:"tag"`
	}{code, message, explanation, "", c.server, status, a.Tag})
	a.Body = append(body, '\n')
	a.Header = http.Header{
		"Content-Type":   {"application/json"},
		"Cache-Control":  {"no-store"},
		"X-Ostiary-Code": {code},
		"X-Ostiary-Tag":  {a.Tag},
	}
	return a
}
