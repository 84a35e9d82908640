package login

import (
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"ostiary"
)

// told writes refused sign-ins into the log: one line a minute of a kind, with how many there were
// between it and the line before.
type told struct {
	log *slog.Logger
	mu  sync.Mutex
	at  map[refusal]*line
}

// A refusal is what a line of the log is about.
type refusal struct {
	from string
	user ostiary.ID
	why  string
}

type line struct {
	at     time.Time
	unsaid int
}

const (
	tellEvery = time.Minute
	maxLines  = 1000
)

// refused writes the address that was typed only where it is a user's: people type passwords there.
func (t *told) refused(from netip.Addr, p person, email, why string, now time.Time) {
	unsaid, say := t.count(refusal{network(from), p.user, why}, now)
	if !say {
		return
	}
	args := []any{"why", why, "from", textOf(from)}
	if p.user != 0 {
		args = append(args, "user", p.user)
		if email != "" {
			args = append(args, "email", email)
		}
	}
	if unsaid > 0 {
		args = append(args, "not_written", unsaid)
	}
	t.log.Warn("sign-in refused", args...)
}

func (t *told) count(r refusal, now time.Time) (unsaid int, say bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.at[r]
	if l == nil && len(t.at) >= maxLines {
		r = refusal{why: r.why} // from everywhere
		l = t.at[r]
	}
	if l != nil && now.Sub(l.at) < tellEvery {
		l.unsaid++
		return 0, false
	}
	t.forget(now)
	if l != nil {
		unsaid = l.unsaid
	}
	if t.at == nil {
		t.at = map[refusal]*line{}
	}
	t.at[r] = &line{at: now}
	return unsaid, true
}

// forget drops lines that are over.
func (t *told) forget(now time.Time) {
	if len(t.at) < maxLines {
		return
	}
	for r, l := range t.at {
		if now.Sub(l.at) >= tellEvery {
			delete(t.at, r)
		}
	}
}
