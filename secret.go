package ostiary

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"hash/crc32"
	"log/slog"
	"math/big"
	"strings"
)

// A Hash is the SHA-256 of a secret: all that is kept of one.
type Hash [sha256.Size]byte

func (h Hash) String() string { return hex.EncodeToString(h[:4]) + "…" }

// A SecretText is a token's secret in clear. It prints as its hint, never as itself.
type SecretText struct{ text string }

// ReadSecret wraps a text that a request showed or a person pasted.
func ReadSecret(text string) SecretText { return SecretText{text} }

// Reveal is the secret itself: for the one answer that shows it.
func (s SecretText) Reveal() string { return s.text }

func (s SecretText) String() string               { return s.Hint() }
func (s SecretText) GoString() string             { return s.Hint() }
func (s SecretText) LogValue() slog.Value         { return slog.StringValue(s.Hint()) }
func (s SecretText) MarshalJSON() ([]byte, error) { return []byte(`"` + s.Hint() + `"`), nil }
func (s SecretText) MarshalText() ([]byte, error) { return []byte(s.Hint()), nil }

// Hash is what the records know the secret by. A UUID counts without regard to case.
func (s SecretText) Hash() Hash {
	if isUUID(s.text) {
		var lower [36]byte
		for i := range lower {
			c := s.text[i]
			if 'A' <= c && c <= 'Z' {
				c |= 0x20
			}
			lower[i] = c
		}
		return sha256.Sum256(lower[:])
	}
	// A buffer on the stack, so that a decision allocates nothing.
	var buf [128]byte
	if len(s.text) <= len(buf) {
		return sha256.Sum256(buf[:copy(buf[:], s.text)])
	}
	return sha256.Sum256([]byte(s.text))
}

const (
	base62       = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	randomDigits = 43 // base62 digits of 256 random bits
	sumDigits    = 6  // base62 digits of a CRC-32
)

// DefaultSecretPrefix begins every new secret, so that scanners recognise a leaked one.
const DefaultSecretPrefix = "ostiary_"

// A SecretFormat makes new secrets and knows the shape of them (contract 5).
type SecretFormat struct {
	Prefix string // letters, digits and _, at most 32
	UUID   bool   // make version-4 UUIDs instead
}

// New makes a secret from 256 random bits, or 122 for a UUID.
func (f SecretFormat) New() SecretText {
	if f.UUID {
		return SecretText{NewUUID()}
	}
	var b [32]byte
	rand.Read(b[:])
	n := new(big.Int).SetBytes(b[:])
	digits := make([]byte, randomDigits)
	radix, digit := big.NewInt(62), new(big.Int)
	for i := len(digits) - 1; i >= 0; i-- {
		n.DivMod(n, radix, digit)
		digits[i] = base62[digit.Int64()]
	}
	body := f.Prefix + string(digits)
	return SecretText{body + checksum(body)}
}

// HasShape says whether a text looks like a token of ours: the prefix and 49 digits, or a UUID.
// Its checksum may still be wrong.
func (f SecretFormat) HasShape(text string) bool {
	if isUUID(text) {
		return true
	}
	digits, ok := strings.CutPrefix(text, f.Prefix)
	if !ok || len(digits) != randomDigits+sumDigits {
		return false
	}
	for i := range len(digits) {
		if !isAlnum(digits[i]) {
			return false
		}
	}
	return true
}

// Holds says whether a text of a token's shape can be a token: its checksum is right.
func (f SecretFormat) Holds(text string) bool {
	if isUUID(text) {
		return true
	}
	if !f.HasShape(text) {
		return false
	}
	cut := len(text) - sumDigits
	return sumHolds(text[:cut], text[cut:])
}

// enoughDigits of a secret in a text make it one that must not be written down, also where the rest
// was cut off: what is missing could be guessed.
const enoughDigits = 32

// In says whether a text that people or programs sent holds a secret of ours, or most of one.
func (f SecretFormat) In(text string) bool {
	for f.Prefix != "" {
		_, rest, found := strings.Cut(text, f.Prefix)
		if !found {
			return false
		}
		digits := 0
		for digits < len(rest) && isAlnum(rest[digits]) {
			digits++
		}
		if digits >= enoughDigits {
			return true
		}
		text = rest
	}
	return false
}

// Hint is how a token is known after it was made: the first three and last four of its random
// characters, "k3X…9fQ2". It shows 41 of 256 bits.
func (s SecretText) Hint() string {
	t := s.text
	if isUUID(t) {
		return t[:3] + "…" + t[len(t)-4:]
	}
	if cut := len(t) - randomDigits - sumDigits; cut >= 0 {
		t = t[cut : cut+randomDigits]
		return t[:3] + "…" + t[randomDigits-4:]
	}
	return "…"
}

// NewUUID is a random (version 4) UUID in lower case.
func NewUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func checksum(body string) string {
	var out [sumDigits]byte
	putSum(body, &out)
	return string(out[:])
}

func sumHolds(body, sum string) bool {
	var want [sumDigits]byte
	putSum(body, &want)
	return sum == string(want[:])
}

// putSum walks the text itself: crc32.ChecksumIEEE lets its argument escape, and every check of a
// token would allocate.
func putSum(body string, out *[sumDigits]byte) {
	n := ^uint32(0)
	for i := range len(body) {
		n = crc32.IEEETable[byte(n)^body[i]] ^ n>>8
	}
	n = ^n
	for i := sumDigits - 1; i >= 0; i-- {
		out[i] = base62[n%62]
		n /= 62
	}
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if s[i] != '-' {
				return false
			}
			continue
		}
		if c := s[i] | 0x20; !('0' <= s[i] && s[i] <= '9' || 'a' <= c && c <= 'f') {
			return false
		}
	}
	return true
}

// alnum holds the letters and digits. Every request's token is compared with it, byte by byte.
var alnum = func() (set [256]bool) {
	for _, c := range []byte(base62) {
		set[c] = true
	}
	return set
}()

func isAlnum(c byte) bool { return alnum[c] }
