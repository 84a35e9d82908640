package credential

import (
	"strings"

	"ostiary"
)

// enoughInText is how many letters and digits after the prefix are taken for a secret in a text that
// is only written down, also where it was cut short or lengthened.
const enoughInText = 12

// Conceal takes secrets out of a text: the one that was shown, and whatever begins like one of ours.
// Clients put tokens where they do not belong, in paths for instance, and those are written down.
func (r *Reader) Conceal(text string, shown ostiary.SecretText) string {
	if token := shown.Reveal(); token != "" {
		for at := indexFold(text, token); at >= 0; at = indexFold(text, token) {
			text = text[:at] + shown.Hint() + text[at+len(token):]
		}
	}
	prefix := r.format.Prefix
	if prefix == "" || !strings.Contains(text, prefix) {
		return text
	}
	var clear strings.Builder
	for {
		before, rest, found := strings.Cut(text, prefix)
		clear.WriteString(before)
		if !found {
			return clear.String()
		}
		clear.WriteString(prefix)
		if n := digits(rest, true); n >= enoughInText {
			clear.WriteString("…")
			rest = rest[n:]
		}
		text = rest
	}
}

// inName says whether an application name holds a secret. Such a name must never get on record.
func (r *Reader) inName(name, token string) bool {
	if indexFold(name, token) >= 0 {
		return true
	}
	return r.format.In(name)
}

// indexFold finds a token in a text without regard to case, as a UUID may be written.
func indexFold(text, token string) int {
	for i := 0; token != "" && i+len(token) <= len(text); i++ {
		if text[i]|0x20 == token[0]|0x20 && strings.EqualFold(text[i:i+len(token)], token) {
			return i
		}
	}
	return -1
}

// digits counts the letters and digits that a text begins with, and _ too where a further token may follow.
func digits(s string, underscore bool) int {
	n := 0
	for n < len(s) {
		c := s[n] | 0x20
		if !('0' <= s[n] && s[n] <= '9' || 'a' <= c && c <= 'z' || underscore && s[n] == '_') {
			break
		}
		n++
	}
	return n
}
