package gate

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// write makes the head that the API gets: the caller's lines without the token and without anything that
// only we may say, then where the request comes from, and the identity.
func (x *exchange) write() {
	b := append(x.out[:0], x.plainHead.method...)
	b = append(append(append(b, ' '), x.plainHead.target...), " HTTP/1.1\r\n"...)
	b = appendLine(b, "Host", x.host)
	before := x.kept.header["X-Forwarded-For"]
	x.p.Read.Strip(x.kept.header)
	for _, l := range x.lines {
		if l.credential != "" && x.kept.header[l.credential] == nil {
			continue
		}
		b = appendLine(b, l.name, l.value)
	}

	b = append(b, "X-Forwarded-For: "...)
	if x.trusted {
		for _, line := range before {
			b = append(append(b, line...), ", "...)
		}
	}
	b = append(append(b, x.caller.address...), "\r\n"...)
	host, proto := x.host, []byte("http")
	if x.trusted && x.hosts.times == 1 {
		host = x.hosts.value
	}
	if x.trusted && x.protos.times == 1 {
		proto = x.protos.value
	}
	b = appendLine(b, "X-Forwarded-Host", host)
	b = appendLine(b, "X-Forwarded-Proto", proto)
	for n, name := range identityNames {
		if x.identity[n] != "" {
			b = appendLine(b, name, x.identity[n])
		}
	}
	x.out = append(b, "\r\n"...)
}

func appendLine[N, V []byte | string](b []byte, name N, value V) []byte {
	b = append(append(b, name...), ": "...)
	return append(append(b, value...), "\r\n"...)
}

// plainAnswer takes the head of an answer whose length is clear and that has nothing odd. It writes it anew
// without what concerns connections. What it does not take, net/http's parser reads.
func (x *exchange) plainAnswer() (length int64, ok bool) {
	head, _ := x.api.r.Peek(x.api.r.Buffered())
	end, isOdd := endOfHead(head, 0)
	if isOdd || end == 0 {
		return 0, false
	}
	line, rest := cutLine(head[:end])
	if !isPlainStatus(line) {
		return 0, false
	}
	code := string(line[9:12])
	f := framing{empty: code == "204" || code == "304"}
	b := append(append(x.out[:0], line...), "\r\n"...)
	var small [64]byte
	for {
		if line, rest = cutLine(rest); len(line) == 0 {
			break
		}
		name, value, low, ok := cutHeader(line, small[:0])
		if !ok {
			return 0, false
		}
		goesOn, ok := f.take(string(low), value)
		if !ok {
			return 0, false
		}
		if goesOn {
			b = appendLine(b, name, value)
		}
	}
	if f.empty || x.plainHead.method == http.MethodHead {
		f.length = 0
	} else if f.times == 0 {
		return 0, false
	}
	b = appendLine(b, "Cache-Control", "no-store")
	b = strconv.AppendUint(append(b, "X-Ostiary-Revision: "...), x.e.Revision, 10)
	b = append(b, "\r\n"...)
	if old := x.identity[behind]; old != "" {
		b = append(append(append(b, "X-Ostiary-Behind: "...), old...), "\r\n"...)
	}
	x.out = x.finishHead(b, f.dated)
	x.begins()
	x.api.r.Discard(end)
	return f.length, true
}

// A framing is what an answer says about its length.
type framing struct {
	length int64
	times  int  // that it was said
	empty  bool // whatever is said
	dated  bool
}

// take looks at a header: whether it goes on to the caller, and whether the answer is still plain.
func (f *framing) take(name string, value []byte) (goesOn, ok bool) {
	switch name {
	case "content-length":
		f.length, ok = plainLength(value)
		f.times++
		return !f.empty, ok && f.times == 1
	case "connection":
		return false, bytes.EqualFold(value, []byte("keep-alive"))
	case "keep-alive":
		return false, true
	case "transfer-encoding", "trailer", "te", "upgrade",
		"proxy-connection", "proxy-authenticate", "proxy-authorization",
		"cache-control": // is made private
		return false, false
	case "content-type":
		return true, !bytes.HasPrefix(value, []byte("text/event-stream"))
	case "date":
		f.dated = true
	}
	return !strings.HasPrefix(name, oursInSmall), !strings.ContainsAny(name, "_.")
}

// isPlainStatus knows the status lines of answers that are not followed by another.
func isPlainStatus(line []byte) bool {
	code, ok := bytes.CutPrefix(line, []byte("HTTP/1.1 "))
	if !ok || len(code) < 4 || code[0] < '2' || code[0] > '5' || code[3] != ' ' || !clean(code) {
		return false
	}
	for _, c := range code[1:3] {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

func plainLength(value []byte) (int64, bool) {
	if len(value) == 0 || len(value) > 18 {
		return 0, false
	}
	n := int64(0)
	for _, c := range value {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int64(c-'0')
	}
	return n, true
}

// finishHead says when the answer came, where the API does not, and whether the connection ends.
func (x *exchange) finishHead(b []byte, dated bool) []byte {
	if !dated {
		b = append(b, "Date: "...)
		b = append(time.Now().UTC().AppendFormat(b, http.TimeFormat), "\r\n"...)
	}
	if !x.mayGoOn() {
		b = append(b, "Connection: close\r\n"...)
	}
	return append(b, "\r\n"...)
}
