package web

import (
	"cmp"
	"errors"
	"net/http"
	"time"

	"ostiary"
	"ostiary/internal/authority"
)

// whoIsIt finds the person of the session's cookie.
func (v *visit) whoIsIt() error {
	cookie := v.sessionSecret()
	if cookie.Reveal() == "" {
		return nil
	}
	find := v.login.Session
	if v.isByItself() {
		find = v.login.Look
	}
	session, err := find(v.r.Context(), cookie)
	if isUnavailable(err) {
		return err
	}
	if err != nil {
		return nil // the session ended: the page of signing in says so, and takes the cookie away
	}
	user, seats, err := v.authority.Seats(v.r.Context(), session.User)
	if isUnavailable(err) {
		return err
	}
	if err != nil {
		return nil // disabled since: nobody is signed in
	}
	v.session, v.user, v.seats = session, user, seats
	v.caller.User = user.ID
	return nil
}

// isByItself says whether a page asks, and no person: the stream of news, and the page that is drawn anew
// because of it. An open page keeps nobody signed in.
func (v *visit) isByItself() bool {
	return v.r.URL.Path == "/live" || v.r.Method != http.MethodPost && v.r.Header.Get("Ostiary-Look") != ""
}

// chooseAccount: the one that the address or the form names, else the one looked at last, else the first.
// A form is about the account of the page that it stands on, and about no other that the person may have
// got, or may have left, meanwhile.
func (v *visit) chooseAccount() error {
	last, posts := v.cookie(accountCookie), v.r.Method == http.MethodPost
	named := v.r.URL.Query().Get("account")
	if posts && named == "" {
		named = cmp.Or(v.field("account"), last)
	}
	if !v.sit(cmp.Or(named, last)) {
		if named != "" || posts && len(v.seats) == 0 {
			return errNoSeat
		}
		v.sitFirst()
	}
	if now := v.seat.Account.ID.String(); v.seat.Account.ID != 0 && now != last {
		v.setCookie(accountCookie, now, aYear)
	}
	return nil
}

func (v *visit) sit(id string) (found bool) {
	for _, s := range v.seats {
		if s.Account.ID.String() == id {
			v.sitAt(s)
			return true
		}
	}
	return false
}

func (v *visit) sitFirst() {
	if len(v.seats) > 0 {
		v.sitAt(v.seats[0])
	}
}

func (v *visit) sitAt(s authority.Seat) {
	v.seat = s
	v.caller.Account, v.event.Account = s.Account.ID, s.Account.ID
	v.zone = zoneOf(s.Account)
}

func zoneOf(a ostiary.Account) *time.Location {
	if zone, err := time.LoadLocation(a.Timezone); err == nil {
		return zone
	}
	return time.UTC
}

// isUnavailable tells our own trouble from an answer: that something is not there, or may not be.
func isUnavailable(err error) bool {
	var refusal *ostiary.Refusal
	if err == nil || errors.Is(err, ostiary.ErrNotFound) {
		return false
	}
	return !errors.As(err, &refusal) || refusal.Reason == ostiary.Unavailable
}
