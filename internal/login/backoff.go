package login

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"ostiary"
)

// A pace says how many tries are free, and how long the waits after them grow.
type pace struct {
	free    int
	longest time.Duration
}

var (
	pacePerEmail   = pace{free: 5, longest: time.Minute}
	pacePerAddress = pace{free: 20, longest: 5 * time.Minute}
)

const (
	firstWait  = time.Second
	quiet      = time.Hour // after which tries are forgotten
	maxEntries = 10_000    // of one kind
)

// tries hold back who guesses passwords. There are two counts of a try: by the address that is tried,
// whether somebody has it or not, and by where it comes from. A browser that has signed in as this user
// before is outside both, and has a count of its own: nobody can hold it back but itself.
type tries struct {
	emails, addresses, browsers *backoff
}

func newTries() tries {
	return tries{newBackoff(pacePerEmail), newBackoff(pacePerAddress), newBackoff(pacePerEmail)}
}

// A try is one that was let through to the password. It counts as wrong until it succeeds.
type try []taken

type taken struct {
	backoff *backoff
	key     string
	own     bool // nobody else counts here: a success forgets all
}

// begin counts a try before the password is looked at, so that many at once are not all free. A wait
// above zero refuses it.
func (t *tries) begin(email string, p person, known string, from netip.Addr, now time.Time) (try, time.Duration) {
	if p.knows(known) {
		return beginAt(now, taken{t.browsers, "user " + p.user.String() + " " + known, true})
	}
	// The count by address is first: who only waits for a free try of somebody's e-mail uses up its own.
	return beginAt(now, taken{t.addresses, network(from), false}, taken{t.emails, emailKey(email), false})
}

// beginConfirming counts a try of somebody who is signed in.
func (t *tries) beginConfirming(session ostiary.Hash, now time.Time) (try, time.Duration) {
	return beginAt(now, taken{t.browsers, "session " + string(session[:]), true})
}

func beginAt(now time.Time, places ...taken) (try, time.Duration) {
	for _, place := range places {
		if wait := place.backoff.take(place.key, now); wait > 0 {
			return nil, wait
		}
	}
	return places, 0
}

// succeed takes the try back. What others did wrong at the same place stays counted.
func (t try) succeed() {
	for _, place := range t {
		place.backoff.giveBack(place.key, place.own)
	}
}

// emailKey is of one size whatever somebody types.
func emailKey(email string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(email)))
	return string(sum[:])
}

// network is where a client comes from. With IPv6 one client has a /64 of addresses.
func network(from netip.Addr) string {
	from = from.Unmap().WithZone("")
	if from.Is6() {
		return netip.PrefixFrom(from, 64).Masked().String()
	}
	return from.String()
}

func tooMany(wait time.Duration) error {
	seconds := int((wait + time.Second - 1) / time.Second)
	say := fmt.Sprintf("Too many tries. Wait %d seconds, then try again.", seconds)
	if seconds == 1 {
		say = "Too many tries. Wait a second, then try again."
	}
	return &ostiary.Refusal{Reason: ostiary.TooMany, Say: say, RetryAfter: seconds}
}

// A backoff counts tries by a key.
type backoff struct {
	pace pace
	mu   sync.Mutex
	at   map[string]*count
}

type count struct {
	tries int
	last  time.Time // of those that counted
	until time.Time // nothing counts, and nothing is let through, before
}

func newBackoff(p pace) *backoff { return &backoff{pace: p, at: map[string]*count{}} }

// take counts a try, or says how long to wait. One that comes while waiting does not count.
func (b *backoff) take(key string, now time.Time) (wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.at[key]
	if c == nil {
		b.makeRoom(now)
		c = &count{}
		b.at[key] = c
	}
	if now.Before(c.until) {
		return c.until.Sub(now)
	}
	if now.Sub(c.last) > quiet {
		c.tries = 0
	}
	c.tries++
	c.last = now
	if over := c.tries - b.pace.free; over >= 0 {
		c.until = now.Add(min(firstWait<<min(over, 20), b.pace.longest))
	}
	return 0
}

// giveBack takes back a try that succeeded, or all.
func (b *backoff) giveBack(key string, all bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.at[key]
	if c == nil {
		return
	}
	c.tries--
	if all || c.tries <= 0 {
		delete(b.at, key)
		return
	}
	if c.tries < b.pace.free {
		c.until = time.Time{}
	}
}

// sample is how many counts are looked at to find one that can go.
const sample = 64

// makeRoom forgets a count where there are too many: one that is over, or the lowest of a sample, the
// oldest of those. So whoever floods the counts with new keys pushes out its own, and must make as many
// tries at each of thousands of keys to push out a count that is high.
func (b *backoff) makeRoom(now time.Time) {
	if len(b.at) < maxEntries {
		return
	}
	var least *count
	var at string
	looked := 0
	for key, c := range b.at { // in random order
		if now.Sub(c.last) > quiet {
			at = key
			break
		}
		if least == nil || c.tries < least.tries || c.tries == least.tries && c.last.Before(least.last) {
			least, at = c, key
		}
		if looked++; looked == sample {
			break
		}
	}
	delete(b.at, at)
}
