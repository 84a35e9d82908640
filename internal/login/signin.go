package login

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"ostiary"
)

// In is a session that has just begun. The order of its fields is that of web.SignedIn.
type In struct {
	Session ostiary.Session
	Cookie  ostiary.SecretText // which the browser is to bring from now on: shown this once
	Known   string             // by which the browser is known when it comes back to sign in
}

// A cookie is 256 random bits, in letters that no cookie minds.
var (
	cookieText = base64.RawURLEncoding
	cookieSize = cookieText.EncodedLen(32)
)

const (
	maxSessions = 20  // of one user: the one that was seen longest ago ends
	maxAgent    = 200 // bytes
)

// A person is who has an address, as far as signing in goes. The zero person is nobody.
type person struct {
	user     ostiary.ID
	hash     string // of the password; empty: none
	disabled bool
}

// SignIn begins a session for whoever knows the password. It refuses everybody else in the same words
// and at the same cost: WrongPassword, or TooMany with the seconds to wait. known is the cookie of a
// browser that has signed in before; empty: none. Where sessions cannot be written it is Unavailable.
func (l *Logins) SignIn(ctx context.Context, email, password, known string, from netip.Addr, agent string,
) (In, error) {
	email = strings.TrimSpace(email)
	p, err := l.personOf(ctx, email)
	if err != nil {
		return In{}, failed(err)
	}
	now := l.now()
	try, wait := l.tries.begin(email, p, known, from, now)
	if wait > 0 {
		l.told.refused(from, p, email, "too many tries", now)
		return In{}, tooMany(wait)
	}
	ok, err := l.compare(ctx, p, password, known)
	if errors.Is(err, errCrowded) {
		try.succeed() // nothing was tried
		l.told.refused(from, p, email, "too many at once", now)
	}
	if err != nil {
		return In{}, failed(err)
	}
	if !ok || p.disabled {
		l.told.refused(from, p, email, "wrong password", now)
		return In{}, errWrong()
	}
	try.succeed()
	in, err := l.Begin(ctx, p.user, p.hash, from, agent)
	if errors.Is(err, errNobody) {
		return In{}, errWrong()
	}
	return in, err
}

// compare looks at the password, behind the crowd or beside it.
func (l *Logins) compare(ctx context.Context, p person, password, known string) (bool, error) {
	if !p.knows(known) {
		leave, err := l.crowd.enter(ctx)
		if err != nil {
			return false, err
		}
		defer leave()
	}
	return l.derive.verify(ctx, p.hash, password, l.nobody)
}

func errWrong() error {
	return ostiary.Refuse(ostiary.WrongPassword, "The e-mail address or the password is wrong.")
}

func (l *Logins) personOf(ctx context.Context, email string) (p person, err error) {
	if len(email) > ostiary.MaxEmail {
		return p, nil
	}
	err = l.store.View(ctx, func(r ostiary.Reader) error {
		p = person{}
		u, err := r.UserByEmail(email)
		if err != nil {
			return err
		}
		p.user, p.disabled = u.ID, u.Disabled
		p.hash, err = r.Password(u.ID)
		return err
	})
	if errors.Is(err, ostiary.ErrNotFound) {
		err = nil
	}
	return p, err
}

// Begin begins a session for somebody who has shown the password with the hash was, or has just set it. If it
// is another one by now, or the user is disabled or gone, that is ostiary.ErrNotFound: what ended the sessions
// ends this one.
func (l *Logins) Begin(ctx context.Context, user ostiary.ID, was string, from netip.Addr, agent string) (In, error) {
	var random [32]byte
	rand.Read(random[:])
	now := l.now()
	in := In{Cookie: ostiary.ReadSecret(cookieText.EncodeToString(random[:]))}
	in.Session = ostiary.Session{
		Hash: in.Cookie.Hash(), User: user, BeganOn: now, SeenOn: now, From: textOf(from), Agent: clip(agent),
	}
	sweeps, ends := l.swept.due(now), false
	err := l.store.Update(ctx, func(w ostiary.Writer) error {
		hash, err := l.stillMay(w, user, was)
		if err != nil {
			return err
		}
		in.Known = knownAs(user, hash)
		if sweeps {
			if err := w.DropStaleSessions(l.limits(now)); err != nil {
				return err
			}
		}
		if ends, err = makeRoom(w, user); err != nil {
			return err
		}
		if in.Session.ID, err = w.NewID("session"); err != nil {
			return err
		}
		return w.PutSession(in.Session)
	})
	if err != nil {
		return In{}, failed(err)
	}
	if sweeps || ends {
		l.ended.tell()
	}
	l.set.Log.Info("signed in", "user", user, "session", in.Session.ID, "from", in.Session.From)
	return in, nil
}

// stillMay gives the hash of the user's password, inside the transaction that begins the session.
func (l *Logins) stillMay(r ostiary.Reader, user ostiary.ID, was string) (string, error) {
	u, err := r.User(user)
	if err != nil {
		return "", err
	}
	hash, err := r.Password(user)
	if err != nil && !errors.Is(err, ostiary.ErrNotFound) {
		return "", err
	}
	if u.Disabled || was == "" || hash != was {
		return "", errNobody
	}
	return hash, nil
}

// makeRoom ends the sessions that were seen longest ago, where there are too many for one more.
func makeRoom(w ostiary.Writer, user ostiary.ID) (ends bool, err error) {
	all, err := w.Sessions(user)
	if err != nil || len(all) < maxSessions {
		return false, err
	}
	slices.SortFunc(all, func(a, b ostiary.Session) int {
		return cmp.Or(a.SeenOn.Compare(b.SeenOn), cmp.Compare(a.ID, b.ID))
	})
	for _, s := range all[:len(all)-maxSessions+1] {
		if err := w.DropSession(s.Hash); err != nil {
			return false, err
		}
	}
	return true, nil
}

// Confirm says whether the password is that of the session's user, and gives the hash on record, which
// proves it to the change that needs it. A wrong one is WrongPassword; the tries of a session count
// among themselves, so that nobody else can take them away.
func (l *Logins) Confirm(ctx context.Context, s ostiary.Session, password string, from netip.Addr,
) (was string, err error) {
	var p person
	err = l.store.View(ctx, func(r ostiary.Reader) error {
		is, err := l.live(r, s.Hash, l.now())
		if err != nil {
			return err
		}
		p = person{user: is.User}
		if p.hash, err = r.Password(is.User); errors.Is(err, ostiary.ErrNotFound) {
			return nil
		}
		return err
	})
	if err != nil {
		return "", failed(err)
	}
	now := l.now()
	try, wait := l.tries.beginConfirming(s.Hash, now)
	if wait > 0 {
		l.told.refused(from, p, "", "too many tries to confirm", now)
		return "", tooMany(wait)
	}
	ok, err := l.derive.verify(ctx, p.hash, password, l.nobody)
	if err != nil {
		return "", failed(err)
	}
	if !ok {
		l.told.refused(from, p, "", "wrong password to confirm", now)
		return "", &ostiary.Refusal{Reason: ostiary.WrongPassword, Field: "password", Say: "This is not your password."}
	}
	try.succeed()
	return p.hash, nil
}

// knownAs is what a browser keeps that has signed in as a user. It needs no record, and ends with the
// password.
func knownAs(user ostiary.ID, hash string) string {
	if hash == "" {
		return ""
	}
	mac := hmac.New(sha256.New, []byte(hash))
	mac.Write([]byte("ostiary: a browser that has signed in as user " + user.String()))
	return cookieText.EncodeToString(mac.Sum(nil))
}

func (p person) knows(known string) bool {
	want := knownAs(p.user, p.hash)
	return want != "" && hmac.Equal([]byte(known), []byte(want))
}

// A sweep removes sessions that are too old, once a minute at most.
type sweep struct {
	mu   sync.Mutex
	last time.Time
}

func (s *sweep) due(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.last) < time.Minute {
		return false
	}
	s.last = now
	return true
}

func textOf(from netip.Addr) string {
	if !from.IsValid() {
		return ""
	}
	return from.String()
}

func clip(agent string) string {
	return strings.ToValidUTF8(agent[:min(len(agent), maxAgent)], "")
}
