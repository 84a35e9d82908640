package login

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"ostiary"
)

// Settings are what an operator can choose.
type Settings struct {
	Idle     time.Duration    // after which an unused session ends; zero: 12 h
	Lifetime time.Duration    // after which every session ends; zero: 7 days
	Now      func() time.Time // for tests and made-up records
	Log      *slog.Logger
}

// seenEvery is how often a session is noted to be in use, at most: a page view is not a write.
const seenEvery = 5 * time.Minute

// Logins knows who is signed in.
type Logins struct {
	store  ostiary.Store
	set    Settings
	derive deriver
	nobody cost // what an address that nobody has costs
	tries  tries
	crowd  crowd
	told   told
	swept  sweep
	ended  ended
}

// New reads and writes sessions in a store.
func New(store ostiary.Store, set Settings) *Logins {
	if set.Idle == 0 {
		set.Idle = 12 * time.Hour
	}
	if set.Lifetime == 0 {
		set.Lifetime = 7 * 24 * time.Hour
	}
	if set.Now == nil {
		set.Now = time.Now
	}
	if set.Log == nil {
		set.Log = slog.New(slog.DiscardHandler)
	}
	l := &Logins{store: store, set: set, derive: key, nobody: defaultCost, tries: newTries(), crowd: newCrowd()}
	l.told.log = set.Log
	l.ended.ch = make(chan struct{})
	return l
}

// errNobody says that a cookie is of no session, or of one that ended, or of a user who is disabled.
var errNobody = fmt.Errorf("nobody is signed in: %w", ostiary.ErrNotFound)

// Session gives the session of a cookie, which is ostiary.ErrNotFound where there is none: never was,
// ended, unused for too long, too old, or its user disabled. Where the records cannot be read it is
// Unavailable.
func (l *Logins) Session(ctx context.Context, cookie ostiary.SecretText) (ostiary.Session, error) {
	s, err := l.Look(ctx, cookie)
	if now := l.now(); err == nil && !l.isNoted(s, now) {
		return l.seen(ctx, s, now)
	}
	return s, err
}

// Look is Session for what a page does by itself: it does not count as use, and keeps nobody signed in.
func (l *Logins) Look(ctx context.Context, cookie ostiary.SecretText) (s ostiary.Session, err error) {
	if len(cookie.Reveal()) != cookieSize {
		return s, errNobody
	}
	hash, now := cookie.Hash(), l.now()
	err = l.store.View(ctx, func(r ostiary.Reader) error {
		s, err = l.live(r, hash, now)
		return err
	})
	if err != nil {
		return ostiary.Session{}, failed(err)
	}
	return s, nil
}

// live gives a session that can be used now.
func (l *Logins) live(r ostiary.Reader, hash ostiary.Hash, now time.Time) (ostiary.Session, error) {
	s, err := r.Session(hash)
	if err != nil {
		return s, err
	}
	u, err := r.User(s.User)
	if err != nil {
		return s, err
	}
	if u.Disabled || l.isStale(s, now) {
		return s, errNobody
	}
	return s, nil
}

func (l *Logins) isStale(s ostiary.Session, now time.Time) bool {
	seenBefore, begunBefore := l.limits(now)
	return s.SeenOn.Before(seenBefore) || s.BeganOn.Before(begunBefore)
}

func (l *Logins) isNoted(s ostiary.Session, now time.Time) bool {
	return now.Sub(s.SeenOn) < min(seenEvery, l.set.Idle/10)
}

// limits are the times before which a session is too old, by when it was last seen and when it began.
func (l *Logins) limits(now time.Time) (seenBefore, begunBefore time.Time) {
	return now.Add(-l.set.Idle), now.Add(-l.set.Lifetime)
}

// seen notes that a session is in use. Where that cannot be written, whoever is signed in can still look.
func (l *Logins) seen(ctx context.Context, s ostiary.Session, now time.Time) (ostiary.Session, error) {
	err := l.store.Update(ctx, func(w ostiary.Writer) error {
		is, err := l.live(w, s.Hash, now) // it may have ended in between: a put would bring it back
		if err != nil || l.isNoted(is, now) {
			return err
		}
		s.SeenOn = now
		return w.PutSession(s)
	})
	if errors.Is(err, ostiary.ErrNotFound) {
		return ostiary.Session{}, failed(err)
	}
	if err != nil {
		l.set.Log.Debug("a session in use was not noted", "session", s.ID, "error", err)
	}
	return s, nil
}

// SignOut ends the session of a cookie, if there is one.
func (l *Logins) SignOut(ctx context.Context, cookie ostiary.SecretText) error {
	hash := cookie.Hash()
	err := l.store.View(ctx, func(r ostiary.Reader) error {
		_, err := r.Session(hash)
		return err
	})
	if errors.Is(err, ostiary.ErrNotFound) {
		return nil
	}
	if err != nil {
		return failed(err)
	}
	return l.end(ctx, func(w ostiary.Writer) error { return w.DropSession(hash) })
}

// EndOthers ends all sessions of the user but this one.
func (l *Logins) EndOthers(ctx context.Context, s ostiary.Session) error {
	return l.end(ctx, func(w ostiary.Writer) error {
		if _, err := l.live(w, s.Hash, l.now()); err != nil {
			return err
		}
		return w.DropSessions(s.User, s.Hash)
	})
}

// EndOne ends one of the user's sessions, by its id. Somebody else's does not exist.
func (l *Logins) EndOne(ctx context.Context, s ostiary.Session, id ostiary.ID) error {
	return l.end(ctx, func(w ostiary.Writer) error {
		if _, err := l.live(w, s.Hash, l.now()); err != nil {
			return err
		}
		all, err := w.Sessions(s.User)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(o ostiary.Session) bool { return o.ID == id })
		if i < 0 {
			return ostiary.ErrNotFound
		}
		return w.DropSession(all[i].Hash)
	})
}

// end makes a change that ends sessions, and wakes who waits for that.
func (l *Logins) end(ctx context.Context, fn func(ostiary.Writer) error) error {
	if err := l.store.Update(ctx, fn); err != nil {
		return failed(err)
	}
	l.ended.tell()
	return nil
}

// Sessions are those of the user that can be used, the one seen last first.
func (l *Logins) Sessions(ctx context.Context, s ostiary.Session) (out []ostiary.Session, err error) {
	err = l.store.View(ctx, func(r ostiary.Reader) error {
		out, err = r.Sessions(s.User)
		return err
	})
	if err != nil {
		return nil, failed(err)
	}
	now := l.now()
	out = slices.DeleteFunc(out, func(o ostiary.Session) bool { return l.isStale(o, now) })
	slices.SortStableFunc(out, func(a, b ostiary.Session) int { return b.SeenOn.Compare(a.SeenOn) })
	return out, nil
}

// Ended is closed when a session may have ended: signed out, or signed out of by another. Whoever waits
// asks Session again, and Ended for the next time. What a change of password or the operator ends is in
// the log, and is not told here.
func (l *Logins) Ended() <-chan struct{} { return l.ended.next() }

type ended struct {
	mu sync.Mutex
	ch chan struct{}
}

func (e *ended) next() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.ch
}

func (e *ended) tell() {
	e.mu.Lock()
	defer e.mu.Unlock()
	close(e.ch)
	e.ch = make(chan struct{})
}

func (l *Logins) now() time.Time { return l.set.Now().UTC().Truncate(time.Millisecond) }

// failed turns an error of the store into what the caller is told.
func failed(err error) error {
	var refusal *ostiary.Refusal
	if errors.As(err, &refusal) || errors.Is(err, ostiary.ErrNotFound) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	const say = "This cannot be done now. Try again in a moment."
	return &ostiary.Refusal{Reason: ostiary.Unavailable, Say: say, Cause: err}
}
