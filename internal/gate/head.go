package gate

import (
	"bytes"
	"net/http"
	"net/textproto"
	"strings"

	"ostiary/internal/credential"
)

// known are the headers that a door looks at, by their names in small letters.
type known map[string]knownHeader

type knownHeader struct {
	name string // canonical
	at   int    // the place of its value among a job's values
}

// maxKnown is how many headers are known without an allocation for their values.
const maxKnown = 24

func newKnown(read *credential.Reader) known {
	k := known{}
	for _, name := range append(read.Headers(), read.AccountHeader(), "User-Agent", "X-Forwarded-For",
		"X-Original-Method", "X-Original-Uri", "X-Forwarded-Method", "X-Forwarded-Uri", "X-Ostiary-Min-Revision") {
		name = textproto.CanonicalMIMEHeaderKey(name)
		if small := strings.ToLower(name); k[small].name == "" { // a setting may name one of the others
			k[small] = knownHeader{name, len(k)}
		}
	}
	return k
}

// kept are the known headers of one request. Their room is used again.
type kept struct {
	header http.Header
	values [maxKnown]string
}

func (k *kept) forget() {
	clear(k.header)
	clear(k.values[:])
}

// read takes the known headers out of the lines of a request. It refuses what two readers could read
// differently: a line that does not end with CR LF or goes on in the next one, a space before the
// colon, a control character, and every body.
func (k known) read(lines []byte, into *kept) bool {
	var small [64]byte
	for len(lines) > 0 {
		end := bytes.IndexByte(lines, '\n')
		if end < 1 || lines[end-1] != '\r' {
			return false
		}
		line := lines[:end-1]
		lines = lines[end+1:]
		if len(line) == 0 {
			return len(lines) == 0 // the empty line is the last
		}
		colon := bytes.IndexByte(line, ':')
		if colon < 1 {
			return false
		}
		name, ok := lower(small[:0], line[:colon])
		value := bytes.Trim(line[colon+1:], " \t")
		if !ok || !clean(value) {
			return false
		}
		switch string(name) {
		case "transfer-encoding":
			return false
		case "content-length":
			if string(value) != "0" {
				return false
			}
		}
		h, ok := k[string(name)]
		if !ok {
			continue
		}
		into.keep(h, string(value))
	}
	return true
}

// keep puts a value among the headers. The first of a name needs no list of its own.
func (k *kept) keep(h knownHeader, value string) {
	if list, twice := k.header[h.name]; twice {
		k.header[h.name] = append(list, value)
		return
	}
	if h.at >= len(k.values) {
		k.header[h.name] = []string{value}
		return
	}
	k.values[h.at] = value
	k.header[h.name] = k.values[h.at : h.at+1 : h.at+1]
}

// lower gives a name in small letters, where it is a token of HTTP.
func lower(into, name []byte) ([]byte, bool) {
	for _, c := range name {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-':
		case 'A' <= c && c <= 'Z':
			c |= 0x20
		case bytes.IndexByte([]byte("!#$%&'*+.^_`|~"), c) < 0:
			return nil, false
		}
		into = append(into, c)
	}
	return into, true
}

// clean says whether a value is free of control characters.
func clean(value []byte) bool {
	for _, c := range value {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
