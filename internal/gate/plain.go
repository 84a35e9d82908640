package gate

import (
	"bytes"
	"strings"

	"ostiary/internal/credential"
)

// A use is what becomes of a header on its way to the API.
type use uint8

const (
	passOn  use = iota
	odd         // net/http must look at the request
	drop        // we say it anew, or nobody does
	keepUse     // only its value counts: it is looked at, and passed on
	ofCredential
	ofHost
	ofConnection
	ofAgent
	ofForwardedHost
	ofForwardedProto
)

// headNames are what is done with headers, by their names in small letters.
type headNames map[string]headName

type headName struct {
	knownHeader
	known bool
	use   use
}

func newHeadNames(read *credential.Reader) headNames {
	n := headNames{
		"host": {use: ofHost}, "connection": {use: ofConnection}, "forwarded": {use: drop},
		"x-original-url": {use: drop}, "x-rewrite-url": {use: drop}, "x-real-ip": {use: odd},
		"x-forwarded-host": {use: ofForwardedHost}, "x-forwarded-proto": {use: ofForwardedProto},
	}
	for _, name := range []string{
		"content-length", "transfer-encoding", "trailer", "te", "expect", "upgrade", "keep-alive",
		"proxy-connection", "proxy-authenticate", "proxy-authorization",
	} {
		n[name] = headName{use: odd}
	}
	carries := map[string]bool{}
	for _, name := range read.Headers() {
		carries[strings.ToLower(name)] = true
	}
	for name, h := range newKnown(read) {
		use := keepUse
		switch {
		case n[name].use != passOn:
			use = odd // a header of a credential that means something else besides
		case carries[name]:
			use = ofCredential
		case h.name == read.AccountHeader():
			use = drop
		case name == "user-agent":
			use = ofAgent
		case name == "x-forwarded-for" || strings.HasPrefix(name, oursInSmall):
			use = drop
		case strings.HasPrefix(name, "x-forwarded-"):
			use = odd // believed from trusted peers alone, and the other way knows them
		}
		n[name] = headName{h, true, use}
	}
	return n
}

// oursInSmall is how the names of headers begin that only we may send, in small letters.
const oursInSmall = "x-ostiary-"

// A plainHead is the head of a plain request, as parts of what was read.
type plainHead struct {
	method, target string
	host           []byte
	lines          []plainLine // that may go on to the API
	last           bool        // the caller wants the connection closed
	hosts, protos  forwardedLine
}

type plainLine struct {
	name, value []byte
	credential  string // the canonical name, where the header may belong to a credential
}

// A forwardedLine is what a peer says of itself with X-Forwarded-Host and -Proto.
type forwardedLine struct {
	value []byte
	times int
}

// endOfHead finds the end of a head, looking on at a place. It is odd where a line ends otherwise than with
// CR LF.
func endOfHead(b []byte, from int) (end int, odd bool) {
	for at := from; ; {
		n := bytes.IndexByte(b[at:], '\n')
		if n < 0 {
			return 0, false
		}
		at += n + 1
		if at < 2 || b[at-2] != '\r' {
			return 0, true
		}
		if at >= 4 && b[at-3] == '\n' {
			return at, false
		}
	}
}

// read takes a whole head apart. False says that it is not plain.
func (h *plainHead) read(head []byte, names headNames, into *kept) bool {
	*h = plainHead{lines: h.lines[:0]}
	line, rest := cutLine(head)
	if !h.readRequestLine(line) {
		return false
	}
	agents, connections := 0, 0
	var small [64]byte
	for {
		if line, rest = cutLine(rest); len(line) == 0 {
			return h.host != nil && len(rest) == 0
		}
		name, value, low, ok := cutHeader(line, small[:0])
		if !ok {
			return false
		}
		n := names[string(low)]
		if n.known {
			into.keep(n.knownHeader, string(value))
		}
		l := plainLine{name: name, value: value}
		switch n.use {
		case odd:
			return false
		case drop:
			continue
		case passOn:
			if bytes.HasPrefix(low, []byte(oursInSmall)) {
				continue
			}
			if bytes.HasPrefix(low, []byte("x-forwarded-")) || bytes.ContainsAny(low, "_.") {
				return false // the other way knows what may go on
			}
		case ofCredential:
			l.credential = n.name
		case ofAgent:
			if agents++; agents > 1 {
				return false
			}
		case ofHost:
			if h.host != nil || !isHost(value) {
				return false
			}
			h.host = value
			continue
		case ofConnection:
			if connections++; connections > 1 || !h.readConnection(value) {
				return false
			}
			continue
		case ofForwardedHost:
			h.hosts = forwardedLine{value, h.hosts.times + 1}
			continue
		case ofForwardedProto:
			h.protos = forwardedLine{value, h.protos.times + 1}
			continue
		}
		h.lines = append(h.lines, l)
	}
}

// readRequestLine takes the methods that have no body, and a target that says one thing only.
func (h *plainHead) readRequestLine(line []byte) bool {
	method, rest, _ := bytes.Cut(line, []byte(" "))
	target, ok := bytes.CutSuffix(rest, []byte(" HTTP/1.1"))
	if !ok || !isPlainTarget(target) {
		return false
	}
	switch string(method) {
	case "GET":
		h.method = "GET"
	case "HEAD":
		h.method = "HEAD"
	case "OPTIONS":
		h.method = "OPTIONS"
	case "DELETE":
		h.method = "DELETE"
	default:
		return false
	}
	h.target = string(target)
	return true
}

// isPlainTarget knows a path with a query that net/http reads, and that cannot be taken for a host.
func isPlainTarget(t []byte) bool {
	if len(t) == 0 || t[0] != '/' || len(t) > 1 && t[1] == '/' {
		return false
	}
	query := false
	for i, c := range t {
		switch {
		case c <= ' ' || c == 0x7f || c == '#':
			return false
		case c == '?':
			query = true
		case c == '%' && !query && (i+2 >= len(t) || !isHex(t[i+1]) || !isHex(t[i+2])):
			return false
		}
	}
	return true
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

// isHost knows the names that nobody could read in two ways.
func isHost(b []byte) bool {
	for _, c := range b {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case bytes.IndexByte([]byte("-._:[]"), c) < 0:
			return false
		}
	}
	return len(b) > 0
}

// readConnection takes what every client says. A header that it names would have to go, too.
func (h *plainHead) readConnection(value []byte) bool {
	h.last = bytes.EqualFold(value, []byte("close"))
	return h.last || bytes.EqualFold(value, []byte("keep-alive"))
}

// cutLine cuts off the first line of a head whose lines all end with CR LF.
func cutLine(b []byte) (line, rest []byte) {
	end := bytes.IndexByte(b, '\n')
	return b[:end-1], b[end+1:]
}

// cutHeader takes a line apart, and gives its name in small letters besides.
func cutHeader(line, into []byte) (name, value, low []byte, ok bool) {
	colon := bytes.IndexByte(line, ':')
	if colon < 1 {
		return nil, nil, nil, false
	}
	name, value = line[:colon], bytes.Trim(line[colon+1:], " \t")
	low, ok = lower(into, name)
	return name, value, low, ok && clean(value)
}
