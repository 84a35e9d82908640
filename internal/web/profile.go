package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strings"

	"ostiary"
	"ostiary/internal/authority"
)

// profileView is the page of a person: it is about no single account.
type profileView struct {
	User     ostiary.User // as it was typed, where something was wrong
	Places   []place
	Sessions []sessionRow
	Said     string // what was done just now
	Wrong    string
	About    string // which form it is about: "name", "email", "password"
	NewEmail string
}

// A place is one of the person's accounts, with the tokens that they have there.
type place struct {
	authority.Seat
	Cards []authority.Card
	More  int
}

// fewOwn is how many tokens of one account the profile lists.
const fewOwn = 5

func profilePage(v *visit) (reply, error) {
	return v.profileScreen(profileView{User: v.user, Said: v.opened(v.r.URL.Query().Get("said"))}, 0)
}

func (v *visit) profileScreen(view profileView, status int) (reply, error) {
	ctx := v.r.Context()
	for _, seat := range v.seats {
		c := v.caller
		c.Account = seat.Account.ID
		o, err := v.authority.Overview(ctx, c, authority.Look{Own: authority.Range{Size: fewOwn}})
		if err != nil {
			return nil, err
		}
		view.Places = append(view.Places, place{seat, o.Own.Cards, o.Own.Total - len(o.Own.Cards)})
	}
	all, err := v.login.Sessions(ctx, v.session)
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		view.Sessions = append(view.Sessions, sessionRow{s, agentWords(s.Agent), s.ID == v.session.ID})
	}
	return screen{template: "profile", title: "Profile", nav: "/profile", status: status, data: view}, nil
}

// Others says that somebody is signed in elsewhere.
func (view profileView) Others() bool { return len(view.Sessions) > 1 }

// setName changes names and contacts.
func setName(v *visit) (reply, error) {
	first, last := v.field("first"), v.field("last")
	contact := ostiary.ContactInfo{SMS: v.field("sms"), VictorOps: v.field("victorops"), XMPP: v.field("xmpp")}
	_, rev, err := v.authority.SetUser(v.r.Context(), v.caller, v.user.ID, authority.UserPatch{
		FirstName: &first, LastName: &last, Contact: &contact,
	})
	if err != nil {
		view := profileView{User: v.user, About: "name"}
		view.User.FirstName, view.User.LastName, view.User.Contact = first, last, contact
		return v.profileAgain(view, err)
	}
	return v.toProfile("Your name and contacts are saved.", rev), nil
}

// setEmail changes the address that the person signs in with. The password says that it is the person.
func setEmail(v *visit) (reply, error) {
	ctx, email := v.r.Context(), v.field("email")
	was, err := v.login.Confirm(ctx, v.session, v.r.PostForm.Get("password"), v.caller.From)
	var rev uint64
	if err == nil {
		_, rev, err = v.authority.SetEmail(ctx, v.caller, was, email)
	}
	if err != nil {
		return v.profileAgain(profileView{User: v.user, About: "email", NewEmail: email}, err)
	}
	if rev == 0 {
		return to(v.link("/profile")), nil
	}
	return v.renewed(was, "From now on you sign in with the new address. Everywhere else you are signed out.", rev), nil
}

// setPassword changes the password, which ends all sessions, and begins a new one here.
func setPassword(v *visit) (reply, error) {
	ctx := v.r.Context()
	was, err := v.login.Confirm(ctx, v.session, v.r.PostForm.Get("password"), v.caller.From)
	var becomes string
	if err == nil {
		becomes, err = v.opt.Hash(v.r.PostForm.Get("new"))
	}
	var rev uint64
	if err == nil {
		rev, err = v.authority.SetPassword(ctx, v.caller, was, becomes)
	}
	if err != nil {
		return v.profileAgain(profileView{User: v.user, About: "password"}, err)
	}
	return v.renewed(becomes, "Your password is changed. Everywhere else you are signed out.", rev), nil
}

// renewed begins a new session after a change that ended all of the person, and says what was done. The change
// is made: where no session can be begun now, or the password with this hash is another again, the person signs
// in anew.
func (v *visit) renewed(hash, say string, revision uint64) reply {
	in, err := v.login.Begin(v.r.Context(), v.user.ID, hash, v.caller.From, v.caller.Agent)
	if err != nil {
		v.event.Err = err
		return to("/login")
	}
	v.signIn(in)
	v.session = in.Session
	return v.toProfile(say, revision)
}

func (v *visit) profileAgain(view profileView, err error) (reply, error) {
	say, status, ok := v.wrong(err)
	if !ok {
		return nil, err
	}
	view.Wrong = say
	return v.profileScreen(view, status)
}

// toProfile says on the profile what was done. The log that the person may read may not hold it, so the
// address does, sealed.
func (v *visit) toProfile(say string, revision uint64) reply {
	if revision != 0 {
		say += " Revision " + doneAt(revision, revision) + "."
	}
	return to(v.link("/profile?said=" + url.QueryEscape(v.seal(say)+say)))
}

// sealSize is the length of a seal: 96 bits.
const sealSize = 16

// seal is a mark that only we can make, and only for this session, for what an address has a page say: one that
// somebody else made up says nothing.
func (v *visit) seal(text string) string {
	mac := hmac.New(sha256.New, v.session.Hash[:])
	mac.Write([]byte("said: " + text))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))[:sealSize]
}

// opened is the text behind its seal; nothing, if the seal is not ours.
func (v *visit) opened(sealed string) string {
	if len(sealed) < sealSize {
		return ""
	}
	seal, text := sealed[:sealSize], strings.ToValidUTF8(sealed[sealSize:], "")
	if !hmac.Equal([]byte(seal), []byte(v.seal(text))) {
		return ""
	}
	return text
}
