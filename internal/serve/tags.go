package serve

import (
	"crypto/rand"
	"strconv"
	"sync/atomic"
)

// Tags have one width, so that no tag is the beginning of another one: seven random digits that
// tell one run of the program from the next, and eight that count.
const (
	runDigits   = 7
	countDigits = 8
	digits      = "0123456789abcdefghjkmnpqrstvwxyz"
)

type tags struct {
	run   string
	count *atomic.Uint64
}

func newTags() tags {
	var b [runDigits]byte
	rand.Read(b[:])
	for i := range b {
		b[i] = digits[b[i]%32]
	}
	return tags{run: string(b[:]), count: new(atomic.Uint64)}
}

func (t tags) next() string {
	var b [runDigits + countDigits]byte
	copy(b[:], t.run)
	n := t.count.Add(1)
	for i := len(b) - 1; i >= runDigits; i-- {
		b[i] = digits[n%32]
		n /= 32
	}
	return string(b[:])
}

// counted is the tag of a refusal that the line with this tag counts.
func counted(tag string, n uint64) string {
	number := strconv.FormatUint(n, 10)
	const zeros = "000000"
	return tag + "-" + zeros[:max(0, len(zeros)-len(number))] + number
}
